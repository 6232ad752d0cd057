"""Problems: irregularities of a header or of the chunks that do not stop the reader. `codes.py` lists the codes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .codes import PROBLEMS, SEVERITIES
from .short_repr import short_repr


class Problem(NamedTuple):
    """One irregularity: a stable code, a sentence, and the part, attribute and position where known."""

    code: str
    message: str
    part_index: int | None = None
    attr_name: str | None = None
    byte_offset: int | None = None

    @property
    def severity(self) -> str:
        """`error`, `warning` or `info`."""
        return PROBLEMS[self.code].severity

    def __repr__(self) -> str:
        part = "" if self.part_index is None else f" in part {self.part_index}"
        return f"<Problem {self.code}{part}: {self.severity} {short_repr(self.message)}>"


def worst_severity(problems: Iterable[Problem]) -> str:
    """The highest severity of the problems; `none` without problems."""
    return max((problem.severity for problem in problems), key=SEVERITIES.index, default="none")


class ProblemList:
    """The problems of one header up to a limit; the others are counted. An error is always among those listed.

    Without a limit, a few kilobytes of empty parts would give a report of megabytes.
    """

    __slots__ = ("_count", "_has_error", "_limit", "_problems")

    def __init__(self, limit: int) -> None:
        self._limit, self._count, self._has_error = limit, 0, False
        self._problems: list[Problem] = []

    def add(self, problem: Problem) -> None:
        """Add a problem, or count it if the list is full."""
        self._count += 1
        is_first_error = not self._has_error and problem.severity == "error"
        if len(self._problems) < self._limit:
            self._problems.append(problem)
        elif is_first_error:
            self._problems[-1] = problem
        self._has_error |= is_first_error

    def all(self) -> tuple[Problem, ...]:
        """The problems, and if some were only counted one more with their number."""
        omitted = self._count - len(self._problems)
        if not omitted:
            return tuple(self._problems)
        return (*self._problems, Problem("more_problems", f"{omitted} more problems are not listed"))
