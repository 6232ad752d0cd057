"""Faults on order, and the log of requests.

A fault waits for the n-th request that it matches and then strikes that one and the following ones,
as often as it was told. It strikes before the request takes effect or after: a commit whose
connection is lost after the effect looks to the client exactly like one that was lost before it.
"""

import threading
from collections import deque
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

from .messages import Request

Action = Literal["drop", "cut", "fail", "status", "delay"]


@dataclass(frozen=True, kw_only=True)
class LoggedRequest:
    """One request that was received, whatever became of it."""

    method: str
    path: str
    command: str  # "rows", "transaction", …; empty for HEAD bucket and S3 requests
    operation: str  # "insert", "commit", …
    txid: int
    body_bytes: int


@dataclass(kw_only=True)
class Fault:
    """One order. `hits` counts how often it has struck."""

    action: Action
    after_effect: bool = False
    status: int = 0
    code: str = ""
    seconds: float = 0.0
    method: str = "*"
    command: str = "*"
    operation: str = "*"
    path: str = "*"  # these four are shell patterns
    nth: int = 1  # strike at the n-th matching request from now on
    times: int = 1  # and at so many requests in all; 0 is for ever
    hits: int = 0
    seen: int = field(default=0, repr=False)

    def __post_init__(self) -> None:
        if self.action == "status" and not 400 <= self.status <= 599:
            raise ValueError(f"a fault answers a status from 400 to 599, not {self.status}")
        if self.action not in get_args(Action):
            raise ValueError(f"unknown fault {self.action!r}")

    @property
    def is_late(self) -> bool:
        """Whether it strikes after the request took effect. A body can only be spoiled when there is one."""
        return self.after_effect or self.action in ("cut", "fail")

    def strikes(self, request: Request) -> bool:
        """Whether it is this request's turn; counts the request."""
        if self.times and self.hits >= self.times:
            return False
        if not (
            fnmatchcase(request.method, self.method)
            and fnmatchcase(request.command, self.command)
            and fnmatchcase(request.operation, self.operation)
            and fnmatchcase(request.raw_path, self.path)
        ):
            return False
        self.seen += 1
        if self.seen < self.nth:
            return False
        self.hits += 1
        return True


class Recorder:
    """Faults, latency and request log of one emulator. Every method may be called from any thread."""

    def __init__(self, *, log_limit: int | None, latency_s: float) -> None:
        self._lock = threading.Lock()
        self._requests: deque[LoggedRequest] = deque(maxlen=log_limit)
        self._faults: list[Fault] = []
        self.request_count = 0
        self.latency_s = latency_s

    @property
    def requests(self) -> list[LoggedRequest]:
        """What has come in since the last reset, in order of arrival."""
        with self._lock:
            return list(self._requests)

    def arrived(self, request: Request) -> list[Fault]:
        """Log a request; returns the faults that strike it."""
        with self._lock:
            self.request_count += 1
            self._requests.append(
                LoggedRequest(
                    method=request.method,
                    path=request.raw_path,
                    command=request.command,
                    operation=request.operation,
                    txid=request.txid,
                    body_bytes=len(request.body),
                )
            )
            return [fault for fault in self._faults if fault.strikes(request)]

    def add(self, fault: Fault) -> Fault:
        """Order a fault."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear_requests(self) -> None:
        """Forget the log."""
        with self._lock:
            self._requests.clear()
            self.request_count = 0

    def clear_faults(self) -> None:
        """Cancel all faults."""
        with self._lock:
            self._faults.clear()

    def as_json(self) -> dict[str, Any]:
        """The log and the faults for another process."""
        with self._lock:
            return {
                "request_count": self.request_count,
                "requests": [asdict(request) for request in self._requests],
                "faults": [asdict(fault) for fault in self._faults],
            }


def make_fault(action: str | int, **options: Any) -> Fault:
    """A fault from an action's name or a status: `make_fault(503, code="SlowDown", operation="commit")`."""
    if isinstance(action, int):
        return Fault(action="status", status=action, **options)
    return Fault(action=action, **options)  # type: ignore[arg-type]
