"""Group commit: submissions that wait while a transaction is under way share the next one.

The rows of a group are built at once, which takes little longer than those of one file.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING

from ..catalog import Catalog, PersistOutcome
from ..catalog.rows import from_inspections
from ..deadline import seconds_left
from ..defaults import CELL_LIMIT
from ..errors import CatalogConnectionError
from .errors import is_retryable

if TYPE_CHECKING:
    from ..inspection.model import Inspection
    from ..policy.evaluate import Verdict
    from ..vectors import Embedding

log = logging.getLogger(__name__)

MAX_SUBMISSIONS = 64  # of one transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Inspections of different files that one thread persists, with their vectors and verdicts."""

    inspections: Sequence[Inspection]
    embeddings: Mapping[str, Embedding]  # by file_id
    verdicts: Sequence[tuple[str, Verdict]] = ()  # each with the file_id


@dataclass(slots=True, eq=False)
class _Member:
    """A submission, and what its thread does once woken: lead a group, return or raise the result, persist alone."""

    submission: Submission
    file_ids: set[str]
    ends_at: float  # of its time limit
    woken: threading.Event = field(default_factory=threading.Event)
    group: list[_Member] | None = None  # that it leads
    outcomes: list[PersistOutcome] | None = None
    error: Exception | None = None


class GroupCommit:
    """A catalog that threads share, with one transaction for all submissions that wait at the same time.

    A submission is persisted at once if no transaction is under way. Otherwise it waits, and those that wait are the
    next group, led by the thread with the most time left. A transient error of the transaction is that of each
    submission; after another error each thread persists its own alone, so that a bad one does not make others fail.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._lock = threading.Lock()
        self._is_led = False
        self._waiting: deque[_Member] = deque()

    def persist(self, submission: Submission, *, cell_limit: int = CELL_LIMIT) -> list[PersistOutcome]:
        """The outcome of each inspection, in order.

        Raises CatalogError; CatalogConnectionError also if the time limit ends before the transaction.
        """
        file_ids = {inspection.file.file_id for inspection in submission.inspections}
        member = _Member(submission, file_ids, time.monotonic() + seconds_left())
        with self._lock:
            self._waiting.append(member)
            if not self._is_led:
                self._start_group()
        try:
            self._wait(member)
        except BaseException:
            self._leave(member)
            raise
        if member.group is not None:
            self._lead(member.group, cell_limit)
        if member.error is not None:
            raise member.error
        return self._persisted([submission], cell_limit) if member.outcomes is None else member.outcomes

    def _wait(self, member: _Member) -> None:
        if member.woken.wait(min(max(seconds_left(), 0), threading.TIMEOUT_MAX)):
            return
        with self._lock:
            if member.woken.is_set():
                return
            has_begun = member not in self._waiting
        reason = "not confirmed in time, the rows may be stored" if has_begun else "no time left in the queue"
        raise CatalogConnectionError(f"{self.catalog.uri}: shared transaction: {reason}")

    def _leave(self, member: _Member) -> None:
        """Remove a member whose thread gives up; the others of a group that it was to lead wait again."""
        with self._lock:
            if member in self._waiting:
                self._waiting.remove(member)
            elif member.group is not None:
                self._waiting.extendleft(other for other in reversed(member.group) if other is not member)
                self._start_group()

    def _start_group(self) -> None:
        """Wake the leader of the next group, if submissions wait. The caller holds the lock."""
        group = self._next_group()
        self._is_led = bool(group)
        if group:
            leader = max(group, key=lambda member: member.ends_at)
            leader.group = group
            leader.woken.set()

    def _next_group(self) -> list[_Member]:
        """The first waiting submissions that fit into one transaction.

        Submissions with a common file are not joined: each may have other results about it.
        """
        group: list[_Member] = []
        file_ids: set[str] = set()
        while self._waiting and len(group) < MAX_SUBMISSIONS:
            member = self._waiting[0]
            is_too_large = len(file_ids) + len(member.file_ids) > self.catalog.files_per_transaction
            if group and (is_too_large or file_ids & member.file_ids):
                break
            file_ids |= member.file_ids
            group.append(self._waiting.popleft())
        return group

    def _lead(self, group: list[_Member], cell_limit: int) -> None:
        try:
            outcomes = iter(self._persisted([member.submission for member in group], cell_limit))
            for member in group:
                member.outcomes = list(islice(outcomes, len(member.submission.inspections)))
        except Exception as error:
            if len(group) == 1 or is_retryable(error):
                for member in group:
                    member.error = error
            else:
                log.debug("a transaction of %d submissions failed, each is tried alone: %r", len(group), error)
        finally:
            with self._lock:
                for member in group:
                    member.woken.set()
                self._start_group()

    def _persisted(self, submissions: Sequence[Submission], cell_limit: int) -> list[PersistOutcome]:
        """Persist the submissions in one transaction."""
        rows = from_inspections(
            chain.from_iterable(each.inspections for each in submissions),
            cell_limit=cell_limit,
            embeddings={file_id: vectors for each in submissions for file_id, vectors in each.embeddings.items()},
        )
        verdicts = [verdict for each in submissions for verdict in each.verdicts]
        if verdicts:
            from ..policy.rows import with_verdicts  # only with a policy

            rows = with_verdicts(rows, verdicts)
        return self.catalog.persist_rows(rows)
