"""The stages of one file in the handler: received → inspected, with statistics → persisted. All are immutable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from ..errors import ExrInspectorError
from ..inspection.model import Inspection
from .credentials import Target
from .events import FileEvent

if TYPE_CHECKING:
    from ..policy.evaluate import Verdict

Status = Literal["success", "error", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A file that an event names, with the catalog of that event."""

    event: FileEvent
    event_index: int  # position of the event in its batch
    event_id: str = ""
    catalog: Target | ExrInspectorError | None = None  # the error if it is misconfigured, None if not configured


@dataclass(frozen=True, slots=True)
class Failed:
    """The error of a file that could not be inspected, with its size, time and etag if it could be opened."""

    error: Exception
    size_bytes: int | None = None
    mtime: datetime | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """The reason not to inspect a file."""

    reason: str


Outcome = Inspection | Failed | Skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """The state of a received file in storage."""

    received: Received
    path: str  # the candidate path that was inspected, or the last one that was tried
    outcome: Outcome | None  # None if the file was removed
    removed_paths: tuple[str, ...] = ()
    verdict: Verdict | ExrInspectorError | None = None  # of a policy, or why it has none
    duration_s: float = 0.0

    @property
    def inspection(self) -> Inspection | None:
        """The inspection of the file; None without one."""
        return self.outcome if isinstance(self.outcome, Inspection) else None

    @property
    def error(self) -> Exception | None:
        """The error of a file that could not be inspected."""
        return self.outcome.error if isinstance(self.outcome, Failed) else None

    @property
    def skip_reason(self) -> str:
        """The reason not to inspect the file; empty without one."""
        return self.outcome.reason if isinstance(self.outcome, Skipped) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Persistence:
    """The effect of a file on the catalog."""

    status: Status = "skipped"
    message: str = "nothing to persist"
    inserted: bool = False
    has_stats: bool = False  # whether requested statistics, which are pending here, are in the catalog
    kept_statuses: Mapping[str, str] = field(default_factory=dict)  # by policy: of stored results that stay
    error: Exception | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Persisted:
    """An inspected file, and its effect on the catalog."""

    inspected: Inspected
    persistence: Persistence

    @property
    def policy_error(self) -> ExrInspectorError | None:
        """Why no policy could judge the file."""
        verdict = self.inspected.verdict
        return verdict if isinstance(verdict, ExrInspectorError) else None

    @property
    def validation_status(self) -> str | None:
        """The status of the file by the policy: that of a stored result which evaluated more rules, if there is one."""
        verdict = self.inspected.verdict
        if verdict is None or isinstance(verdict, ExrInspectorError):
            return None
        return self.persistence.kept_statuses.get(verdict.policy, verdict.status)

    @property
    def error(self) -> Exception | None:
        """The error of the file, else that of the catalog, else that of the policy."""
        return self.error_where(lambda _: True)

    @property
    def status(self) -> Status:
        """The status of the file as a whole."""
        if self.error is not None:
            return "error"
        return "skipped" if self.inspected.skip_reason else "success"

    def error_where(self, accepts: Callable[[Exception], bool]) -> Exception | None:
        """The first error, of the file, the catalog or the policy, for which `accepts` returns true."""
        errors = (self.inspected.error, self.persistence.error, self.policy_error)
        return next((error for error in errors if error is not None and accepts(error)), None)
