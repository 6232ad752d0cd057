"""The connection to one VAST Database: one session, transactions that end, and retries within a deadline.

The SDK waits without limit, retries requests that it should not and leaves a transaction open when a commit is lost;
so its retries are off, each request has a timeout, and none begins that could end after the deadline.
"""

from __future__ import annotations

import logging
import math
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

import tenacity
import vastdb
from vastdb import errors as sdk
from vastdb.config import SessionConfig
from vastdb.transaction import Transaction

from ...deadline import retrying, seconds_left
from ...errors import CatalogConnectionError, CatalogError, CatalogSchemaError, CatalogTransactionError, SettingsError
from .errors import CatalogConflictError, CatalogRejectedError, translated

if TYPE_CHECKING:
    from ...settings import VastConnection

log = logging.getLogger(__name__)

_ENDPOINT = re.compile(
    r"https?://[A-Za-z0-9._-]+(:[0-9]{1,5})?|https?://\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?", re.IGNORECASE
)
# The most attempts by kind of error; an error is of the first kind that it matches.
_ATTEMPTS: dict[type[CatalogError], float] = {
    CatalogConflictError: math.inf,
    CatalogConnectionError: 4,
    CatalogError: 2,
}
_TRANSIENT = (CatalogConnectionError, CatalogTransactionError, CatalogRejectedError)
_Result = TypeVar("_Result")

# Loggers of the SDK and its libraries that warn of what the catalog reports itself, in its errors.
_SDK_LOGGERS = tuple(
    logging.getLogger(name)
    for name in (
        "vastdb._internal",
        "vastdb.errors",
        "vastdb.table",
        "vastdb.transaction",
        "backoff",
        "urllib3.connectionpool",
    )
)
QUERY_ID = "exr-inspector"
_SELECT_THREADS = f"query-data-{QUERY_ID}"  # start of the names of the SDK's threads for selects with this query_id

_lock = threading.Lock()
_callers: Counter[int] = Counter()  # the threads that are in calls of the SDK


def _is_logged(record: logging.LogRecord) -> bool:
    """The filter of the SDK's loggers during calls: drops warnings of this package's calls."""
    is_ours = threading.get_ident() in _callers or threading.current_thread().name.startswith(_SELECT_THREADS)
    return record.levelno < logging.WARNING or not is_ours


@contextmanager
def without_sdk_warnings() -> Iterator[None]:
    """Drop the SDK's warnings about calls in this block; those about other uses of it in the process are kept."""
    thread = threading.get_ident()
    with _lock:
        if not _callers:
            for logger in _SDK_LOGGERS:
                logger.addFilter(_is_logged)
        _callers[thread] += 1
    try:
        yield
    finally:
        with _lock:
            _callers[thread] -= 1
            if not _callers[thread]:
                del _callers[thread]
            if not _callers:
                for logger in _SDK_LOGGERS:
                    # A new list: removing from the list would skip a filter in threads that iterate over it.
                    logger.filters = [each for each in logger.filters if each is not _is_logged]


class OutOfTimeError(CatalogConnectionError):
    """No time is left for another request within the deadline."""


class Clock:
    """The time that is left for an operation, with all its requests and retries."""

    def __init__(self, seconds: float, request_timeout_s: float, endpoint: str) -> None:
        self._ends = time.monotonic() + seconds
        self._request_timeout_s = request_timeout_s
        self._endpoint = endpoint

    @property
    def left(self) -> float:
        """Seconds in which a request may begin, so that it and a rollback after it end before the deadline."""
        return self._ends - 2 * self._request_timeout_s - time.monotonic()

    def check(self) -> None:
        """Raises OutOfTimeError when a request that begins now could end after the deadline."""
        if self.left <= 0:
            raise OutOfTimeError(
                f"{self._endpoint}: not done in time; the limit is VAST_DB_DEADLINE_S, in the function also "
                "EXR_INSPECTOR_DEADLINE_S"
            )


class Connection:
    """A session with one cluster. Threads may share it."""

    def __init__(self, settings: VastConnection) -> None:
        self.endpoint = settings.endpoint.rstrip("/")
        if not _ENDPOINT.fullmatch(self.endpoint):  # not in the message, as it may contain a password
            raise SettingsError("the endpoint of a VAST Database is a URL such as http://vip-pool.example.com:80")
        self._settings = settings
        # At least four requests and a rollback fit into the deadline.
        self._request_timeout_s = min(settings.request_timeout_s, settings.deadline_s / 5)
        self._left_open: set[int] = set()  # transactions whose rollback was not confirmed
        self._session: vastdb.session.Session | None = None

    @property
    def data_endpoints(self) -> list[str] | None:
        """The endpoints of selects; None for the addresses that the server announces."""
        return None if self._settings.use_announced_endpoints else [self.endpoint]

    @property
    def server_version(self) -> str:
        """The cluster's version, as 5.4.0.0."""
        return ".".join(map(str, self.session().features.vast_version))

    @property
    def can_sort(self) -> bool:
        """Whether tables can have a sorting key."""
        try:
            self.session().features.check_elysium()
        except sdk.NotSupportedVersion:
            return False
        return True

    def clock(self, seconds: float | None = None) -> Clock:
        """The time of an operation that begins now: `seconds`, else the connection's deadline, at most the caller's."""
        seconds = min(seconds or self._settings.deadline_s, seconds_left())
        return Clock(seconds, self._request_timeout_s, self.endpoint)

    def session(self) -> vastdb.session.Session:
        """The session; the first call costs one request."""
        session = self._session
        if session is None:
            # Without a lock: threads would wait for the timeout of the first one.
            with translated(self.endpoint):
                session = self._session = self._connect()
        return session

    @without_sdk_warnings()
    def _connect(self) -> vastdb.session.Session:
        settings = self._settings
        session = vastdb.connect(
            settings.access_key.get_secret_value(),
            settings.secret_key.get_secret_value(),
            self.endpoint,
            ssl_verify=settings.verify,
            timeout=(self._request_timeout_s, self._request_timeout_s),
            backoff_config=vastdb.BackoffConfig(max_tries=1),
            config=SessionConfig(data_endpoints=self.data_endpoints),
        )
        # Each select applies this decorator, which keeps two more handlers for good and copies all; one try needs none.
        _replace(session.api, "_backoff_decorator", lambda request: request)
        if self.data_endpoints:
            # Each select would read the SDK's version from disk and open a connection of its own.
            _replace(session.api, "with_endpoint", lambda _endpoint: nullcontext(session.api))
        return session

    @contextmanager
    def transaction(self, clock: Clock | None = None, *, read_only: bool = False) -> Iterator[Transaction]:
        """A transaction: committed at the end of the block, rolled back if it raises. Errors are CatalogError.

        After a failed commit the caller must read whether it took effect; a read-only transaction ignores the failure.
        """
        with translated(self.endpoint):
            _check(clock)
            transaction = self.session().transaction()
            self._begin(transaction)
            txid = transaction.active_txid
            log.debug("%s: transaction %x started", self.endpoint, txid)
            try:
                yield transaction
                _check(clock)
            except BaseException as error:
                raised = (type(error), error, error.__traceback__)
                self._roll_back(txid, partial(transaction.__exit__, *raised))
                raise
            try:
                with without_sdk_warnings():
                    transaction.__exit__(None, None, None)
                log.debug("%s: transaction %x ended", self.endpoint, txid)
            except BaseException as error:
                # It may lock rows that the next attempt needs; if it was committed, the rollback does nothing.
                self._roll_back(txid)
                if read_only and isinstance(error, Exception):
                    return
                if isinstance(error, (sdk.NotFound, sdk.BadRequest)):
                    raise CatalogTransactionError(
                        f"{self.endpoint}: the transaction did not exist any more at its commit"
                    ) from error
                raise

    @without_sdk_warnings()
    def _begin(self, transaction: Transaction) -> None:
        try:
            transaction.__enter__()
        except BaseException:
            if (txid := transaction.txid) is not None:  # the SDK leaves it open when the query engine fails
                self._roll_back(txid)
            raise

    @without_sdk_warnings()
    def _roll_back(self, txid: int, by: Callable[[], object] | None = None) -> None:
        """Roll a transaction back. A failure is only logged, as the reason for the rollback is being raised."""
        try:
            by() if by else self.session().api.rollback_transaction(txid)
        except sdk.HttpError as error:
            level = logging.DEBUG if isinstance(error, sdk.NotFound) else logging.WARNING  # it does not exist any more
            log.log(level, "%s: rollback of transaction %x was rejected: %s", self.endpoint, txid, error.code)
        except Exception as error:
            log.warning("%s: rollback of transaction %x failed: %s", self.endpoint, txid, type(error).__name__)
            self._left_open.add(txid)
            return
        else:
            log.debug("%s: transaction %x rolled back", self.endpoint, txid)
        self._left_open.discard(txid)

    def retried(
        self,
        work: Callable[[Clock], _Result],
        repair: Callable[[Clock], None] | None = None,
        *,
        is_patient: bool = True,
        seconds: float | None = None,
    ) -> _Result:
        """The result of `work`, which is retried after transient errors until the deadline.

        Conflicts are retried until the deadline if `is_patient`, connection errors three times, other failures once;
        each kind is counted by itself. `seconds` replaces the deadline of the connection. After CatalogSchemaError the
        next attempt begins with `repair`, which creates the tables. `work` must read what an earlier attempt has
        stored, as a lost response does not say so.
        """
        clock = self.clock(seconds)
        failures: Counter[type[CatalogError]] = Counter()
        earlier: CatalogError | None = None
        needs_repair = False

        def attempt() -> _Result:
            nonlocal earlier, needs_repair
            try:
                if earlier is not None:
                    log.debug("%s: retrying after: %s", self.endpoint, earlier)
                    for txid in list(self._left_open):  # the retry may conflict with one of them
                        self._roll_back(txid)
                if needs_repair and repair is not None:
                    repair(clock)
                    needs_repair = False
                return work(clock)
            except OutOfTimeError as late:
                if earlier is None:
                    raise
                raise earlier from late  # the reason for the retries says more than that time ran out
            except CatalogError as error:
                failures[_kind(error)] += 1
                earlier = error
                needs_repair = needs_repair or isinstance(error, CatalogSchemaError)
                raise

        def may_be_retried(error: BaseException) -> bool:
            if isinstance(error, CatalogConflictError) and not is_patient:
                return False
            if isinstance(error, _TRANSIENT) or (isinstance(error, CatalogSchemaError) and repair is not None):
                return failures[_kind(error)] < _ATTEMPTS[_kind(error)]
            return False

        retry = retrying(
            may_be_retried,
            attempts=math.inf,
            wait=tenacity.wait_random_exponential(multiplier=0.05, max=2),
            left=lambda: clock.left,
        )
        return retry(attempt)


def _replace(api: object, name: str, value: Callable[[Any], object]) -> None:
    """Replace a member of the SDK for one session, if this version has it."""
    if hasattr(api, name):
        setattr(api, name, value)
    else:
        _warn_missing(name)


@cache
def _warn_missing(name: str) -> None:
    log.warning("vastdb %s has no %s: selects take more time, and memory that is not freed", vastdb.version(), name)


def _kind(error: CatalogError) -> type[CatalogError]:
    """The kind of error by which failed attempts are counted."""
    return next(kind for kind in _ATTEMPTS if isinstance(error, kind))


def _check(clock: Clock | None) -> None:
    if clock is not None:
        clock.check()
