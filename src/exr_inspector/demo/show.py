"""The show itself: which files there are, where they lie and what is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR

from exr_inspector.demo import ARNOLD, CYCLES, DEFECTS, REFERENCE, VRAY, Defect, cryptomatte, damage, headers
from exr_inspector.demo.scene import BUOYS, Plane, Render, Window, bounds, render
from exr_inspector.demo.texture import encode_texture

PLATE = "harbor/sq010/sh0010/plates/bg01/v001/harbor_sq010_sh0010_bg01_v001"
STEREO = "harbor/sq010/sh0010/comp/stereo/v002/harbor_sq010_sh0010_stereo_v002"
KARMA = "harbor/sq010/sh0020/fx/spray/v002/harbor_sq010_sh0020_spray_v002"
DEEP = "harbor/sq020/sh0010/fx/fog/v001/harbor_sq020_sh0010_fog_deep_v001"
PREVIS = "harbor/sq020/sh0020/layout/previs/v004/harbor_sq020_sh0020_previs_v004"
TEXTURE = "harbor/assets/buoy/textures/v002/buoy_basecolor_v002"

FRAME: Window = (0, 0, 239, 134)
Channels = dict[str, Any]  # numpy arrays: of numbers, or of arrays where the pixels are deep


def write_show(root: Path) -> list[Path]:
    """Write all files of the show below `root`; their paths, sorted."""
    missing = {defect.path for defect in DEFECTS if defect.kind == "missing"}
    paths: list[Path] = []
    for stem, frames, write in SHOTS:
        for frame in frames:
            name = f"{stem}.{frame}.exr"
            if name not in missing:
                paths.append(_folder_made(root / name))
                write(paths[-1], frame)
    for stem, encode in STILLS:
        paths.append(_folder_made(root / f"{stem}.exr"))
        paths[-1].write_bytes(encode())
    for defect in DEFECTS:
        if defect.kind in DAMAGES:
            path = root / defect.path
            path.write_bytes(DAMAGES[defect.kind](path.read_bytes()))
    return sorted(paths)


def _folder_made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _write(path: Path, header: Mapping[str, object], channels: Channels) -> None:
    with OpenEXR.File({"type": OpenEXR.scanlineimage, **header}, channels) as file:
        file.write(str(path))


def _layer(prefix: str, plane: Plane, components: str = "RGB", dtype: str = "f2") -> Channels:
    """The channels of a plane with three components."""
    return {f"{prefix}{c}": plane[..., i].astype(dtype) for i, c in enumerate(components)}


def _windows(data: Window, display: Window = FRAME) -> dict[str, object]:
    boxes = {"dataWindow": data, "displayWindow": display}
    return {name: (np.array(box[:2], "i4"), np.array(box[2:], "i4")) for name, box in boxes.items()}


def _write_arnold(path: Path, frame: int) -> None:
    """Tiles, many layers, Cryptomatte."""
    image = render(FRAME, frame)
    tiles = OpenEXR.TileDescription()
    tiles.xSize = tiles.ySize = 64
    tiles.mode, tiles.roundingMode = OpenEXR.ONE_LEVEL, OpenEXR.ROUND_DOWN
    header = {
        "type": OpenEXR.tiledimage,
        "tiles": tiles,
        "lineOrder": OpenEXR.RANDOM_Y,
        "compression": OpenEXR.ZIP_COMPRESSION,
        **headers.arnold(frame, ("RGBA", "diffuse", "specular", "N", "P", "Z", "RGBA_key", "crypto_object")),
        **cryptomatte.attributes("CryptoObject", [buoy.name for buoy in BUOYS]),
    }
    channels = {
        **_layer("", image.beauty),
        "A": image.alpha.astype("f2"),
        **_layer("diffuse.", image.diffuse),
        **_layer("specular.", image.specular),
        **_layer("RGBA_key.", image.beauty * 0.8),
        **_layer("N.", image.normal, "XYZ"),
        **_layer("P.", image.position, "XYZ", "f4"),
        "Z": image.depth,
        **_cryptomatte_channels(image),
    }
    _write(path, header, channels)


def _cryptomatte_channels(image: Render) -> Channels:
    """Rank 0 is the buoy that is seen, the others are empty; always FLOAT, as ids are bit patterns."""
    ids = np.array([*(cryptomatte.id_float(buoy.name) for buoy in BUOYS), 0], "f4")
    empty = np.zeros_like(image.alpha)
    channels: Channels = {f"CryptoObject{rank:02}.{c}": empty for rank in (0, 1, 2) for c in "RGBA"}
    return channels | {"CryptoObject00.R": ids[image.owner], "CryptoObject00.G": image.alpha}


def _write_vray(path: Path, frame: int) -> None:
    """The data window cropped to what is seen; one frame was rendered with another compression."""
    odd = Defect(f"{VRAY}.{frame}.exr", "compression") in DEFECTS
    window = bounds(render(FRAME, frame), FRAME)
    image = render(window, frame)
    header = {
        "compression": OpenEXR.DWAA_COMPRESSION if odd else OpenEXR.ZIPS_COMPRESSION,
        **_windows(window),
        **headers.vray(frame, 240, 135),
    }
    channels = {
        **_layer("", image.beauty),
        "A": image.alpha.astype("f2"),
        **_layer("diffuse.", image.diffuse),
        **_layer("reflect.", image.specular),
        **_layer("velocity.", image.normal * 0, "XYZ"),
        "zDepth": image.depth,
    }
    _write(path, header, channels)


def _write_cycles(path: Path, frame: int) -> None:
    """One view layer with its passes."""
    image = render(FRAME, frame)
    channels = {
        **_layer("ViewLayer.Combined.", image.beauty),
        "ViewLayer.Combined.A": image.alpha.astype("f2"),
        **_layer("ViewLayer.DiffDir.", image.diffuse),
        **_layer("ViewLayer.GlossDir.", image.specular),
        **_layer("ViewLayer.Normal.", image.normal, "XYZ"),
        "ViewLayer.Depth.Z": image.depth,
        "ViewLayer.IndexOB.X": (image.owner + 1).astype("f4"),
    }
    _write(path, {"compression": OpenEXR.ZIP_COMPRESSION, **headers.cycles(frame)}, channels)


def _write_plate(path: Path, frame: int) -> None:
    """A camera's frame with its time code."""
    timecode = OpenEXR.TimeCode(10, 21, 5, frame - 1001, *[0] * 14)
    header = {"compression": OpenEXR.PIZ_COMPRESSION, "timeCode": timecode, **headers.camera(frame)}
    _write(path, header, _layer("", render(FRAME, frame).beauty + np.float32(0.18)))


def _write_stereo(path: Path, frame: int) -> None:
    """Both eyes in one file, a part each."""
    parts = []
    for view, eye in (("left", -2.0), ("right", 2.0)):
        image = render(FRAME, frame, eye)
        channels = {**_layer("", image.beauty), "A": image.alpha.astype("f2"), "depth.Z": image.depth}
        header = {"compression": OpenEXR.ZIPS_COMPRESSION, "view": view, **headers.nuke(frame)}
        parts.append(_part(f"rgba.{view}", header, channels))
    _write_parts(path, parts)


def _write_karma(path: Path, frame: int) -> None:
    """A part for every render variable."""
    image = render(FRAME, frame)
    variables: dict[str, Channels] = {
        "C": {**_layer("", image.beauty), "A": image.alpha.astype("f2")},
        "directdiffuse": _layer("directdiffuse.", image.diffuse),
        "N": _layer("N.", image.normal, "xyz"),
        "depth": {"depth.Z": image.depth},
    }
    header = {"compression": OpenEXR.ZIP_COMPRESSION, **headers.karma(frame)}
    _write_parts(path, [_part(name, header, channels) for name, channels in variables.items()])


def _part(name: str, header: Mapping[str, object], channels: Channels) -> Any:
    return OpenEXR.Part({"type": OpenEXR.scanlineimage, **header}, channels, name)


def _write_parts(path: Path, parts: list[Any]) -> None:
    with OpenEXR.File(parts) as file:
        file.write(str(path))


def _write_deep(path: Path, frame: int) -> None:
    """Fog in front of the buoys: none, one or two samples in a pixel."""
    image = render((0, 0, 119, 66), frame)
    depth, alpha = (np.full(image.depth.shape, None, object) for _ in range(2))
    for y, x in np.ndindex(image.depth.shape):
        samples = [(4.0, 0.25)] if y > 20 else []
        if image.alpha[y, x]:
            samples.append((float(image.depth[y, x]), 1.0))
        if samples:
            depth[y, x], alpha[y, x] = (np.array(values, "f4") for values in zip(*samples, strict=True))
    header = {"type": OpenEXR.deepscanline, "compression": OpenEXR.ZIPS_COMPRESSION, **headers.karma(frame)}
    _write(path, header, {"A": alpha, "Z": depth})


def _write_previs(path: Path, frame: int) -> None:
    """Overscan: a tenth more on every side than the display window shows."""
    window = (-24, -14, 263, 148)
    image = render(window, frame)
    channels = {
        **_layer("", image.beauty),
        "A": image.alpha.astype("f2"),
        # All of Unreal's channels are HALF, so what is far away has the largest number that there is.
        "FinalImageMovieRenderQueue_WorldDepth.R": np.minimum(image.depth, 65504).astype("f2"),
    }
    header = {"compression": OpenEXR.PIZ_COMPRESSION, **_windows(window), **headers.unreal(frame)}
    _write(path, header, channels)


def _texture() -> bytes:
    """Stripes of paint with some rust, 128 x 128."""
    y, x = np.mgrid[0:128, 0:128].astype("f4") / 128
    stripes = (np.sin(x * 25) > 0).astype("f4")
    rust = np.sin(y * 9) ** 2 * 0.2
    planes = [0.05 + 0.5 * stripes, 0.06 + 0.5 * stripes, 0.6 + rust]
    return encode_texture(np.stack(planes, -1).astype("f4"))


Writer = Callable[[Path, int], None]

SHOTS: tuple[tuple[str, Iterable[int], Writer], ...] = (
    (ARNOLD, range(1001, 1011), _write_arnold),
    (VRAY, range(1001, 1009), _write_vray),
    (CYCLES, range(1001, 1009), _write_cycles),
    (PLATE, range(1001, 1005), _write_plate),
    (STEREO, (1001,), _write_stereo),
    (KARMA, (1001,), _write_karma),
    (DEEP, (1001,), _write_deep),
    (PREVIS, (1001,), _write_previs),
)
STILLS: tuple[tuple[str, Callable[[], bytes]], ...] = ((TEXTURE, _texture), (REFERENCE, damage.png))
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": damage.cut_short,
    "incomplete": lambda data: damage.interrupt(data, written=5),
}
