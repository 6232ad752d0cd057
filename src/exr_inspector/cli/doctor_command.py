"""The command doctor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import SettingsError
from .exit_codes import FailOn, Severity, exit_code
from .options import CatalogUri, Format, Output, OutputFormat, Wait

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.text import Text

    from ..doctor import Check, Stage, Target

_STYLES = {"ok": "green", "warn": "yellow", "FAIL": "red", "skip": "cyan"}
_INDENT = 24  # status and name
_LEAST_WIDTH = 30


def doctor(
    catalog: CatalogUri = None,
    wait: Wait = 0,
    before: Annotated[
        bool,
        typer.Option("--before", help="Before a deployment: the catalog may be missing, and its age does not count."),
    ] = False,
    after: Annotated[
        bool,
        typer.Option("--after", help="After a deployment: only connections, age, errors and the newest vectors."),
    ] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also read all vectors, and the rows of all attributes.")
    ] = False,
    output_format: OutputFormat = Format.TABLE,
    output: Output = None,
) -> int:
    """Check a deployment: installation, settings, connections, and the tables and rows of the catalog.

    Each check is a line: ok, warn, FAIL or skip, what was found, and what to do. Nothing is created or changed.
    """
    from ..doctor import Stage, diagnose
    from .output import data_stream, discard_stdout, is_terminal, print_to, terminal_width, write_table
    from .verbosity import is_quiet

    if before and after:
        raise SettingsError("--before and --after exclude each other; give one of them")
    stage = Stage.BEFORE if before else Stage.AFTER if after else Stage.ANY
    checks: list[Check] = []
    running = _collected(diagnose(_target(catalog, stage, deep=deep, wait_s=wait)), checks)
    try:
        if output_format is Format.TABLE:
            with data_stream(output) as stream:
                for check in running:
                    print_to(stream, *_lines(check, terminal_width() if is_terminal(stream) else None))
                    stream.flush()
                if not is_quiet():
                    print_to(stream, _counts(checks))
        else:
            write_table(_as_arrow(running), output_format, output)
    except BrokenPipeError:  # the verdict counts all the same
        discard_stdout()
        list(running)
    failures = [check for check in checks if check.status.value == "FAIL"]
    worst = Severity.ERROR if failures else Severity.NONE
    return exit_code(worst, FailOn.ERROR, failed=not all(check.is_conclusive for check in failures))


def _target(catalog: str | None, stage: Stage, *, deep: bool, wait_s: float) -> Target:
    """What is to be checked. An invalid setting is a result of the checks, not an error of the command."""
    from ..doctor import Target
    from .config_file import config_file
    from .options import chosen_catalog

    try:
        file = config_file()
        uri, source = chosen_catalog(catalog)
    except SettingsError as error:
        return Target(uri=catalog or "", uri_source=str(error), stage=stage, deep=deep, wait_s=wait_s)
    from_file = {"exclude": ", ".join(file.exclude), "path_template": file.path_template or ""}
    return Target(
        uri=uri,
        uri_source=source,
        stage=stage,
        deep=deep,
        wait_s=wait_s,
        from_file={name: value for name, value in from_file.items() if value},
        file=str(file.path or ""),
    )


def _collected(running: Iterable[Check], checks: list[Check]) -> Iterator[Check]:
    """The checks as they are made, which are also added to a list."""
    for check in running:
        checks.append(check)
        yield check


def _lines(check: Check, width: int | None) -> Iterator[Text]:
    """One line, or in the width of a terminal as many as are needed, with the remedy below; words are not broken."""
    from rich.text import Text

    from .text import clean

    remedy = f"→ {check.remedy}" if check.remedy else ""
    if width is None:
        texts = [clean(f"{check.what} {remedy}".rstrip())]
    else:
        room = max(width - _INDENT, _LEAST_WIDTH)
        texts = [
            line
            for text in (check.what, remedy)
            for line in wrap(clean(text), room, break_long_words=False, break_on_hyphens=False)
        ]
    first, *others = texts or [""]
    line = Text(f"{check.status.value:<5}", _STYLES[check.status.value])
    yield line.append(f"{clean(check.name):<18} {first}", "default")
    yield from (Text(f"{'':{_INDENT}}{text}") for text in others)


def _counts(checks: list[Check]) -> Text:
    from rich.text import Text

    from ..inspection.value_text import plural

    statuses = Counter(check.status.value for check in checks)
    counts = [f"{statuses[status]:,} {status}" for status in ("FAIL", "warn", "ok", "skip") if statuses[status]]
    return Text(f"{len(checks):,} {plural(len(checks), 'check')}: {', '.join(counts)}")


def _as_arrow(checks: Iterable[Check]) -> pa.Table:
    import pyarrow as pa

    rows = [
        {
            "name": check.name,
            "status": check.status.value,
            "what": check.what,
            "remedy": check.remedy,
            "is_conclusive": check.is_conclusive,
        }
        for check in checks
    ]
    texts = [(name, pa.string()) for name in ("name", "status", "what", "remedy")]
    return pa.Table.from_pylist(rows, pa.schema([*texts, ("is_conclusive", pa.bool_())]))
