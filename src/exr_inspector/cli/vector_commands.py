"""Commands that compare files by the vectors of their headers: similar, odd, db reembed."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from .catalog_commands import db, open_catalog
from .options import Catalog, FailOn, FailOnOption, Format, Output, OutputFormat

if TYPE_CHECKING:
    from ..search.reembed import Renewed


class By(str, Enum):
    """Which vectors are compared."""

    METADATA = "metadata"
    CHANNELS = "channels"


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(similar)
    app.command()(odd)
    db.command("reembed")(reembed)


def similar(
    file: Annotated[str, typer.Argument(help="A path, a URI, or a file_id or its beginning.", show_default=False)],
    by: Annotated[By, typer.Option(help="Compare whole headers, or channels only.")] = By.METADATA,
    k: Annotated[int, typer.Option("-k", min=1, max=10_000, help="How many files to show.")] = 10,
    where: Annotated[
        str | None, typer.Option(help="Only files that fulfil this condition of SQL.", show_default=False)
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say in what they differ.")] = False,
    per_sequence: Annotated[
        bool, typer.Option("--per-sequence", help="Only the nearest file of each other sequence.")
    ] = False,
    catalog: Catalog = None,
    how: OutputFormat = Format.TABLE,
    output: Output = None,
) -> None:
    """Show the files that are most like one, by what their headers say; 1 is the same, 0 has nothing in common."""
    from ..search.similar import similar as similar_files
    from ..search.similar import subject
    from ..settings import settings
    from .output import data_stream, print_to, write_table

    with open_catalog(catalog, read_only=True) as opened:
        found = similar_files(
            opened,
            subject(opened, file, settings().limits),
            by=by.value,
            k=k,
            where=where,
            per_sequence=per_sequence,
            explained=explain,
        )
    if how is not Format.TABLE:
        write_table(found, how, output)
        return
    from .tables import similar_lines

    with data_stream(output) as stream:
        print_to(stream, *similar_lines(found))


def odd(
    pattern: Annotated[
        str | None, typer.Argument(help="Part of a path, or a shell pattern.", show_default=False)
    ] = None,
    catalog: Catalog = None,
    how: OutputFormat = Format.TABLE,
    output: Output = None,
    fail_on: FailOnOption = FailOn.NEVER,
) -> int:
    """Show frames that stand apart from the rest of their sequence, and in what."""
    from ..sequence.outliers import as_arrow, odd_frames
    from .output import data_stream, print_to, say, write_table

    with open_catalog(catalog, read_only=True) as opened:
        found = list(odd_frames(opened, pattern))
    if how is Format.TABLE:
        from .tables import odd_lines

        if not found:
            say("no frame stands apart")
        with data_stream(output) as stream:
            print_to(stream, *odd_lines(found))
    else:
        write_table(as_arrow(found), how, output)
    return 1 if found and fail_on is FailOn.WARNING else 0


def reembed(
    catalog: Catalog = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are of this version.")] = False,
) -> int:
    """Compute vectors again from the rows of the catalog, where they are of another version; reads no file."""
    import sys

    from ..search.reembed import reembed as renew

    def tell(renewed: Renewed) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{renewed.done:,} of {renewed.files:,} files")

    with open_catalog(catalog, read_only=True):
        pass  # one that does not exist is not made
    with open_catalog(catalog) as opened:
        renewed = renew(opened, everything=everything, progress=tell)
    typer.echo(f"{renewed.done:,} of {renewed.files:,} files have new vectors")
    if renewed.failed:
        typer.echo(f"{renewed.failed:,} have rows that no vectors can be computed from")
    return 3 if renewed.failed else 0
