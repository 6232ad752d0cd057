"""The derived tables: lists over all current files that queries read without scanning the tables of the files.

They can be rebuilt from the other tables at any time, belong to no schema version, and are in no backup. A DuckDB
catalog stores them (`duckdb/derived.py`); for a VAST Database they are computed when a query names them. The rows of
`sequences` come from `sequence/`; those of the others from the SQL here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

import pyarrow as pa

from .schema import INT, TEXT, TIME, table_schema

# Gives the rows of `sequences` for these sequences and those that depend on them, or all.
SequenceRows: TypeAlias = Callable[[Iterable[str] | None], pa.Table]

MAX_VALUES = 1000  # of an attribute, that are listed
MAX_VALUE_CHARACTERS = 256

DERIVED = {
    "sequences": table_schema(
        {
            "sequence": TEXT,
            "pattern": TEXT,
            "frames": TEXT,
            "frame_count": INT,
            "first_frame?": INT,
            "last_frame?": INT,
            "missing": TEXT,
            "missing_count": INT,
            "damaged": TEXT,
            "damaged_count": INT,
            "outliers": TEXT,
            "outlier_count": INT,
            "severity": TEXT,
            "strip": TEXT,
            "file_count": INT,
            "size_bytes": INT,
            "newest?": TIME,
        }
    ),
    "attribute_values": table_schema({"attr_name": TEXT, "attr_type": TEXT, "value?": TEXT, "part_count": INT}),
    "totals": table_schema(
        {"show_name?": TEXT, "dimension": TEXT, "value?": TEXT, "file_count": INT, "size_bytes": INT}
    ),
}

CURRENT_FILES = "(SELECT *, 1 AS sign FROM files WHERE is_current AND deleted_at IS NULL)"

_VALUE = "coalesce(value_text, value_json)"
_UNLISTED = f"max(length({_VALUE})) > {MAX_VALUE_CHARACTERS} OR count({_VALUE}) < count(*)"


def attribute_values(files: str = CURRENT_FILES, by: str = "file_id") -> str:
    """The query for the changes of `attribute_values` by files, each with a `sign`: 1 if it was added, -1 if removed.

    `by` are the columns that join files and attributes. Values of attributes with far too many are not grouped.
    """
    return f"""
        WITH joined AS (
            SELECT attr_name, attr_type, {_VALUE} AS value, sign FROM attributes JOIN {files} USING ({by})
        ), many AS (
            SELECT attr_name, attr_type FROM attributes JOIN {files} USING ({by}) GROUP BY ALL
            HAVING {_UNLISTED} OR approx_count_distinct({_VALUE}) > {3 * MAX_VALUES}
        ), listed AS (
            SELECT attr_name, attr_type, value, sum(sign) AS part_count FROM joined
            ANTI JOIN many USING (attr_name, attr_type) GROUP BY ALL
        ), unlisted AS (
            SELECT attr_name, attr_type, NULL AS value, sum(sign) AS part_count FROM joined
            SEMI JOIN many USING (attr_name, attr_type) GROUP BY ALL
        )
        SELECT * FROM listed UNION ALL SELECT * FROM unlisted"""  # noqa: S608 (constants)


def summed_attribute_values(changes: str) -> str:
    """The query for the rows of `attribute_values` from changes of it: sums, and values only of attributes with few."""
    return f"""
        WITH summed AS (
            SELECT attr_name, attr_type, value, sum(part_count) AS part_count FROM ({changes}) GROUP BY ALL
        ), shown AS (
            SELECT attr_name, attr_type, part_count, CASE WHEN
                bool_and(value IS NOT NULL) OVER attribute
                AND count(*) FILTER (part_count > 0) OVER attribute <= {MAX_VALUES}
            THEN value END AS value
            FROM summed WINDOW attribute AS (PARTITION BY attr_name, attr_type)
        )
        SELECT attr_name, attr_type, value, sum(part_count)::BIGINT AS part_count FROM shown
        GROUP BY ALL HAVING sum(part_count) > 0 ORDER BY attr_name, attr_type, part_count DESC, value"""  # noqa: S608 (constants)


def totals(files: str = CURRENT_FILES, by: str = "file_id") -> str:
    """The query for the changes of `totals` by files, as for `attribute_values`.

    $show is the regular expression that finds the show in a path. A file counts once in each of its layers and
    compressions.
    """
    return f"""
        WITH located AS (
            SELECT file_id, batch_id, nullif(regexp_extract(file_path_normalized, $show, 1), '') AS show_name,
                   size_bytes, strftime(inspection_timestamp, '%Y-%m-%dT%H') AS hour, sign
            FROM {files}
        ), counted AS (
            SELECT show_name, 'show' AS dimension, show_name AS value, size_bytes, sign FROM located
            UNION ALL
            SELECT show_name, 'hour', hour, size_bytes, sign FROM located
            UNION ALL
            SELECT * EXCLUDE (file_id) FROM (
                SELECT DISTINCT show_name, 'layer', layer_name, size_bytes, sign, file_id
                FROM located JOIN channels USING ({by})
            )
            UNION ALL
            SELECT * EXCLUDE (file_id) FROM (
                SELECT DISTINCT show_name, 'compression', compression, size_bytes, sign, file_id
                FROM located JOIN parts USING ({by})
            )
        )
        SELECT show_name, dimension, value, sum(sign) AS file_count, sum(sign * size_bytes) AS size_bytes
        FROM counted GROUP BY ALL"""  # noqa: S608 (constants)


def summed_totals(changes: str) -> str:
    """The query for the rows of `totals` from changes of it."""
    return f"""
        SELECT show_name, dimension, value, sum(file_count)::BIGINT AS file_count, sum(size_bytes)::BIGINT AS size_bytes
        FROM ({changes}) GROUP BY ALL HAVING sum(file_count) > 0
        ORDER BY show_name NULLS LAST, dimension, value NULLS LAST"""  # noqa: S608 (constants)
