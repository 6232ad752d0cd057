"""Channel names in a common spelling: `diffuse.R`, `Diffuse.red` and `diffuse_R` give the same layer and component."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from ..exr import split_name
from ..inspection.text import DIGITS, lower, split_words

# Spellings of components.
_COMPONENTS = {
    "r": "R", "red": "R", "g": "G", "green": "G", "b": "B", "blue": "B", "a": "A", "alpha": "A",
    "x": "X", "y": "Y", "z": "Z", "w": "W", "u": "U", "v": "V", "ry": "RY", "by": "BY",
    "ar": "AR", "ag": "AG", "ab": "AB",
}  # fmt: skip
# Channel names without a layer that imply one.
_BARE_LAYERS = {"z": ("depth", "Z"), "zback": ("depthBack", "Z"), "depth": ("depth", "Z")}

# Words of layer names, and the common word for each.
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
# Words for the storage of a pass, not for its content.
_DROPPED = frozenset(
    "aov beauty c ci cessential cgeometry cmasking combined final finalimage image layer main movie pass queue render "
    "renderlayer rgb rgba rs view viewlayer vray vrayre pxr lpe element shadingelement movierenderqueue rawrgba "
    "left right".split()
)
# Words that compounds such as `indirectglossyreflection` and `coatdirect` consist of.
_COMPOUND_PARTS = sorted(
    "albedo background beauty caustics coat combined cryptomatte depth diffuse direct emission emissive filter "
    "glossy indirect lighting mask material motion normal object occlusion position raw reflection refraction "
    "shadow sheen specular sss subsurface transmission vector velocity volume world".split(),
    key=len,
    reverse=True,
)
_SHORTEST_COMPOUND, _MAX_REMNANT = 7, 3  # letters

_LAST_WORD = re.compile(r"(.+)[_ :]([A-Za-z]{1,5})")


class ChannelName(NamedTuple):
    """The layer and component of a channel; `layer` and `words` do not depend on the renderer's spelling."""

    layer: str  # the words joined; "" is the beauty layer
    words: tuple[str, ...]  # sorted
    raw_layer: str  # as written, in lower case
    component: str  # R G B A X Y Z …, or "" if the name has none


@lru_cache(maxsize=2048)
def channel_name(name: str, part_name: str, views: frozenset[str]) -> ChannelName:
    """Split a channel name. Without a layer, the part's name is the layer; words that are view names are dropped."""
    layer, component = _layer_and_component(name)
    layer = layer or part_name
    words = _common_words(layer, views)
    return ChannelName("+".join(words), words, lower(layer), component)


def _layer_and_component(name: str) -> tuple[str, str]:
    layer, last = split_name(name)
    component = _COMPONENTS.get(lower(last))
    if layer:
        return (layer, component) if component else (name, "")
    if lower(last) in _BARE_LAYERS:
        return _BARE_LAYERS[lower(last)]
    if component:
        return "", component
    match = _LAST_WORD.fullmatch(name)
    if match is not None and lower(match[2]) in _COMPONENTS:
        return match[1], _COMPONENTS[lower(match[2])]
    return name, ""


@lru_cache(maxsize=2048)
def _common_words(layer: str, views: frozenset[str]) -> tuple[str, ...]:
    view_words = {lower(view) for view in views}
    words: set[str] = set()
    for written in split_words(layer):
        if written in view_words:
            continue
        for part in _compound_parts(written):
            word = _SYNONYMS.get(part, part)
            if word[0] in DIGITS and len(word) < 3:
                word = "#"
            if word not in _DROPPED:
                words.add(word)
    return tuple(sorted(words))


def _compound_parts(word: str) -> list[str]:
    """The known words that a compound consists of; the word itself if more than three letters are left over."""
    if word in _SYNONYMS or word in _DROPPED or word in _COMPOUND_PARTS or len(word) < _SHORTEST_COMPOUND:
        return [word]
    rest, parts = word, []
    for part in _COMPOUND_PARTS:
        if part in rest:
            rest = rest.replace(part, " ", 1)
            parts.append(part)
    return parts if parts and len(rest.replace(" ", "")) <= _MAX_REMNANT else [word]
