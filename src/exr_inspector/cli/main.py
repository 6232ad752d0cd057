"""The program: its commands, and the one place where errors become exit codes.

0 fine, 1 findings at or above --fail-on (or a difference), 2 bad usage, 3 some inputs failed, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from ..errors import ExrInspectorError, MissingExtraError, QueryError, SettingsError
from . import catalog_commands, file_commands, function_commands, report_commands, vector_commands
from .output import say

USAGE, FAILED, INTERRUPTED = 2, 3, 130
_USAGE_ERRORS = (SettingsError, QueryError, MissingExtraError)

app = typer.Typer(
    name="exr-inspector",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # help in plain text: rich would triple the time to print it
    help="Read OpenEXR headers without loss, check that files are whole, and catalog them.",
)
file_commands.register(app)
catalog_commands.register(app)
report_commands.register(app)
vector_commands.register(app)
function_commands.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        typer.echo(f"exr-inspector {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    _debug: Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")] = False,
) -> None:
    pass


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in args
    try:
        result = app(args=[arg for arg in args if arg != "--debug"], standalone_mode=False)
    except typer.Exit as stop:
        return stop.exit_code
    except (typer.Abort, KeyboardInterrupt):
        result = INTERRUPTED
    except typer.TyperException as wrong:
        if debug:
            raise
        text = wrong.format_message() if hasattr(wrong, "format_message") else str(wrong)
        if type(wrong).__name__ == "NoArgsIsHelpError":  # of a module that typer keeps to itself; its text is the help
            sys.stderr.write(f"{text}\n")
            return USAGE
        return _say(f"{text} Try --help." if text else "", USAGE)
    except (BrokenPipeError, SystemExit):
        # The reader of stdout went away (`| head`), which typer makes a SystemExit of: not an error, and Python must
        # not flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ExrInspectorError as problem:
        if debug:
            raise
        return _say(str(problem), USAGE if isinstance(problem, _USAGE_ERRORS) else FAILED)
    except Exception as bug:
        if debug:
            raise
        return _say(f"internal error: {type(bug).__name__}: {bug} (--debug shows where)", FAILED)
    if result == INTERRUPTED:  # typer's word for it, too
        return _say("interrupted", INTERRUPTED)
    return result if isinstance(result, int) else 0


def _say(text: str, code: int) -> int:
    if text:
        say(f"exr-inspector: {' '.join(text.split())}")
    return code


if __name__ == "__main__":
    sys.exit(main())
