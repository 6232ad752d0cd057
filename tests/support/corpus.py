"""The corpus of real files; no other module reads `EXR_CORPUS`.

EXR_CORPUS is the path of a folder with `valid/` (files of the OpenEXR project and others), `damaged/` (files that
crashed other readers) and `reports/` (files made from public bug reports, each with a sidecar of expected results).
Without it the lists have one entry that skips the test, so that the missing corpus is reported.
"""

from __future__ import annotations

import json
import os
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import pytest

from exr_inspector import Inspection, inspect
from exr_inspector.exr import read_header

_SMALL = 25_000
_given = os.environ.get("EXR_CORPUS", "")
ROOT = Path(_given) if _given else None
MISSING = pytest.mark.skip(reason="EXR_CORPUS is not the path of a corpus of EXR files")


def _files(folder: str, pattern: str) -> list[Path]:
    return [] if ROOT is None else sorted(path for path in (ROOT / folder).glob(pattern) if path.is_file())


def _parameters(paths: list[Path], folder: str) -> list[Any]:
    if not paths or ROOT is None:
        return [pytest.param(None, marks=MISSING, id="no corpus")]
    return [pytest.param(path, id=str(path.relative_to(ROOT / folder))) for path in paths]


VALID_FILES = _files("valid", "**/*.exr")
DAMAGED_FILES = _files("damaged", "*")
SIDECARS = _files("reports", "*.expect.json")
_UNREADABLE = ("plate_v2.1003.exr", "plate_v2.1004.exr", "plate_v2.1005.exr")
REPORTED_FILES = [path for path in _files("reports", "**/*.exr") if path.name not in _UNREADABLE]

# Parameters for pytest.mark.parametrize.
VALID = _parameters(VALID_FILES, "valid")
SMALL = _parameters([path for path in VALID_FILES if path.stat().st_size < _SMALL], "valid")
LARGE = _parameters([path for path in VALID_FILES if path.stat().st_size >= _SMALL], "valid")
DAMAGED = _parameters(DAMAGED_FILES, "damaged")
REPORTS = _parameters(SIDECARS, "reports")
REPORTS_2 = _parameters(_files("reports-2", "*.expect.json"), "reports-2")
POLICY = _parameters(_files("policy", "*.exr"), "policy")
POLICY_SIDECARS = _parameters(_files("policy", "**/*.expect.json"), "policy")
REPORTED = _parameters(REPORTED_FILES, "reports")


def by_size(slow_above: int) -> list[Any]:
    """The parameters VALID, where files of more bytes are marked as slow."""
    return [
        pytest.param(*each.values, id=each.id, marks=pytest.mark.slow)
        if each.values[0] is not None and each.values[0].stat().st_size > slow_above
        else each
        for each in VALID
    ]


need_corpus = pytest.mark.skipif(not VALID_FILES, reason="EXR_CORPUS is not the path of a corpus of EXR files")


def name_of(path: Path) -> str:
    """The path of a corpus file relative to the corpus, with slashes."""
    assert ROOT is not None
    return path.relative_to(ROOT).as_posix()


def sidecar(path: Path) -> dict[str, Any]:
    """The content of a report's sidecar."""
    return json.loads(path.read_text("utf-8"))


@cache
def inspected(path: Path) -> Inspection:
    """The inspection of a corpus file, made once per process."""
    return inspect(path)


@lru_cache(maxsize=1)
def headers() -> list[bytes]:
    """The header bytes of every valid file."""
    found = []
    for path in VALID_FILES:
        data = path.read_bytes()
        found.append(data[: read_header(data).header_bytes])
    return found
