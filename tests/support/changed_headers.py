"""Headers with one value changed: what writers get wrong and hostile files contain, in a fixed order.

The files are complete and tiny, and their chunks are those of the header before the change.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import pack

from . import exr_writer as w

LONG = "n" * 40
INF, NAN = float("inf"), float("nan")
FLOATS = (0, -0.0, -1, NAN, INF, -INF, 1e-7, 1e-6, 1e6, 1.1e6, 3.4e38, 1e-45, 0.5, 2)
INTS = (0, -1, 1, 2, 3, 9, 1 << 20, (1 << 31) - 1, -(1 << 31))
BYTES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 32, 33, 127, 128, 255)
WINDOWS = (
    (0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, -1, -1), (0, 0, -2, 7), (0, 0, 15, -2), (-8, -4, 7, 3),
    (1, 0, 16, 7), (0, 1, 15, 8), (0, 0, 14, 7), (0, 0, 15, 6), (0, 0, 16, 7), (0, 0, 15, 8),
    (-(1 << 31), 0, 15, 7), (0, -(1 << 31), 15, 7), (0, 0, (1 << 31) - 1, 7), (0, 0, 15, (1 << 31) - 1),
    (-(1 << 31), -(1 << 31), (1 << 31) - 1, (1 << 31) - 1), (0, 0, (1 << 30) - 1, 7), (0, 0, 1 << 30, 7),
    (-(1 << 30), 0, -(1 << 30) + 15, 7), ((1 << 30) - 16, 0, (1 << 30) - 1, 7), (1 << 30, 0, (1 << 30) + 15, 7),
    ((1 << 31) - 16, 0, (1 << 31) - 1, 7), (-(1 << 31), 0, -(1 << 31) + 15, 7), (0, (1 << 31) - 8, 15, (1 << 31) - 1),
)  # fmt: skip
NUMBERS_OF = {"float": FLOATS, "int": INTS, "double": FLOATS, "compression": BYTES, "lineOrder": BYTES, "envmap": BYTES,
              "deepImageState": BYTES}  # fmt: skip
TEXTS = (b"", b"scanlineimage", b"tiledimage", b"deepscanline", b"deeptile", b"scanlineimage\0", b"Scanlineimage",
         b"image", b"a", b"b", b"\xff\xfe", b"x" * 300, b"left", b"a\0b")  # fmt: skip
TYPE_NAMES = ("int", "float", "string", "box2i", "chlist", "odd", LONG)

Pair = tuple[str, str, bytes]  # name, type, value


def changed_headers() -> Iterator[tuple[str, bytes]]:
    """What is changed, and the file."""
    for kind, parts in _files():
        flags = _flags(parts)
        yield f"{kind}: unchanged", _build(parts, flags)
        for bit in range(8, 32):
            yield f"{kind}: version flag {1 << bit:#x} flipped", _build(parts, flags ^ 1 << bit)
        yield f"{kind}: version 1", _build(parts, flags, version=1)
        for number, part in enumerate(parts):
            pairs = [_split(encoded) for encoded in part.attributes]
            for label, changed in _changed(pairs):
                other = w.Part(tuple(w.attribute(*pair) for pair in changed), part.chunks, part.flags)
                yield (
                    f"{kind}: part {number}: {label}",
                    _build([*parts[:number], other, *parts[number + 1 :]], flags),
                )


def _files() -> Iterator[tuple[str, list[w.Part]]]:
    extra = _standard()
    small = [("A", w.HALF, 1, 1, 0), ("Z", w.FLOAT, 1, 1, 0), ("id", w.UINT, 1, 1, 0)]
    chroma = [("BY", w.HALF, 2, 2, 0), ("RY", w.HALF, 2, 2, 0), ("Y", w.HALF, 1, 1, 0)]
    yield "scan lines", [w.part(extra=extra)]
    yield "scan lines, ZIP", [w.part(channels=small, compression=3, window=(-8, -4, 7, 3), line_order=1)]
    yield "scan lines, B44", [w.part(channels=chroma, compression=6)]
    yield "tiles", [w.part(tiles=w.Tiles(8, 8), compression=2)]
    yield "mipmap", [w.part(tiles=w.Tiles(8, 8, w.MIPMAP_LEVELS, w.ROUND_UP), line_order=2)]
    yield "deep scan lines", [w.part(deep=True, compression=2, channels=small)]
    yield "deep tiles", [w.part(deep=True, tiles=w.Tiles(8, 8), channels=small)]
    yield "two parts", [w.part(name="a", extra=extra), w.part(name="b", extra=extra, compression=3)]
    yield "tiles and deep", [w.part(name="a", tiles=w.Tiles(8, 8)), w.part(name="b", deep=True, channels=small)]


def _standard() -> list[bytes]:
    """Standard attributes that are not required."""
    return [
        w.fixed("chromaticities", "chromaticities", 0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329),
        w.attribute("timeCode", "timecode", w.timecode(1, 2, 3, 4)),
        w.fixed("framesPerSecond", "rational", 24, 1),
        w.fixed("whiteLuminance", "float", 100),
        w.fixed("isoSpeed", "float", 100),
        w.fixed("envmap", "envmap", 0),
        w.fixed("keyCode", "keycode", 1, 2, 3, 4, 5, 6, 64),
        w.attribute("preview", "preview", w.preview(2, 2)),
        w.text("owner", "studio"),
        w.text("view", "left"),
        w.attribute("multiView", "stringvector", w.stringvector(["left", "right"])),
        w.fixed("worldToCamera", "m44f", *range(16)),
    ]


def _flags(parts: list[w.Part]) -> int:
    deep = w.NON_IMAGE if any(part.flags & w.NON_IMAGE for part in parts) else 0
    return w.MULTIPART | deep if len(parts) > 1 else parts[0].flags


def _build(parts: list[w.Part], flags: int, version: int = 2) -> bytes:
    return w.build(parts, flags=flags, version=version).data


def _split(encoded: bytes) -> Pair:
    name, type_name, rest = encoded.split(b"\0", 2)
    return name.decode(), type_name.decode(), rest[4:]


def _changed(pairs: list[Pair]) -> Iterator[tuple[str, list[Pair]]]:
    """The attributes with one of them changed, removed or repeated."""
    for at, (name, type_name, raw) in enumerate(pairs):
        before, after = pairs[:at], pairs[at + 1 :]
        yield f"{name} removed", [*before, *after]
        yield f"{name} repeated", [*before, pairs[at], pairs[at], *after]
        yield f"{name} moved to the end", [*before, *after, pairs[at]]
        for other in TYPE_NAMES:
            if other != type_name:
                yield f"{name} of type {other}", [*before, (name, other, raw), *after]
        for value in _values(name, type_name, raw):
            if value != raw:
                yield f"{name} = {value[:60].hex()} ({len(value)})", [*before, (name, type_name, value), *after]
    for name, type_name, raw in (
        (LONG, "string", b"x"), ("m" * 255, "string", b"x"), ("odd", "odd", b"x"), ("odd", LONG, b"x"),
        ("type", "string", b"scanlineimage"), ("type", "string", b"deepscanline"), ("type", "string", b"tiledimage"),
        ("type", "string", b"odd"), ("name", "string", b"a"), ("name", "string", b""),
        ("chunkCount", "int", pack("<i", 3)), ("chunkCount", "int", pack("<i", -1)),
        ("version", "int", pack("<i", 1)), ("version", "int", pack("<i", 7)),
        ("tiles", "tiledesc", w.Tiles(8, 8).encoded()), ("owner", "string", b"\xff"), ("owner", "int", b"\0" * 4),
        ("dwaCompressionLevel", "float", pack("<f", -1)), ("maxSamplesPerPixel", "int", pack("<i", -1)),
        ("deepImageState", "deepImageState", b"\x09"), ("bytes", "bytes", b"\0" * 2),
        ("floats", "floatvector", b"\0" * 3), ("strings", "stringvector", pack("<i", 9)),
        ("manifest", "idmanifest", b"\0" * 9),
    ):  # fmt: skip
        yield f"{name[:12]} of type {type_name[:12]} added: {raw.hex()}", [*pairs, (name, type_name, raw)]


def _values(name: str, type_name: str, raw: bytes) -> Iterator[bytes]:
    yield raw[:-1]
    yield raw + b"\0"
    yield raw + b"\0" * 4
    yield b""
    layout = w.LAYOUTS.get(type_name, "")
    if type_name in NUMBERS_OF:
        yield from (pack("<" + layout, number) for number in NUMBERS_OF[type_name])
    elif type_name == "box2i":
        yield from (pack("<4i", *window) for window in WINDOWS)
    elif type_name == "chlist":
        yield from _channel_lists()
    elif type_name == "tiledesc":
        sizes = ((0, 8), (8, 0), (1, 1), (8, 4), (16, 8), (64, 64), (1 << 30, 8), (1 << 31, 8), ((1 << 32) - 1, 8))
        yield from (pack("<2IB", *size, raw[8]) for size in sizes)
        yield from (pack("<2IB", 8, 8, mode) for mode in (0, 1, 2, 3, 4, 15, 16, 17, 18, 19, 32, 33, 240, 255))
    elif type_name == "string":
        yield from TEXTS
    elif type_name in ("timecode", "rational"):
        yield from (pack("<2I", *pair) for pair in ((0, 0), (1, 0), (0, 1), (2**31, 1), (2**32 - 1, 2**32 - 1)))
    elif type_name == "chromaticities":
        yield from (pack("<8f", *[number] * 8) for number in FLOATS)
    elif type_name == "v2f":
        yield from (pack("<2f", number, 0) for number in FLOATS)
    elif type_name == "preview":
        yield from (
            pack("<2I", *size) + raw[8:] for size in ((0, 0), (2, 1), (3, 3), (2**31, 2), (2**32 - 1, 2**32 - 1))
        )
    elif type_name == "stringvector":
        yield from (w.stringvector(texts) for texts in ([], [""], ["a", "a"], ["\u00e9"]))
        yield pack("<i", -1)
        yield pack("<i", 99) + b"abc"


def _channel_lists() -> Iterator[bytes]:
    """Channel lists of the size of B, G, R in HALF, and others."""
    yield b"\0"
    rgb = list(w.RGB)
    yield w.chlist(rgb[::-1])  # not sorted
    yield w.chlist([rgb[0], rgb[0], rgb[2]])  # repeated
    yield w.chlist(rgb[:2])
    yield w.chlist([("\u00e9", w.HALF, 1, 1, 0), *rgb])
    yield w.chlist([(LONG, w.HALF, 1, 1, 0), *rgb])
    yield w.chlist([*rgb, ("x" * 255, w.HALF, 1, 1, 0)])
    yield w.chlist(rgb)[:-1]  # not terminated
    yield w.chlist(rgb) + b"more"
    for kind in (w.UINT, w.FLOAT, 3, -1, 255):
        yield w.chlist([(name, kind, 1, 1, 0) for name in "BGR"])
    for linear in (1, 2, 255):
        yield w.chlist([(name, w.HALF, 1, 1, linear) for name in "BGR"])
    for sampling in ((0, 1), (1, 0), (-1, 1), (1, -1), (2, 1), (1, 2), (2, 2), (3, 1), (1, 3), (16, 8), (17, 1),
                     (1, 99), ((1 << 31) - 1, 1), (1, -(1 << 31))):  # fmt: skip
        yield w.chlist([("B", w.HALF, 1, 1, 0), ("G", w.HALF, *sampling, 0)])
