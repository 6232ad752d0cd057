"""The demo show as a catalog knows it: objects in a bucket, the same on every machine and at any time."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path

from exr_inspector import Inspection, inspect
from exr_inspector.catalog import Catalog, IngestError
from exr_inspector.demo import make_show
from exr_inspector.errors import ExrFormatError
from exr_inspector.sources.memory import MemorySource

BUCKET = "s3://studio/shows"
WRITTEN = datetime(2026, 3, 2, 9, tzinfo=timezone.utc)
NOW = "2026-03-05"  # for reports that count days


@lru_cache(maxsize=1)
def demo_show() -> tuple[list[Inspection], list[IngestError]]:
    """The inspections of the show; its files were written seven minutes apart."""
    inspections, errors = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(make_show(Path(folder))):
            source = MemorySource(path.read_bytes(), f"{BUCKET}/{path.relative_to(folder).as_posix()}")
            source.mtime = WRITTEN + number * timedelta(minutes=7)
            try:
                inspections.append(inspect(source))
            except ExrFormatError as problem:
                errors.append(
                    IngestError(
                        file_path_normalized=source.uri,
                        size_bytes=source.size_bytes,
                        mtime=source.mtime,
                        code=problem.code,
                        message=problem.message,
                        byte_offset=problem.offset,
                    )
                )
    return inspections, errors


def fill(catalog: Catalog) -> None:
    """Put the show into an empty catalog."""
    inspections, errors = demo_show()
    catalog.persist(inspections)
    catalog.record_errors(errors)


# For reports that need a parameter, or that say more of this show with one.
PARAMETERS: dict[str, dict[str, str]] = {
    "anomalies": {"large_bytes": "300000", "many_channels": "32"},
    "channel-composition": {"has": "R,G,B,*depth*", "lacks": "diffuse.*"},
    "coverage": {"now": NOW},
    "renders-like": {
        "reference": f"{BUCKET}/harbor/sq010/sh0020/lighting/buoys/v012/harbor_sq010_sh0020_buoys_v012.1001.exr"
    },
}
