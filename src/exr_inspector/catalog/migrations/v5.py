"""Version 5: which statistics of pixels the results of policies are without."""

from __future__ import annotations

import pyarrow as pa

from ..schema import TABLES
from .steps import AddColumns, Step

_VALIDATIONS = ("without_statistics", "partly_decoded")

STEPS: tuple[Step, ...] = (
    AddColumns("validations", pa.schema([TABLES["validations"].field(name) for name in _VALIDATIONS])),
)
