"""The command ingest and its summary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import NoMatchError, SettingsError, SourceError
from ..sources import store_of
from .amounts import duration_s, files_or_percent
from .exit_codes import FailOn, IngestFailOn, Severity, exit_code, file_severity
from .not_evaluated import USE_STATS, pixels_line
from .options import (
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
            "the paths have vanished, mark none of them and exit with 3. Default: no limit, but files below a path "
            "with no file left are only marked with --max-gone 100%.",
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
    from .ingest_summary import print_summary
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
