"""Hypothesis strategies for EXR files of any kind."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st

from tests.support import exr_writer as w


def examples(count: int) -> settings:
    """Settings with `count` examples per 100 of the active profile, which has fewer in fast runs."""
    return settings(max_examples=count * settings.default.max_examples // 100)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40).filter(
    lambda name: len(name.encode()) < 256
)
PIXELS = st.just(b"\1\2\3\4")
# Names of attributes that the writer adds; a repeated one would change the meaning of the file.
_TAKEN = {*w.required(), "tiles", "name", "type", "chunkCount", "version", "maxSamplesPerPixel"}


@st.composite
def attributes(draw: st.DrawFn) -> bytes:
    """One attribute of any type with any bytes, valid or not."""
    name = draw(NAMES.filter(lambda name: name not in _TAKEN))
    attr_type = draw(st.sampled_from([*w.LAYOUTS, "string", "stringvector", "floatvector", "preview", "myType"]))
    return w.attribute(name, attr_type, draw(st.binary(max_size=40)))


windows = st.builds(
    lambda x, y, width, height: (x, y, x + width, y + height),
    st.integers(-300, 300),
    st.integers(-300, 300),
    st.integers(0, 40),
    st.integers(0, 40),
)
channels = st.lists(
    st.tuples(NAMES, st.sampled_from([w.UINT, w.HALF, w.FLOAT]), st.just(1), st.just(1), st.sampled_from([0, 1])),
    min_size=1,
    max_size=4,
    unique_by=lambda channel: channel[0],
)
tiles = st.builds(
    w.Tiles,
    st.integers(4, 40),
    st.integers(4, 40),
    st.sampled_from([w.ONE_LEVEL, w.MIPMAP_LEVELS, w.RIPMAP_LEVELS]),
    st.sampled_from([w.ROUND_DOWN, w.ROUND_UP]),
)


@st.composite
def parts(draw: st.DrawFn, name: str | None = None, pixels: st.SearchStrategy[bytes] = PIXELS) -> w.Part:
    """A part of any kind: scan lines or tiles, flat or deep, any window, compression and channels."""
    compression, packed = draw(st.integers(0, 13)), draw(pixels)

    def fill(size: int) -> bytes:
        length = min(max(len(packed), size // 8), size) if compression else size  # no method packs less in each chunk
        return (packed * (length // len(packed) + 1))[:length]

    return w.part(
        name=name,
        window=draw(windows),
        channels=draw(channels),
        compression=compression,
        tiles=draw(st.none() | tiles),
        deep=draw(st.booleans()),
        extra=draw(st.lists(attributes(), max_size=4)),
        pixels=fill,
    )


@st.composite
def files(draw: st.DrawFn, pixels: st.SearchStrategy[bytes] = PIXELS) -> w.Written:
    """A whole file of one to three parts; `pixels` draws the bytes of all chunks of a part."""
    count = draw(st.integers(1, 3))
    if count == 1:
        return w.build(draw(parts(pixels=pixels)))
    return w.build([draw(parts(name=f"part{number}", pixels=pixels)) for number in range(count)])
