"""The command ingest and its summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import NoMatchError, SettingsError, SourceError
from ..inspection.value_text import plural
from ..sources import store_of
from .amounts import duration_s, files_or_percent
from .exit_codes import FailOn, IngestFailOn, Severity, exit_code, file_severity
from .not_evaluated import USE_STATS, pixels_line
from .options import (
    NO_FILES,
    CatalogUri,
    ChunksOption,
    Deep,
    Exclude,
    FilesFrom,
    Include,
    MinAge,
    NulSeparated,
    Paths,
    Wait,
    chosen_catalog,
    chunk_option,
    given_paths,
    open_catalog,
    path_template,
    selection,
    stats_options,
)
from .progress import progress_bar

if TYPE_CHECKING:
    from ..ingestion.run import IngestOptions
    from ..ingestion.summary import IngestSummary
    from ..policy.compile import CompiledPolicy

_LISTED_UNDECODED, _LISTED_VANISHED = 20, 20
_BY_STATUS = {"passed": Severity.NONE, "warned": Severity.WARNING, "failed": Severity.ERROR}


def ingest(
    paths: Paths = None,
    catalog: CatalogUri = None,
    wait: Wait = 0,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0, help="Worker processes; 0: one per core. Default: $EXR_INSPECTOR_WORKERS.", show_default=False
        ),
    ] = None,
    rescan: Annotated[bool, typer.Option("--rescan", help="Also inspect unchanged files.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Mark vanished files as deleted in the catalog.")] = False,
    max_gone: Annotated[
        str | None,
        typer.Option(
            "--max-gone",
            metavar="SHARE",
            help="With --prune: if more than this share (10%) or number (500) of the files that the catalog has below "
            "the paths have vanished, mark none of them and exit with 3. Default: no limit, but files below a path of "
            "which no file is left are only marked with --max-gone 100%.",
            show_default=False,
        ),
    ] = None,
    min_age: MinAge = "0s",
    chunks: ChunksOption = None,
    stats: Annotated[
        bool,
        typer.Option(
            "--stats",
            help="Also decode pixels and store their statistics, of unchanged files too if the catalog has none.",
        ),
    ] = False,
    deep: Deep = False,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            metavar="FILE|NAME",
            help="Also validate the files, unchanged ones too if the rules of the policy have not judged them: the "
            "path of a policy, which ends in .yaml, or the name of a built-in one.",
            show_default=False,
        ),
    ] = None,
    exclude: Exclude = None,
    include: Include = None,
    files_from: FilesFrom = None,
    nul_separated: NulSeparated = False,
    fail_on: Annotated[
        IngestFailOn,
        typer.Option(
            "--fail-on",
            help="Exit with 1 on: error (a file is damaged, with --stats also its pixels, is not an EXR file, has an "
            "invalid header or an error by --policy), new (as error, but not for files that the catalog has in this "
            "version), warning (also other problems of headers, with --stats pixels that are not decoded because of a "
            "limit, and warnings by --policy), or never.",
        ),
    ] = IngestFailOn.ERROR,
) -> int:
    """Inspect files and folders and store the results in the catalog; unchanged files are skipped."""
    from ..ingestion.run import IngestOptions
    from ..ingestion.run import ingest as ingest_files
    from ..settings import settings
    from .output import print_message

    if max_gone is not None and not prune:
        raise SettingsError("--max-gone limits what --prune marks as deleted; give both or none")
    if deep and not stats:
        raise SettingsError("--deep is for --stats; add it, or leave --deep out")
    max_files, max_percent = files_or_percent(max_gone or "100%", "--max-gone")
    values = settings()
    given = given_paths(paths, files_from, nul_separated=nul_separated)
    options = IngestOptions(
        workers=values.workers if workers is None else workers,
        rescan=rescan,
        prune=prune,
        max_gone_files=max_files,
        max_gone_percent=max_percent,
        prune_emptied=bool(max_gone) and (max_files, max_percent) == (None, 100),
        min_age_s=duration_s(min_age, "--min-age"),
        batch_files=values.batch_files,
        cell_limit=values.cell_limit,
        limits=values.limits,
        chunks=chunk_option(chunks),
        stats=stats_options(deep=deep, stride=1) if stats else None,
        policy=None if policy is None else _compiled(policy),
        s3=store_of(given),
        selection=selection(exclude, include),
    )
    uri = chosen_catalog(catalog)[0]
    if _is_missing(uri) and (unlisted := _unlisted(given, options)):
        for error in unlisted:
            print_message(str(error))
        print_message("no catalog was created, as none of the paths can be listed")
        is_usage = [isinstance(error, NoMatchError) for error in unlisted]
        return exit_code(Severity.NONE, FailOn.NEVER, failed=not all(is_usage), misused=any(is_usage))
    with open_catalog(catalog, wait_s=wait) as opened, progress_bar() as update:
        summary = ingest_files(
            given, opened, options, lambda now: update(now.done, now.listed if now.is_listed else None)
        )
    if summary.pixels_not_judged:
        print_message(pixels_line(len(summary.rules_without_statistics), summary.pixels_not_judged, USE_STATS))
    print_summary(summary, opened.uri, given if prune else None, policy)
    failures = [failure for failure in summary.failures if not failure.was_read]
    misused = [failure for failure in failures if failure.is_usage]
    worst, threshold = _worst(summary, fail_on)
    # A storage that does not show its files is one that could not be read; --fail-on does not change that.
    failed = len(misused) < len(failures) or summary.held_back is not None or bool(summary.emptied)
    return exit_code(worst, threshold, failed=failed, misused=bool(misused))


def _compiled(policy: str) -> CompiledPolicy:
    from ..policy.validate import compiled_policy  # only with a policy

    return compiled_policy(policy, path_template=path_template())


def _is_missing(uri: str) -> bool:
    """Whether the file, or the tables in a VAST Database, do not exist. Raises CatalogError."""
    from ..catalog import duckdb_path, is_vast
    from ..environment import stored_version

    return stored_version(uri) is None if is_vast(uri) else not Path(duckdb_path(uri)).expanduser().exists()


def _unlisted(paths: Sequence[str], options: IngestOptions) -> list[SourceError]:
    """The errors of the paths, if none of them can be listed; none for an empty folder."""
    from ..sources.listing import list_files

    errors: list[SourceError] = []
    for path in paths:
        known = len(errors)
        for item in list_files([path], s3=options.s3, selection=options.selection):
            if not isinstance(item, SourceError):
                return []
            errors.append(item)
        if len(errors) == known:
            return []
    return errors


def _worst(summary: IngestSummary, fail_on: IngestFailOn) -> tuple[Severity, FailOn]:
    """The severity of the worst verdict that counts, and the least one that fails."""
    if fail_on is IngestFailOn.NEW:
        unreadable = any(failure.was_read and not failure.is_known for failure in summary.failures)
        is_bad = unreadable or any(file.is_new for file in summary.damaged)
        is_bad |= any(one.status == "failed" and one.is_new for one in summary.validations)
        return Severity.ERROR if is_bad else Severity.NONE, FailOn.ERROR
    if any(failure.was_read for failure in summary.failures):
        return Severity.ERROR, FailOn(fail_on.value)
    if any(file.status == "undecodable" for file in summary.damaged):
        return Severity.ERROR, FailOn(fail_on.value)
    verdicts = ((verdict.completeness, verdict.problem_severity) for verdict in summary.verdicts)
    by_policy = (_BY_STATUS[validation.status] for validation in summary.validations)
    by_limit = [Severity.WARNING] if summary.undecoded else []
    worst = max((*by_policy, *by_limit, *(file_severity(*verdict) for verdict in verdicts)), default=Severity.NONE)
    return worst, FailOn(fail_on.value)


def print_summary(summary: IngestSummary, uri: str, pruned: Sequence[str] | None, policy: str | None = None) -> None:
    """Print the damaged, undecoded, failed and vanished files on stderr, and the counts on stdout.

    `pruned` are the paths below which vanished files were to be marked as deleted.
    """
    from ..catalog.validations import STATUSES
    from .output import print_done, print_message, print_note
    from .text import short_path

    if not summary.listed and not summary.failures:
        print_message(NO_FILES)
    for file in summary.damaged:
        reason = f"{file.status}: {file.reason}" if file.reason else file.status
        print_message(f"{short_path(file.uri)}: {reason}{'' if file.is_new else ', unchanged'}")
    for undecoded in summary.undecoded[:_LISTED_UNDECODED]:
        print_message(f"{short_path(undecoded.uri)}: pixels not decoded: {undecoded.reason}")
    if len(summary.undecoded) > _LISTED_UNDECODED:
        print_message(f"… and {len(summary.undecoded) - _LISTED_UNDECODED:,} more files with pixels not decoded")
    if summary.undecoded:
        limits = "EXR_INSPECTOR_PIXEL_SECONDS and EXR_INSPECTOR_MAX_CHUNK_PIXEL_BYTES"
        print_note(f"the next run with --stats decodes these files again; their limits are {limits}")
    for failure in summary.failures:
        print_message(f"{failure.path}: {failure.message}")
    for path in summary.vanished[:_LISTED_VANISHED]:
        print_message(f"{short_path(path)}: vanished")
    if len(summary.vanished) > _LISTED_VANISHED:
        print_message(f"… and {len(summary.vanished) - _LISTED_VANISHED} more vanished files")
    if summary.vanished and pruned is None:
        print_note("vanished files are still current in the catalog; mark them as deleted with --prune")
    elif (held_back := summary.held_back) is not None:
        share_gone = 100 * held_back.gone / held_back.known
        print_message(
            f"nothing was marked as deleted: {held_back.gone:,} of {held_back.known:,} files of the catalog below the "
            f"paths have vanished ({share_gone:.3g} %), more than --max-gone; check the storage, and if the files were "
            "deleted, repeat with --max-gone 100%"
        )
    for folder in summary.emptied:
        print_message(
            f"{short_path(folder)}: not marked as deleted, as no file of the catalog is left below it; check that its "
            "disk is mounted, and if the files were deleted, repeat with --max-gone 100%"
        )
    unread = (failure.path for failure in summary.failures if not (failure.was_read or failure.is_usage))
    if pruned is not None and not {*pruned}.isdisjoint(unread):
        print_message(
            "below paths that could not be listed, nothing was marked as deleted; for a folder that was removed, give "
            "the folder above it"
        )
    counts = [f"{summary.inserted:,} new", f"{summary.unchanged:,} unchanged"]
    if summary.replaced:
        counts.append(f"{summary.replaced:,} re-rendered")
    if summary.known:
        counts.append(f"{summary.known:,} inspected again")
    if summary.young:
        counts.append(f"{summary.young:,} too young")
    statuses = Counter(file.status for file in summary.damaged)
    counts += [f"{count:,} {status}" for status, count in sorted(statuses.items())]
    if summary.undecoded:
        counts.append(f"{len(summary.undecoded):,} with pixels not decoded")
    unreadable = sum(failure.was_read for failure in summary.failures)
    not_read = sum(not (failure.was_read or failure.is_usage) for failure in summary.failures)
    for count, meaning in ((unreadable, "unreadable"), (not_read, "not read")):
        if count:
            counts.append(f"{count:,} {meaning}")
    if summary.vanished:
        counts.append(f"{len(summary.vanished):,} vanished")
    if summary.pruned:
        counts.append(f"{summary.pruned:,} marked deleted")
    if policy is not None:
        statuses = Counter[str]()
        for validation, count in summary.validations.items():
            statuses[validation.status] += count
        counts += [f"{statuses[status]:,} {status} {policy}" for status in reversed(STATUSES) if statuses[status]]
        if summary.pixels_not_judged:
            counts.append(f"{summary.pixels_not_judged:,} judged without pixels")
        if statuses["failed"] or statuses["warned"]:
            print_note("the findings: exr-inspector report validation-by-policy")
    print_done(f"{summary.listed:,} {plural(summary.listed, 'file')}: {', '.join(counts)} → {uri}")
