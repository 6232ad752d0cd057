"""Version 4: empty regions of images, and chunks that cannot be decoded."""

from __future__ import annotations

import pyarrow as pa

from ..schema import TABLES
from .steps import AddColumns, Step

_PART_STATS = ("empty_regions", "errors")

STEPS: tuple[Step, ...] = (
    AddColumns("part_stats", pa.schema([TABLES["part_stats"].field(name) for name in _PART_STATS])),
)
