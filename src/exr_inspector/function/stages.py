"""What became of one file of an event, while it is worked on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from ..errors import ExrInspectorError, SourceStoreError
from ..inspection.model import Inspection
from .events import FileEvent, Kind


@dataclass(slots=True)
class Persistence:
    """What became of it in the catalog."""

    status: str = "skipped"  # or success, error
    message: str = "there is nothing to store"
    inserted: bool = False
    failure: Exception | None = None


@dataclass(slots=True)
class Outcome:
    """One file: the event, what was found at the place that it names, and what the catalog has of it."""

    event: FileEvent
    event_id: str = ""
    place: str = ""  # the one of the event's places where something was, or was looked for last
    inspection: Inspection | None = None
    failure: Exception | None = None
    size_bytes: int | None = None  # of a file that could not be inspected
    mtime: datetime | None = None
    gone: tuple[str, ...] = ()  # the places of a removed file at which nothing is
    skipped: str = ""  # why nothing was done
    persistence: Persistence = field(default_factory=Persistence)
    duration_s: float = 0.0

    @classmethod
    def of(cls, event: FileEvent, event_id: str = "") -> Outcome:
        """The outcome of an event before anything was done: an event that names no file has one already."""
        outcome = cls(event, event_id, place=event.places[0] if event.places else "")
        if event.kind is Kind.SKIPPED:
            outcome.skipped = event.reason
        return outcome

    @property
    def problem(self) -> Exception | None:
        """What went wrong: with the file, or else with the catalog."""
        return self.failure or self.persistence.failure

    @property
    def status(self) -> str:
        """`success`, `error` or `skipped`."""
        if self.problem is not None:
            return "error"
        return "skipped" if self.skipped else "success"

    def error_where(self, accepts: Callable[[Exception], bool]) -> Exception | None:
        """The first error, of the file or of the catalog, that `accepts` returns true for."""
        errors = (self.failure, self.persistence.failure)
        return next((error for error in errors if error is not None and accepts(error)), None)


def category(problem: Exception) -> str:
    """One word for what went wrong."""
    return problem.category if isinstance(problem, ExrInspectorError) else "internal"


def is_retryable(problem: Exception) -> bool:
    """Whether the same can succeed another time."""
    return isinstance(problem, MemoryError) or (isinstance(problem, ExrInspectorError) and problem.retryable)


# Categories of errors that say nothing about a file: the configuration of the function or its environment is wrong.
_MISCONFIGURATION = frozenset({"authentication", "settings", "schema", "catalog", "missing_extra"})


def is_misconfiguration(error: Exception) -> bool:
    """Whether every event fails with this error until somebody corrects the configuration."""
    return category(error) in _MISCONFIGURATION or isinstance(error, SourceStoreError)


def text(problem: Exception) -> str:
    """What went wrong, for people. The text of a foreign exception may hold anything, and stays here."""
    if isinstance(problem, ExrInspectorError):
        return str(problem)
    return f"internal error ({type(problem).__name__}); the log has the traceback"
