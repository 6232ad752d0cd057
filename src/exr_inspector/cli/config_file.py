"""The configuration file of a folder: defaults of commands for everyone who works below it."""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
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

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """The values of a configuration file; None for keys that it does not have, and for the path without a file."""

    path: Path | None = None
    catalog: str | None = None
    exclude: tuple[str, ...] = ()
    path_template: str | None = None


def config_file() -> ConfigFile:
    """The values of the file in the working folder, or else in the nearest folder above. Raises SettingsError.

    In each folder, `exr-inspector.toml`, or else `pyproject.toml` if it has a table `[tool.exr-inspector]`. Files of
    others than the user and root are ignored.
    """
    try:
        folder = Path.cwd()
    except OSError:  # it was deleted
        return ConfigFile()
    for parent in (folder, *folder.parents):
        own, shared = parent / NAME, parent / SHARED_NAME
        if _is_trusted(own):
            return _checked(_read(own), own)
        if _is_trusted(shared) and (values := _shared_values(shared)) is not None:
            return _checked(values, shared)
    return ConfigFile()


def _is_trusted(path: Path) -> bool:
    """Whether it is a file that nobody but the user and root can have made to choose the user's catalog."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    if not stat.S_ISREG(status.st_mode):
        return False
    is_trusted = status.st_uid in (0, os.geteuid())
    if not is_trusted and path.name == NAME:
        _note_ignored(path, status.st_uid)
    return is_trusted


@cache
def _note_ignored(path: Path, owner: int) -> None:
    from .output import print_note

    print_note(f"{path} is ignored: its owner is the user {owner}, neither you nor root")


def _shared_values(path: Path) -> object:
    """The table of this program in a file of other programs; None without one, or if the file is invalid."""
    try:
        tool = _read(path).get("tool")
    except SettingsError as error:
        log.info("passed over: %s", error)
        return None
    return tool.get(TABLE) if isinstance(tool, dict) else None


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
            raise SettingsError(f"{path}: {key}: expected {'a list of strings' if is_list else 'a string'}")
    catalog = values.get("catalog")
    return ConfigFile(
        path=path,
        catalog=catalog and _below(path, catalog),
        exclude=tuple(values.get("exclude", ())),
        path_template=values.get("path_template"),
    )


def _below(file: Path, catalog: str) -> str:
    """The catalog, with an absolute path if it is a DuckDB file. Raises SettingsError."""
    from ..catalog import duckdb_path, is_vast

    if is_vast(catalog):
        return catalog
    try:
        path = duckdb_path(catalog)
    except SettingsError as error:
        raise SettingsError(f"{file}: catalog: {error}") from None
    return f"duckdb:{file.parent / os.path.expanduser(path)}"
