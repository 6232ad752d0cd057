"""The demo show as a catalog knows it: objects in a bucket, the same on every machine and at any time.

With statistics of pixels, and a later version of the texture that has the same pixels.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path

from exr_inspector import Inspection, inspect
from exr_inspector.catalog import Catalog, IngestError
from exr_inspector.catalog.rows import from_inspections
from exr_inspector.demo import make_show
from exr_inspector.errors import ExrFormatError
from exr_inspector.exr import read_header
from exr_inspector.pixels.report import part_statistics
from exr_inspector.policy.evaluate import evaluate
from exr_inspector.policy.rows import with_verdicts
from exr_inspector.policy.validate import compiled_policy
from exr_inspector.sources.memory import MemorySource

BUCKET = "s3://studio/shows"
WRITTEN = datetime(2026, 3, 2, 9, tzinfo=timezone.utc)
NOW = "2026-03-05"  # for reports that count days


@lru_cache(maxsize=1)
def demo_show() -> tuple[list[Inspection], list[IngestError]]:
    """The inspections of the show; its files were written seven minutes apart."""
    inspections, errors = [], []
    with tempfile.TemporaryDirectory() as folder:
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in make_show(Path(folder))}
        files |= {name.replace("v002", "v003"): data for name, data in files.items() if "/textures/" in name}
        for number, (name, data) in enumerate(files.items()):
            source = MemorySource(data, f"{BUCKET}/{name}")
            source.mtime = WRITTEN + number * timedelta(minutes=7)
            try:
                inspections.append(replace(inspect(source), pixels=part_statistics(source, read_header(data))))
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
    """Put the show into an empty catalog, validated by the policy `render`."""
    inspections, errors = demo_show()
    policy = compiled_policy("render")
    verdicts = [(inspection.file.file_id, evaluate(policy, inspection)) for inspection in inspections]
    catalog.persist_rows(with_verdicts(from_inspections(inspections), verdicts))
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
