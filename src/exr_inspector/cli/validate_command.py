"""The command validate: files that are read now, and a policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from ..errors import ExrFormatError, NoMatchError, SettingsError, SourceError
from ..inspection.value_text import plural
from .answering import reject_stats, unmatched_paths
from .catalog_verdicts import catalog_verdicts
from .command_line import command_line
from .exit_codes import FailOn, exit_code, worst_of
from .finding_formats import FindingFormat, write_findings
from .inspected_files import InspectedFile, inspect_options, inspected_files
from .not_evaluated import not_evaluated_lines, not_evaluated_rules
from .options import (
    NO_FILES,
    CatalogUri,
    ChunksOption,
    Exclude,
    FilesFrom,
    FrameRange,
    Include,
    NulSeparated,
    Output,
    Paths,
    Wait,
    expected_frames,
    given_paths,
    open_catalog,
    path_template,
    selection,
    stats_options,
    worker_count,
)

if TYPE_CHECKING:
    from ..findings.model import Finding
    from ..findings.report import NotEvaluatedRule, Report
    from ..inspection.model import Inspection
    from ..policy.compile import CompiledPolicy
    from ..policy.evaluate import Verdict
    from ..policy.from_catalog import StoredVerdict, Unread
    from ..policy.sequence_files import SequenceFile
    from ..policy.sequences import SequenceFiles
    from ..policy.waivers import Waiver


def validate(
    context: typer.Context,
    paths: Paths = None,
    policies: Annotated[
        list[str] | None,
        typer.Option(
            "--policy",
            metavar="FILE|NAME",
            help="The path of a policy, which ends in .yaml, or the name of a built-in one: see `policy list`. "
            "Default: base.",
            show_default=False,
        ),
    ] = None,
    chunks: ChunksOption = None,
    exclude: Exclude = None,
    include: Include = None,
    files_from: FilesFrom = None,
    nul_separated: NulSeparated = False,
    output_format: Annotated[FindingFormat, typer.Option("--format", help="Output format.")] = FindingFormat.TABLE,
    output: Output = None,
    fail_on: Annotated[
        FailOn,
        typer.Option(
            "--fail-on",
            help="Exit with 1 if a finding that no waiver covers has at least this severity: error or warning; or "
            "never.",
        ),
    ] = FailOn.ERROR,
    waivers: Annotated[
        str | None,
        typer.Option(
            "--waivers",
            metavar="FILE",
            help="Findings that a waiver of this file covers are marked, and do not count for the exit code. Default: "
            "the waivers that the policy names.",
            show_default=False,
        ),
    ] = None,
    frame_range: FrameRange = None,
    stats: Annotated[
        bool,
        typer.Option("--stats", help="Also decode the pixels; otherwise rules about pixels are not evaluated."),
    ] = False,
    from_catalog: Annotated[
        bool,
        typer.Option(
            "--from-catalog",
            help="Judge files of the catalog from its rows, without reading them: those that paths or patterns select, "
            "else all.",
        ),
    ] = False,
    catalog: CatalogUri = None,
    persist: Annotated[
        bool, typer.Option("--persist", help="With --from-catalog: store the results in the catalog.")
    ] = False,
    wait: Wait = 0,
) -> int:
    """Report how files and sequences violate a policy: rules about structure, channels, color, names, metadata, frames.

    Files are read now, in subfolders too. Rules that could not be evaluated are listed on stderr: they have not passed.
    """
    from ..findings.rules import RANGE
    from ..policy.compile import with_rule
    from ..policy.validate import compiled_policy
    from ..policy.waivers import load_waivers, waivers_of
    from ..sources import store_of
    from ..sources.listing import ListedFile, list_files
    from .output import discard_stdout, print_message

    if not from_catalog and (persist or catalog is not None):
        raise SettingsError("--catalog and --persist are for --from-catalog; add it, or leave them out")
    if policies and len(policies) > 1:
        raise SettingsError("--policy is given several times; give one, which can extend others")
    if from_catalog and (chunks or exclude or include):
        raise SettingsError("--chunks, --exclude and --include are for files that are read; leave them out")
    reject_stats(stats and from_catalog)
    ready = compiled_policy(policies[0] if policies else "base", path_template=path_template())
    has_paths = bool(paths or files_from)
    given = given_paths(paths, files_from, nul_separated=nul_separated) if has_paths or not from_catalog else []
    if frame_range is not None:
        expected_frames(frame_range, None, given)  # an error names the option
        ready = with_rule(ready, RANGE.rule_id, expected=frame_range)
    given_waivers = waivers_of(ready.policy) if waivers is None else load_waivers(waivers)
    outcome = _Outcome(ready, given_waivers, datetime.now(timezone.utc).date(), from_catalog)
    if from_catalog:
        with open_catalog(catalog, read_only=not persist, wait_s=wait) as opened:
            for path in unmatched_paths(opened, given):
                outcome.add_unmatched(path)
            outcome.add_stored(catalog_verdicts(opened, ready, given, persist=persist))
    else:
        s3 = store_of(given)
        listing = list_files(given, s3=s3, selection=selection(exclude, include))
        files = [item.path if isinstance(item, ListedFile) else item for item in listing]
        options = inspect_options(
            s3,
            partial(_judge, policy=ready),
            chunks=chunks,
            stats=stats_options(deep=False, stride=1) if stats else None,
        )
        with closing(inspected_files(iter(files), options, 1 if len(files) == 1 else worker_count())) as inspected:
            for file in inspected:
                outcome.add(file)
    result = outcome.result(given)
    if not (outcome.files.files or outcome.of_sequences or outcome.misused):
        print_message(NO_FILES if given else "the catalog is empty")
        outcome.misused = True
    try:
        _write(outcome, result, output_format, output, command_line(context))
    except BrokenPipeError:  # the verdict counts all the same
        discard_stdout()
    for line in not_evaluated_lines(result.not_evaluated, result.without_statistics):
        print_message(line)
    counted = [finding for finding in result.findings if finding.waived_by is None]
    return exit_code(worst_of(counted), fail_on, failed=outcome.failed, misused=outcome.misused)


class _Judged(NamedTuple):
    """The verdict on a file, and what the rules about sequences need of it."""

    verdict: Verdict
    file: SequenceFile


def _judge(inspection: Inspection, *, policy: CompiledPolicy) -> _Judged:
    from ..policy.evaluate import evaluate
    from ..policy.sequence_files import sequence_file

    return _Judged(evaluate(policy, inspection), sequence_file(inspection, policy.overrides_of(inspection)))


class _Result(NamedTuple):
    """What is reported, when all files are known."""

    findings: list[Finding]  # grouped by sequence and frames, also those about files that could not be read
    not_evaluated: list[NotEvaluatedRule]
    without_statistics: int  # files whose statistics of pixels rules need
    without_pixels: int  # these, and files that could not be read
    patterns: dict[str, str]  # of what was judged, sequences and files without a frame: with # for digits, or <UDIM>


class _VerdictOfFiles(NamedTuple):
    """A verdict on files of one sequence, or on one without a frame."""

    verdict: Verdict
    name: str  # of the sequence, or the URI
    files: list[SequenceFile]


def _sequence_files() -> SequenceFiles:
    from ..policy.sequences import SequenceFiles

    return SequenceFiles()


@dataclass(slots=True)
class _Outcome:
    """The verdicts on all files, and what decides the exit code."""

    policy: CompiledPolicy
    waivers: tuple[Waiver, ...]
    today: date
    from_catalog: bool
    files: SequenceFiles = field(default_factory=_sequence_files)
    of_sequences: list[Finding] = field(default_factory=list)
    verdicts: dict[tuple[int, int], _VerdictOfFiles] = field(default_factory=dict)
    file_count: int = 0
    unread: list[tuple[SequenceFile, str]] = field(default_factory=list)  # with the reason
    failed: bool = False
    misused: bool = False

    def add(self, file: InspectedFile) -> None:
        """Count a file; one that could not be read is printed on stderr."""
        from ..policy.evaluate import unreadable
        from ..policy.sequence_files import unreadable_file
        from ..sources.uris import normalize_path
        from .output import print_message

        error = file.error
        if error is None:
            judged: _Judged = file.printed
        elif isinstance(error, ExrFormatError):  # it was read, and is not an EXR file
            uri = normalize_path(file.path)
            judged = _Judged(unreadable(self.policy, uri, str(error)), unreadable_file(uri))
        else:
            print_message(str(error) if isinstance(error, SourceError) else f"{file.path}: {error}")
            if isinstance(error, NoMatchError):
                self.add_unmatched(file.path)
            else:
                self._add_unread(normalize_path(file.path), str(error))
            return
        self._add_verdict(judged.verdict, judged.file)

    def add_stored(self, items: Iterable[StoredVerdict | Unread]) -> None:
        """Count files of a catalog."""
        from ..policy.from_catalog import Unread
        from .output import print_message

        for item in items:
            if isinstance(item, Unread):
                print_message(f"{item.uri}: {item.reason}")
                self._add_unread(item.uri, item.reason)
            else:
                self._add_verdict(item.verdict, item.file)

    def _add_unread(self, uri: str, reason: str) -> None:
        from ..policy.sequence_files import unreadable_file

        self.failed = True
        file = unreadable_file(uri, "unknown")
        self.unread.append((file, reason))
        self.files.add(file)

    def _add_verdict(self, verdict: Verdict, file: SequenceFile) -> None:
        kept = self.files.add(file)
        self.file_count += 1
        # Files of a sequence in a catalog share the tuples of findings.
        key = id(verdict.findings), id(verdict.not_evaluated)
        known = self.verdicts.get(key)
        if known is None:
            known = self.verdicts[key] = _VerdictOfFiles(verdict, kept.sequence or kept.uri, [])
        known.files.append(kept)

    def add_unmatched(self, pattern: str) -> None:
        """All frames of a sequence without any file are missing; other patterns without a file are wrong arguments."""
        from ..policy.sequences import missing_sequence

        missing = missing_sequence(self.policy, pattern)
        if missing is None:
            self.misused = True
        else:
            self.of_sequences += missing

    def result(self, patterns: Sequence[str]) -> _Result:
        """The result, when all files that the patterns select are known; evaluates the rules about sequences."""
        from ..policy.evaluate import NO_HEADER
        from ..policy.rule import MULTI_FILE_SCOPES, NO_STATISTICS
        from ..policy.sequences import evaluate_sequences

        of_sequences = evaluate_sequences(self.policy, self.files.files, patterns)
        self.of_sequences += of_sequences.findings
        not_evaluated = Counter(of_sequences.not_evaluated)
        by_reason = Counter[str]()
        for verdict, _, files in self.verdicts.values():
            for undecided in verdict.not_evaluated:
                if undecided.reason not in MULTI_FILE_SCOPES.values():  # they were evaluated here
                    not_evaluated[undecided] += len(files)
            for reason in {undecided.reason for undecided in verdict.not_evaluated}:
                by_reason[reason] += len(files)
        names = dict.fromkeys(file.sequence or file.uri for file in self.files.files)
        shown = {name: of_sequences.patterns.get(name, name) for name in names}
        return _Result(
            findings=self._findings(shown, of_sequences.undecided),
            not_evaluated=not_evaluated_rules(not_evaluated, from_catalog=self.from_catalog),
            without_statistics=by_reason[NO_STATISTICS.reason],
            without_pixels=by_reason[NO_STATISTICS.reason] + by_reason[NO_HEADER] + len(self.unread),
            patterns=shown,
        )

    def _undecided(self, of_sequences: Mapping[str, set[str]]) -> Mapping[str, list[str]]:
        """The URIs of the files for which a rule was not evaluated, by rule; `of_sequences` are rules by sequence."""
        from ..policy.rule import MULTI_FILE_SCOPES

        waived = {waiver.rule_id for waiver in self.waivers}
        found = {rule_id: [file.uri for file, _ in self.unread] for rule_id in waived}
        for verdict, name, files in self.verdicts.values() if waived else ():
            of_files = {rule.rule_id for rule in verdict.not_evaluated if rule.reason not in MULTI_FILE_SCOPES.values()}
            for rule_id in waived & (of_files | of_sequences.get(name, set())):
                found[rule_id] += (file.uri for file in files)
        return found

    def _findings(self, patterns: Mapping[str, str], of_sequences: Mapping[str, set[str]]) -> list[Finding]:
        from ..findings.files import not_read
        from ..findings.model import grouped_files
        from ..policy.sequences import without_repeated
        from ..policy.waivers import apply_waivers

        judged = [(verdict.findings, name, files) for verdict, name, files in self.verdicts.values()]
        for file, reason in self.unread:
            judged.append(((not_read(file.uri, reason),), file.sequence or file.uri, [file]))
        of_files = grouped_files(
            (replace(finding, pattern=patterns[name]), files) for found, name, files in judged for finding in found
        )
        found = (*of_files, *self.of_sequences)
        uris = (file.uri for file in self.files.files)
        waived = apply_waivers(found, self.waivers, self.today, uris, self._undecided(of_sequences))
        return without_repeated(waived, self.policy.rules)


def _write(outcome: _Outcome, result: _Result, output_format: FindingFormat, output: str | None, command: str) -> None:
    from ..findings.rules import NOT_READ
    from .finding_lines import finding_lines
    from .output import data_stream, is_terminal, print_to

    if output_format is not FindingFormat.TABLE:
        write_findings(_report(outcome, result, command), output_format, output)
        return
    findings = [finding for finding in result.findings if finding.rule_id != NOT_READ.rule_id]  # they are on stderr
    with data_stream(output) as stream:
        checked, unread = {"file": outcome.file_count}, len(outcome.unread)
        undecided = len({rule.rule_id for rule in result.not_evaluated} - {""})
        lines = finding_lines(findings, checked, unread, not_evaluated=undecided, for_programs=not is_terminal(stream))
        print_to(stream, *lines)


def _pixels(outcome: _Outcome, left_out: int) -> str:
    """Whether the pixels were judged; `left_out` is the number of files of which they were not."""
    if left_out >= len(outcome.files.files) or not outcome.policy.rules_for().pixel_checks:
        return "not judged"
    return f"judged, but not in {left_out:,} {plural(left_out, 'file')}" if left_out else "judged"


def _report(outcome: _Outcome, result: _Result, command: str) -> Report:
    from .. import __version__
    from ..findings.report import Report, ReportedFile

    policy, patterns = outcome.policy.policy, result.patterns
    unread = {file.uri for file, _ in outcome.unread}
    return Report(
        command=command,
        version=__version__,
        evaluated_at=datetime.now(timezone.utc),
        title=policy.title,
        policy=policy.name,
        policy_version=policy.version,
        policy_hash=outcome.policy.hash,
        findings=result.findings,
        patterns=list(patterns.values()),
        not_evaluated=result.not_evaluated,
        pixels=_pixels(outcome, result.without_pixels),
        files=[
            ReportedFile(patterns[file.sequence or file.uri], file.uri, file.frame, file.size_bytes, file.header_hash)
            for file in outcome.files.files
            if file.uri not in unread
        ],
    )
