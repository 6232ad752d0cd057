"""What was found, into the catalog: the files of one delivery in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from ..catalog import Catalog, IngestError
from ..catalog.rows import from_embeddable
from ..errors import EmbeddingError, ExrFormatError, ExrInspectorError, SourceError, SourceNotFoundError
from ..settings import settings
from ..sources.uris import normalize_path
from .catalogs import Catalogs
from .credentials import Target
from .stages import Outcome, Persistence, category, text

log = logging.getLogger(__name__)


def persist(catalogs: Catalogs, target: Target | None, outcomes: Sequence[Outcome]) -> None:
    """Store what was found, and note what is broken or gone. Fills in each outcome's `persistence`; raises nothing.

    All files that could be inspected are one transaction, all unreadable ones another, all that are gone a third.
    """
    concerned = [each for each in outcomes if _is_concerned(each)]
    if not concerned:
        return
    if target is None:
        log.debug("no catalog is configured: nothing is persisted")
        for each in concerned:
            each.persistence.message = "no catalog is configured"
        return
    try:
        with catalogs.use(target) as catalog:
            _step(catalog, [each for each in concerned if each.inspection is not None], _store)
            _step(catalog, [each for each in concerned if _is_lasting(each)], _note_errors)
            _step(catalog, [each for each in concerned if each.gone], _mark_deleted)
    except Exception as problem:  # it cannot be opened
        refuse(concerned, problem)


def refuse(outcomes: Sequence[Outcome], problem: Exception) -> None:
    """Set the error of those files of which the catalog would have stored something."""
    for each in outcomes:
        if _is_concerned(each):
            each.persistence = Persistence(status="error", message="nothing was stored", failure=problem)


def _is_concerned(outcome: Outcome) -> bool:
    return outcome.inspection is not None or bool(outcome.gone) or _is_lasting(outcome)


def _step(catalog: Catalog, outcomes: list[Outcome], work: Callable[[Catalog, list[Outcome]], None]) -> None:
    if outcomes:
        try:
            work(catalog, outcomes)
        except Exception as problem:
            refuse(outcomes, problem)


def _store(catalog: Catalog, outcomes: list[Outcome]) -> None:
    by_file_id = {each.inspection.file.file_id: each.inspection for each in outcomes if each.inspection is not None}
    rows, failures = from_embeddable(list(by_file_id.values()), cell_limit=settings().cell_limit)
    inserted = {done.file_id for done in catalog.persist_rows(rows) if done.inserted}
    unembeddable = {failure.path: failure for failure in failures}
    for each in outcomes:
        assert each.inspection is not None
        facts = each.inspection.file
        if failure := unembeddable.get(facts.file_path_normalized):
            log.error("vectors of a file cannot be computed", exc_info=failure)
            each.failure, each.inspection = failure, None
            continue
        is_new = facts.file_id in inserted
        inserted.discard(facts.file_id)  # the first event of several has inserted it
        message = "inserted" if is_new else "known already: seen once more"
        each.persistence = Persistence(status="success", message=message, inserted=is_new)


def _note_errors(catalog: Catalog, outcomes: list[Outcome]) -> None:
    catalog.record_errors([_ingest_error(each) for each in outcomes])
    for each in outcomes:
        each.persistence = Persistence(status="success", message="noted in ingest_errors")


def _mark_deleted(catalog: Catalog, outcomes: list[Outcome]) -> None:
    marked = catalog.mark_deleted(sorted({normalize_path(place) for each in outcomes for place in each.gone}))
    for each in outcomes:
        if each.inspection is not None:  # at another spelling of its name
            continue
        message = "marked deleted" if marked else "the catalog had nothing of it"
        each.persistence = Persistence(status="success", message=message)


def _is_lasting(outcome: Outcome) -> bool:
    """Whether what went wrong tells something of the file, that is worth remembering."""
    problem = outcome.failure
    if isinstance(problem, SourceError):
        return problem.permanent and outcome.size_bytes is not None and not isinstance(problem, SourceNotFoundError)
    if isinstance(problem, ExrInspectorError):
        return isinstance(problem, (ExrFormatError, EmbeddingError))
    return False  # a fault of ours, which says nothing of the file


def _ingest_error(outcome: Outcome) -> IngestError:
    problem = outcome.failure
    assert problem is not None
    code, message, offset = category(problem), text(problem), None
    if isinstance(problem, ExrFormatError):
        code, message, offset = problem.code, problem.message, problem.offset
    elif isinstance(problem, SourceError):
        code, message = problem.code, problem.reason
    elif isinstance(problem, EmbeddingError):
        message = problem.reason
    return IngestError(
        file_path_normalized=normalize_path(outcome.place),
        size_bytes=outcome.size_bytes,
        mtime=outcome.mtime,
        code=code,
        message=message,
        byte_offset=offset,
    )
