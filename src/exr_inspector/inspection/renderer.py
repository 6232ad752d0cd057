"""Which renderer wrote a part, told by its attributes; never by the names of its channels.

Renderers stamp attributes of their own, most under a prefix. Behind a compositor or converter the renderer's stamps
are often still there: so renderers are looked for first, then what people named in text, then compositors, then
cameras.

Sources: the users' guides of Redshift ("EXR Metadata"), Corona ("Corona EXR format") and MoonRay ("EXR Header
Metadata"); headers of Arnold, V-Ray, Karma, Cycles, Unreal, Nuke and ARRI files that people published.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from ..exr import Attribute

_VALUE_CHARACTERS = 120
_SEARCHED_CHARACTERS = 64 << 10


class RendererEvidence(NamedTuple):
    """A renderer, and the attribute that tells it; a long value is cut."""

    renderer: str
    attr_name: str
    value: str


class _Rule(NamedTuple):
    renderer: str  # "" means: as the value says
    names: re.Pattern[str]
    values: re.Pattern[str] | None = None


def _named(renderer: str, names: str) -> _Rule:
    return _Rule(renderer, re.compile(names))


_TEXT_NAMES = r"(?i)(.*[/:.])?(software|creator|renderer|render_?engine|generator|generatedby|dcc|program)"


def _said(renderer: str, words: str, names: str = _TEXT_NAMES) -> _Rule:
    return _Rule(renderer, re.compile(names), re.compile(rf"(?i)(?<![a-z])(?:{words})(?![a-z])", re.ASCII))


_HUSK = r"husk:command"

# The first rule that an attribute meets wins.
_RULES = (
    _named("Arnold", r"arnold/version"),
    _named("Arnold", r"arnold/.*"),
    _named("Corona", r"corona\..*"),  # before V-Ray: both write the layers of Chaos' frame buffer
    _named("V-Ray", r"vrayInfo/vrayversion"),
    _named("V-Ray", r"vrayInfo/.*"),
    _named("V-Ray", r"vfb2_layers_json"),
    _named("Redshift", r"rs/version"),
    _named("Redshift", r"rs/.*"),
    _named("Cycles", r"cycles\..*"),
    _named("Unreal Engine", r"unreal/.*"),
    _named("Octane", r"octane/.*"),
    _named("MoonRay", r"resumeHistory|adaptiveSamplingV1|progressCheckpointTileSamples"),
    _Rule("RenderMan", re.compile("integrator"), re.compile(r"Pxr\w+", re.ASCII)),
    _named("RenderMan", r"ri:.*"),
    _said("RenderMan", r"RenderMan|prman|rfm|rfh|rfk"),
    # husk drives any Hydra delegate; Karma is its own.
    _said("RenderMan", r"HdPrman\w*", _HUSK),
    _said("Arnold", r"HdArnold\w*", _HUSK),
    _said("Redshift", r"HdRedshift\w*", _HUSK),
    _said("V-Ray", r"HdVRay\w*", _HUSK),
    _said("Storm", r"HdStorm\w*", _HUSK),
    _named("Karma", r"husk:.*"),
    _said("Arnold", r"Arnold|MtoA|HtoA|C4DtoA|KtoA"),
    _said("V-Ray", r"V-?Ray"),
    _said("Redshift", r"Redshift"),
    _said("Karma", r"Karma"),
    _said("Mantra", r"Mantra"),
    _said("Cycles", r"Cycles"),
    _said("Octane", r"Octane(?:Render)?"),
    _said("Corona", r"Corona"),
    _said("Unreal Engine", r"Unreal(?:Engine)?"),
    _said("MoonRay", r"MoonRay"),
    _said("Clarisse", r"Clarisse"),
    _said("Guerilla", r"Guerilla"),
    _said("3Delight", r"3Delight"),
    _said("Maxwell", r"Maxwell"),
    _said("LuxCoreRender", r"LuxCore(?:Render)?"),
    _said("appleseed", r"appleseed"),
    _said("Mitsuba", r"Mitsuba"),
    _said("pbrt", r"pbrt"),
    # Programs that render with more than one renderer, when none of those is named.
    _named("Blender", r"BlenderMultiChannel"),
    _said("Blender", r"Blender"),
    _named("Houdini", r"space:world"),
    _said("Houdini", r"Houdini"),
    _said("Katana", r"Katana"),
    _said("Maya", r"Maya"),
    _said("3ds Max", r"3ds ?Max"),
    _said("Cinema 4D", r"Cinema ?4D"),
    # Compositors.
    _named("Nuke", r"nuke/version"),
    _named("Nuke", r"nuke/.*"),
    _said("Nuke", r"Nuke[XS]?"),
    _said("Fusion", r"Fusion"),
    _said("Flame", r"Flame"),
    _said("Natron", r"Natron"),
    _said("After Effects", r"After ?Effects"),
    # Cameras, through a converter.
    _named("ARRI camera", r"com\.arri\.camera\..*"),
    _said("ARRI camera", r"ARRI|Alexa", r"cameraM(ake|odel)|cameraIdentifier"),
    _said("RED camera", r"RED|Red Digital Cinema", r"cameraMake"),
    _said("RED camera", r"DSMC2?|V-?Raptor|Komodo|Red Epic|Red One", r"cameraModel"),
    _said("Sony camera", r"Sony", r"cameraM(ake|odel)"),
    _said("Canon camera", r"Canon", r"cameraM(ake|odel)"),
    _said("Blackmagic camera", r"Blackmagic\w*", r"cameraM(ake|odel)"),
    _said("Panasonic camera", r"Panasonic", r"cameraM(ake|odel)"),
    _said("Nikon camera", r"Nikon", r"cameraM(ake|odel)"),
    _Rule("", re.compile("cameraMake"), re.compile(r"\S")),
)


@lru_cache(maxsize=4096)
def _rules_for(attr_name: str) -> tuple[int, ...]:
    """The numbers of the rules that an attribute's name meets."""
    return tuple(number for number, rule in enumerate(_RULES) if rule.names.fullmatch(attr_name))


def _text(attribute: Attribute) -> str:
    """What an attribute says, as far as it is searched: names of programs do not stand behind long texts."""
    if attribute.attr_type != "string" and attribute.size_bytes > _SEARCHED_CHARACTERS:
        return ""
    value = attribute.value
    return "" if value is None else str(value)[:_SEARCHED_CHARACTERS]


def renderer(attributes: Iterable[Attribute]) -> RendererEvidence | None:
    """The renderer, or else the program or camera, that the attributes of a part name; None when they name none.

    The order of the attributes does not matter.
    """
    best: tuple[int, str, str] | None = None
    for attribute in attributes:
        for number in _rules_for(attribute.attr_name):
            text = _text(attribute)
            wanted = _RULES[number].values
            if wanted is None or wanted.search(text):
                found = (number, attribute.attr_name, text)
                best = found if best is None else min(best, found)
                break
    if best is None:
        return None
    number, name, text = best
    told = _RULES[number].renderer or f"{text.strip()[:_VALUE_CHARACTERS]} camera"
    return RendererEvidence(told, name, text if len(text) <= _VALUE_CHARACTERS else text[:_VALUE_CHARACTERS] + "…")
