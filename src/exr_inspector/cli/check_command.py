"""The command check."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import SettingsError
from ..sources.uris import normalize_path
from .answering import answering_catalog
from .exit_codes import ExitCode, FailOn, exit_code, worst_of
from .options import (
    NO_FILES,
    CatalogUri,
    FailOnOption,
    Format,
    FrameRange,
    Output,
    RangeFrom,
    SequencePaths,
    Wait,
    expected_frames,
)

if TYPE_CHECKING:
    from ..gate import CheckResult


class CheckFormat(str, Enum):
    """Output format of findings."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    JUNIT = "junit"
    SARIF = "sarif"
    GITHUB = "github"


def check(
    paths: SequencePaths = None,
    frame_range: FrameRange = None,
    range_from: RangeFrom = None,
    catalog: CatalogUri = None,
    wait: Wait = 0,
    frames: Annotated[
        bool,
        typer.Option(
            "--frames",
            help="Print only frames to render again, one line per sequence: its pattern, a tab, and its missing and "
            "damaged frames. A damaged file without a frame number has none.",
        ),
    ] = False,
    stats: Annotated[
        bool,
        typer.Option(
            "--stats",
            help="Also decode the pixels of the files, and check them. Those of a catalog are checked if it has their "
            "statistics.",
        ),
    ] = False,
    output_format: Annotated[CheckFormat, typer.Option("--format", help="Output format.")] = CheckFormat.TABLE,
    output: Output = None,
    fail_on: FailOnOption = FailOn.ERROR,
) -> int:
    """Report what is wrong with files and sequences: damage, invalid headers, missing frames, outliers, pixels."""
    from ..findings.rules import NOT_READ
    from ..gate import check_sequences, with_unread
    from .finding_lines import finding_lines
    from .output import data_stream, discard_stdout, is_terminal, print_message, print_to

    if frames and output_format is not CheckFormat.TABLE:
        raise SettingsError(f"--frames and --format {output_format.value} exclude each other; give one of them")
    expected = expected_frames(frame_range, range_from)
    with answering_catalog(paths, catalog, wait_s=wait, vectors=False, stats=stats) as answering:
        result = check_sequences(answering.catalog, answering.patterns, answering.summaries(expected))
    if result.unjudged:
        print_message(f"{result.unjudged:,} files were never judged by this version; ingest them with --rescan")
    if not (result.file_count or result.findings or answering.unread):
        if not answering.misused:
            print_message(f"nothing was checked: {'the catalog is empty' if catalog or not paths else NO_FILES}")
        return ExitCode.USAGE
    unread = [(normalize_path(failure.path), failure.message) for failure in answering.unread if not failure.code]
    try:
        if frames:
            _write_frames(result, output)
        elif output_format is CheckFormat.TABLE:
            with data_stream(output) as stream:
                print_to(stream, *finding_lines(result, len(unread), for_programs=not is_terminal(stream)))
        else:
            _write(with_unread(result, unread), output_format, output)
    except BrokenPipeError:  # the verdict counts all the same
        discard_stdout()
    failed = answering.failed or any(finding.rule_id == NOT_READ.rule_id for finding in result.findings)
    return exit_code(worst_of(result.findings), fail_on, failed=failed, misused=answering.misused)


def _write_frames(result: CheckResult, output: str | None) -> None:
    from ..gate import frames_to_render
    from .output import data_stream
    from .text import clean, short_path

    with data_stream(output) as stream:
        for pattern, numbers in frames_to_render(result.findings):
            stream.write(f"{clean(short_path(pattern))}\t{numbers}\n".encode())


def _write(result: CheckResult, output_format: CheckFormat, output: str | None) -> None:
    from .. import __version__
    from ..findings import model
    from .output import data_stream, write_table
    from .text import short_path, uri_reference

    if output_format in (CheckFormat.JSON, CheckFormat.JSONL, CheckFormat.CSV):
        write_table(model.as_arrow(result.findings), Format(output_format.value), output)
        return
    if output_format is CheckFormat.JUNIT:
        from ..findings.junit import junit

        document = junit("exr-inspector check", (s.pattern for s in result.sequences), result.findings, short_path)
    elif output_format is CheckFormat.SARIF:
        from ..findings.sarif import sarif

        document = sarif(__version__, result.findings, short_path, uri_reference)
    else:
        from ..findings.github import github

        document = github(result.findings, short_path)
    with data_stream(output, escape=True) as stream:
        stream.write(document)
