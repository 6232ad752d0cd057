"""The last inspections of many files, and the statistics of their pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from ..protocol import FileStat, PixelLevel, PolicyRules, SeenFile, SeenStatistics
from ..schema import PIXEL_TABLES, TIME
from ..validations import result_now
from . import statements
from .statements import run

if TYPE_CHECKING:
    import duckdb


def seen(
    connection: duckdb.DuckDBPyConnection,
    file_stats: Sequence[FileStat],
    pixels: PixelLevel | None,
    policy: PolicyRules | None,
) -> dict[str, SeenFile]:
    """The last inspection of each file that has one, by normalized path."""
    table = pa.table(
        {
            "path": pa.array([file.file_path_normalized for file in file_stats], pa.string()),
            "size_bytes": pa.array([file.size_bytes for file in file_stats], pa.int64()),
            "mtime": pa.array([file.mtime for file in file_stats], TIME),
            "etag": pa.array([file.etag for file in file_stats], pa.string()),
        }
    )
    connection.register("file_stats", table)
    statement = statements.seen(
        pixels, of_policy=policy is not None, about_pixels=policy is not None and policy.about_pixels
    )
    return {
        path: SeenFile(
            is_unchanged=is_unchanged,
            file_id=file_id,
            completeness=completeness,
            problem_severity=severity,
            chunks_checked=checked,
            error=error,
            error_code=code,
            has_stats=has_stats,
            wants_deep=wants_deep,
            pixel_errors=tuple(errors or ()),
            result=result_now(validation, policy),
            statistics=None if statistics[0] is None else SeenStatistics(*statistics),
        )
        for (path, is_unchanged, file_id, completeness, severity, checked, error, code, *results) in run(
            connection, statement, policy and {"policy_id": policy.policy_id}
        )
        for has_stats, wants_deep, errors, validation, *statistics in (results,)
    }


def statistics(connection: duckdb.DuckDBPyConnection, batches: Mapping[str, int]) -> dict[str, pa.Table]:
    """The rows of the statistics of files, by table; of each file_id those of its batch."""
    wanted = pa.table({"file_id": [*batches], "batch_id": pa.array(batches.values(), pa.int64())})
    connection.register("wanted", wanted)
    limits = [min(batches.values()), max(batches.values())]  # others are not read
    return {
        table: connection.sql(statements.statistics(table), params=limits).to_arrow_table() for table in PIXEL_TABLES
    }
