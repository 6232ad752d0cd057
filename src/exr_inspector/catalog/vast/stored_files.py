"""Changes of the rows of stored files, in the transaction of a persist."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from ..rows import RowBatch
from ..schema import JUDGED_PARTS, TABLES
from ..validations import COLUMNS, NewValidations, new_validations, validated_files
from .tables import ROW_ID, Rows


def set_statuses(rows: Rows, batch: RowBatch, new: set[str]) -> NewValidations:
    """The rows without results of policies that are stored; sets `validation_status` of stored files with others."""
    file_ids = validated_files(batch, new)
    if not file_ids:
        return NewValidations(batch)
    files = rows.select_in("files", ["file_id"], "file_id", file_ids)
    stored = rows.select_in("validations", COLUMNS, "file_id", file_ids)
    found = new_validations(batch, new, set(files["file_id"].to_pylist()), stored)
    index = pc.index_in(files["file_id"], found.statuses["file_id"].combine_chunks())
    statuses = found.statuses["validation_status"].take(index)
    rows.update("files", pa.table({ROW_ID: files[ROW_ID], "validation_status": statuses}).filter(pc.is_valid(index)))
    return found


def judge_parts(rows: Rows, parts: pa.Table, file_ids: Sequence[str]) -> None:
    """Update the stored parts of these files."""
    if not file_ids:
        return
    stored = rows.select_in("parts", ["file_id", "part_index"], "file_id", file_ids)
    judged = stored.join(parts.drop_columns("file_path"), ["file_id", "part_index"], join_type="inner")
    schema = pa.schema([*map(TABLES["parts"].field, JUDGED_PARTS), stored.schema.field(ROW_ID)])
    rows.update("parts", judged.select(schema.names).cast(schema))
