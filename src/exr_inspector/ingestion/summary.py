"""What an ingest has done: counts, damaged files, failures and results of a policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ..catalog import PolicyResult
from ..findings.files import damage
from ..inspection.model import status_of
from .changes import Failure, Verdict


class Validation(NamedTuple):
    """The status of a file by a policy, and whether the catalog did not have it."""

    status: str  # passed, warned or failed
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedFile:
    """A file that is not sound; `is_new` if the catalog did not have this version of it."""

    uri: str
    status: str  # as that of an inspection, or undecodable
    reason: str
    is_new: bool


class UndecodedFile(NamedTuple):
    """A file whose pixels a limit, or the system, kept from being decoded: the next run decodes them again."""

    uri: str
    reason: str  # the lines or tiles, or `all`, with the code of the error


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Why no file was marked as deleted: too many of the files that the catalog has below the paths are gone."""

    gone: int
    known: int


@dataclass(slots=True)
class IngestSummary:
    """The counts and failures of a run, also passed to the progress callback during the run."""

    listed: int = 0
    is_listed: bool = False  # whether all files are listed
    unchanged: int = 0
    young: int = 0  # files that were left alone, as they changed a moment ago
    inserted: int = 0  # files that the catalog did not have
    replaced: int = 0  # files of which the catalog had another version
    known: int = 0  # inspected, but the catalog already had this version
    verdicts: Counter[Verdict] = field(default_factory=Counter)  # of all files but those that failed
    validations: Counter[Validation] = field(default_factory=Counter)  # with a policy: of the same files
    pixels_not_judged: int = 0  # of these, files without the statistics that rules are about
    rules_without_statistics: set[str] = field(default_factory=set)  # the identifiers of these rules
    damaged: list[DamagedFile] = field(default_factory=list)
    undecoded: list[UndecodedFile] = field(default_factory=list)  # may also be damaged
    failures: list[Failure] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    pruned: int = 0
    held_back: HeldBack | None = None
    emptied: list[str] = field(default_factory=list)  # folders whose files have all vanished and were not marked

    @property
    def done(self) -> int:
        """The number of files that are finished."""
        return self.unchanged + self.young + self.inserted + self.replaced + self.known + len(self.failures)

    def add_without_statistics(self, results: Iterable[PolicyResult]) -> None:
        """Count the files, and collect the rules, that were not evaluated for want of statistics of pixels."""
        for result in results:
            self.pixels_not_judged += bool(result.without_statistics)
            self.rules_without_statistics.update(result.without_statistics)

    def add(self, uri: str, verdict: Verdict, *, is_new: bool, chunks: str = "") -> None:
        """Add the verdict on a file that was inspected, or is unchanged."""
        self.verdicts[verdict._replace(undecodable="")] += 1
        status = status_of(verdict.completeness, verdict.problem_severity)
        if status != "complete":
            self.damaged.append(DamagedFile(uri=uri, status=status, reason=damage(status, chunks), is_new=is_new))
        elif verdict.undecodable:
            reason = verdict.undecodable
            self.damaged.append(DamagedFile(uri=uri, status="undecodable", reason=reason, is_new=is_new))
