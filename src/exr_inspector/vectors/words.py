"""Word lists that classify attribute names, and version numbers in texts."""

from __future__ import annotations

import re

from ..inspection.text import lower

COLOUR = frozenset(
    "aces chromaticities color colorspace colour colourspace gamut illuminant interop lut ocio primaries "
    "primary transform".split()
)
# Attributes whose text identifies the origin of a render.
ORIGIN = frozenset(
    "artist author cam camera clip comp entity file filename folder hip job level name owner path project reel scene "
    "scenename script seq sequence shot show task usd user".split()
)
SETTINGS = frozenset(
    "aa aperture bounce bounces clamp clip denoise denoiser depth error exposure far filter focal fstop gi iso kernel "
    "length lens level levels limit max min mode near quality radius rate resolution sample sampler samples shutter "
    "solver spp threshold total type variance width".split()
)

# Attribute prefixes of programs; values under them are more often settings than values under a studio's own prefixes.
PROGRAM_PREFIXES = frozenset(
    "arnold vrayinfo rs cycles husk karma unreal corona octane nuke input ri rman prman com moonray clarisse redshift "
    "renderman mantra exif oiio cryptomatte openexr".split()
)


_VERSION = re.compile(
    r"([A-Za-z]*)[\s:=,-]*(?<![A-Za-z0-9.])v?(\d+(?:\.\d+)+(?:v\d+)?|\d{2,4}(?![A-Za-z0-9]))", re.ASCII
)
_MAX_VERSIONS = 3


def versions_of(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """The version numbers in a text: the word before each, and its major, major.minor and full form.

    Versions with dots come first, as plain numbers can be years or word sizes.
    """
    versions = []
    for program, version in _VERSION.findall(text):
        numbers = version.split("v")[0].split(".")
        versions.append((lower(program), tuple(dict.fromkeys((numbers[0], ".".join(numbers[:2]), version)))))
    return sorted(versions, key=lambda item: len(item[1]) == 1)[:_MAX_VERSIONS]
