"""Exit codes of every command, and the findings that --fail-on turns into one."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, IntEnum
from typing import TYPE_CHECKING

from ..errors import (
    BackupError,
    ExrFormatError,
    ExrInspectorError,
    MissingExtraError,
    NoMatchError,
    QueryError,
    SettingsError,
)
from ..inspection.model import status_of

if TYPE_CHECKING:
    from ..findings.model import Finding
    from ..sequence.summary import SequenceSummary


class ExitCode(IntEnum):
    """The exit codes of the program."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    FAILED = 3
    INTERRUPTED = 130
    TERMINATED = 143


MEANINGS = {
    ExitCode.OK: "success",
    ExitCode.FINDINGS: "findings at or above `--fail-on`, such as an input that is not a complete EXR file; failed "
    "checks (`db verify`, `doctor`, `db coverage` below `--at-least`), a damaged backup, or differences (`diff`)",
    ExitCode.USAGE: "invalid arguments, settings or SQL, a pattern that matches nothing, with a catalog also a path "
    "that no file of it matches, a file or folder of the result that cannot be created, a folder of it that is not "
    "empty, or a missing extra; for `check`, `validate` and `db coverage`, also folders without EXR files, which other "
    "commands only mention",
    ExitCode.FAILED: "the bytes of some input could not be read (a path that does not exist, denied, timeout), "
    "also of a list of inputs (`--files-from`) or a file of events, or the catalog or the function failed; also where "
    "there are findings. Files that configure a command (policies, waivers, `--config`, timelines, SQL) are "
    "settings: 2",
    ExitCode.INTERRUPTED: "interrupted",
    ExitCode.TERMINATED: "ended by SIGTERM, as `function serve` after the events that it accepted; a file of "
    "`--output` is as it was before",
}


class Severity(IntEnum):
    """How serious a finding is."""

    NONE = 0
    INFO = 1
    WARNING = 2
    ERROR = 3


class FailOn(str, Enum):
    """The least severity that makes a command exit with 1."""

    ERROR = "error"
    WARNING = "warning"
    NEVER = "never"


class IngestFailOn(str, Enum):
    """As FailOn, with `new`: errors of files that the catalog does not have in this version."""

    ERROR = "error"
    NEW = "new"
    WARNING = "warning"
    NEVER = "never"


def worst_of(judged: Iterable[Finding | SequenceSummary]) -> Severity:
    """The severity of the worst finding, or of the worst sequence."""
    return max((Severity[one.severity.upper()] for one in judged), default=Severity.NONE)


def file_severity(completeness: str, problem_severity: str) -> Severity:
    """The severity of a file's verdict: an error unless the file is sound, else that of its worst problem."""
    is_sound = status_of(completeness, problem_severity) == "complete"
    return Severity[problem_severity.upper()] if is_sound else Severity.ERROR


def code_of(kind: type[ExrInspectorError]) -> ExitCode:
    """The exit code of a command that ends with an error."""
    if issubclass(kind, (ExrFormatError, BackupError)):  # the bytes were read, and are not complete: not a failure
        return ExitCode.FINDINGS
    is_usage = issubclass(kind, (SettingsError, QueryError, MissingExtraError, NoMatchError))
    return ExitCode.USAGE if is_usage else ExitCode.FAILED


def exit_code(worst: Severity, fail_on: FailOn, *, failed: bool = False, misused: bool = False) -> ExitCode:
    """The exit code for the worst finding; failed inputs take precedence, then arguments that name nothing."""
    if failed:
        return ExitCode.FAILED
    if misused:
        return ExitCode.USAGE
    fails = fail_on is not FailOn.NEVER and worst >= Severity[fail_on.name]
    return ExitCode.FINDINGS if fails else ExitCode.OK
