"""Processes a task, a few files, in this process or a worker: inspects them, makes rows, and evaluates the policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import TYPE_CHECKING

from ..catalog import PolicyResult
from ..catalog.rows import RowBatch, from_embeddable, from_inspections
from ..catalog.validations import says_more
from ..inspection.model import Inspection
from ..inspection.pixel_rows import undecoded_texts
from .changes import Failure, FileToInspect, Verdict
from .inspect_file import inspect_item, recorded_failure
from .summary import Validation

if TYPE_CHECKING:
    from ..policy.compile import CompiledPolicy
    from ..policy.rules_pixels import FilePixels
    from .run import IngestOptions

_CHANNELS_PER_FILE = 10  # files with statistics of more channels count more than once
_MAX_HEADER_BYTES = 32 << 20  # of the inspections that a task holds before it makes rows of them
_CONCURRENT_REQUESTS = 16  # per process, to an object store: most of the time is spent waiting for responses


@dataclass(frozen=True, slots=True)
class TaskResult:
    """The result of a task: rows to persist, the files that could not be inspected, and those only validated."""

    rows: RowBatch
    failures: list[Failure]
    unchanged: list[tuple[str, Verdict, Validation]] = field(default_factory=list)  # with URIs; only validated
    undecoded: dict[str, tuple[str, str]] = field(default_factory=dict)  # by URI, as `undecoded_texts`
    results: list[PolicyResult] = field(default_factory=list)  # of the policy, of all files


def result_of_dead_worker(item: FileToInspect, cause: str) -> TaskResult:
    """The result for a file whose inspection ends every worker process."""
    message = f"each worker process that inspected it died ({cause}); inspect it alone to see why"
    # Not recorded, so that the next run inspects the file again: the system may have been out of memory.
    failure = Failure(item.file.path, f"{message} (worker_died)")
    return TaskResult(rows=from_inspections([], vectors=False), failures=[failure])


def weight(item: FileToInspect) -> float:
    """The number of files that an item counts as, which limits the size of the statistics in a task."""
    if item.statistics is None:
        return 1
    return max(1, len(item.statistics.channels) / _CHANNELS_PER_FILE)


def run_task(task: Sequence[FileToInspect], options: IngestOptions, run: str) -> TaskResult:
    """The result of a task of the run."""
    inspected = partial(inspect_item, options=options, run=run)
    if any(item.file.is_remote for item in task):
        outcomes: Iterable[Inspection | Failure] = _request_threads().map(inspected, task)
    else:
        outcomes = map(inspected, task)
    return _combined([_result(task, group, options) for group in _by_size(outcomes)])


@cache
def _request_threads() -> ThreadPoolExecutor:
    """The threads that wait for responses of an object store, for all tasks of this process."""
    return ThreadPoolExecutor(_CONCURRENT_REQUESTS)


def _by_size(outcomes: Iterable[Inspection | Failure]) -> Iterator[list[Inspection | Failure]]:
    """Outcomes in groups whose headers are limited in size, so that a task does not hold those of all its files."""
    group: list[Inspection | Failure] = []
    header_bytes = 0
    for outcome in outcomes:
        group.append(outcome)
        header_bytes += outcome.file.header_bytes if isinstance(outcome, Inspection) else 0
        if header_bytes > _MAX_HEADER_BYTES:
            yield group
            group, header_bytes = [], 0
    yield group


def _combined(results: Sequence[TaskResult]) -> TaskResult:
    if len(results) == 1:
        return results[0]
    return TaskResult(
        rows=RowBatch.concat([result.rows for result in results]),
        failures=[failure for result in results for failure in result.failures],
        unchanged=[file for result in results for file in result.unchanged],
        undecoded={uri: texts for result in results for uri, texts in result.undecoded.items()},
        results=[each for result in results for each in result.results],
    )


def _result(
    task: Sequence[FileToInspect], outcomes: Sequence[Inspection | Failure], options: IngestOptions
) -> TaskResult:
    items = {item.file.uri: item for item in task}
    inspected = [outcome for outcome in outcomes if isinstance(outcome, Inspection)]
    only_judged = {uri for uri, item in items.items() if item.only_judge}
    to_store = [each for each in inspected if each.file.file_path_normalized not in only_judged]
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    rows, embedding_errors = from_embeddable(to_store, cell_limit=options.cell_limit, vectors=options.vectors)
    failures += [recorded_failure(items[error.path], error) for error in embedding_errors if error.path in items]
    undecoded = {
        inspection.file.file_path_normalized: texts
        for inspection in to_store
        if inspection.pixels is not None and (texts := undecoded_texts(inspection.pixels)) is not None
    }
    result = TaskResult(rows=rows, failures=failures, undecoded=undecoded)
    if options.policy is None:
        return result
    rejected = {error.path for error in embedding_errors}
    to_judge = [each for each in inspected if each.file.file_path_normalized not in rejected]
    return _judged(result, to_judge, items, options.policy)


def _judged(
    result: TaskResult, inspections: Iterable[Inspection], items: Mapping[str, FileToInspect], policy: CompiledPolicy
) -> TaskResult:
    """The result with the verdicts of the policy on the inspections; `items` are those of the task, by URI."""
    from ..policy.evaluate import evaluate  # only with a policy
    from ..policy.rows import policy_result, with_verdicts

    verdicts, unchanged, results = [], [], []
    for inspection in inspections:
        uri = inspection.file.file_path_normalized
        item = items.get(uri)
        stored = item if item is not None and item.only_judge else None
        verdict = evaluate(policy, inspection, _stored_pixels(item, inspection))
        found = policy_result(verdict)
        kept = stored.result if stored is not None else None
        if kept is None or says_more(found, kept):
            verdicts.append((inspection.file.file_id, verdict))
            kept = found
        results.append(kept)
        if stored is not None:
            completeness = Verdict(inspection.completeness, inspection.problem_severity, stored.undecodable)
            unchanged.append((uri, completeness, Validation(kept.status, is_new=kept is found)))
    return replace(result, rows=with_verdicts(result.rows, verdicts), unchanged=unchanged, results=results)


def _stored_pixels(item: FileToInspect | None, inspection: Inspection) -> FilePixels | None:
    """What rules about pixels need of the statistics in the catalog, if those are about the inspected content."""
    if item is None or item.statistics is None or item.file_id != inspection.file.file_id:
        return None
    return item.statistics.figures(inspection.parts)
