"""Headers and pixels as OpenEXR and OpenImageIO read them, converted to this project's values."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy
import OpenEXR
import OpenImageIO

from exr_inspector.exr.attributes import Bytes, Chromaticities, KeyCode, Preview, Rational, TileDesc, TimeCode

# By the class of OpenEXR's value, the possible attribute types.
TYPES = {
    float: {"float"},
    int: {"int"},
    str: {"string"},
    Fraction: {"rational"},
    OpenEXR.Compression: {"compression"},
    OpenEXR.LineOrder: {"lineOrder"},
    OpenEXR.Envmap: {"envmap"},
    OpenEXR.Storage: {"string"},
    OpenEXR.PreviewImage: {"preview"},
    OpenEXR.TileDescription: {"tiledesc"},
    OpenEXR.TimeCode: {"timecode"},
    OpenEXR.KeyCode: {"keycode"},
    OpenEXR.Bytes: {"bytes"},
    list: {"chlist", "stringvector", "floatvector"},
    tuple: {"box2i", "box2f", "chromaticities"},
}
_LETTERS = {"int32": "i", "float32": "f", "float64": "d"}
ARRAYS = {((1,), "float64"): "double"}
for _dtype, _letter in _LETTERS.items():
    ARRAYS |= {((n,), _dtype): f"v{n}{_letter}" for n in (2, 3)}
    ARRAYS |= {((n, n), _dtype): f"m{n}{n}{_letter}" for n in (3, 4)}


def openexr_headers(path: Path) -> list[dict[str, Any]]:
    """The attributes of every part by name. Raises RuntimeError if the library rejects the file."""
    file = OpenEXR.File(str(path), header_only=True)
    return [file.header(index) for index in range(len(file.parts))]


def types_of(value: Any) -> set[str]:
    """The possible attribute types of a value of OpenEXR."""
    if isinstance(value, numpy.ndarray):
        return {ARRAYS[value.shape, str(value.dtype)]}
    if isinstance(value, OpenEXR.OpaqueAttribute):
        return {value.typeName}
    return TYPES[type(value)]


def plain(value: Any) -> Any:
    """A value of OpenEXR as numbers, texts, bytes and tuples."""
    match value:
        case numpy.ndarray():
            values = value.tolist()
            is_double = value.shape == (1,)
            return values[0] if is_double else _tuples(values)
        case OpenEXR.Channel():
            return (value.name, value.xSampling, value.ySampling, int(value.pLinear))
        case OpenEXR.Compression():
            return value.name.removesuffix("_COMPRESSION").replace("NO", "NONE")
        case OpenEXR.LineOrder() | OpenEXR.Envmap() | OpenEXR.Storage():
            return value.name
        case OpenEXR.PreviewImage():
            height, width = value.pixels.shape
            return (width, height, value.pixels.tobytes())
        case OpenEXR.TileDescription():
            return (value.xSize, value.ySize, value.mode.name, value.roundingMode.name)
        case OpenEXR.TimeCode():
            names = (
                "hours",
                "minutes",
                "seconds",
                "frame",
                "dropFrame",
                "colorFrame",
                "fieldPhase",
                "bgf0",
                "bgf1",
                "bgf2",
            )
            return tuple(int(getattr(value, name)) for name in names)
        case OpenEXR.KeyCode():
            return tuple(getattr(value, name) for name in KeyCode._fields)
        case OpenEXR.Bytes():
            return (value.type_hint, bytes(value.data))
        case OpenEXR.OpaqueAttribute():
            return bytes(value.data)
        case tuple() | list():
            return tuple(plain(item) for item in value)
    return value


def same_form(value: Any, raw: bytes) -> Any:
    """A value of this project in the form of `plain`."""
    match value:
        case None:
            return raw
        case Rational():
            return Fraction(value.numerator, value.denominator)
        case TimeCode():
            return tuple(int(field) for field in value[:10])
        case Chromaticities():
            return tuple(number for pair in value for number in pair)
        case Preview() | TileDesc() | KeyCode() | Bytes():
            return tuple(value)
        case tuple() if hasattr(value, "xMin"):
            return (value[:2], value[2:])
        case tuple() if value and hasattr(value[0], "channel_name"):
            return tuple((c.channel_name, c.x_sampling, c.y_sampling, c.p_linear) for c in value)
    return value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def openimageio_pixel_types(path: Path) -> list[dict[str, str]] | None:
    """The pixel type of each channel of every part; None if OpenImageIO rejects the file."""
    image = OpenImageIO.ImageInput.open(str(path))
    if image is None:
        OpenImageIO.geterror()
        return None
    found = []
    while image.seek_subimage(len(found), 0):
        spec = image.spec()
        formats = [str(f) for f in spec.channelformats] or [str(spec.format)] * spec.nchannels
        found.append(dict(zip(spec.channelnames, (f.upper() for f in formats), strict=True)))
    image.close()
    return found


def openexr_pixel_types(path: Path) -> list[dict[str, str]]:
    """The pixel type of each channel of every part from OpenEXR, which decodes the pixels for it."""
    file = OpenEXR.File(str(path), separate_channels=True)
    return [{name: channel.type().name for name, channel in part.channels.items()} for part in file.parts]


def opened(data: bytes) -> list[OpenEXR.Part]:
    """The parts as OpenEXR reads them, pixels decoded."""
    return list(OpenEXR.File(io.BytesIO(data), separate_channels=True).parts)


def image_levels(data: bytes, tmp_path: Path, name: str = "image.exr") -> list[tuple[int, int, int]]:
    """(subimage, width, height) of every image and level, after OpenImageIO has read all pixels."""
    path = tmp_path / name
    path.write_bytes(data)
    image = OpenImageIO.ImageInput.open(str(path))
    assert image, OpenImageIO.geterror()
    found, subimage, level = [], 0, 0
    while image.seek_subimage(subimage, level):
        while image.seek_subimage(subimage, level):
            spec = image.spec()
            deep_or_flat = image.read_native_deep_image if spec.deep else image.read_image
            arguments = (subimage, level) if spec.deep else (subimage, level, 0, spec.nchannels, "half")
            assert deep_or_flat(*arguments) is not None, image.geterror()
            found.append((subimage, spec.width, spec.height))
            level += 1
        subimage, level = subimage + 1, 0
    return found


def readable_lines(path: Path) -> dict[int, tuple[bytes, ...]]:
    """The scan lines of the first part that OpenEXR returns, each read by its own calls, with the pixels by channel."""
    try:
        file = OpenEXR.InputFile(str(path))
    except (OSError, RuntimeError):
        return {}
    window, channels = file.header()["dataWindow"], file.header()["channels"]
    lines = {}
    for y in range(window.min.y, window.max.y + 1):
        try:
            lines[y] = tuple(file.channel(name, channel.type, y, y) for name, channel in channels.items())
        except (OSError, RuntimeError):
            continue
    return lines
