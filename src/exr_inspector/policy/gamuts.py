"""The gamuts that files name, by their chromaticities, and the names of color spaces."""

from __future__ import annotations

import re
from functools import lru_cache
from math import isfinite

from ..exr.attributes import Chromaticities
from ..inspection.model import PartFacts

_D65 = (0.3127, 0.329)
_ACES_WHITE = (0.32168, 0.33767)
GAMUTS = {
    "AP0": Chromaticities((0.7347, 0.2653), (0.0, 1.0), (0.0001, -0.077), _ACES_WHITE),
    "AP1": Chromaticities((0.713, 0.293), (0.165, 0.83), (0.128, 0.044), _ACES_WHITE),
    "Rec.709": Chromaticities((0.64, 0.33), (0.3, 0.6), (0.15, 0.06), _D65),
    "P3-D65": Chromaticities((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), _D65),
    "Rec.2020": Chromaticities((0.708, 0.292), (0.17, 0.797), (0.131, 0.046), _D65),
}
_IN_IDS = {"ap0": "AP0", "ap1": "AP1", "rec709": "Rec.709", "p3d65": "P3-D65", "rec2020": "Rec.2020"}
_TOLERANCE = 1e-4
INTEROP_ID = re.compile(r"(?P<encoding>[a-z0-9]+)_(?P<gamut>[a-z0-9]+)_(?P<state>scene|display)")


def chromaticities_of(part: PartFacts) -> Chromaticities | None:
    """The chromaticities of a part, if the attribute has that type."""
    value = part.get("chromaticities")
    return value if isinstance(value, Chromaticities) else None


@lru_cache(maxsize=256)
def gamut_of(given: Chromaticities) -> str | None:
    """The name of the gamut with these primaries and this white point."""
    for name, gamut in GAMUTS.items():
        if all(
            abs(value - known) <= _TOLERANCE
            for point, known_point in zip(given, gamut, strict=True)
            for value, known in zip(point, known_point, strict=True)
        ):
            return name
    return None


@lru_cache(maxsize=256)
def gamut_of_id(color_space: str) -> str | None:
    """The gamut that a color interop id names, as `lin_ap1_scene`; None for other names."""
    match = INTEROP_ID.fullmatch(color_space)
    return _IN_IDS.get(match["gamut"]) if match else None


@lru_cache(maxsize=256)
def is_degenerate(given: Chromaticities) -> bool:
    """Whether the primaries span no area, or the white point is invalid."""
    (rx, ry), (gx, gy), (bx, by), (_, white_y) = given
    if not all(isfinite(value) for point in given for value in point):
        return True
    area = abs((gx - rx) * (by - ry) - (bx - rx) * (gy - ry)) / 2
    return area < 1e-6 or white_y <= 0
