"""Prints what an ingest did: damaged, undecoded, failed and vanished files on stderr, and the counts on stdout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..inspection.value_text import plural
from .options import NO_FILES
from .output import print_done, print_message, print_note
from .text import short_path

if TYPE_CHECKING:
    from ..ingestion.summary import HeldBack, IngestSummary

_LISTED = 20  # files of a kind that may be many


def print_summary(summary: IngestSummary, uri: str, pruned: Sequence[str] | None, policy: str | None = None) -> None:
    """Print the summary of an ingest into the catalog at `uri`.

    `pruned` are the paths below which vanished files were to be marked as deleted.
    """
    if not summary.listed and not summary.failures:
        print_message(NO_FILES)
    _print_damaged(summary)
    for failure in summary.failures:
        print_message(f"{failure.path}: {failure.message}")
    _print_vanished(summary, pruned)
    if any(validation.status != "passed" for validation in summary.validations):
        print_note("the findings: exr-inspector report validation-by-policy")
    print_done(f"{summary.listed:,} {plural(summary.listed, 'file')}: {', '.join(_counts(summary, policy))} → {uri}")


def _print_damaged(summary: IngestSummary) -> None:
    for file in summary.damaged:
        reason = f"{file.status}: {file.reason}" if file.reason else file.status
        print_message(f"{short_path(file.uri)}: {reason}{'' if file.is_new else ', unchanged'}")
    _print_first(
        [f"{short_path(file.uri)}: pixels not decoded: {file.reason}" for file in summary.undecoded[:_LISTED]],
        len(summary.undecoded),
        "files with pixels not decoded",
    )
    if summary.undecoded:
        limits = "EXR_INSPECTOR_PIXEL_SECONDS and EXR_INSPECTOR_MAX_CHUNK_PIXEL_BYTES"
        print_note(f"the next run with --stats decodes these files again; their limits are {limits}")


def _print_first(messages: Sequence[str], count: int, what: str) -> None:
    for message in messages:
        print_message(message)
    if count > len(messages):
        print_message(f"… and {count - len(messages):,} more {what}")


def _print_vanished(summary: IngestSummary, pruned: Sequence[str] | None) -> None:
    messages = [f"{short_path(path)}: vanished" for path in summary.vanished[:_LISTED]]
    _print_first(messages, len(summary.vanished), "vanished files")
    if summary.vanished and pruned is None:
        print_note("vanished files are still current in the catalog; mark them as deleted with --prune")
    elif summary.held_back is not None:
        print_message(_held_back_text(summary.held_back))
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


def _held_back_text(held_back: HeldBack) -> str:
    share_gone = 100 * held_back.gone / held_back.known
    return (
        f"nothing was marked as deleted: {held_back.gone:,} of {held_back.known:,} files of the catalog below the "
        f"paths have vanished ({share_gone:.3g} %), more than --max-gone; check the storage, and if the files were "
        "deleted, repeat with --max-gone 100%"
    )


def _counts(summary: IngestSummary, policy: str | None) -> Iterator[str]:
    yield f"{summary.inserted:,} new"
    yield f"{summary.unchanged:,} unchanged"
    statuses = Counter(file.status for file in summary.damaged)
    unreadable = sum(failure.was_read for failure in summary.failures)
    not_read = sum(not (failure.was_read or failure.is_usage) for failure in summary.failures)
    counts = [
        (summary.replaced, "re-rendered"),
        (summary.known, "inspected again"),
        (summary.young, "too recent"),
        *((count, status) for status, count in sorted(statuses.items())),
        (len(summary.undecoded), "with pixels not decoded"),
        (unreadable, "unreadable"),
        (not_read, "not read"),
        (len(summary.vanished), "vanished"),
        (summary.pruned, "marked deleted"),
        *((count, f"{status} {policy}") for status, count in _by_status(summary)),
        (summary.pixels_not_judged, "judged without pixels"),
    ]
    yield from (f"{count:,} {meaning}" for count, meaning in counts if count)


def _by_status(summary: IngestSummary) -> Iterator[tuple[str, int]]:
    """How many files passed, warned or failed by the policy."""
    from ..catalog.validations import STATUSES

    for status in reversed(STATUSES):
        yield status, sum(count for one, count in summary.validations.items() if one.status == status)
