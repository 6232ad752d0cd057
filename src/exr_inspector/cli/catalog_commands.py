"""Commands that read a catalog: sequences, outliers, similar."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from .answering import Answering, answering_catalog
from .exit_codes import FailOn, Severity, exit_code, worst_of
from .options import (
    NO_FILES,
    CatalogUri,
    FailOnOption,
    Format,
    FrameRange,
    Output,
    OutputFormat,
    ProblemsOnly,
    RangeFrom,
    RawCsv,
    SequencePaths,
    Wait,
    expected_frames,
    header_limits,
    open_catalog,
)


class By(str, Enum):
    """The vectors that `similar` compares."""

    METADATA = "metadata"
    CHANNELS = "channels"


def sequences(
    paths: SequencePaths = None,
    frame_range: FrameRange = None,
    range_from: RangeFrom = None,
    problems_only: ProblemsOnly = False,
    catalog: CatalogUri = None,
    wait: Wait = 0,
    output_format: OutputFormat = Format.TABLE,
    output: Output = None,
    raw_csv: RawCsv = False,
    fail_on: FailOnOption = FailOn.NEVER,
) -> int:
    """List image sequences with their frame ranges, missing and damaged frames, and fields that differ."""
    from ..sequence import summary
    from .output import data_stream, is_terminal, print_note, print_to, write_table

    expected = expected_frames(frame_range, range_from, paths)
    with answering_catalog(paths, catalog, wait_s=wait, vectors=False) as answering:
        summaries = answering.summaries(expected)
        if problems_only:
            summaries = [sequence for sequence in summaries if sequence.severity != "none"]
        is_clear = not summaries and _all_are_read(answering, given=bool(paths) and catalog is None)
    if output_format is Format.TABLE:
        from .tables import sequence_lines

        if is_clear:
            print_note("no sequences with problems" if problems_only else "no sequences")
        with data_stream(output) as stream:
            for sequence in summaries:
                print_to(stream, *sequence_lines(sequence, for_programs=not is_terminal(stream)))
    else:
        write_table(summary.as_arrow(summaries), output_format, output, raw_csv=raw_csv)
    return exit_code(worst_of(summaries), fail_on, failed=answering.failed, misused=answering.misused)


def outliers(
    paths: SequencePaths = None,
    catalog: CatalogUri = None,
    wait: Wait = 0,
    output_format: OutputFormat = Format.TABLE,
    output: Output = None,
    raw_csv: RawCsv = False,
    fail_on: FailOnOption = FailOn.NEVER,
) -> int:
    """List frames that differ from the rest of their sequence, with the fields and vector groups that differ."""
    from ..inspection.value_text import plural
    from ..sequence import outliers as outliers_module
    from ..sequence.frames import unreadable_paths
    from .output import data_stream, is_terminal, print_message, print_note, print_to, write_table

    with answering_catalog(paths, catalog, wait_s=wait, vectors=True) as answering:
        found = {
            frame.file_path_normalized: frame
            for pattern in answering.patterns
            for frame in outliers_module.outliers(answering.catalog, pattern)
        }
        unreadable = {path for pattern in answering.patterns for path in unreadable_paths(answering.catalog, pattern)}
        is_clear = not found and _all_are_read(answering, given=bool(paths) and catalog is None) and not unreadable
    if unreadable:
        files = f"{len(unreadable):,} {plural(len(unreadable), 'file')}"
        print_message(f"not compared: {files} that cannot be read; see `exr-inspector check`")
    frames = list(found.values())
    if output_format is Format.TABLE:
        from .tables import outlier_lines

        if is_clear:
            print_note("no outliers")
        with data_stream(output) as stream:
            print_to(stream, *outlier_lines(frames, for_programs=not is_terminal(stream)))
    else:
        write_table(outliers_module.as_arrow(frames), output_format, output, raw_csv=raw_csv)
    worst = Severity.WARNING if frames else Severity.NONE
    return exit_code(worst, fail_on, failed=answering.failed, misused=answering.misused)


def _all_are_read(answering: Answering, *, given: bool) -> bool:
    """Whether there are files, and all that are given could be read; prints on stderr that no file is there."""
    from ..sequence.frames import has_files
    from .output import print_message

    if answering.failed or answering.misused:  # the reasons are printed
        return False
    if any(has_files(answering.catalog, pattern) for pattern in answering.patterns):
        return True
    print_message(NO_FILES if given else "the catalog has no current files")
    return False


def similar(
    file: Annotated[
        str, typer.Argument(help="A path, a URI, a file_id or the first digits of one.", show_default=False)
    ],
    by: Annotated[By, typer.Option(help="Compare the headers, or only the channels.")] = By.METADATA,
    k: Annotated[int, typer.Option("-k", min=1, max=10_000, help="Number of files to list.")] = 10,
    where: Annotated[
        str | None,
        typer.Option(help="Only files that match this SQL condition on columns of `files`.", show_default=False),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="List the vector groups that differ.")] = False,
    per_sequence: Annotated[
        bool, typer.Option("--per-sequence", help="Only the nearest file of each other sequence.")
    ] = False,
    catalog: CatalogUri = None,
    wait: Wait = 0,
    output_format: OutputFormat = Format.TABLE,
    output: Output = None,
    raw_csv: RawCsv = False,
) -> None:
    """List the files with the most similar headers; similarity 1 is identical, 0 has nothing in common."""
    from ..search.similar import reference
    from ..search.similar import similar as similar_files
    from ..sources import store_of
    from .output import data_stream, is_terminal, print_message, print_to, write_table

    with open_catalog(catalog, read_only=True, wait_s=wait) as opened:
        compared = reference(opened, file, header_limits(), store_of([file]))
        files = similar_files(
            opened,
            compared,
            by=by.value,
            k=k,
            where=where,
            per_sequence=per_sequence,
            explain=explain,
        )
    if compared.has_changed:
        print_message(f"{file}: changed since it was ingested; compared as it is now, ingest it again")
    if output_format is not Format.TABLE:
        write_table(files, output_format, output, raw_csv=raw_csv)
        return
    from .tables import similar_lines

    with data_stream(output) as stream:
        print_to(stream, *similar_lines(files, for_programs=not is_terminal(stream)))
