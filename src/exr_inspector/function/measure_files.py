"""Between inspecting and persisting: statistics of the pixels of files, if their events request them.

One process decodes one file at a time, however many events are handled at once. Statistics that cannot be computed here
and now are pending: the catalog records that, and `ingest --stats` computes them.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from ..deadline import seconds_left
from ..errors import ExrInspectorError, PixelError
from ..inspection.model import Inspection
from ..inspection.pixel_rows import pending_report, undecoded_report
from ..pixels.model import PixelLimits, PixelReport, StatsOptions
from ..pixels.worker import PixelWorker
from .error_log import ErrorLog
from .errors import message
from .inspect_files import StorageAccess
from .stages import Inspected

_MIN_SECONDS = 0.5  # with less time, decoding does not start


class Decoder:
    """The process that decodes pixels for all threads. It starts with the first file and ends with this process."""

    def __init__(self, errors: ErrorLog) -> None:
        self._errors = errors
        self._lock = threading.Lock()
        self._worker: PixelWorker | None = None
        self._access: object = None  # of the worker

    def report(self, inspection: Inspection, path: str, options: StatsOptions, access: StorageAccess) -> PixelReport:
        """The report of an inspected file; it is pending if it cannot be computed within the limits. Raises nothing."""
        facts, parts = inspection.file, inspection.parts
        pending = partial(pending_report, facts, parts, deep=options.deep)
        try:
            report = self._statistics(path, options, access)
        except PixelError as error:
            if error.permanent:
                return undecoded_report(facts, parts, error)
            return pending(error.reason)
        except Exception as error:  # of the object store or the installation
            self._errors.log(error, file=path, stats="pending")
            return pending(message(error))
        if (report.size_bytes, report.mtime, report.etag) != (facts.size_bytes, facts.mtime, facts.etag):
            return pending("the file was replaced before its pixels were read")
        return report

    def close(self) -> None:
        """End the process; the next file starts another one."""
        with self._lock:
            self._close()

    def _statistics(self, path: str, options: StatsOptions, access: StorageAccess) -> PixelReport:
        wait_s = min(max(seconds_left() - _MIN_SECONDS, 0), threading.TIMEOUT_MAX)
        if not self._lock.acquire(timeout=wait_s):
            raise PixelError(path, "decode_timeout", "no time is left after other files")
        try:
            if seconds_left() < _MIN_SECONDS:
                raise PixelError(path, "decode_timeout", "no time is left")
            return self._worker_with(access).statistics(path, options)
        finally:
            self._lock.release()

    def _worker_with(self, access: StorageAccess) -> PixelWorker:
        # With an error in place of the store, no object was inspected.
        store = None if isinstance(access.store, ExrInspectorError) else access.store
        wanted = (store, access.roots, access.limits)
        if self._worker is None or self._access != wanted:
            self._close()
            self._worker = PixelWorker(s3=store, roots=access.roots, header_limits=access.limits)
            self._access = wanted
        return self._worker

    def _close(self) -> None:
        if self._worker is not None:
            self._worker.close()
        self._worker = None


def measure_all(
    files: Sequence[Inspected], decoder: Decoder, access: StorageAccess, limits: PixelLimits
) -> list[Inspected]:
    """The files, in order, with the statistics that their events request. Raises nothing."""
    groups: dict[str, list[Inspected]] = {}
    for file in files:
        if file.inspection is not None:
            groups.setdefault(file.inspection.file.file_id, []).append(file)
    measured: dict[str, Inspection] = {}
    for file_id, group in groups.items():
        requests = [file.received.event.options for file in group]
        inspection = group[0].inspection
        if inspection is not None and any(request.wants_pixels for request in requests):
            options = StatsOptions(deep=any(request.deep_stats for request in requests), limits=limits)
            report = decoder.report(inspection, group[0].path, options, access)
            measured[file_id] = replace(inspection, pixels=report)
    return [
        replace(file, outcome=measured[file.inspection.file.file_id])
        if file.inspection is not None and file.received.event.options.wants_pixels
        else file
        for file in files
    ]
