"""The context of a function outside of the platform, with the members that its code may use."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ...errors import SettingsError


class LocalContext:
    """The members of DataEngine's context: logger, secrets by name, tracer, instruments. Accepts other attributes.

    Spans are OpenTelemetry's, which discards them unless it is configured. Instruments are Prometheus', if that is
    installed; `exposition` returns their values.
    """

    def __init__(self, secrets: Mapping[str, Mapping[str, str]] | None = None, name: str = "exr-inspector") -> None:
        self.logger = logging.getLogger("exr_inspector.user")
        self.secrets = dict(secrets or {})
        self.function_name = name
        self.pipeline_triggers_map: dict[str, Any] = {}
        self._global: Any = None
        self._registry = _registry()

    @property
    def tracer(self) -> Any:
        """OpenTelemetry's tracer; None if it is not installed."""
        try:
            from opentelemetry import trace
        except ModuleNotFoundError:
            return None
        return trace.get_tracer(self.function_name)

    def counter(self, name: str, description: str = "", unit: str = "") -> Any:
        """Create a counter."""
        return _Instrument("Counter", name, description, unit, self._registry)

    def updowncounter(self, name: str, description: str = "", unit: str = "") -> Any:
        """Create a counter that can decrease."""
        return _Instrument("Gauge", name, description, unit, self._registry)

    def gauge(self, name: str, description: str = "", unit: str = "") -> Any:
        """Create a gauge."""
        return _Instrument("Gauge", name, description, unit, self._registry)

    def histogram(self, name: str, description: str = "", unit: str = "") -> Any:
        """Create a histogram."""
        return _Instrument("Histogram", name, description, unit, self._registry)

    def exposition(self) -> tuple[bytes, str]:
        """The values of all instruments in the text format of Prometheus, and its content type."""
        if self._registry is None:
            return b"", "text/plain"
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    @contextmanager
    def start_as_current_span(self, name: str) -> Iterator[Any]:
        """A span around the block."""
        if self.tracer is None:
            yield None
            return
        with self.tracer.start_as_current_span(name) as span:
            yield span

    def set_global_ctx(self, value: Any) -> None:
        """Store a value for all events."""
        self._global = value

    def get_global_ctx(self) -> Any:
        """The stored value."""
        return self._global


def _registry() -> Any:
    try:
        from prometheus_client import CollectorRegistry
    except ModuleNotFoundError:
        return None
    return CollectorRegistry()


class _Instrument:
    """A Prometheus instrument with OpenTelemetry's methods; the first value determines the names of the labels."""

    def __init__(self, kind: str, name: str, description: str, unit: str, registry: Any) -> None:
        base = name.replace(".", "_").replace("-", "_")
        self._kind, self._name = kind, f"{base}_seconds" if unit == "s" else base
        self._description, self._registry = description, registry
        self._metric: Any = None
        self._lock = threading.Lock()

    def add(self, amount: float, attributes: Mapping[str, str] | None = None) -> None:
        """Add an amount."""
        if self._registry is not None:
            self._labelled(attributes).inc(amount)

    def set(self, amount: float, attributes: Mapping[str, str] | None = None) -> None:
        """Set the current value."""
        if self._registry is not None:
            self._labelled(attributes).set(amount)

    def record(self, amount: float, attributes: Mapping[str, str] | None = None) -> None:
        """Record one observation."""
        if self._registry is not None:
            self._labelled(attributes).observe(amount)

    def _labelled(self, attributes: Mapping[str, str] | None) -> Any:
        import prometheus_client

        labels = dict(attributes or {})
        with self._lock:
            if self._metric is None:
                create = getattr(prometheus_client, self._kind)
                self._metric = create(
                    self._name, self._description or self._name, sorted(labels), registry=self._registry
                )
        return self._metric.labels(**labels) if labels else self._metric


class JsonLines(logging.Formatter):
    """Formats log records as JSON, one per line."""

    def format(self, record: logging.LogRecord) -> str:
        """The JSON of a record."""
        line = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def context_of(config: str | None) -> LocalContext:
    """The context that a config file describes; its `envs:` are set in the environment of the process.

    The format is that of `vastde functions localrun`. Raises SettingsError, without the content of the file.
    """
    if config is None:
        return LocalContext()
    values = read_yaml(config) or {}
    is_mapping = isinstance(values, dict)
    envs, secrets = (values.get(name) or {} for name in ("envs", "secrets")) if is_mapping else (None, None)
    if not isinstance(envs, dict) or not isinstance(secrets, dict):
        raise SettingsError(f"{config}: expected the mappings `envs:` and `secrets:`, both optional")
    os.environ.update({str(name): str(value) for name, value in envs.items()})
    return LocalContext(
        {
            str(name): {str(k): str(v) for k, v in keys.items()}
            for name, keys in secrets.items()
            if isinstance(keys, dict)
        }
        | ({"secrets": flat} if (flat := _flat(secrets)) else {})
    )


def read_yaml(path: str) -> Any:
    """The content of a YAML or JSON file. Raises SettingsError, without the content of the file."""
    import yaml

    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SettingsError(f"{path}: not a readable YAML or JSON file ({type(error).__name__})") from None


def _flat(secrets: Mapping[Any, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in secrets.items() if not isinstance(value, dict)}
