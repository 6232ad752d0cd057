"""Exit codes of every command, and the findings that --fail-on turns into one."""

from __future__ import annotations

from enum import Enum, IntEnum


class ExitCode(IntEnum):
    """The exit codes of the program."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    FAILED = 3
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "success",
    ExitCode.FINDINGS: "findings at or above `--fail-on`, failed checks (`db verify`), or differences (`diff`)",
    ExitCode.USAGE: "invalid arguments, settings or SQL, or a missing extra",
    ExitCode.FAILED: "some inputs, the catalog or the function failed",
    ExitCode.INTERRUPTED: "interrupted",
}


class Severity(IntEnum):
    """How serious a finding is."""

    NONE = 0
    WARNING = 1
    ERROR = 2


class FailOn(str, Enum):
    """The least severity that makes a command exit with 1."""

    ERROR = "error"
    WARNING = "warning"
    NEVER = "never"


def completeness_severity(completeness: str) -> Severity:
    """The severity of a file's completeness: an error where chunks are missing or damaged."""
    return {"complete": Severity.NONE, "unknown": Severity.WARNING}.get(completeness, Severity.ERROR)


def exit_code(worst: Severity, fail_on: FailOn, *, failed: bool = False) -> ExitCode:
    """The exit code for the worst finding; failed inputs take precedence over findings."""
    if failed:
        return ExitCode.FAILED
    if fail_on is FailOn.NEVER or worst is Severity.NONE:
        return ExitCode.OK
    return ExitCode.FINDINGS if worst is Severity.ERROR or fail_on is FailOn.WARNING else ExitCode.OK
