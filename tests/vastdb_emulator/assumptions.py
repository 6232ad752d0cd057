"""Decisions about the server that no public source settles, all in one place.

The SDK and its own tests fix the wire format and a good part of the behaviour. The rest — when two
transactions conflict, how long an idle one lives, which status an unknown thing gives, how large a
cell may be — is assumed here. A test that passes because of a value on this page proves nothing
about a cluster; where it matters, choose the harsher value and see that the client survives it.
"""

from dataclasses import dataclass
from typing import Literal

KIB = 1 << 10
MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """How the emulator answers where only a real cluster knows. Every field is an assumption."""

    # Assumption: an idle transaction is dropped after this time; later requests find it unknown.
    idle_timeout_s: float = 300.0

    # Assumption: two transactions that write the same row conflict, at the second one's request ("request"),
    # when the second one commits ("commit"), or never, the last one wins ("none").
    row_conflicts: Literal["request", "commit", "none"] = "request"

    # Assumption: the status for a transaction that is finished, expired or was never there (404, 400 or 409).
    unknown_transaction_status: int = 404

    # Assumption: committing a committed transaction again is an error; True answers 200 as if idempotent.
    repeated_commit_succeeds: bool = False

    # Assumption: a transaction sees the state of its beginning. False shows it at each request what others
    # have committed meanwhile ("read committed").
    snapshot_isolation: bool = True

    # Assumption: updating or deleting a row that does not exist does nothing; True answers 404.
    missing_rows_are_errors: bool = False

    # Known is the size at which the SDK splits; assumed is that the server refuses what is larger.
    max_request_bytes: int = 5 * MIB

    # Assumption, from a remark in the SDK: a cell holds at most 128 KiB. None switches the check off.
    max_cell_bytes: int | None = 128 * KIB

    # Assumption: names of schemas, tables and columns are at most this long.
    max_name_chars: int = 255

    # Assumption: a vector has at most this many elements (refused for certain is only 2**31 - 1).
    max_vector_length: int = 65_535

    # Assumption: a page of columns larger than this is refused; the SDK's tests know the error, not the size.
    max_column_list_bytes: int = 2 * MIB

    # Assumption: one subsplit answers about this many bytes per request before it asks to be called again.
    page_bytes: int = 16 * MIB

    # Assumption: the nullability of a column in an insert must be the table's. Known for vector columns.
    strict_nullability: bool = True

    # Assumption: a null in a column that was declared non-nullable is refused.
    enforce_not_null: bool = True

    # Assumption: large strings, large lists, durations, date64 and decimal256 are refused at create;
    # the SDK lets them pass and then cannot select them.
    accept_uncertain_types: bool = False

    # Assumption: an external row id that the table has already is refused like one given twice in a request.
    external_row_ids_unique: bool = True

    # Assumption: texts may contain NUL characters; False refuses them with 400.
    accept_nul: bool = True

    # Assumption: timestamps keep their microseconds; "ms" cuts them to milliseconds when they are stored.
    timestamp_unit: Literal["us", "ms"] = "us"

    # Assumption: a transaction may change tables and rows; False refuses with 400 what comes second.
    mixed_transactions: bool = True

    # Assumption: a request whose signature is older or newer than this is refused with 403. None: of any time.
    max_clock_skew_s: float | None = None

    # Not an assumption: how far the server's clock is ahead of that of this machine.
    clock_ahead_s: float = 0.0

    # Assumption: the row counts in statistics are those of so many commits ago.
    statistics_lag_commits: int = 0

    # Assumption: the server announces another address for selects, and a select through it sees the state of so many
    # commits ago, without the changes of its own transaction; each one there brings it a commit forward.
    announced_lag_commits: int = 0

    # Assumption: a select costs time for each row of the table beyond the first 10,000.
    scan_s_per_row: float = 0.0


# Limits that a real cluster may have. Catalogs and deliveries are tested under them.
STRICT = Assumptions(
    idle_timeout_s=5.0,
    max_cell_bytes=64 * KIB,
    accept_nul=False,
    timestamp_unit="ms",
    max_clock_skew_s=300.0,
    statistics_lag_commits=1,
    announced_lag_commits=1,
    scan_s_per_row=2e-6,
    mixed_transactions=False,
)

# Assumption: the SQL function a vector index names; "l2sq" is known from the SDK's tests, "ip" is not.
SQL_DISTANCE_FUNCTIONS = {"l2sq": "array_distance", "ip": "array_inner_product"}

# Assumption: what the server chooses when a vector index names no quantization (known from the SDK's tests).
DEFAULT_QUANTIZATION = "scalar_8bit"
