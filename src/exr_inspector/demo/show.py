"""The files of the show: their paths, frames and contents."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from ..exr.attributes import Box2i
from ..exr.writer import NewPart, Values, file_bytes
from . import ARNOLD, CYCLES, DEFECTS, REFERENCE, VRAY, Defect, cryptomatte, damage, headers
from .packing import Plane, deep_part, scanline_part, tiled_part
from .scene import BUOYS, Render, bounds, render
from .texture import texture

PLATE = "harbor/sq010/sh0010/plates/bg01/v001/harbor_sq010_sh0010_bg01_v001"
STEREO = "harbor/sq010/sh0010/comp/stereo/v002/harbor_sq010_sh0010_stereo_v002"
KARMA = "harbor/sq010/sh0020/fx/spray/v002/harbor_sq010_sh0020_spray_v002"
DEEP = "harbor/sq020/sh0010/fx/fog/v001/harbor_sq020_sh0010_fog_deep_v001"
PREVIS = "harbor/sq020/sh0020/layout/previs/v004/harbor_sq020_sh0020_previs_v004"
TEXTURE = "harbor/assets/buoy/textures/v002/buoy_basecolor_v002"

FRAME = Box2i(0, 0, 239, 134)
Channels = dict[str, Plane]


def write_show(root: Path) -> list[Path]:
    """Write all files of the show below `root` and return their paths, sorted."""
    files = {f"{stem}.{frame}.exr": (make, frame) for stem, frames, make in SHOTS for frame in frames}
    defects = {defect.path: defect.kind for defect in DEFECTS}
    paths: list[Path] = []
    for name, (make, frame) in files.items():
        kind = defects.get(name, "")
        if kind != "missing":
            data = file_bytes(make(frame))
            paths.append(_write(root / name, DAMAGES[kind](data) if kind in DAMAGES else data))
    paths.append(_write(root / f"{TEXTURE}.exr", file_bytes([texture()])))
    paths.append(_write(root / f"{REFERENCE}.exr", damage.png()))
    return sorted(paths)


def _write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _half(plane: Plane) -> Plane:
    return plane.astype("<f4").astype("<f2")  # in two steps, as some processors cannot convert directly


def _float(plane: Plane) -> Plane:
    return plane.astype("<f4")


def _layer(prefix: str, plane: Plane, components: str = "RGB", convert: Callable[[Plane], Plane] = _half) -> Channels:
    """Channels by name from a plane with three components."""
    return {f"{prefix}{c}": convert(plane[..., i]) for i, c in enumerate(components)}


def _scanlines(header: Values, channels: Channels, compression: str, window: Box2i = FRAME) -> NewPart:
    return scanline_part(header, channels, window, FRAME, compression)


def _arnold(frame: int) -> list[NewPart]:
    """Tiles, many layers, Cryptomatte."""
    image = render(FRAME, frame)
    header = {
        **headers.arnold(frame, ("RGBA", "diffuse", "specular", "N", "P", "Z", "RGBA_key", "crypto_object")),
        **cryptomatte.attributes("CryptoObject", [buoy.name for buoy in BUOYS]),
        "type": "tiledimage",
    }
    channels = {
        **_layer("", image.beauty),
        "A": _half(image.alpha),
        **_layer("diffuse.", image.diffuse),
        **_layer("specular.", image.specular),
        **_layer("RGBA_key.", image.beauty * 0.8),
        **_layer("N.", image.normal, "XYZ"),
        **_layer("P.", image.position, "XYZ", _float),
        "Z": _float(image.depth),
        **_cryptomatte_channels(image),
    }
    return [tiled_part(header, [channels], 64, "ZIP", "RANDOM_Y")]


def _cryptomatte_channels(image: Render) -> Channels:
    """Rank 0 has the visible buoy, the other ranks are empty. Always FLOAT, as ids are bit patterns."""
    ids = np.array([*(cryptomatte.id_float(buoy.name) for buoy in BUOYS), 0], "<f4")
    empty = _float(np.zeros_like(image.alpha))
    channels: Channels = {f"CryptoObject{rank:02}.{c}": empty for rank in (0, 1, 2) for c in "RGBA"}
    return channels | {"CryptoObject00.R": ids[image.owner], "CryptoObject00.G": _float(image.alpha)}


def _vray(frame: int) -> list[NewPart]:
    """The data window cropped to the buoys; one frame has another compression."""
    is_outlier = Defect(f"{VRAY}.{frame}.exr", "compression") in DEFECTS
    window = bounds(render(FRAME, frame), FRAME)
    image = render(window, frame)
    channels = {
        **_layer("", image.beauty),
        "A": _half(image.alpha),
        **_layer("diffuse.", image.diffuse),
        **_layer("reflect.", image.specular),
        **_layer("velocity.", np.zeros_like(image.normal), "XYZ"),
        "zDepth": _float(image.depth),
    }
    return [_scanlines(headers.vray(frame, 240, 135), channels, "DWAA" if is_outlier else "ZIPS", window)]


def _cycles(frame: int) -> list[NewPart]:
    """One view layer with its passes."""
    image = render(FRAME, frame)
    channels = {
        **_layer("ViewLayer.Combined.", image.beauty),
        "ViewLayer.Combined.A": _half(image.alpha),
        **_layer("ViewLayer.DiffDir.", image.diffuse),
        **_layer("ViewLayer.GlossDir.", image.specular),
        **_layer("ViewLayer.Normal.", image.normal, "XYZ"),
        "ViewLayer.Depth.Z": _float(image.depth),
        "ViewLayer.IndexOB.X": _float(image.owner + 1),
    }
    return [_scanlines(headers.cycles(frame), channels, "ZIP")]


def _plate(frame: int) -> list[NewPart]:
    """A camera plate with time code."""
    return [_scanlines(headers.camera(frame), _layer("", render(FRAME, frame).beauty + 0.1875), "PXR24")]


def _stereo(frame: int) -> list[NewPart]:
    """Both views in one file, one part each."""
    parts = []
    for view, eye in (("left", -2.0), ("right", 2.0)):
        image = render(FRAME, frame, eye)
        channels = {**_layer("", image.beauty), "A": _half(image.alpha), "depth.Z": _float(image.depth)}
        parts.append(_scanlines({"name": f"rgba.{view}", "view": view, **headers.nuke(frame)}, channels, "ZIPS"))
    return parts


def _karma(frame: int) -> list[NewPart]:
    """One part for each render variable."""
    image = render(FRAME, frame)
    variables: dict[str, Channels] = {
        "C": {**_layer("", image.beauty), "A": _half(image.alpha)},
        "directdiffuse": _layer("directdiffuse.", image.diffuse),
        "N": _layer("N.", image.normal, "xyz"),
        "depth": {"depth.Z": _float(image.depth)},
    }
    header = headers.karma(frame)
    return [_scanlines({"name": name, **header}, channels, "ZIP") for name, channels in variables.items()]


def _deep(frame: int) -> list[NewPart]:
    """Fog in front of the buoys: zero to two samples in a pixel."""
    window = Box2i(0, 0, 119, 66)
    image = render(window, frame)
    fog = [(4.0, 0.25)]
    pixels = [
        [
            (fog if y > 20 else []) + ([(depth, 1.0)] if alpha else [])
            for depth, alpha in zip(depths, alphas, strict=True)
        ]
        for y, (depths, alphas) in enumerate(zip(image.depth.tolist(), image.alpha.tolist(), strict=True))
    ]
    samples = {
        name: [[[sample[at] for sample in pixel] for pixel in line] for line in pixels]
        for at, name in enumerate(("Z", "A"))
    }
    return [deep_part(headers.karma(frame), samples, window)]


def _previs(frame: int) -> list[NewPart]:
    """Overscan: a tenth on each side beyond the display window."""
    window = Box2i(-24, -14, 263, 148)
    image = render(window, frame)
    channels = {
        **_layer("", image.beauty),
        "A": _half(image.alpha),
        # All channels of Unreal are HALF: the background has the largest HALF number.
        "FinalImageMovieRenderQueue_WorldDepth.R": _half(np.minimum(image.depth, 65504)),
    }
    return [_scanlines(headers.unreal(frame), channels, "ZIP", window)]


SHOTS: tuple[tuple[str, Iterable[int], Callable[[int], list[NewPart]]], ...] = (
    (ARNOLD, range(1001, 1011), _arnold),
    (VRAY, range(1001, 1009), _vray),
    (CYCLES, range(1001, 1009), _cycles),
    (PLATE, range(1001, 1005), _plate),
    (STEREO, (1001,), _stereo),
    (KARMA, (1001,), _karma),
    (DEEP, (1001,), _deep),
    (PREVIS, (1001,), _previs),
)
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": damage.truncate,
    "incomplete": lambda data: damage.interrupt(data, written=5),
}
