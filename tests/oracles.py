"""What the field's own libraries say about a file: OpenEXR and OpenImageIO as witnesses."""

from __future__ import annotations

import io
from pathlib import Path

import OpenEXR
import OpenImageIO


def opened(data: bytes) -> list[OpenEXR.Part]:
    """The parts that OpenEXR finds, pixels decoded."""
    return list(OpenEXR.File(io.BytesIO(data), separate_channels=True).parts)


def image_levels(data: bytes, tmp_path: Path, name: str = "image.exr") -> list[tuple[int, int, int]]:
    """(subimage, width, height) of every image and level that OpenImageIO can read to the last pixel."""
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
