"""The emulated server without HTTP: buckets, database, version; hands each request to its command."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from .assumptions import Assumptions
from .errors import ApiError, bad_request, not_found, not_implemented
from .messages import Answer, Request
from .objects import ObjectStore
from .storage import TableState
from .transactions import Catalog, Database, Transaction

Command = Callable[["Service", Request], Answer]

CATALOG_BUCKET = "vast-big-catalog-bucket"
AUDIT_BUCKET = "vast-audit-log-bucket"
VERSIONS = ("5.4.0.0", "5.5.0.0")
NOT_EMULATED = ("blob-expansion", "partitions", "vastdb-run-query")


class Service:
    """What all commands share."""

    def __init__(self, *, version: str, buckets: Iterable[str], assumptions: Assumptions, vip: str | None) -> None:
        if version not in VERSIONS:
            raise ValueError(f"version is one of {', '.join(VERSIONS)}, not {version!r}")
        self.version = version
        self.version_numbers = tuple(map(int, version.split(".")))
        self.assumptions = assumptions
        self.vip = vip
        self.buckets = {*buckets, CATALOG_BUCKET, AUDIT_BUCKET}
        self.snapshots = {CATALOG_BUCKET: ["bc_table_1"]}
        self.database = Database(assumptions)
        self.objects = ObjectStore()

    def answer(self, request: Request, commands: dict[tuple[str, str], Command]) -> Answer:
        """Run the request's command."""
        if request.method not in ("GET", "HEAD") and request.segments and "/.snapshot/" in request.segments[0]:
            # Assumption: the status of a write to a snapshot.
            raise ApiError(403, "AccessDenied", "a snapshot cannot be changed")
        if (command := commands.get((request.method, request.command))) is None:
            if request.command in NOT_EMULATED:
                raise not_implemented(f"?{request.command}")
            raise ApiError(405, "MethodNotAllowed", f"{request.method} ?{request.command} is not known")
        return command(self, request)

    def transaction(self, request: Request) -> Transaction:
        """The transaction that a request names; every command on schemas and tables needs one."""
        if not request.txid:
            raise bad_request("the request names no transaction", "TabularNoTransaction")
        transaction = self.database.get(request.txid)
        if not _goes_on(request):
            self.database.refresh(transaction)
        return transaction

    def table(self, request: Request) -> TableState:
        """The table that a request names, as its transaction sees it."""
        self.check_bucket(request.bucket)
        transaction = self.transaction(request)
        if request.is_lagging and request.operation == "select":
            return self.database.lagging().table(request.table)
        return transaction.draft.table(request.table)

    def take_snapshot(self, bucket: str, name: str) -> None:
        """Keep the committed tables of a bucket as those of its snapshot, which is a bucket of its own."""
        snapshot = f"{bucket}/.snapshot/{name}"

        def write(catalog: Catalog) -> None:
            for owner, schema in [key for key in catalog.schemas if key[0] == bucket]:
                catalog.schemas[snapshot, schema] = catalog.schemas[owner, schema]
            for path in [path for path in catalog.names if path.bucket == bucket]:
                table_id = self.database.next_table_id()
                catalog.names[path._replace(bucket=snapshot)] = table_id
                catalog.tables[table_id] = replace(catalog.table(path), table_id=table_id)

        transaction = self.database.begin()
        self.database.write(transaction, write)
        self.database.commit(transaction.txid)
        self.snapshots.setdefault(bucket, []).append(name)

    def check_bucket(self, bucket: str) -> None:
        """Raise a 404 for a bucket that is not there. A snapshot is there when its bucket lists it."""
        name, _, snapshot = bucket.partition("/.snapshot/")
        if name not in self.buckets or (snapshot and snapshot not in self.snapshots.get(name, ())):
            raise not_found("bucket", bucket)


def page(request: Request, names: Sequence[str]) -> tuple[range, dict[str, str]]:
    """Which of the names a list request is to show, and the headers that say so.

    The next key is the index of the next name. Filters by name must have been applied before.
    """
    start = request.number("tabular-next-key", 0)
    stop = min(start + max(1, request.number("tabular-max-keys", 1000)), len(names))
    return range(start, stop), {
        "tabular-next-key": str(stop),
        "tabular-is-truncated": "true" if stop < len(names) else "false",
        "tabular-list-count": str(len(names)),
    }


def wanted_names(request: Request, names: Iterable[str]) -> list[str]:
    """The names that a list request asks for, by exact match or by prefix."""
    if (exact := request.headers.get("tabular-name-exact-match")) is not None:
        return [name for name in names if name == exact]
    prefix = request.headers.get("tabular-name-prefix", "")
    return [name for name in names if name.startswith(prefix)]


def _goes_on(request: Request) -> bool:
    """Whether this is a further page of a select, which must see what the first page saw."""
    if request.operation != "select":
        return False
    subsplits = request.number("tabular-num-of-subsplits", 1)
    starts = (request.headers.get(f"tabular-start-row-id-{index}", "0,0") for index in range(subsplits))
    return any(not start.endswith(",0") for start in starts)
