"""The result of a check, and what is checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from ..errors import CatalogError, CatalogSchemaError, ExrInspectorError, QueryError, SettingsError


class Status(str, Enum):
    """The verdict of a check."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"
    SKIP = "skip"


class Stage(Enum):
    """The checklist: of a deployment that is about to happen, or has happened, or all of it."""

    ANY = "any"
    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The result of a check: what was found, and what to do about it."""

    name: str
    status: Status
    what: str
    remedy: str = ""
    is_conclusive: bool = True  # False if the catalog or the network could not be reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is checked: the catalog, and where its URI and other defaults come from."""

    uri: str  # empty if the settings do not say
    uri_source: str  # such as --catalog, environment, default, or a configuration file; without a URI the reason
    stage: Stage = Stage.ANY
    deep: bool = False  # whether row checks read all rows
    wait_s: float = 0  # for another process that has the DuckDB file open
    from_file: Mapping[str, str] = field(default_factory=dict)  # settings of the configuration file
    file: str = ""  # its path; empty without one


def ok(name: str, what: str, remedy: str = "") -> Check:
    """A check that passes; its remedy is only advice."""
    return Check(name=name, status=Status.OK, what=what, remedy=remedy)


def skipped(name: str, what: str, remedy: str = "") -> Check:
    """A check that another command makes."""
    return Check(name=name, status=Status.SKIP, what=what, remedy=remedy)


def warning(name: str, what: str, remedy: str = "") -> Check:
    """A check that passes, with something that a person should know."""
    return Check(name=name, status=Status.WARN, what=what, remedy=remedy)


def failure(name: str, what: str, remedy: str = "", *, is_conclusive: bool = True) -> Check:
    """A check that fails, or that could not be made if it is not conclusive."""
    return Check(name=name, status=Status.FAIL, what=what, remedy=remedy, is_conclusive=is_conclusive)


def failed_by(name: str, error: ExrInspectorError) -> Check:
    """The check that raised an error; after a transient one, nothing is known."""
    text = str(error)
    what, _, remedy = text.rpartition("; ")
    if not what or what.count("(") > what.count(")"):  # a text without a remedy
        what, remedy = text, ""
    if isinstance(error, SettingsError):
        remedy = remedy or "correct the setting"
    return failure(name, what, remedy, is_conclusive=not error.retryable)


def of_tables(name: str, checks: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """As `guarded`, for checks of tables. Raises CatalogError if the others would fail for the same reason.

    So it does for a damaged file, or a lost connection, but not for a missing column.
    """

    def own() -> Iterator[Check]:
        try:
            yield from checks()
        except (QueryError, CatalogSchemaError) as error:
            yield failed_by(name, error)

    yield from guarded(name, own, but=CatalogError)


def guarded(
    name: str, checks: Callable[[], Iterable[Check]], *, but: type[ExrInspectorError] | tuple[()] = ()
) -> Iterator[Check]:
    """The results of checks; an error is the last of them, and hides no checks of others. Raises those of `but`."""
    try:
        yield from checks()
    except but:
        raise
    except ExrInspectorError as error:
        yield failed_by(name, error)
    except Exception as error:  # its text is not shown, as it may contain a key
        yield failure(name, f"internal error: {type(error).__name__}", "report it", is_conclusive=False)
