"""The configuration file of a folder: defaults of commands for everyone who works below it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SettingsError

NAME, SHARED_NAME, TABLE = "exr-inspector.toml", "pyproject.toml", "exr-inspector"
KEYS = {
    "catalog": "Catalog of commands without `--catalog`. A relative path of a DuckDB file begins at the folder of this "
    "file.",
    "exclude": "List of patterns, in addition to those of `--exclude`.",
    "path_template": "As `EXR_INSPECTOR_PATH_TEMPLATE`.",
}
_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """The values of a configuration file; None for keys that it does not have."""

    catalog: str | None = None
    exclude: tuple[str, ...] = ()
    path_template: str | None = None


def config_file() -> ConfigFile:
    """The values of the file in the working folder, or else in the nearest folder above. Raises SettingsError.

    In each folder, `exr-inspector.toml`, or else `pyproject.toml` if it has a table `[tool.exr-inspector]`.
    """
    folder = Path.cwd()
    for parent in (folder, *folder.parents):
        own, shared = parent / NAME, parent / SHARED_NAME
        if own.is_file():
            return _checked(_read(own), own)
        if shared.is_file():
            tool = _read(shared).get("tool")
            values = tool.get(TABLE) if isinstance(tool, dict) else None
            if values is not None:
                return _checked(values, shared)
    return ConfigFile()


def _read(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES + 1)
        if len(text) > _MAX_BYTES:
            raise SettingsError(f"{path} is larger than {_MAX_BYTES} bytes")
        values: dict[str, Any] = tomllib.loads(text.decode())
        return values
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise SettingsError(f"{path} is not valid TOML: {reason}") from None


def _checked(values: object, path: Path) -> ConfigFile:
    """Raises SettingsError, naming the file and the key."""
    if not isinstance(values, Mapping):
        raise SettingsError(f"{path}: {TABLE}: expected a table with the keys {', '.join(KEYS)}")
    for key, value in values.items():
        if key not in KEYS:
            raise SettingsError(f"{path}: unknown key {key!r}; the keys are {', '.join(KEYS)}")
        is_list = key == "exclude"
        texts = value if is_list and isinstance(value, list) else [value]
        if not all(isinstance(text, str) and text for text in texts) or (is_list and value is not texts):
            raise SettingsError(f"{path}: {key}: expected {'a list of texts' if is_list else 'a text'}")
    catalog = values.get("catalog")
    return ConfigFile(
        catalog=catalog and _below(path.parent, catalog),
        exclude=tuple(values.get("exclude", ())),
        path_template=values.get("path_template"),
    )


def _below(folder: Path, catalog: str) -> str:
    """The catalog, with an absolute path if it is a DuckDB file."""
    scheme, colon, path = catalog.partition(":")
    if not colon:
        scheme, path = "duckdb", catalog
    is_file = scheme.lower() == "duckdb" and path and not path.startswith(":") and (colon or path.endswith(".duckdb"))
    return f"duckdb:{folder / os.path.expanduser(path)}" if is_file else catalog
