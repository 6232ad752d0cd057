"""A byte-level EXR writer for tests and benchmarks: encoded pieces in, bytes and their positions out.

Independent of the product. It writes valid and invalid pieces alike and does not compress: a chunk of the full unpacked
size is stored raw, which readers accept with every compression, so by default the pixels can be read.
Source: "OpenEXR File Layout".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from struct import pack

MAGIC = 20000630
TILED, LONG_NAMES, NON_IMAGE, MULTIPART = 0x200, 0x400, 0x800, 0x1000

# By compression code: NO RLE ZIPS ZIP PIZ PXR24 B44 B44A DWAA DWAB HTJ2K256 HTJ2K32 LJ2K ZSTD
LINES_PER_CHUNK = (1, 1, 1, 16, 32, 16, 32, 32, 32, 256, 256, 32, 256, 1)
UINT, HALF, FLOAT = 0, 1, 2
ONE_LEVEL, MIPMAP_LEVELS, RIPMAP_LEVELS = 0, 1, 2
ROUND_DOWN, ROUND_UP = 0, 1

# The type attribute of a part that is deep or not, and tiled or not.
TYPES = {(0, 0): "scanlineimage", (0, 1): "tiledimage", (1, 0): "deepscanline", (1, 1): "deeptile"}
Channel = tuple[str, int, int, int, int]  # name, pixel type, x and y sampling, p_linear
Window = tuple[int, int, int, int]  # x_min, y_min, x_max, y_max, both ends inclusive
RGB: tuple[Channel, ...] = tuple((name, HALF, 1, 1, 0) for name in "BGR")


def attribute(name: str | bytes, type_name: str, raw: bytes) -> bytes:
    """One header attribute as stored; a name as bytes may be invalid text."""
    name = name.encode() if isinstance(name, str) else name
    return name + b"\0" + type_name.encode() + b"\0" + pack("<i", len(raw)) + raw


# Struct layouts of the types of fixed size.
LAYOUTS = {
    **dict.fromkeys(("compression", "lineOrder", "envmap", "deepImageState"), "B"),
    **{f"v{n}{t}": f"{n}{t}" for n in (2, 3) for t in "ifd"},
    **{f"m{n}{n}{t}": f"{n * n}{t}" for n in (3, 4) for t in "fd"},
    **{t: t[0] for t in ("int", "float", "double")},
    "box2i": "4i",
    "box2f": "4f",
    "chromaticities": "8f",
    "keycode": "7i",
    "rational": "iI",
}


def fixed(name: str, type_name: str, *numbers: float) -> bytes:
    """An attribute of a type of fixed size, from its numbers in file order."""
    return attribute(name, type_name, pack("<" + LAYOUTS[type_name], *numbers))


def text(name: str, value: str) -> bytes:
    """A string attribute in UTF-8."""
    return attribute(name, "string", value.encode())


def chlist(channels: Iterable[Channel]) -> bytes:
    entries = (n.encode() + b"\0" + pack("<iB3x2i", t, lin, xs, ys) for n, t, xs, ys, lin in channels)
    return b"".join(entries) + b"\0"


def timecode(hours: int, minutes: int, seconds: int, frame: int, *, drop: bool = False) -> bytes:
    binary_coded_decimal = int(f"{hours:02}{minutes:02}{seconds:02}{frame:02}", 16)
    return pack("<2I", binary_coded_decimal | drop << 6, 0)


def stringvector(texts: Iterable[str]) -> bytes:
    return b"".join(pack("<i", len(each.encode())) + each.encode() for each in texts)


def preview(width: int, height: int, rgba: bytes = b"\x80\x80\x80\xff") -> bytes:
    """A preview image of one colour."""
    return pack("<2I", width, height) + rgba * (width * height)


@dataclass(frozen=True, slots=True)
class Tiles:
    width: int = 64
    height: int = 64
    mode: int = ONE_LEVEL
    rounding: int = ROUND_DOWN

    def encoded(self) -> bytes:
        """The bytes of a tiledesc value."""
        return pack("<2IB", self.width, self.height, self.mode | self.rounding << 4)


@dataclass(frozen=True, slots=True)
class Part:
    """An encoded header and its chunks, in the order of the offset table."""

    attributes: tuple[bytes, ...]
    chunks: tuple[bytes, ...]  # each with its leader, without the part number
    flags: int  # of the version field in a file with only this part


@dataclass(frozen=True, slots=True)
class Written:
    """A file's bytes and the positions of its pieces, so that a test can damage one of them."""

    data: bytes
    header_bytes: int  # magic, version, headers and terminators; also the offset of the first table
    table_offsets: tuple[int, ...]  # one offset table per part
    chunks: tuple[tuple[int, int, int], ...]  # part, offset, size with the leader; in table order


def required(
    *,
    window: Window = (0, 0, 15, 7),
    display: Window | None = None,
    channels: Iterable[Channel] = RGB,
    compression: int = 0,
    line_order: int = 0,
) -> dict[str, bytes]:
    """The encoded attributes that every header must have, by name."""
    return {
        "channels": attribute("channels", "chlist", chlist(channels)),
        "compression": fixed("compression", "compression", compression),
        "dataWindow": fixed("dataWindow", "box2i", *window),
        "displayWindow": fixed("displayWindow", "box2i", *(display or window)),
        "lineOrder": fixed("lineOrder", "lineOrder", line_order),
        "pixelAspectRatio": fixed("pixelAspectRatio", "float", 1),
        "screenWindowCenter": fixed("screenWindowCenter", "v2f", 0, 0),
        "screenWindowWidth": fixed("screenWindowWidth", "float", 1),
    }


def part(
    *,
    width: int = 16,
    height: int = 8,
    window: Window | None = None,
    display: Window | None = None,
    channels: Sequence[Channel] = RGB,
    compression: int = 0,
    line_order: int = 0,
    tiles: Tiles | None = None,
    deep: bool = False,
    name: str | None = None,
    extra: Iterable[bytes] = (),
    replace: Mapping[str, bytes | None] | None = None,
    pixels: bytes | Callable[[int], bytes] = bytes,
) -> Part:
    """A part with the chunks of its windows and compression or tiles.

    A part of a multipart file needs a `name`, which adds `type` and `chunkCount`. `extra` attributes follow the
    required ones; `replace` has other bytes for an attribute, or None to omit it. `pixels` are the bytes of every
    chunk, or a function from the chunk's unpacked size to its bytes.
    """
    window = window or (0, 0, width - 1, height - 1)
    boxes = list(_tile_boxes(window, tiles) if tiles else _line_boxes(window, LINES_PER_CHUNK[compression]))
    fill = pixels if callable(pixels) else lambda _size: pixels
    body = _deep_chunk if deep else _flat_chunk
    chunks = tuple(coordinates + body(box, channels, fill) for coordinates, box in boxes)
    header: dict[str, bytes | None] = {}
    header |= required(
        window=window, display=display, channels=channels, compression=compression, line_order=line_order
    )
    if tiles:
        header["tiles"] = attribute("tiles", "tiledesc", tiles.encoded())
    if name is not None:
        header["name"] = text("name", name)
    if name is not None or deep:
        header["type"] = text("type", TYPES[deep, bool(tiles)])
        header["chunkCount"] = fixed("chunkCount", "int", len(chunks))
    if deep:
        header["version"] = fixed("version", "int", 1)
        header["maxSamplesPerPixel"] = fixed("maxSamplesPerPixel", "int", 1)
    stored = (each for each in (header | dict(replace or {})).values() if each is not None)
    return Part((*stored, *extra), chunks, NON_IMAGE if deep else TILED if tiles else 0)


def _line_boxes(window: Window, lines: int) -> Iterator[tuple[bytes, Window]]:
    x_min, y_min, x_max, y_max = window
    for y in range(y_min, y_max + 1, lines):
        yield pack("<i", y), (x_min, y, x_max, min(y + lines - 1, y_max))


def _tile_boxes(window: Window, tiles: Tiles) -> Iterator[tuple[bytes, Window]]:
    x_min, y_min, x_max, y_max = window
    for level_x, level_y in _levels(x_max - x_min + 1, y_max - y_min + 1, tiles):
        width = _level_size(x_max - x_min + 1, level_x, tiles.rounding)
        height = _level_size(y_max - y_min + 1, level_y, tiles.rounding)
        for ty in range(-(-height // tiles.height)):
            for tx in range(-(-width // tiles.width)):
                x, y = x_min + tx * tiles.width, y_min + ty * tiles.height
                right, bottom = x_min + width - 1, y_min + height - 1
                box = (x, y, min(x + tiles.width - 1, right), min(y + tiles.height - 1, bottom))
                yield pack("<4i", tx, ty, level_x, level_y), box


def _levels(width: int, height: int, tiles: Tiles) -> list[tuple[int, int]]:
    if tiles.mode == ONE_LEVEL:
        return [(0, 0)]
    down = tiles.rounding == ROUND_DOWN
    levels_x, levels_y = (s.bit_length() if down else (s - 1).bit_length() + 1 for s in (width, height))
    if tiles.mode == MIPMAP_LEVELS:
        return [(level, level) for level in range(max(levels_x, levels_y))]
    return [(x, y) for y in range(levels_y) for x in range(levels_x)]


def _level_size(size: int, level: int, rounding: int) -> int:
    return max(1, size >> level if rounding == ROUND_DOWN else -(-size >> level))


def _flat_chunk(box: Window, channels: Iterable[Channel], fill: Callable[[int], bytes]) -> bytes:
    x_min, y_min, x_max, y_max = box
    size = 0
    for _, pixel_type, xs, ys, _ in channels:
        columns, rows = x_max // xs - (x_min - 1) // xs, y_max // ys - (y_min - 1) // ys
        size += columns * rows * (2 if pixel_type == HALF else 4)
    packed = fill(size)
    return pack("<i", len(packed)) + packed


def _deep_chunk(box: Window, channels: Iterable[Channel], fill: Callable[[int], bytes]) -> bytes:
    """One sample per pixel; the counts accumulate along each line."""
    width, height = box[2] - box[0] + 1, box[3] - box[1] + 1
    table = pack(f"<{width}i", *range(1, width + 1)) * height
    size = width * height * sum(2 if channel[1] == HALF else 4 for channel in channels)
    packed = fill(size)
    return pack("<3Q", len(table), len(packed), size) + table + packed


def build(parts: Part | Sequence[Part], *, flags: int | None = None, version: int = 2) -> Written:
    """A whole file; `flags` replace those of the parts."""
    parts = [parts] if isinstance(parts, Part) else parts
    multipart = len(parts) > 1
    if flags is None:
        any_deep = any(each.flags & NON_IMAGE for each in parts)
        flags = MULTIPART | (NON_IMAGE if any_deep else 0) if multipart else parts[0].flags
    header = pack("<2I", MAGIC, version | flags) + b"".join(b"".join(p.attributes) + b"\0" for p in parts)
    header += b"\0" if multipart else b""
    position = len(header) + 8 * sum(len(p.chunks) for p in parts)
    chunks: list[tuple[int, int, int]] = []
    tables, bodies, table_offsets = [], [], []
    for index, each in enumerate(parts):
        table_offsets.append(len(header) + 8 * len(chunks))
        for chunk in each.chunks:
            body = (pack("<i", index) if multipart else b"") + chunk
            tables.append(pack("<Q", position))
            bodies.append(body)
            chunks.append((index, position, len(body)))
            position += len(body)
    return Written(b"".join([header, *tables, *bodies]), len(header), tuple(table_offsets), tuple(chunks))
