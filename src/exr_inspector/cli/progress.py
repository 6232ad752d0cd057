"""Progress of an ingest on stderr: files/s and time left, on a terminal, for what takes longer than a second."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..ingestion.run import IngestSummary
from ..sources.listing import discover

_SHOW_AFTER_S = 1.0


@contextmanager
def shown_progress(paths: Sequence[str]) -> Iterator[Callable[[IngestSummary], None]]:
    """A callback that shows how far an ingest is; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
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
    )
    task = bar.add_task("ingest", total=None, rate="")
    count = threading.Thread(target=lambda: bar.update(task, total=sum(1 for _ in discover(paths))), daemon=True)
    count.start()

    def update(summary: IngestSummary) -> None:
        elapsed = time.monotonic() - started
        if elapsed > _SHOW_AFTER_S:
            bar.start()
            bar.update(task, completed=summary.done, rate=f"{summary.done / elapsed:,.0f}")

    try:
        yield update
    finally:
        bar.stop()
