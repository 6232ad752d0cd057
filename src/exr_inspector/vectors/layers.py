"""What a channel's name says, whatever its spelling: `diffuse.R`, `Diffuse.red` and `diffuse_R` are one."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from ..exr import split_name
from .words import DIGITS, lower, words_of

# How renderers spell the components of a channel.
_COMPONENTS = {
    "r": "R", "red": "R", "g": "G", "green": "G", "b": "B", "blue": "B", "a": "A", "alpha": "A",
    "x": "X", "y": "Y", "z": "Z", "w": "W", "u": "U", "v": "V", "ry": "RY", "by": "BY",
    "ar": "AR", "ag": "AG", "ab": "AB",
}  # fmt: skip
# Bare names that are a layer of their own.
_BARE_LAYERS = {"z": ("depth", "Z"), "zback": ("depthBack", "Z"), "depth": ("depth", "Z")}

# Words that mean the same, and words that are cut into those.
_SYNONYMS = {
    "diff": "diffuse", "dif": "diffuse", "spec": "specular", "gloss": "specular", "glossy": "specular",
    "refl": "reflection", "reflect": "reflection", "reflections": "reflection", "refr": "refraction",
    "refract": "refraction", "refractions": "refraction", "transmission": "refraction", "trans": "refraction",
    "transmit": "refraction", "transmissive": "refraction",
    "dir": "direct", "ind": "indirect", "col": "albedo", "filter": "albedo", "basecolor": "albedo", "base": "albedo",
    "emit": "emission", "emissive": "emission", "selfillum": "emission", "selfillumination": "emission",
    "incandescence": "emission", "illum": "emission", "luminance": "emission",
    "env": "background", "environment": "background", "bg": "background", "backdrop": "background",
    "z": "depth", "zdepth": "depth", "worlddepth": "depth", "n": "normal", "nn": "normal", "normals": "normal",
    "norm": "normal", "nworld": "normal", "shadingnormal": "normal", "p": "position", "pos": "position",
    "pworld": "position", "pref": "reference", "points": "position", "worldposition": "position",
    "mv": "motion", "vector": "motion", "vectors": "motion", "velocity": "motion", "motionvector": "motion",
    "motionvectors": "motion", "forward": "motion", "dpdtime": "motion", "speed": "motion",
    "subsurface": "sss", "subsurfacescatter": "sss", "scatter": "sss", "scattering": "sss",
    "crypto": "cryptomatte", "occlusion": "ao", "ambientocclusion": "ao", "ambient": "ao",
    "sheen": "sheen", "clearcoat": "coat", "varnish": "coat", "vol": "volume", "volumetric": "volume",
    "volumetrics": "volume", "fog": "volume", "atmosphere": "volume", "atmospheric": "volume", "lit": "lighting",
    "light": "lighting", "lights": "lighting", "illumination": "lighting", "shadows": "shadow", "caustic": "caustics",
    "globalillumination": "gi", "uvs": "uv", "st": "uv", "texcoord": "uv", "obj": "object", "objectid": "object",
    "mtl": "material", "mat": "material", "materials": "material", "ma": "material", "ob": "object",
    "matte": "mask", "multimatte": "mask", "puzzlematte": "mask", "holdout": "mask", "stencil": "mask",
    "samplecount": "samples", "cputime": "cost", "heat": "cost",
}  # fmt: skip
# Carriers: where a pass is kept, not what it shows.
_CARRIERS = frozenset(
    "aov beauty c ci cessential cgeometry cmasking combined final finalimage image layer main movie pass queue render "
    "renderlayer rgb rgba rs view viewlayer vray vrayre pxr lpe element shadingelement movierenderqueue rawrgba "
    "left right".split()
)
# What runs of small letters are made of: `indirectglossyreflection`, `coatdirect`.
_PARTS = sorted(
    "albedo background beauty caustics coat combined cryptomatte depth diffuse direct emission emissive filter "
    "glossy indirect lighting mask material motion normal object occlusion position raw reflection refraction "
    "shadow sheen specular sss subsurface transmission vector velocity volume world".split(),
    key=len,
    reverse=True,
)
_LONGEST_REMNANT = 3

_LAST_PIECE = re.compile(r"(.+)[_ :]([A-Za-z]{1,5})")


class ChannelName(NamedTuple):
    """A channel's name taken apart; `words` are sorted and mean the same for every renderer."""

    layer: str  # the words in one text; "" is the picture itself
    words: tuple[str, ...]
    raw_layer: str  # as written, in lower case
    component: str  # R G B A X Y Z … or "" where the name has none


@lru_cache(maxsize=16384)
def channel_name(name: str, part_name: str, views: frozenset[str]) -> ChannelName:
    """A channel's name taken apart. A part's name is the layer of channels that name none; `views` are no layers."""
    layer, component = _layer_and_component(name)
    layer = layer or part_name
    words = _words(layer, views)
    return ChannelName("+".join(words), words, lower(layer), component)


def _layer_and_component(name: str) -> tuple[str, str]:
    layer, last = split_name(name)
    known = _COMPONENTS.get(lower(last))
    if layer:
        return (layer, known) if known else (name, "")
    if lower(last) in _BARE_LAYERS:
        return _BARE_LAYERS[lower(last)]
    if known:
        return "", known
    found = _LAST_PIECE.fullmatch(name)
    if found is not None and lower(found[2]) in _COMPONENTS:
        return found[1], _COMPONENTS[lower(found[2])]
    return name, ""


@lru_cache(maxsize=16384)
def _words(layer: str, views: frozenset[str]) -> tuple[str, ...]:
    found: set[str] = set()
    lowered = {lower(view) for view in views}
    for word in words_of(layer):
        if word in lowered:
            continue
        for piece in _pieces(word):
            meant = _SYNONYMS.get(piece, piece)
            if meant[0] in DIGITS:
                meant = "#" if len(meant) < 3 else meant
            if meant not in _CARRIERS:
                found.add(meant)
    return tuple(sorted(found))


def _pieces(word: str) -> list[str]:
    """A run of letters as the known words that it is made of; itself where they leave more than three letters."""
    if word in _SYNONYMS or word in _CARRIERS or word in _PARTS or len(word) < 7:
        return [word]
    rest, pieces = word, []
    for part in _PARTS:
        if part in rest:
            rest = rest.replace(part, " ", 1)
            pieces.append(part)
    left = rest.replace(" ", "")
    return pieces if pieces and len(left) <= _LONGEST_REMNANT else [word]
