"""The program: its commands, and the place where errors become exit codes."""

from __future__ import annotations

import os
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Annotated, Any

import typer

from ..defaults import NUMPY_ENVIRONMENT
from ..errors import ExrInspectorError, PolicyError
from .exit_codes import ExitCode, code_of
from .output import discard_stdout, print_message
from .quick_arguments import convert_quickly
from .verbosity import add_options, verbosity

# Where the commands are, in the order of the help. Only the module of the given one is imported.
_COMMANDS = {
    "inspect": "inspect_command.inspect",
    "stats": "stats_command.stats",
    "diff": "diff_command.diff",
    "schema": "inspect_command.schema",
    "ingest": "ingest_command.ingest",
    "check": "check_command.check",
    "validate": "validate_command.validate",
    "sequences": "catalog_commands.sequences",
    "outliers": "catalog_commands.outliers",
    "similar": "catalog_commands.similar",
    "report": "report_commands.report",
    "query": "report_commands.query",
    "doctor": "doctor_command.doctor",
    "demo": "demo_command.demo",
    "db": "db_commands.db",
    "policy": "policy_commands.policy",
    "function": "function_commands.function",
    "deploy": "deploy_command.deploy",
    "odd": "catalog_commands.outliers",
}
_VERBOSITY = re.compile("-[qv]+|--quiet|--verbose")  # options that may precede a command
_FORMER = ("odd",)  # names that are not in the help


def app(command: str | None = None) -> typer.Typer:
    """The program with one of its commands, or with all."""
    program = typer.Typer(
        name="exr-inspector",
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},  # of all commands
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain text: rich would triple the time to print the help
        help="Inspect OpenEXR files: headers, completeness, sequences, and a catalog to query with SQL.",
    )
    program.callback()(_global_options)
    for name in _COMMANDS if command is None else (command,):
        module, _, attribute = _COMMANDS[name].partition(".")
        added = getattr(import_module(f".{module}", __package__), attribute)
        if isinstance(added, typer.Typer):
            program.add_typer(added, name=name)
        else:
            program.command(name, hidden=name in _FORMER)(added)
    return program


def _print_version(requested: bool) -> None:
    if requested:
        from .. import __version__

        typer.echo(f"exr-inspector {__version__}")
        raise typer.Exit


def _global_options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    _debug: Annotated[bool, typer.Option("--debug", help="Show a traceback when a command fails.")] = False,
) -> None:
    pass


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 (closed by the shell: >&-)
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    if argv is None:  # as a program, and for its worker processes
        for name, value in NUMPY_ENVIRONMENT.items():
            os.environ.setdefault(name, value)
    args = list(sys.argv[1:] if argv is None else argv)
    end = args.index("--") if "--" in args else len(args)  # what follows are paths
    debug = "--debug" in args[:end]
    try:
        with verbosity():
            words = [arg for arg in args[:end] if arg != "--debug"] + args[end:]
            first = next((word for word in words if not _VERBOSITY.fullmatch(word)), "")
            program = _program(first if first in _COMMANDS else None)
            result = program.main(words, prog_name="exr-inspector", standalone_mode=False)
    except typer.Exit as stop:
        return stop.exit_code
    except (typer.Abort, KeyboardInterrupt):
        result = ExitCode.INTERRUPTED
    except (BrokenPipeError, SystemExit) as stop:
        if isinstance(stop, SystemExit) and not stop.code:  # after typer has printed completions
            return ExitCode.OK
        if isinstance(stop, SystemExit) and stop.code == ExitCode.TERMINATED:
            return ExitCode.TERMINATED
        discard_stdout()  # its reader is gone, which typer turns into SystemExit; not an error
        return ExitCode.OK
    except Exception as error:
        if debug:
            traceback.print_exc()
        if not isinstance(error.__cause__, KeyboardInterrupt):  # during an import; wrapped before Python 3.12
            return _failed(error)
        result = ExitCode.INTERRUPTED
    if result == ExitCode.INTERRUPTED:  # typer also returns this code
        if argv is None:  # as a program: a second Ctrl-C does not interrupt the message
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        return _fail("interrupted", ExitCode.INTERRUPTED)
    return result if isinstance(result, int) else ExitCode.OK


def _failed(error: Exception) -> int:
    """Print the error that ended a command; returns the exit code."""
    if isinstance(error, typer.TyperException):
        text = error.format_message() if hasattr(error, "format_message") else str(error)
        if type(error).__name__ == "NoArgsIsHelpError":  # a private class of typer; its message is the help
            sys.stderr.write(f"{text}\n")
            return ExitCode.USAGE
        text = text.replace(": Value error, ", ": ", 1)  # pydantic puts it before the reason
        return _fail(f"{text} Try --help." if text else "", ExitCode.USAGE)
    if isinstance(error, ExrInspectorError):
        for message in error.lines if isinstance(error, PolicyError) else [str(error)]:
            _fail(message, code_of(type(error)))
        return code_of(type(error))
    if isinstance(error, OSError):
        return _fail(f"reading or writing failed: {error.strerror or error}", ExitCode.FAILED)
    return _fail(f"internal error: {type(error).__name__}: {error} (--debug shows the traceback)", ExitCode.FAILED)


@cache
def _program(command: str | None) -> Any:
    program = typer.main.get_command(app(command))
    add_options(program)
    convert_quickly(program)
    return program


def _fail(message: str, code: ExitCode) -> int:
    if message:
        one_line = re.sub("[ \t\r\n]+", " ", message.strip())  # \s would also match U+2028
        print_message(f"exr-inspector: {one_line}")
    return code


if __name__ == "__main__":
    sys.exit(main())
