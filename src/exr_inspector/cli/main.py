"""The program: its commands, and the place where errors become exit codes."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any

import typer

from ..errors import ExrInspectorError
from . import (
    backup_commands,
    catalog_commands,
    check_command,
    coverage_command,
    db_commands,
    demo_command,
    deploy_command,
    diff_command,
    doctor_command,
    function_commands,
    ingest_command,
    inspect_command,
    policy_commands,
    report_commands,
    stats_command,
    validate_command,
)
from .exit_codes import ExitCode, code_of
from .output import discard_stdout, print_message
from .verbosity import add_options, verbosity

app = typer.Typer(
    name="exr-inspector",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},  # of all commands
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: rich would triple the time to print the help
    help="Inspect OpenEXR files: headers, completeness, sequences, and a catalog to query with SQL.",
)
for _command in (
    inspect_command.inspect,
    stats_command.stats,
    diff_command.diff,
    inspect_command.schema,
    ingest_command.ingest,
    check_command.check,
    validate_command.validate,
    catalog_commands.sequences,
    catalog_commands.outliers,
    catalog_commands.similar,
    report_commands.report,
    report_commands.query,
    doctor_command.doctor,
):
    app.command()(_command)
app.command("odd", hidden=True)(catalog_commands.outliers)  # the former name of `outliers`
db_commands.db.command("coverage")(coverage_command.coverage)
db_commands.db.command()(backup_commands.backup)
db_commands.db.command()(backup_commands.restore)
db_commands.db.command()(backup_commands.drop)
app.add_typer(db_commands.db, name="db")
app.add_typer(policy_commands.policy, name="policy")
app.add_typer(function_commands.function, name="function")
app.add_typer(deploy_command.deploy, name="deploy")
app.command()(demo_command.demo)


def _print_version(requested: bool) -> None:
    if requested:
        from .. import __version__

        typer.echo(f"exr-inspector {__version__}")
        raise typer.Exit


@app.callback()
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
    args = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in args
    try:
        with verbosity():
            words = [arg for arg in args if arg != "--debug"]
            result = _program().main(words, prog_name="exr-inspector", standalone_mode=False)
    except typer.Exit as stop:
        return stop.exit_code
    except (typer.Abort, KeyboardInterrupt):
        result = ExitCode.INTERRUPTED
    except typer.TyperException as error:
        if debug:
            raise
        text = error.format_message() if hasattr(error, "format_message") else str(error)
        if type(error).__name__ == "NoArgsIsHelpError":  # a private class of typer; its message is the help
            sys.stderr.write(f"{text}\n")
            return ExitCode.USAGE
        return _fail(f"{text} Try --help." if text else "", ExitCode.USAGE)
    except (BrokenPipeError, SystemExit) as stop:
        if isinstance(stop, SystemExit) and not stop.code:  # after typer has printed completions
            return ExitCode.OK
        if isinstance(stop, SystemExit) and stop.code == ExitCode.TERMINATED:
            return ExitCode.TERMINATED
        discard_stdout()  # its reader is gone, which typer turns into SystemExit; not an error
        return ExitCode.OK
    except ExrInspectorError as error:
        if debug:
            raise
        return _fail(str(error), code_of(type(error)))
    except OSError as error:
        if debug:
            raise
        return _fail(f"reading or writing failed: {error.strerror or error}", ExitCode.FAILED)
    except Exception as error:
        if debug:
            raise
        return _fail(f"internal error: {type(error).__name__}: {error} (--debug shows the traceback)", ExitCode.FAILED)
    if result == ExitCode.INTERRUPTED:  # typer also returns this code
        return _fail("interrupted", ExitCode.INTERRUPTED)
    return result if isinstance(result, int) else ExitCode.OK


@cache  # reading the signatures of all commands takes 25 ms
def _program() -> Any:
    program = typer.main.get_command(app)
    add_options(program)
    return program


def _fail(message: str, code: ExitCode) -> int:
    if message:
        one_line = re.sub("[ \t\r\n]+", " ", message.strip())  # \s would also match U+2028
        print_message(f"exr-inspector: {one_line}")
    return code


if __name__ == "__main__":
    sys.exit(main())
