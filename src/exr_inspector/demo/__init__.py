"""A small show with everything that goes wrong on a real one, to try the product on.

In comes a folder, out come EXR files in a studio's layout; the same bytes on every machine. Four sequences
and six single files follow the header conventions of the tools that they pretend to come from; five
things are wrong with them (`DEFECTS`). Knows nothing of the rest of the project but the file format.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing that is wrong with the show."""

    path: str  # below the root, with forward slashes
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
    """Write the show below `root` and return the files' paths, sorted; takes about two seconds.

    Files of the same name are overwritten.
    """
    from .show import write_show  # numpy takes longer to import than most commands do in all

    return write_show(root)
