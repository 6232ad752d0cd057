"""The catalog that answers a question: one that is kept, or one of files that are read now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import SettingsError
from ..frames.names import parse_name
from ..frames.patterns import names_tiles
from ..frames.ranges import frame_value
from ..sources.uris import normalize_path
from .options import chunk_option, open_catalog, selection, stats_options

if TYPE_CHECKING:
    from ..catalog import Catalog
    from ..frames.ranges import Number
    from ..ingestion.changes import Failure
    from ..sequence.counterparts import Matches
    from ..sequence.summary import SequenceSummary
    from .options import ExpectedFrames


@dataclass(slots=True, kw_only=True)
class Answering:
    """A catalog, the patterns of the sequences that are asked for, and the paths that could not be read."""

    catalog: Catalog
    patterns: list[str | None]  # None: all sequences
    unread: list[Failure] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)  # patterns without a file
    absent: set[str] = field(default_factory=set)  # patterns without a file that are judged by expected frames
    ambiguous: bool = False  # a clip of a timeline may be several sequences

    @property
    def failed(self) -> bool:
        """Whether the bytes of some file could not be read."""
        return bool(self.unread)

    @property
    def misused(self) -> bool:
        """Whether an argument names nothing, or several things."""
        return bool({*self.unmatched} - self.absent) or self.ambiguous

    def summaries(self, expected: ExpectedFrames) -> list[SequenceSummary]:
        """The sequences that are asked for, sorted by URI; prints clips that may be several sequences on stderr."""
        from ..sequence import summary

        matched = self._matches(expected.timeline) if expected.timeline else None
        frames_of = matched.found.get if matched else lambda _: expected.of_each
        found: dict[str, SequenceSummary] = {}
        for pattern in self.patterns:
            found |= {one.sequence: one for one in summary.sequences(self.catalog, pattern, frames_of)}
        if matched:
            found |= {name: summary.absent(name, frames) for name, frames in matched.absent.items()}
        if expected.of_each is not None:  # all frames of a sequence without any file are missing
            for pattern in self.unmatched:
                if missing := summary.absent_pattern(pattern, expected.of_each):
                    self.absent.add(pattern)
                    found.setdefault(missing.sequence, missing)
        for sequence, unread in self._unread_frames().items():
            if sequence in found:
                found[sequence] = summary.without_missing(found[sequence], unread)
        return [found[sequence] for sequence in sorted(found)]

    def _unread_frames(self) -> dict[str, set[Number]]:
        frames: dict[str, set[Number]] = defaultdict(set)
        for failure in self.unread:
            name = parse_name(normalize_path(failure.path))
            if name is not None:
                frames[name.sequence].add(frame_value(name.frame))
        return frames

    def _matches(self, timeline: dict[str, frozenset[Number]]) -> Matches:
        from ..sequence.counterparts import matches
        from ..sequence.frames import sequence_names
        from .output import print_message

        names = {name for pattern in self.patterns for name in sequence_names(self.catalog, pattern)}
        matched = matches(timeline, names)
        for name, candidate in matched.ambiguous:
            self.ambiguous = True
            print_message(
                f"--range-from: {name} is ambiguous: several sequences end in the same path, such as {candidate}; it "
                "is not checked against the timeline; give narrower paths, so that one remains"
            )
        return matched


def reject_stats(stats: bool) -> None:
    """Raise SettingsError for --stats of a catalog."""
    if stats:
        raise SettingsError("--stats is for files that are read now; store those of a catalog with ingest --stats")


def unmatched_paths(catalog: Catalog, paths: Sequence[str]) -> list[str]:
    """The paths and patterns that no file of a catalog matches, which are printed on stderr."""
    from ..sequence.frames import has_files
    from .output import print_message

    unmatched = [path for path in paths if not has_files(catalog, path)]
    for path in unmatched:
        print_message(f"{path}: no file of the catalog matches")
    return unmatched


@contextmanager
def answering_catalog(
    paths: list[str] | None, uri: str | None, *, wait_s: float, vectors: bool, stats: bool = False
) -> Iterator[Answering]:
    """The catalog of --catalog, of which the paths are patterns; else one of the files below the paths.

    Without both, the catalog of the settings. Paths that cannot be read are printed on stderr. With `stats`, the pixels
    of the files are decoded. Raises SettingsError for `stats` of a catalog.
    """
    from .output import print_message

    if uri is not None or not paths:
        reject_stats(stats)
        with open_catalog(uri, read_only=True, wait_s=wait_s) as opened:
            unmatched = unmatched_paths(opened, paths or ())
            yield Answering(catalog=opened, patterns=[*paths] if paths else [None], unmatched=unmatched)
        return
    from ..ingestion.run import IngestOptions
    from ..ingestion.temporary import temporary_catalog
    from ..settings import settings
    from ..sources import store_of

    values = settings()
    options = IngestOptions(
        workers=values.workers,
        limits=values.limits,
        chunks=chunk_option(None),
        vectors=vectors,
        stats=stats_options(deep=False, stride=1) if stats else None,
        s3=store_of(paths),
        selection=selection(None, None),
    )
    with temporary_catalog(paths, options) as (opened, summary):
        for failure in summary.failures:
            if failure.error is None:  # others are unreadable files of the catalog
                print_message(f"{failure.path}: {failure.message}")
        yield Answering(
            catalog=opened,
            patterns=[None, *(path for path in paths if names_tiles(path))],
            unread=[failure for failure in summary.failures if not (failure.is_usage or failure.was_read)],
            unmatched=[failure.path for failure in summary.failures if failure.is_usage],
        )
