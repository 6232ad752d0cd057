"""Results of policies: which of them say something new about a file, and the status of the file that follows.

They are append-only: of each policy and file, the rows of the newest batch count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .persistence import is_older
from .protocol import PolicyResult, PolicyRules, SeenStatistics
from .results import VALIDATION_TABLES
from .rows import RowBatch
from .schema import TABLES

STATUSES = ("passed", "warned", "failed")

# The columns of stored rows that decide whether another result is new.
COLUMNS = (
    "file_id", "policy_id", "policy_hash", "status", "not_evaluated", "without_statistics", "partly_decoded",
    "inspector_version", "batch_id",
)  # fmt: skip

_KEY = ("file_id", "policy_id")

# The statuses of stored files.
_STATUSES = pa.schema([TABLES["files"].field(name) for name in ("file_id", "validation_status")])

Row = dict[str, Any]


def worst(statuses: Iterable[str | None]) -> str | None:
    """The status of a file from those of its policies; None if it was not validated."""
    return max((status for status in statuses if status in STATUSES), key=STATUSES.index, default=None)


def result_now(stored: Row | None, policy: PolicyRules | None) -> PolicyResult | None:
    """The newest stored result of a policy; none if other rules judged, or an older program."""
    if stored is None or policy is None or stored["policy_hash"] != policy.policy_hash:
        return None
    return None if is_older(stored["inspector_version"]) else _result(stored)


def is_outdated(result: PolicyResult, statistics: SeenStatistics | None) -> bool:
    """Whether statistics of pixels are stored now that rules did not have."""
    if statistics is None:
        return False
    return bool(result.without_statistics) or (result.partly_decoded and statistics.is_whole)


def _result(row: Row) -> PolicyResult | None:
    """The result in a row; none if its program did not store what was evaluated."""
    if row["without_statistics"] is None:
        return None
    without = tuple(row["without_statistics"].split())
    return PolicyResult(row["status"], row["not_evaluated"], without, bool(row["partly_decoded"]))


def with_validations(batch: RowBatch, validations: pa.Table, results: pa.Table) -> RowBatch:
    """The rows with results of policies, and in `files` the statuses that follow."""
    statuses: dict[str, list[str]] = defaultdict(list)
    for row in validations.select(["file_id", "status"]).to_pylist():
        statuses[row["file_id"]].append(row["status"])
    files = batch.tables["files"]
    index = files.schema.get_field_index("validation_status")
    values = [worst(statuses.get(file_id, ())) for file_id in files["file_id"].to_pylist()]
    files = files.set_column(index, files.schema.field(index), pa.array(values, pa.string()))
    return RowBatch(batch.tables | {"files": files, "validations": validations, "validation_results": results})


@dataclass(frozen=True, slots=True)
class NewValidations:
    """The rows of a batch with those results of policies that are to be stored, and the statuses of stored files."""

    batch: RowBatch
    statuses: pa.Table = field(default_factory=_STATUSES.empty_table)
    kept_statuses: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # that stay, by file_id and policy


def validated_files(batch: RowBatch, new: Collection[str]) -> list[str]:
    """The file_ids that the batch has results of policies of, apart from new ones."""
    return [file_id for file_id in pc.unique(batch.tables["validations"]["file_id"]).to_pylist() if file_id not in new]


def new_validations(batch: RowBatch, new: Collection[str], known: Collection[str], stored: pa.Table) -> NewValidations:
    """The results that are to be stored of files that are `new` or `known`; `stored` has earlier ones of known files.

    The same rules give the same result again, which is not stored, unless an older program stored the other one, or
    with less that was evaluated, such as before pixels were decoded: fewer rules, or fewer of the pixels.
    """
    newest: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in sorted(stored.to_pylist(), key=lambda row: row["batch_id"] or 0):
        newest[row["file_id"]][row["policy_id"]] = row
    validations = batch.tables["validations"]
    kept, changed = [], set()
    kept_statuses: dict[str, dict[str, str]] = defaultdict(dict)
    for row in validations.select([name for name in COLUMNS if name != "batch_id"]).to_pylist():
        file_id, policy_id = row["file_id"], row["policy_id"]
        is_kept = (file_id in new or file_id in known) and _is_new(row, newest[file_id].get(policy_id))
        kept.append(is_kept)
        if is_kept:
            newest[file_id][policy_id] = row
            if file_id in known:
                changed.add(file_id)
        elif policy_id in newest[file_id]:
            kept_statuses[file_id][policy_id] = newest[file_id][policy_id]["status"]
    statuses = {file_id: worst(row["status"] for row in newest[file_id].values()) for file_id in sorted(changed)}
    if not all(kept):
        validations = validations.filter(pa.array(kept, pa.bool_()))
        results = batch.tables["validation_results"].join(validations.select(_KEY), _KEY, join_type="left semi")
        batch = RowBatch(batch.tables | dict(zip(VALIDATION_TABLES, (validations, results), strict=True)))
    return NewValidations(batch, pa.table([[*statuses], [*statuses.values()]], schema=_STATUSES), kept_statuses)


def _is_new(row: Row, stored: Row | None) -> bool:
    if stored is None or stored["policy_hash"] != row["policy_hash"]:
        return True
    if is_older(stored["inspector_version"]):
        return True
    result, earlier = _result(row), _result(stored)
    return result is not None and (earlier is None or says_more(result, earlier))


def says_more(result: PolicyResult, stored: PolicyResult) -> bool:
    """Whether a result by the same rules leaves fewer of them undecided, or as many but had more pixels to judge."""
    undecided, stored_undecided = ((each.not_evaluated, len(each.without_statistics)) for each in (result, stored))
    is_worse = STATUSES.index(result.status) > STATUSES.index(stored.status)
    return undecided < stored_undecided or (undecided == stored_undecided and is_worse)
