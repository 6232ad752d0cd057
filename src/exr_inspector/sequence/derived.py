"""The derived tables of a catalog: refreshed where they are stored, computed for a query where they are not."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from ..catalog import Catalog
from ..catalog.derived import DERIVED, attribute_values, summed_attribute_values, summed_totals, totals
from ..catalog.protocol import StoresDerived
from ..catalog.queries.path_template import field_patterns
from ..catalog.user_sql import tables_in
from ..errors import SettingsError
from ..frames.ranges import Number, frame_range, frame_value, parse_long_range
from .frames import CURRENT, IS_NAMED
from .siblings import siblings
from .summary import SequenceSummary, summaries_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLAIN_RANGE = re.compile(r"(\d+)-(\d+)")

_SIZES = f"""
    SELECT sequence, count(*) AS file_count, sum(size_bytes)::BIGINT AS size_bytes, max(mtime) AS newest
    FROM files WHERE {CURRENT} AND sequence IS NOT NULL AND {{is_named}} GROUP BY sequence"""  # noqa: S608 (constants)


class _Size(NamedTuple):
    file_count: int = 0
    size_bytes: int = 0
    newest: datetime | None = None


def refresh(catalog: Catalog, path_template: str, *, rebuild: bool = False) -> None:
    """Store the derived tables of a DuckDB catalog, or bring stored ones up to date.

    `path_template` finds the show in a path. Raises SettingsError for a VAST Database, where they are not stored.
    """
    if not isinstance(catalog, StoresDerived):
        raise SettingsError(f"{catalog.uri} stores no derived tables: they are computed when a query names them")
    show_pattern = field_patterns(path_template)["show"]
    catalog.refresh_derived(show_pattern, partial(sequence_rows, catalog), rebuild=rebuild)


def keep_up(catalog: Catalog) -> None:
    """Bring the derived tables up to date if the catalog stores them."""
    if isinstance(catalog, StoresDerived):
        catalog.refresh_derived(None, partial(sequence_rows, catalog))


def are_stored(catalog: Catalog, path_template: str) -> bool:
    """Whether the catalog stores the derived tables as they are now."""
    return isinstance(catalog, StoresDerived) and catalog.has_derived(field_patterns(path_template)["show"])


def missing_tables(catalog: Catalog, query: str, path_template: str) -> Mapping[str, pa.Table]:
    """The derived tables that a query names and the catalog does not store as they are now; computed here."""
    mentioned = {name for name in DERIVED if name in query.lower()}  # spares parsing most queries
    named = tables_in(query).intersection(mentioned) if mentioned else mentioned
    if not named or are_stored(catalog, path_template):
        return {}
    show_pattern = field_patterns(path_template)["show"]
    return {name: _computed(catalog, name, show_pattern) for name in sorted(named)}


def _computed(catalog: Catalog, name: str, show_pattern: str) -> pa.Table:
    if name == "sequences":
        return sequence_rows(catalog, None)
    if name == "totals":
        rows = catalog.sql(summed_totals(totals()), {"show": show_pattern})
    else:
        rows = catalog.sql(summed_attribute_values(attribute_values()))
    return rows.cast(DERIVED[name])


def sequence_rows(catalog: Catalog, changed: Iterable[str] | None) -> pa.Table:
    """The rows of `sequences` for all sequences, or for those that changed and the ones that depend on them."""
    from .outliers import outliers_of  # imports numpy

    named = None
    if changed is not None:
        stored = catalog.sql("SELECT sequence FROM sequences")  # all that have not changed are there
        names = siblings(changed, stored["sequence"].to_pylist())
        named = pa.table({"sequence": pa.array(sorted(names), pa.string())})
    summaries = [summary for summary in summaries_of(catalog, named) if summary.frame_count]
    outlier_frames: dict[str, list[str]] = defaultdict(list)
    for outlier in outliers_of(catalog, summaries):
        outlier_frames[outlier.sequence].append(outlier.frame)
    query = _SIZES.format(is_named=IS_NAMED[named is not None])
    of_files = catalog.sql(query, None, {} if named is None else {"named": named})
    sizes = {row.pop("sequence"): _Size(**row) for row in of_files.to_pylist()}
    rows = [_row(one, outlier_frames.get(one.sequence, ()), sizes.get(one.sequence, _Size())) for one in summaries]
    return pa.Table.from_pylist(rows, DERIVED["sequences"])


def _row(summary: SequenceSummary, outliers: Sequence[str], size: _Size) -> dict[str, Any]:
    present, missing = _numbers(summary.frames), _numbers(summary.missing)
    damaged = {frame_value(file.frame) for file in summary.bad}
    outlier_numbers = {frame_value(frame) for frame in outliers}
    return {
        "sequence": summary.sequence,
        "pattern": summary.pattern,
        "frames": summary.frames,
        "frame_count": summary.frame_count,
        "first_frame": int(min(present)),
        "last_frame": int(max(present)),
        "missing": summary.missing,
        "missing_count": summary.missing_count,
        "damaged": frame_range(damaged),
        "damaged_count": len(damaged),
        "outliers": frame_range(outlier_numbers),
        "outlier_count": len(outlier_numbers),
        "severity": summary.severity,
        "strip": " ".join(_strip(present, missing, damaged, outlier_numbers)),
        **size._asdict(),
    }


def _numbers(text: str) -> frozenset[Number]:
    if plain := _PLAIN_RANGE.fullmatch(text):  # usual, and a hundred times as fast
        return frozenset(range(int(plain[1]), int(plain[2]) + 1))
    return parse_long_range(text) if text else frozenset()


def _strip(
    present: Iterable[Number], missing: Iterable[Number], damaged: set[Number], outlier_numbers: set[Number]
) -> Iterator[str]:
    """The runs of frames in one state, in order: s for sound, m for missing, d for damaged, o for outliers."""

    def state(number: Number) -> str:
        if number in lacking:
            return "m"
        return "d" if number in damaged else "o" if number in outlier_numbers else "s"

    lacking = set(missing)
    if not lacking and not damaged and not outlier_numbers:
        yield f"s{len(set(present))}"
        return
    for letter, run in groupby(map(state, sorted(lacking.union(present)))):
        yield f"{letter}{sum(1 for _ in run)}"
