"""Version 3: sequence and frame of each file by the rules of this program; unreadable files have them too."""

from __future__ import annotations

import pyarrow as pa

from ...frames.names import FrameName, parse_name
from ..schema import TABLES
from .steps import AddColumns, Recompute, Step

_COLUMNS = pa.schema([TABLES["ingest_errors"].field(name) for name in FrameName._fields])


def _frames(page: pa.Table) -> pa.Table:
    names = map(parse_name, page["file_path_normalized"].to_pylist())
    return pa.Table.from_pylist([name._asdict() if name else {} for name in names], schema=_COLUMNS)


STEPS: tuple[Step, ...] = (
    AddColumns("ingest_errors", _COLUMNS),
    Recompute("files", ("file_path_normalized", *FrameName._fields), _frames, "sequences and frames"),
    Recompute("ingest_errors", ("file_path_normalized",), _frames, "sequences and frames"),
)
