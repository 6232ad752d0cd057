"""The manifest of a backup: written last, so a folder without one is not a backup."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from ... import __version__
from ...errors import BackupError, SourceNotFoundError
from ...sources import open_source
from ...sources.output import below, output_file
from ...sources.uris import is_object, local_path

if TYPE_CHECKING:
    from ...settings import S3Access

NAME = "manifest.json"
FORMAT = 1

T = TypeVar("T")

_LARGEST = 256 << 20  # bytes that are read of a manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """The file of a table: its rows, the rows of the catalog that were left out, its bytes and their SHA-256."""

    rows: int
    dropped: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The backup that an increment completes, and the SHA-256 of its manifest."""

    path: str  # URI, or a path relative to the folder of the increment
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup has; `catalog` is the URI of its source, without keys."""

    format: int = FORMAT
    product: str = f"exr-inspector {__version__}"
    schema_version: int
    embedding_version: int
    catalog: str
    started: str
    finished: str
    vectors: bool
    base: Base | None
    superseded: tuple[str, ...]  # file_ids of current versions that were replaced while the backup was written
    tables: dict[str, TableFile]

    @property
    def started_us(self) -> int:
        """The start in microseconds since the epoch."""
        started = datetime.fromisoformat(self.started.replace("Z", "+00:00"))
        if started.tzinfo is None:
            raise ValueError("started has no time zone")
        return int(started.timestamp()) * 1_000_000

    def to_json(self) -> bytes:
        """The bytes of the manifest."""
        return json.dumps(asdict(self), indent=2).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes, folder: str) -> Manifest:
        """The manifest of a backup in `folder`. Raises BackupError for a newer format, or another file."""
        try:
            values: dict[str, Any] = json.loads(data)
            if values["format"] > FORMAT:
                raise BackupError(
                    folder, f"format {values['format']}, expected {FORMAT}; upgrade to {values['product']}"
                )
            base = _checked(Base, values["base"]) if values["base"] is not None else None
            tables = {table: _checked(TableFile, entry) for table, entry in values["tables"].items()}
            superseded = tuple(values["superseded"])
            if not all(isinstance(file_id, str) for file_id in superseded):
                raise ValueError("superseded has values that are not strings")
            manifest = _checked(cls, values | {"base": base, "tables": tables, "superseded": superseded})
            if manifest.schema_version < 1:
                raise ValueError(f"schema_version is {manifest.schema_version}")
            manifest.started_us  # noqa: B018 (raises ValueError)
            return manifest
        except KeyError as error:
            raise BackupError(folder, f"{NAME} is not the manifest of a backup: {error} is missing") from error
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise BackupError(folder, f"{NAME} is not the manifest of a backup: {error}") from error


_TYPES = {"str": str, "int": int, "bool": bool}  # others are checked where they are made


def _checked(kind: type[T], values: dict[str, Any]) -> T:
    """The values as a dataclass. Raises KeyError, TypeError or ValueError for a missing or other one."""
    for field in fields(kind):  # type: ignore[arg-type]
        value, expected = values[field.name], _TYPES.get(str(field.type))
        if expected and type(value) is not expected:
            raise TypeError(f"{field.name} is not of the type {field.type}")
        if expected is int and value < 0:
            raise ValueError(f"{field.name} is negative")
    return kind(**values)


def read_manifest(folder: str, s3: S3Access | None) -> tuple[Manifest, str]:
    """The manifest of the backup in a folder, and the SHA-256 of its bytes. Raises BackupError, SourceError."""
    try:
        source = open_source(below(folder, NAME), s3)
    except SourceNotFoundError:
        if not _exists(folder, s3):
            raise SourceNotFoundError(folder, "no such folder; check its name") from None
        raise BackupError(
            folder, f"incomplete: {NAME} is missing; give the folder of a backup that was completed"
        ) from None
    try:
        data = source.read(0, min(source.size_bytes, _LARGEST))
    finally:
        source.close()
    return Manifest.from_json(data, folder), hashlib.sha256(data).hexdigest()


def write_manifest(manifest: Manifest, folder: str, s3: S3Access | None) -> None:
    """Write the manifest, which makes the folder a backup."""
    with output_file(folder, NAME, s3) as file:
        file.write(manifest.to_json())


def utc_now() -> str:
    """The time in UTC, in ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


def _exists(folder: str, s3: S3Access | None) -> bool:
    """Whether there is a folder, or an object below its URI. Raises SourceError."""
    if not is_object(folder):
        return os.path.lexists(local_path(folder) or folder)
    from ...sources.s3 import list_objects

    assert s3 is not None
    return any(True for _ in list_objects(folder, s3))
