"""Files that are like one: found by the vectors of their headers, and told group by group."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..catalog import Catalog
from ..errors import QueryError
from ..inspection.inspector import inspect
from ..sources.uris import normalize_path
from ..vectors import VERSION, Vector, embed, explain

if TYPE_CHECKING:
    import pyarrow as pa

    from ..catalog.nearest import By
    from ..exr import Limits

_FILE_ID = re.compile(r"[0-9a-f]{4,32}")
_LIVE = "is_current AND deleted_at IS NULL"
_COLUMNS = "file_id, file_path_normalized, sequence, embedding_version, metadata_embedding, channel_fingerprint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The file that others are compared with."""

    file_path_normalized: str
    sequence: str | None
    metadata: Vector | list[float]
    channels: Vector | list[float]


def subject(catalog: Catalog, file: str, limits: Limits | None = None) -> Subject:
    """The file of a path, URI or file_id, or of the beginning of one: as the catalog has it, or else as it lies there.

    Raises QueryError where nothing has that name, and what `inspect` raises.
    """
    if _FILE_ID.fullmatch(file) and not os.path.exists(file):
        found = catalog.sql(f"SELECT {_COLUMNS} FROM files WHERE starts_with(file_id, ?) LIMIT 2", [file]).to_pylist()  # noqa: S608
        if not found:
            raise QueryError(f"{file} is no file, and the catalog has no file_id that begins so")
        if len(found) > 1:
            raise QueryError(f"several file_ids begin with {file}; give more of it")
        return _stored(found[0])
    query = f"SELECT {_COLUMNS} FROM files WHERE file_path_normalized = ? AND {_LIVE}"  # noqa: S608
    found = catalog.sql(query, [normalize_path(file)]).to_pylist()
    if found and found[0]["embedding_version"] == VERSION:
        return _stored(found[0])
    inspection = inspect(file) if limits is None else inspect(file, limits=limits)
    embedding = embed(inspection)
    facts = inspection.file
    return Subject(
        file_path_normalized=facts.file_path_normalized,
        sequence=facts.sequence,
        metadata=embedding.metadata,
        channels=embedding.channels,
    )


def similar(
    catalog: Catalog,
    to: Subject,
    *,
    by: By = "metadata",
    k: int = 10,
    where: str | None = None,
    per_sequence: bool = False,
    explained: bool = False,
) -> pa.Table:
    """The k files that are most like one, itself left out; per sequence, its own sequence left out.

    The columns of `Catalog.similar` without the vectors; `explained` adds `differs`: in which groups they are not the
    same, in words. Raises QueryError.
    """
    import pyarrow as pa

    vector = getattr(to, by)
    one_more = catalog.similar(vector, by=by, k=k + 1, where=where, per_sequence=per_sequence)
    others = [row for row in one_more.to_pylist() if not _is_itself(row, to, per_sequence)][:k]
    for row in others:
        if explained:
            row["differs"] = differs(vector, row["vector"])
    columns = [name for name in one_more.column_names if name != "vector"]
    schema = pa.schema([one_more.schema.field(name) for name in columns], one_more.schema.metadata)
    if explained:
        schema = schema.append(pa.field("differs", pa.list_(pa.string())))
    return pa.Table.from_pylist(others, schema)


def _is_itself(row: dict[str, Any], to: Subject, per_sequence: bool) -> bool:
    """Whether a row is the subject's, or of its sequence where only one of each counts."""
    if per_sequence and to.sequence is not None and to.sequence == row["sequence"]:
        return True
    return bool(to.file_path_normalized == row["file_path_normalized"])


def differs(a: Vector | list[float], b: Vector | list[float]) -> list[str]:
    """The groups in which two vectors are not the same, the largest part of the difference first."""
    groups = [group for group in explain(a, b) if group.verdict != "the same"]
    groups.sort(key=lambda group: -group.share * (1 - group.similarity))
    return [str(group) for group in groups]


def _stored(row: dict[str, Any]) -> Subject:
    if row["embedding_version"] != VERSION:
        version = row["embedding_version"] or "none"
        raise QueryError(
            f"{row['file_id']}: its vectors are of version {version}, this exr-inspector compares those of {VERSION}; "
            "renew them with: exr-inspector db reembed"
        )
    return Subject(
        file_path_normalized=row["file_path_normalized"],
        sequence=row["sequence"],
        metadata=row["metadata_embedding"],
        channels=row["channel_fingerprint"],
    )
