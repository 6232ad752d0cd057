"""The context of a function outside of the platform, with the members that its code may use."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import SettingsError

if TYPE_CHECKING:
    from .telemetry import Telemetry


class LocalContext:
    """The members of DataEngine's context: logger, secrets by name, tracer, instruments. Accepts other attributes.

    Spans and instruments are OpenTelemetry's, if the extra `web` is installed; without it, they raise
    ModuleNotFoundError.
    """

    def __init__(self, secrets: Mapping[str, Mapping[str, str]] | None = None, name: str = "exr-inspector") -> None:
        self.logger = logging.getLogger("exr_inspector.user")
        self.secrets = dict(secrets or {})
        self.function_name = name
        self.pipeline_triggers_map: dict[str, Any] = {}
        self._global: Any = None

    @cached_property
    def telemetry(self) -> Telemetry:
        """Metrics and traces of this process."""
        from .telemetry import Telemetry

        return Telemetry(self.function_name)

    @property
    def tracer(self) -> Any:
        """OpenTelemetry's tracer."""
        return self.telemetry.tracer

    @property
    def meter(self) -> Any:
        """OpenTelemetry's meter."""
        return self.telemetry.meter

    def counter(self, name: str, description: str = "", unit: str = "") -> Any:
        """Create a counter."""
        return self.meter.create_counter(name, unit, description)

    def updowncounter(self, name: str, description: str = "", unit: str = "") -> Any:
        """Create a counter that can decrease."""
        return self.meter.create_up_down_counter(name, unit, description)

    def gauge(self, name: str, description: str = "", unit: str = "") -> Any:
        """Create a gauge."""
        return self.meter.create_gauge(name, unit, description)

    def histogram(self, name: str, description: str = "", unit: str = "", **options: Any) -> Any:
        """Create a histogram; the options are those of OpenTelemetry."""
        return self.meter.create_histogram(name, unit, description, **options)

    def start_as_current_span(self, name: str) -> AbstractContextManager[Any]:
        """A span around the block."""
        return self.tracer.start_as_current_span(name)  # type: ignore[no-any-return]

    def close(self) -> None:
        """Export what has not been exported."""
        if "telemetry" in vars(self):
            self.telemetry.close()

    def set_global_ctx(self, value: Any) -> None:
        """Store a value for all events."""
        self._global = value

    def get_global_ctx(self) -> Any:
        """The stored value."""
        return self._global


class JsonLines(logging.Formatter):
    """Formats log records as JSON, one per line."""

    def format(self, record: logging.LogRecord) -> str:
        """The JSON of a record."""
        line = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        } | getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def context_of(config: str) -> LocalContext:
    """The context that a config file describes; its `envs:` are set in the environment of the process.

    The format is that of `vastde functions localrun`. Raises SettingsError, without the content of the file.
    """
    try:
        values = read_yaml(config) or {}
    except OSError as error:
        raise SettingsError(f"{config}: {error.strerror or 'cannot be read'}") from None
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
    """The content of a YAML or JSON file. Raises OSError, or SettingsError without its content."""
    import yaml

    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise SettingsError(f"{path}: not a readable YAML or JSON file ({type(error).__name__})") from None


def _flat(secrets: Mapping[Any, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in secrets.items() if not isinstance(value, dict)}
