"""A demo show to try the product on: sequences and single files with the defects of real shows (`DEFECTS`).

In comes a folder, out come EXR files in a studio's folder layout, with the same bytes on every machine. Headers follow
the conventions of the renderers and tools. Must not know anything of the project but the file format (`exr`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Defect:
    """One defect of the show."""

    path: str  # relative to the root, with forward slashes
    kind: str  # missing | truncated | incomplete | compression | not_exr


ARNOLD = "harbor/sq010/sh0010/lighting/beauty/v003/harbor_sq010_sh0010_beauty_v003"
VRAY = "harbor/sq010/sh0020/lighting/buoys/v012/harbor_sq010_sh0020_buoys_v012"
CYCLES = "harbor/sq020/sh0010/lighting/env/v001/harbor_sq020_sh0010_env_v001"
REFERENCE = "harbor/sq020/sh0020/reference/harbor_sq020_sh0020_reference_v001"

DEFECTS = (
    Defect(f"{ARNOLD}.1004.exr", "missing"),
    Defect(f"{ARNOLD}.1007.exr", "truncated"),
    Defect(f"{VRAY}.1006.exr", "compression"),
    Defect(f"{CYCLES}.1005.exr", "incomplete"),
    Defect(f"{REFERENCE}.exr", "not_exr"),
)


def make_show(root: Path) -> list[Path]:
    """Write the show below `root` and return the paths of its files, sorted. Takes about two seconds.

    Existing files of the same names are overwritten.
    """
    from .show import write_show  # imports numpy, which takes longer than most commands run

    return write_show(root)
