"""The third stage: persist inspections, record unreadable files, and mark removed files as deleted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..catalog import Catalog, FileStat, IngestError, PixelLevel
from ..catalog.rows import embed_all
from ..errors import EmbeddingError, ExrFormatError, ExrInspectorError, SourceError, cause_of
from ..inspection.model import FileFacts, Inspection
from ..inspection.pixel_rows import is_evaluated
from ..pixels.model import PENDING_DEEP
from ..sources.uris import normalize_path
from .catalogs import Catalogs
from .credentials import Target
from .group_commit import GroupCommit, Submission
from .stages import Failed, Inspected, Persisted, Persistence

if TYPE_CHECKING:
    from ..vectors import Embedding

log = logging.getLogger(__name__)


RecordStage = Callable[[str, float], None]  # stage, seconds


def _not_recorded(_stage: str, _seconds: float) -> None:
    """Without instruments, as where the function's module is called from another program."""


def persist_all(
    catalogs: Catalogs, files: Sequence[Inspected], *, cell_limit: int, record_stage: RecordStage = _not_recorded
) -> list[Persisted]:
    """Persist the files in their catalogs; the results are in the same order. Raises nothing.

    In each catalog, all inspections are one transaction, which events that are handled at the same time may share, all
    unreadable files another, all removed files a third.
    """
    indices: dict[Target | ExrInspectorError | None, list[int]] = {}
    for index, file in enumerate(files):
        indices.setdefault(file.received.catalog, []).append(index)
    persisted: dict[int, Persisted] = {}
    for target, of_target in indices.items():
        results = _persist(catalogs, target, [files[index] for index in of_target], cell_limit, record_stage)
        persisted.update(zip(of_target, results, strict=True))
    return [persisted[index] for index in range(len(files))]


def _persist(
    catalogs: Catalogs,
    target: Target | ExrInspectorError | None,
    files: Sequence[Inspected],
    cell_limit: int,
    record_stage: RecordStage,
) -> list[Persisted]:
    if not any(map(_needs_catalog, files)):
        return [Persisted(inspected=file, persistence=Persistence()) for file in files]
    if target is None:
        log.debug("no catalog is configured: nothing is persisted")
        return _all_with(files, Persistence(message="no catalog is configured"))
    if isinstance(target, ExrInspectorError):
        return _all_with(files, _failed(target))
    try:
        with catalogs.use(target) as shared:
            return _persist_in(shared, files, cell_limit, record_stage)
    except Exception as error:
        return _all_with(files, _failed(error))


def _persist_in(
    shared: GroupCommit, files: Sequence[Inspected], cell_limit: int, record_stage: RecordStage
) -> list[Persisted]:
    began = time.monotonic()
    embeddings, files = _embed(files)
    embedded = time.monotonic()
    record_stage("embed", embedded - began)
    results: list[list[Persistence]] = [[] for _ in files]

    def run(step: Callable[[list[Inspected]], list[Persistence]], applies: Callable[[Inspected], bool]) -> None:
        chosen = [index for index, file in enumerate(files) if applies(file)]
        if not chosen:
            return
        try:
            outcomes = step([files[index] for index in chosen])
        except Exception as error:
            outcomes = [_failed(error)] * len(chosen)
        for index, outcome in zip(chosen, outcomes, strict=True):
            results[index].append(outcome)

    run(lambda chosen: _insert(shared, embeddings, cell_limit, chosen), lambda file: file.inspection is not None)
    run(lambda chosen: _record_errors(shared.catalog, chosen), _is_recorded)
    run(lambda chosen: _mark_deleted(shared.catalog, chosen), lambda file: bool(file.removed_paths))
    record_stage("persist", time.monotonic() - embedded)
    return [
        Persisted(inspected=file, persistence=_first_error_or_first(outcomes))
        for file, outcomes in zip(files, results, strict=True)
    ]


def _embed(files: Sequence[Inspected]) -> tuple[dict[str, Embedding], list[Inspected]]:
    """The vectors by file_id, and the files; those without vectors have an error in place of the inspection."""
    for file in files:
        if file.inspection is not None:
            log.debug("computing embeddings for %a", file.path)
    embeddings, errors = embed_all(file.inspection for file in files if file.inspection is not None)
    for error in errors.values():
        log.error("the vectors of a file cannot be computed", exc_info=error)

    def checked(file: Inspected) -> Inspected:
        if file.inspection is None or file.inspection.file.file_id not in errors:
            return file
        facts = file.inspection.file
        return replace(file, outcome=Failed(errors[facts.file_id], facts.size_bytes, facts.mtime, facts.etag))

    return embeddings, [checked(file) for file in files]


def _insert(
    shared: GroupCommit, embeddings: dict[str, Embedding], cell_limit: int, files: list[Inspected]
) -> list[Persistence]:
    inspections = [file.inspection for file in files if file.inspection is not None]
    with_stats = _with_stored_stats(shared.catalog, inspections)
    submission = Submission(
        inspections=list({inspection.file.file_id: inspection for inspection in inspections}.values()),
        embeddings=embeddings,
        verdicts=[
            (file.inspection.file.file_id, file.verdict)
            for file in files
            if file.inspection is not None and not (file.verdict is None or isinstance(file.verdict, ExrInspectorError))
        ],
    )
    outcomes = shared.persist(submission, cell_limit=cell_limit)
    inserted = {outcome.file_id for outcome in outcomes if outcome.inserted}
    kept = {outcome.file_id: outcome.kept_statuses for outcome in outcomes}
    results = []
    for file_id in [inspection.file.file_id for inspection in inspections]:
        is_new = file_id in inserted
        inserted.discard(file_id)  # of several events of one file, the first inserts it
        text = "inserted" if is_new else "already known, counted again"
        has_stats = file_id in with_stats
        results.append(
            Persistence(
                status="success", message=text, inserted=is_new, has_stats=has_stats, kept_statuses=kept[file_id]
            )
        )
    return results


def _with_stored_stats(catalog: Catalog, inspections: Sequence[Inspection]) -> set[str]:
    """The file_ids of the inspections whose statistics are pending here, but stored by an earlier delivery."""
    pending: dict[PixelLevel, dict[str, FileFacts]] = {"flat": {}, "deep": {}}
    for inspection in inspections:
        report = inspection.pixels
        if report is not None and not is_evaluated(report):
            is_deep = any(error.code == PENDING_DEEP for error in report.errors)
            pending["deep" if is_deep else "flat"][inspection.file.file_path_normalized] = inspection.file
    return {
        files[path].file_id
        for level, files in pending.items()
        if files
        for path, seen in catalog.seen([_file_stat(file) for file in files.values()], pixels=level).items()
        if seen.is_unchanged and seen.has_stats
    }


def _file_stat(file: FileFacts) -> FileStat:
    return FileStat(
        file_path_normalized=file.file_path_normalized, size_bytes=file.size_bytes, mtime=file.mtime, etag=file.etag
    )


def _record_errors(catalog: Catalog, files: list[Inspected]) -> list[Persistence]:
    failures = [(file.path, file.outcome) for file in files if isinstance(file.outcome, Failed)]
    catalog.record_errors([_ingest_error(path, failed) for path, failed in failures])
    return [Persistence(status="success", message="recorded in ingest_errors")] * len(files)


def _mark_deleted(catalog: Catalog, files: list[Inspected]) -> list[Persistence]:
    paths = sorted({normalize_path(path) for file in files for path in file.removed_paths})
    count = catalog.mark_deleted(paths)
    text = "marked deleted" if count else "not in the catalog"
    if len(files) > 1 and 0 < count < len(paths):  # of which files is unknown
        text = "marked deleted, if it was in the catalog"
    return [Persistence(status="success", message=text)] * len(files)


def _first_error_or_first(results: Sequence[Persistence]) -> Persistence:
    if not results:
        return Persistence()
    return next((result for result in results if result.error is not None), results[0])


def _failed(error: Exception) -> Persistence:
    return Persistence(status="error", message="nothing was persisted", error=error)


def _all_with(files: Sequence[Inspected], persistence: Persistence) -> list[Persisted]:
    """The files, with one persistence for all that would have changed the catalog."""
    return [
        Persisted(inspected=file, persistence=persistence if _needs_catalog(file) else Persistence()) for file in files
    ]


def _needs_catalog(file: Inspected) -> bool:
    return file.inspection is not None or bool(file.removed_paths) or _is_recorded(file)


def _is_recorded(file: Inspected) -> bool:
    """Whether the error is recorded in `ingest_errors`: it is permanent, and concerns the file itself."""
    if not isinstance(file.outcome, Failed):
        return False
    error = file.outcome.error
    if isinstance(error, SourceError):
        return error.permanent and file.outcome.size_bytes is not None
    return isinstance(error, (ExrFormatError, EmbeddingError))


def _ingest_error(path: str, failed: Failed) -> IngestError:
    error = failed.error
    assert isinstance(error, ExrInspectorError)  # as of _is_recorded
    return IngestError(
        file_path_normalized=normalize_path(path),
        size_bytes=failed.size_bytes,
        mtime=failed.mtime,
        **cause_of(error)._asdict(),
        etag=failed.etag,
    )
