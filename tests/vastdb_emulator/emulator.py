"""The emulator as tests use it: started, observed and disturbed from inside the process."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import pyarrow as pa

from .assumptions import Assumptions
from .faults import Fault, LoggedRequest, Recorder, make_fault
from .server import HttpServer
from .service import Service
from .system_tables import create_system_tables
from .transactions import Catalog, TablePath

OTHER_ADDRESS = "127.0.0.2"  # of this machine as well


class Emulator:
    """A stand-in for a VAST cluster that speaks the wire protocol of the `vastdb` SDK.

    Everything is in memory and gone with the object. `stop()` and `start()` again is a restart: the
    port and the data stay, connections break.
    """

    def __init__(
        self,
        *,
        access_key: str,
        secret_key: str,
        buckets: Iterable[str] = (),
        version: str = "5.4.0.0",
        host: str = "127.0.0.1",
        port: int = 0,
        assumptions: Assumptions | None = None,
        latency_s: float = 0.0,
        log_limit: int | None = None,
    ) -> None:
        """Port 0 takes a free one. `log_limit` is how many requests to remember: 0 for a long ingest, None for all."""
        assumptions = assumptions or Assumptions()
        # The SDK sends data requests to the address in a table's statistics, which must be IPv4.
        vip = host if host.replace(".", "").isdecimal() and host != "0.0.0.0" else None
        if assumptions.announced_lag_commits:
            vip = OTHER_ADDRESS
        self._service = Service(version=version, buckets=buckets, assumptions=assumptions, vip=vip)
        create_system_tables(self._service)
        self._recorder = Recorder(log_limit=log_limit, latency_s=latency_s)
        self._keys = {access_key: secret_key}
        self._host, self._port = host, port
        self._servers: list[tuple[HttpServer, threading.Thread]] = []

    def __enter__(self) -> "Emulator":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen."""
        if self._servers:
            raise RuntimeError("the emulator is running already")
        self._listen(self._host)
        if self._service.assumptions.announced_lag_commits:
            self._listen(OTHER_ADDRESS, is_lagging=True)

    def _listen(self, host: str, *, is_lagging: bool = False) -> None:
        address = (host, self._port)
        server = HttpServer(address, self._service, self._recorder, self._keys, is_lagging=is_lagging)
        self._port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="vastdb-emulator", daemon=True)
        self._servers.append((server, thread))
        thread.start()

    def stop(self) -> None:
        """Hang up on everybody and stop listening."""
        while self._servers:
            server, thread = self._servers.pop()
            server.shutdown()
            server.server_close()
            server.close_connections()
            thread.join()

    def add_key(self, access_key: str, secret_key: str) -> None:
        """Let in one key more."""
        self._keys[access_key] = secret_key

    def remove_key(self, access_key: str) -> None:
        """Refuse a key from now on."""
        del self._keys[access_key]

    @property
    def url(self) -> str:
        """The endpoint to connect to."""
        return f"http://{self._host}:{self._port}"

    @property
    def requests(self) -> list[LoggedRequest]:
        """All requests since the last reset, in order of arrival."""
        return self._recorder.requests

    @property
    def request_count(self) -> int:
        """How many requests there were since the last reset, logged or not."""
        return self._recorder.request_count

    def reset_requests(self) -> None:
        """Forget the log of requests."""
        self._recorder.clear_requests()

    @property
    def latency_s(self) -> float:
        """Time that is added to each request."""
        return self._recorder.latency_s

    @latency_s.setter
    def latency_s(self, seconds: float) -> None:
        self._recorder.latency_s = seconds

    def fail(self, action: str | int, **options: Any) -> Fault:
        """Order a fault; options are the fields of `Fault`. Its `hits` tell whether it has struck.

        The action is "drop" (close the connection), "cut" (close it in the middle of the answer),
        "fail" (a select says in the middle of its answer that it failed), "delay" (with `seconds`),
        or a status such as 503 (with `code="SlowDown"` the SDK tries again). It strikes before the
        request takes effect, or with `after_effect=True` afterwards; at the `nth` request that matches
        `method`, `command`, `operation` and `path`, and `times` in all.
        """
        return self._recorder.add(make_fault(action, **options))

    def clear_faults(self) -> None:
        """Cancel all faults."""
        self._recorder.clear_faults()

    @property
    def open_transactions(self) -> list[int]:
        """Numbers of the transactions that neither ended nor expired."""
        return self._service.database.open_transactions()

    @property
    def writing_transactions(self) -> list[int]:
        """Those open transactions that have written something, and so are in the way of others."""
        return self._service.database.open_transactions(writing=True)

    def expire_transactions(self) -> None:
        """Drop all open transactions, as if they had been idle for too long."""
        self._service.database.expire_all()

    def read_table(self, bucket: str, schema: str, name: str) -> pa.Table:
        """The committed rows of a table, without a request."""
        state = self._service.database.committed().table(TablePath(bucket, schema, name))
        return state.as_table()

    def committed_tables(self, bucket: str, schema: str) -> dict[str, pa.Table]:
        """The rows of all tables of a schema as they are at one moment: what a transaction sees that begins now."""
        tables = self._service.database.committed().in_schema(bucket, schema)
        return {path.name: state.as_table() for path, state in tables.items() if not path.sub_table}

    def copy_schema(self, bucket: str, schema: str, name: str, *, source: "Emulator | None" = None) -> None:
        """Make a schema with the committed tables of another one, without requests; `source` is another emulator."""
        database = self._service.database
        tables = (source or self)._service.database.committed().in_schema(bucket, schema)
        if source is not None:  # copied columns keep their numbers, which this server must not give to others
            last = source._service.database.next_column_number()
            while database.next_column_number() < last:
                pass
        ids = {path: database.next_table_id() for path in tables}

        def write(catalog: Catalog) -> None:
            catalog.schemas[bucket, name] = None
            for path, state in tables.items():
                catalog.names[path._replace(schema=name)] = ids[path]
                catalog.tables[ids[path]] = state.changed(table_id=ids[path])

        transaction = database.begin()
        database.write(transaction, write)
        database.commit(transaction.txid)
        for path, state in tables.items():
            database.reserve_row_ids(ids[path], state.last_row_id)

    @contextmanager
    def each_commit(self, check: Callable[[], None]) -> Iterator[None]:
        """Calls `check` for every committed state until the block ends; no transaction begins or commits meanwhile."""
        database = self._service.database
        database.after_commit = check
        try:
            yield
        finally:
            database.after_commit = lambda: None

    def take_snapshot(self, bucket: str, name: str) -> None:
        """Keep the committed tables of a bucket as those of its snapshot."""
        self._service.take_snapshot(bucket, name)

    def schemas(self, bucket: str) -> list[str]:
        """The names of the committed schemas of a bucket."""
        return [name for owner, name in self._service.database.committed().schemas if owner == bucket]
