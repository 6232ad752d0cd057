"""How much every command prints on stderr: --quiet and --verbose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import logging

_is_quiet = False
_handler: logging.Handler | None = None
_level_before = 0  # of the logger, while there is a handler


def is_quiet() -> bool:
    """Whether --quiet is given: nothing is printed that is only information."""
    return _is_quiet


@contextmanager
def verbosity() -> Iterator[None]:
    """Undoes what the options of one command have set."""
    global _is_quiet, _handler
    try:
        yield
    finally:
        _is_quiet = False
        if _handler is not None:
            _package_logger().removeHandler(_handler)
            _package_logger().setLevel(_level_before)
            _handler = None


def add_options(command: Any) -> None:
    """Add --quiet and --verbose to a command of typer and to its subcommands."""
    options = typer.main.get_command(_carrier).params
    commands = [command]
    while commands:
        each = commands.pop()
        each.params += options
        commands += getattr(each, "commands", {}).values()


def _set_quiet(quiet: bool) -> None:
    global _is_quiet
    _is_quiet = _is_quiet or quiet


def _set_verbose(times: int) -> None:
    """Print the log of the package on stderr."""
    global _handler, _level_before
    if not times:
        return
    import logging

    from .log_format import CleanFormatter

    level = logging.INFO if times == 1 else logging.DEBUG
    logger = _package_logger()
    if _handler is None:
        _level_before = logger.level
        _handler = logging.StreamHandler()
        _handler.setFormatter(CleanFormatter())
        logger.addHandler(_handler)
    _handler.setLevel(level)
    if logger.getEffectiveLevel() > level:
        logger.setLevel(level)


def _package_logger() -> logging.Logger:
    import logging

    return logging.getLogger("exr_inspector")


_carrier = typer.Typer(add_completion=False)


@_carrier.command()
def _options(
    _quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            "-q",
            callback=_set_quiet,
            expose_value=False,
            help="Print no progress, summaries and hints; errors and data remain.",
        ),
    ] = False,
    _verbose: Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            callback=_set_verbose,
            expose_value=False,
            show_default=False,
            help="Print the log on stderr; -vv: in detail.",
        ),
    ] = 0,
) -> None:
    pass
