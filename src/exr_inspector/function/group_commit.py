"""Group commit: persists that wait while a transaction is under way share the next one."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from itertools import islice

from ..catalog import Catalog, PersistOutcome
from ..catalog.rows import RowBatch
from ..deadline import seconds_left
from ..errors import CatalogConnectionError

log = logging.getLogger(__name__)

MAX_BATCHES = 64  # of one transaction


@dataclass(slots=True, eq=False)
class _Member:
    """A batch, and what its thread does once it is woken: return the outcomes, lead, or else persist alone."""

    batch: RowBatch
    file_ids: set[str]
    woken: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    outcomes: list[PersistOutcome] | None = None


class GroupCommit:
    """A catalog that threads share, with one transaction for all batches that wait at the same time.

    A thread that finds no transaction under way leads: it persists its batch at once, together with those that wait,
    and hands the lead over afterwards. Each thread has its own outcomes, errors and time limit: if a shared
    transaction fails, each thread persists its batch alone.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._lock = threading.Lock()
        self._is_led = False
        self._waiting: deque[_Member] = deque()

    def persist_rows(self, batch: RowBatch) -> list[PersistOutcome]:
        """Like that of the catalog. Raises CatalogConnectionError if the time limit ends before the transaction."""
        member = _Member(batch, set(batch.tables["files"]["file_id"].to_pylist()))
        with self._lock:
            if self._is_led:
                self._waiting.append(member)
            else:
                self._is_led = member.leads = True
        if not member.leads:
            self._wait(member)
        if member.leads:
            self._lead(member)
        return self.catalog.persist_rows(batch) if member.outcomes is None else member.outcomes

    def _wait(self, member: _Member) -> None:
        if member.woken.wait(min(max(seconds_left(), 0), threading.TIMEOUT_MAX)):
            return
        with self._lock:
            if member.woken.is_set():
                return
            if member in self._waiting:
                self._waiting.remove(member)
        raise CatalogConnectionError(f"{self.catalog.uri}: no time left while waiting for another transaction")

    def _lead(self, leader: _Member) -> None:
        members = [leader]
        try:
            members += self._joining(leader)
            rows = leader.batch if len(members) == 1 else RowBatch.concat([member.batch for member in members])
            outcomes = iter(self.catalog.persist_rows(rows))
            for member in members:
                member.outcomes = list(islice(outcomes, member.batch.tables["files"].num_rows))
        except Exception as error:
            if len(members) == 1:
                raise
            log.debug("a transaction of %d batches failed, each is tried alone: %r", len(members), error)
        finally:
            with self._lock:
                for member in members:
                    member.woken.set()
                self._is_led = bool(self._waiting)
                if self._waiting:
                    successor = self._waiting.popleft()
                    successor.leads = True
                    successor.woken.set()

    def _joining(self, leader: _Member) -> list[_Member]:
        """The first waiting batches that fit into one transaction.

        Batches with a common file are not joined: each may have other results about it.
        """
        joining: list[_Member] = []
        file_ids = set(leader.file_ids)
        with self._lock:
            while self._waiting and len(joining) + 1 < MAX_BATCHES:
                member = self._waiting[0]
                is_too_large = len(file_ids) + len(member.file_ids) > self.catalog.files_per_transaction
                if is_too_large or file_ids & member.file_ids:
                    break
                file_ids |= member.file_ids
                joining.append(self._waiting.popleft())
        return joining
