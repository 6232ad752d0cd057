"""The command demo: a small show with damaged files, ingested and queried."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import open_catalog


def demo(
    folder: Annotated[str, typer.Argument(help="Folder for the show and its catalog.")] = "demo",
) -> None:
    """Create a small show with damaged files, ingest it, and print its problems, similar renders and storage."""
    import os
    import shutil
    import sys
    from pathlib import Path

    from ..catalog.queries.named import named_query
    from ..demo import make_show
    from ..ingestion.run import ingest
    from ..search.similar import reference, similar
    from ..sequence.summary import sequences
    from .ingest_summary import print_summary
    from .output import data_stream, naming_output, print_done, print_to
    from .tables import report_table, sequence_lines, similar_lines

    show, catalog = Path(folder, "show"), f"duckdb:{Path(folder, 'catalog.duckdb')}"
    with naming_output(str(show)):
        paths = make_show(show)
    print_done(f"wrote {len(paths)} files below {show}")
    with open_catalog(catalog) as opened:
        summary = ingest([str(show)], opened)
        print_summary(summary, opened.uri, None)
        summaries = sequences(opened)
    print_done("")
    with data_stream(None) as stream:
        for sequence in summaries:
            print_to(stream, *sequence_lines(sequence, for_programs=False))
    beauty, storage = os.fspath(next(path for path in paths if "_beauty_" in path.name)), named_query("storage")
    with open_catalog(catalog, read_only=True) as opened:
        files = similar(opened, reference(opened, beauty), k=3, per_sequence=True)
        rows = storage.run(opened, {})
    print_done("")
    print_done(f"Renders similar to {beauty}  (similar --per-sequence)")
    with data_stream(None) as stream:
        print_to(stream, *similar_lines(files, for_programs=False))
    print_done("")
    print_done(f"{storage.title}  (report storage)")
    with data_stream(None) as stream:
        print_to(stream, report_table(rows))
    command = sys.argv[0] if Path(sys.argv[0]).name == "exr-inspector" else f"{sys.executable} -m exr_inspector"
    program = "exr-inspector" if shutil.which("exr-inspector") else command
    for line in (
        "",
        "Next, try:",
        f"  {program} inspect {paths[0]}",
        f"  {program} sequences --catalog {catalog}",
        f"  {program} outliers --catalog {catalog}",
        f"  {program} report shots --catalog {catalog}",
        f'  {program} query "SELECT compression, count(*) FROM parts GROUP BY 1" --catalog {catalog}',  # noqa: S608
    ):
        print_done(line)
