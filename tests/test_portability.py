"""The demo show, the vectors and the generated pages are the same on every processor, in every locale and time zone."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from itertools import zip_longest
from pathlib import Path

import pytest

from exr_inspector.demo import make_show
from tests.vectors.test_vectors import digest
from tools.docs import PAGES

try:
    from numpy._core import _multiarray_umath as numpy_core
except ImportError:  # numpy 1
    from numpy.core import _multiarray_umath as numpy_core

SHOW = "e4da651a15daf0cc"  # only a change of the show may change it


def show_digest() -> str:
    """One text for the names and bytes of all files of the show."""
    found = hashlib.sha256()
    with tempfile.TemporaryDirectory() as folder:
        for path in make_show(Path(folder)):
            data = path.read_bytes()
            found.update(f"{path.relative_to(folder).as_posix()}\0{len(data)}\0".encode() + data)
    return found.hexdigest()


def results() -> str:
    """What must not depend on the machine."""
    return _results(show_digest(), "".join(page() for page in PAGES.values()))


def _results(show: str, pages: str) -> str:
    return f"show {show[:16]} vectors {digest()} pages {hashlib.sha256(pages.encode()).hexdigest()}"


@pytest.mark.slow
def test_the_show_is_the_one_of_every_other_machine():
    """Of every processor, numpy, OpenEXR and Python: the digest is stored."""
    assert show_digest()[:16] == SHOW


# Processors that OpenBLAS can be told to assume, and what they need.
CORES = {"Nehalem": ["SSE42"], "Haswell": ["AVX2", "FMA3"], "Zen": ["AVX2", "FMA3"]}
PLACES = [
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TZ": "Pacific/Kiritimati"},
    {"TZ": "Pacific/Pago_Pago", "PYTHONHASHSEED": "7"},
]


def environments() -> list[dict[str, str]]:
    """Other processors, numpy without its newest instructions, and other places: one of each at a time.

    A result that depends on one of them differs in the environment that has it.
    """
    has = numpy_core.__cpu_features__
    cores = [{"OPENBLAS_CORETYPE": core} for core, needed in CORES.items() if all(map(has.get, needed))]
    found = [feature for feature in numpy_core.__cpu_dispatch__ if has.get(feature)]
    without = [{"NPY_DISABLE_CPU_FEATURES": " ".join(found[at:])} for at in range(len(found))]
    return [core | less | place for core, less, place in zip_longest(cores, without, PLACES, fillvalue={})]


@pytest.mark.slow
@pytest.mark.parametrize("environment", environments(), ids=lambda names: ", ".join(names.values()))
def test_another_environment_gives_the_same_results(environment):
    code = "from tests.test_portability import results; print(results())"
    paths = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"PYTHONPATH": paths} | environment,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    stored = "".join(path.read_text("utf-8") for path in PAGES)  # other tests find pages that are not up to date
    assert done.stdout.strip() == _results(SHOW, stored), platform.machine()
