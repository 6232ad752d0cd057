"""The progress bar of commands on many files."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .verbosity import is_quiet

_SHOW_AFTER_S = 1.0


@contextmanager
def progress_bar(*, is_hidden: bool = False) -> Iterator[Callable[[int, int | None], None]]:
    """A callback for the files that are done, and their total if it is known.

    It shows them on stderr if that is a terminal and the command takes more than a second.
    """
    if is_hidden or is_quiet() or not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    started = time.monotonic()
    bar = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} files/s"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # its encoding would be unknown
    )
    task = bar.add_task("", total=None, rate="")

    def update(done: int, total: int | None) -> None:
        elapsed = time.monotonic() - started
        if elapsed > _SHOW_AFTER_S:
            bar.start()
            bar.update(task, completed=done, total=total, rate=f"{done / elapsed:,.0f}")

    try:
        yield update
    finally:
        bar.stop()
