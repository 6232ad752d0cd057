"""The command check."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import SettingsError
from ..sources.uris import normalize_path
from .answering import answering_catalog
from .command_line import command_line
from .exit_codes import ExitCode, FailOn, exit_code, worst_of
from .finding_formats import REPORT_FORMATS, FindingFormat, write_findings
from .options import (
    NO_FILES,
    CatalogUri,
    FailOnOption,
    FilesFrom,
    FrameRange,
    NulSeparated,
    Output,
    RangeFrom,
    SequencePaths,
    Wait,
    expected_frames,
    given_paths,
)

if TYPE_CHECKING:
    from ..gate import CheckResult


def check(
    context: typer.Context,
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
    files_from: FilesFrom = None,
    nul_separated: NulSeparated = False,
    output_format: Annotated[FindingFormat, typer.Option("--format", help="Output format.")] = FindingFormat.TABLE,
    output: Output = None,
    fail_on: FailOnOption = FailOn.ERROR,
) -> int:
    """Report what is wrong with files and sequences: damage, invalid headers, missing frames, outliers, pixels."""
    from .. import __version__
    from ..findings.report import Report
    from ..findings.rules import NOT_READ
    from ..gate import check_sequences, judged_files, with_unread
    from ..inspection.value_text import plural
    from .finding_lines import finding_lines
    from .output import data_stream, discard_stdout, is_terminal, print_message, print_to

    if frames and output_format is not FindingFormat.TABLE:
        raise SettingsError(f"--frames and --format {output_format.value} exclude each other; give one of them")
    if files_from is not None or nul_separated:  # an empty list is not all of the catalog
        paths = given_paths(paths, files_from, nul_separated=nul_separated)
    expected = expected_frames(frame_range, range_from, paths)
    with answering_catalog(paths, catalog, wait_s=wait, vectors=False, stats=stats) as answering:
        result = check_sequences(answering.catalog, answering.patterns, answering.summaries(expected))
        judged = []
        if output_format in REPORT_FORMATS:
            judged = list(judged_files(answering.catalog, answering.patterns, result.sequences))
    if result.unjudged:
        files = "file was" if result.unjudged == 1 else "files were"
        print_message(f"{result.unjudged:,} {files} not checked by this version; ingest them with --rescan")
    if result.unmeasured:
        print_message(
            f"the pixels of {result.unmeasured:,} {plural(result.unmeasured, 'file')} were not checked: not decoded, "
            "only partly decoded, or decoded by an earlier version; `exr-inspector ingest --stats` decodes the files "
            "of a catalog"
        )
    if not (result.file_count or result.findings or answering.unread):
        if not answering.misused:
            print_message(f"nothing was checked: {'the catalog is empty' if catalog or not paths else NO_FILES}")
        return ExitCode.USAGE
    unread = [(normalize_path(failure.path), failure.message) for failure in answering.unread if not failure.code]
    try:
        if frames:
            _write_frames(result, output)
        elif output_format is FindingFormat.TABLE:
            with data_stream(output) as stream:
                sequences = sum(1 for summary in result.sequences if summary.frame_count)
                counts = {"file": result.file_count, "sequence": sequences}
                for_programs = not is_terminal(stream)
                print_to(stream, *finding_lines(result.findings, counts, len(unread), for_programs=for_programs))
        else:
            findings = with_unread(result, unread).findings
            patterns = [summary.pattern for summary in result.sequences]
            report = Report(
                command=command_line(context),
                title="exr-inspector check",
                version=__version__,
                evaluated_at=datetime.now(timezone.utc),
                findings=findings,
                patterns=list(dict.fromkeys([*patterns, *(file.pattern for file in judged)])),
                files=judged,
            )
            write_findings(report, output_format, output)
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
