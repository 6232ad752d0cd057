"""The context that a function gets, made without the platform: the members that its code may use."""

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

from ...errors import MissingExtraError, SettingsError


class LocalContext:
    """What DataEngine's context offers: logger, secrets by name, tracer, instruments. Own attributes may be set on it.

    Spans are OpenTelemetry's, which does nothing with them unless it is set up. Instruments are those of Prometheus,
    where that is installed; `exposition` is what they have counted.
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
        """OpenTelemetry's tracer, where that is installed."""
        try:
            from opentelemetry import trace
        except ModuleNotFoundError:
            return None
        return trace.get_tracer(self.function_name)

    def counter(self, name: str, description: str = "", unit: str = "") -> Any:
        """A counter."""
        return _Instrument("Counter", name, description, unit, self._registry)

    def updowncounter(self, name: str, description: str = "", unit: str = "") -> Any:
        """A counter that can go down."""
        return _Instrument("Gauge", name, description, unit, self._registry)

    def gauge(self, name: str, description: str = "", unit: str = "") -> Any:
        """A gauge."""
        return _Instrument("Gauge", name, description, unit, self._registry)

    def histogram(self, name: str, description: str = "", unit: str = "") -> Any:
        """A histogram."""
        return _Instrument("Histogram", name, description, unit, self._registry)

    def exposition(self) -> tuple[bytes, str]:
        """What was counted, and its content type, in the form that Prometheus reads."""
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
        """Keep something for all events."""
        self._global = value

    def get_global_ctx(self) -> Any:
        """What was kept."""
        return self._global


def _registry() -> Any:
    try:
        from prometheus_client import CollectorRegistry
    except ModuleNotFoundError:
        return None
    return CollectorRegistry()


class _Instrument:
    """An instrument of Prometheus with the methods of OpenTelemetry's; its labels are those of its first value."""

    def __init__(self, kind: str, name: str, description: str, unit: str, registry: Any) -> None:
        plain = name.replace(".", "_").replace("-", "_")
        self._kind, self._name = kind, f"{plain}_seconds" if unit == "s" else plain
        self._description, self._registry = description, registry
        self._metric: Any = None
        self._lock = threading.Lock()

    def add(self, amount: float, attributes: Mapping[str, str] | None = None) -> None:
        """Count."""
        if self._registry is not None:
            self._of(attributes).inc(amount)

    def set(self, amount: float, attributes: Mapping[str, str] | None = None) -> None:
        """Say how much it is now."""
        if self._registry is not None:
            self._of(attributes).set(amount)

    def record(self, amount: float, attributes: Mapping[str, str] | None = None) -> None:
        """Say how much it was this time."""
        if self._registry is not None:
            self._of(attributes).observe(amount)

    def _of(self, attributes: Mapping[str, str] | None) -> Any:
        import prometheus_client

        labels = dict(attributes or {})
        with self._lock:
            if self._metric is None:
                make = getattr(prometheus_client, self._kind)
                self._metric = make(
                    self._name, self._description or self._name, sorted(labels), registry=self._registry
                )
        return self._metric.labels(**labels) if labels else self._metric


class JsonLines(logging.Formatter):
    """Log records as JSON, one a line."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
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
    """A context as a config file describes it: `envs:` go into the environment, `secrets:` into the context.

    The form is that of `vastde functions localrun`. Raises SettingsError, which does not repeat what is in the file.
    """
    if config is None:
        return LocalContext()
    try:
        import yaml
    except ModuleNotFoundError:
        raise MissingExtraError("web", "reading a config file") from None
    try:
        found = yaml.safe_load(Path(config).read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as problem:
        raise SettingsError(f"{config}: cannot be read as YAML ({type(problem).__name__})") from None
    envs, secrets = (found.get(name) or {} for name in ("envs", "secrets")) if isinstance(found, dict) else (None, None)
    if not isinstance(envs, dict) or not isinstance(secrets, dict):
        raise SettingsError(f"{config}: has to hold `envs:` and `secrets:`, each a mapping")
    os.environ.update({str(name): str(value) for name, value in envs.items()})
    return LocalContext(
        {
            str(name): {str(k): str(v) for k, v in keys.items()}
            for name, keys in secrets.items()
            if isinstance(keys, dict)
        }
        | ({"secrets": flat} if (flat := _flat(secrets)) else {})
    )


def _flat(secrets: Mapping[Any, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in secrets.items() if not isinstance(value, dict)}
