"""The renderer that wrote a part, detected from its attributes, never from channel names.

Renderers write attributes of their own, most under a prefix, and compositors and converters often keep them. So rules
for renderers come first, then programs that render with several renderers, then compositors, then cameras.

Sources: the users' guides of Redshift ("EXR Metadata"), Corona ("Corona EXR format") and MoonRay ("EXR Header
Metadata"); headers of Arnold, V-Ray, Karma, Cycles, Unreal, Nuke and ARRI files published by their users.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from ..exr import Attribute
from ..exr.cache import Cache
from .value_text import shortened

_MAX_VALUE_CHARACTERS = 120
_MAX_SEARCHED_CHARACTERS = 64 << 10


class RendererEvidence(NamedTuple):
    """A renderer, and the attribute that it was detected from; a long value is truncated."""

    renderer: str
    attr_name: str
    value: str


class _Rule(NamedTuple):
    renderer: str  # {} stands for the group of the values' match
    names: re.Pattern[str]
    values: re.Pattern[str] | None = None


def _by_name(renderer: str, names: str) -> _Rule:
    return _Rule(renderer, re.compile(names))


_TEXT_NAMES = r"(?i)(.*[/:.])?(software|creator|renderer|render_?engine|generator|generatedby|dcc|program)"


def _in_text(renderer: str, words: str, names: str = _TEXT_NAMES) -> _Rule:
    return _Rule(renderer, re.compile(names), re.compile(rf"(?i)(?<![a-z])(?:{words})(?![a-z])", re.ASCII))


_HUSK = r"husk:command"
_DELEGATE = re.compile(
    r"(?<!\S)(?:-R\s*|--renderer[\s=]+)[\"']?Hd(?!Karma)(\w+?)(?:Loader)?(?:RendererPlugin|Plugin)?(?!\w)", re.ASCII
)

# The first rule that matches wins.
_RULES = (
    _by_name("Arnold", r"arnold/version"),
    _by_name("Arnold", r"arnold/.*"),
    _by_name("Corona", r"corona\..*"),  # before V-Ray: both write vfb2_layers_json
    _by_name("V-Ray", r"vrayInfo/vrayversion"),
    _by_name("V-Ray", r"vrayInfo/.*"),
    _by_name("V-Ray", r"vfb2_layers_json"),
    _by_name("Redshift", r"rs/version"),
    _by_name("Redshift", r"rs/.*"),
    _by_name("Cycles", r"cycles\..*"),
    _by_name("Unreal Engine", r"unreal/.*"),
    _by_name("Octane", r"octane/.*"),
    _by_name("MoonRay", r"resumeHistory|adaptiveSamplingV1|progressCheckpointTileSamples"),
    _Rule("RenderMan", re.compile("integrator"), re.compile(r"Pxr\w+", re.ASCII)),
    _by_name("RenderMan", r"ri:.*"),
    _in_text("RenderMan", r"RenderMan|prman|rfm|rfh|rfk"),
    # husk runs any Hydra delegate; Karma is the default. Delegates without a rule give their name.
    _in_text("RenderMan", r"HdPrman\w*", _HUSK),
    _in_text("Arnold", r"HdArnold\w*", _HUSK),
    _in_text("Redshift", r"HdRedshift\w*", _HUSK),
    _in_text("V-Ray", r"HdVRay\w*", _HUSK),
    _in_text("Storm", r"HdStorm\w*", _HUSK),
    _in_text("MoonRay", r"HdMoonray\w*", _HUSK),
    _in_text("Cycles", r"HdCycles\w*", _HUSK),
    _in_text("Embree", r"HdEmbree\w*", _HUSK),
    _in_text("Octane", r"HdOctane\w*", _HUSK),
    _Rule("{}", re.compile(_HUSK), _DELEGATE),
    _by_name("Karma", r"husk:.*"),
    _in_text("Arnold", r"Arnold|MtoA|HtoA|C4DtoA|KtoA"),
    _in_text("V-Ray", r"V-?Ray"),
    _in_text("Redshift", r"Redshift"),
    _in_text("Karma", r"Karma"),
    _in_text("Mantra", r"Mantra"),
    _in_text("Cycles", r"Cycles"),
    _in_text("Octane", r"Octane(?:Render)?"),
    _in_text("Corona", r"Corona"),
    _in_text("Unreal Engine", r"Unreal(?:Engine)?"),
    _in_text("MoonRay", r"MoonRay"),
    _in_text("Clarisse", r"Clarisse"),
    _in_text("Guerilla", r"Guerilla"),
    _in_text("3Delight", r"3Delight"),
    _in_text("Maxwell", r"Maxwell"),
    _in_text("LuxCoreRender", r"LuxCore(?:Render)?"),
    _in_text("appleseed", r"appleseed"),
    _in_text("Mitsuba", r"Mitsuba"),
    _in_text("pbrt", r"pbrt"),
    # Programs that render with several renderers.
    _by_name("Blender", r"BlenderMultiChannel"),
    _in_text("Blender", r"Blender"),
    _by_name("Houdini", r"space:world"),
    _in_text("Houdini", r"Houdini"),
    _in_text("Katana", r"Katana"),
    _in_text("Maya", r"Maya"),
    _in_text("3ds Max", r"3ds ?Max"),
    _in_text("Cinema 4D", r"Cinema ?4D"),
    # Compositors.
    _by_name("Nuke", r"nuke/version"),
    _by_name("Nuke", r"nuke/.*"),
    _in_text("Nuke", r"Nuke[XS]?"),
    _in_text("Fusion", r"Fusion"),
    _in_text("Flame", r"Flame"),
    _in_text("Natron", r"Natron"),
    _in_text("After Effects", r"After ?Effects"),
    # Cameras; a converter wrote the file.
    _by_name("ARRI camera", r"com\.arri\.camera\..*"),
    _in_text("ARRI camera", r"ARRI|Alexa", r"cameraM(ake|odel)|cameraIdentifier"),
    _in_text("RED camera", r"RED|Red Digital Cinema", r"cameraMake"),
    _in_text("RED camera", r"DSMC2?|V-?Raptor|Komodo|Red Epic|Red One", r"cameraModel"),
    _in_text("Sony camera", r"Sony", r"cameraM(ake|odel)"),
    _in_text("Canon camera", r"Canon", r"cameraM(ake|odel)"),
    _in_text("Blackmagic camera", r"Blackmagic\w*", r"cameraM(ake|odel)"),
    _in_text("Panasonic camera", r"Panasonic", r"cameraM(ake|odel)"),
    _in_text("Nikon camera", r"Nikon", r"cameraM(ake|odel)"),
    _Rule("{} camera", re.compile("cameraMake"), re.compile(r"(\S.*)", re.DOTALL)),
)


@lru_cache(maxsize=2048)
def _rules_for(attr_name: str) -> tuple[int, ...]:
    """The indices of the rules that match an attribute's name."""
    return tuple(number for number, rule in enumerate(_RULES) if rule.names.fullmatch(attr_name))


# The names that rules match, by the names of all attributes of a part: frames of a sequence have the same ones.
_CANDIDATES: Cache[tuple[str, ...], list[tuple[int, str, int]]] = Cache(
    2 << 20, lambda names, matching: 256 + sum(64 + len(name) for name in names) + 100 * len(matching)
)


def _candidates(names: tuple[str, ...]) -> list[tuple[int, str, int]]:
    """The names that rules match, each with the first rule and the position in `names`; the best rule first."""
    candidates = _CANDIDATES.get(names)
    if candidates is None:
        matching = ((_rules_for(name), name, position) for position, name in enumerate(names))
        candidates = sorted((rules[0], name, position) for rules, name, position in matching if rules)
        _CANDIDATES.put(names, candidates)
    return candidates


def _text(attribute: Attribute) -> str:
    """The value as text, at most the characters to be searched."""
    if attribute.attr_type != "string" and attribute.size_bytes > _MAX_SEARCHED_CHARACTERS:
        return ""
    value = attribute.value
    return "" if value is None else str(value)[:_MAX_SEARCHED_CHARACTERS]


def renderer(attributes: Iterable[Attribute]) -> RendererEvidence | None:
    """The renderer that the attributes of a part name, or else the program or camera; None if they name none of these.

    The order of the attributes does not matter.
    """
    attributes = tuple(attributes)
    best: tuple[int, str, str] | None = None
    for first, attr_name, position in _candidates(tuple([attribute.attr_name for attribute in attributes])):
        if best is not None and (first, attr_name) > best[:2]:
            break
        text = _text(attributes[position])
        for index in _rules_for(attr_name):
            values = _RULES[index].values
            if values is None or values.search(text):
                match = (index, attr_name, text)
                best = match if best is None else min(best, match)
                break
    if best is None:
        return None
    index, attr_name, text = best
    rule = _RULES[index]
    named = rule.values.search(text) if rule.values is not None and "{}" in rule.renderer else None
    name = rule.renderer if named is None else rule.renderer.format(named[1][:_MAX_VALUE_CHARACTERS].strip())
    value = shortened(text, _MAX_VALUE_CHARACTERS)
    return RendererEvidence(name, attr_name, value)
