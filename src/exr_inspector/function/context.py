"""The context that a function gets, made without the platform: the members that its code may use."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import MissingExtraError, SettingsError


class LocalContext:
    """What DataEngine's context offers: logger, secrets by name, tracer, counters. Own attributes may be set on it."""

    def __init__(self, secrets: Mapping[str, Mapping[str, str]] | None = None, name: str = "exr-inspector") -> None:
        self.logger = logging.getLogger("exr_inspector.user")
        self.secrets = dict(secrets or {})
        self.function_name = name
        self.pipeline_triggers_map: dict[str, Any] = {}
        self._global: Any = None

    @property
    def tracer(self) -> Any:
        """OpenTelemetry's tracer, where that is installed."""
        try:
            from opentelemetry import trace
        except ModuleNotFoundError:
            return None
        return trace.get_tracer(self.function_name)

    @property
    def meter(self) -> Any:
        """OpenTelemetry's meter, where that is installed."""
        try:
            from opentelemetry import metrics
        except ModuleNotFoundError:
            return None
        return metrics.get_meter(self.function_name)

    def counter(self, name: str, description: str = "", unit: str = "") -> Any:
        """A counter."""
        return self.meter.create_counter(name, unit=unit, description=description)

    def updowncounter(self, name: str, description: str = "", unit: str = "") -> Any:
        """A counter that can go down."""
        return self.meter.create_up_down_counter(name, unit=unit, description=description)

    def gauge(self, name: str, description: str = "", unit: str = "") -> Any:
        """A gauge."""
        return self.meter.create_gauge(name, unit=unit, description=description)

    def histogram(self, name: str, description: str = "", unit: str = "") -> Any:
        """A histogram."""
        return self.meter.create_histogram(name, unit=unit, description=description)

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
