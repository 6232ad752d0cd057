"""The smallest EXR files: one part of 4 × 4 pixels, uncompressed, complete."""

from datetime import datetime
from struct import pack

from exr_inspector import Inspection, inspect
from exr_inspector.sources.memory import MemorySource

LINES = 4
_LINE_BYTES = LINES * 2


def attribute(name: str, attr_type: str, raw: bytes) -> bytes:
    """One attribute as stored in a header."""
    return name.encode() + b"\0" + attr_type.encode() + b"\0" + pack("<i", len(raw)) + raw


def required(channels: str = "ABG") -> list[bytes]:
    """The attributes that every header must have."""
    chlist = b"".join(c.encode() + b"\0" + pack("<iB3xii", 1, 0, 1, 1) for c in channels) + b"\0"
    window = pack("<4i", 0, 0, 3, LINES - 1)
    return [
        attribute("channels", "chlist", chlist),
        attribute("compression", "compression", b"\0"),
        attribute("dataWindow", "box2i", window),
        attribute("displayWindow", "box2i", window),
        attribute("lineOrder", "lineOrder", b"\0"),
        attribute("pixelAspectRatio", "float", pack("<f", 1)),
        attribute("screenWindowCenter", "v2f", pack("<2f", 0, 0)),
        attribute("screenWindowWidth", "float", pack("<f", 1)),
    ]


def exr_bytes(*extra: bytes, channels: str = "ABG") -> bytes:
    """A whole file with the required attributes and `extra` ones."""
    header = pack("<II", 20000630, 2) + b"".join([*required(channels), *extra]) + b"\0"
    data = bytes(_LINE_BYTES * len(channels))
    first = len(header) + 8 * LINES
    offsets = [first + line * (8 + len(data)) for line in range(LINES)]
    return header + pack(f"<{LINES}Q", *offsets) + b"".join(pack("<ii", y, len(data)) + data for y in range(LINES))


def inspection(
    path: str = "s3://renders/a.1001.exr", *extra: bytes, channels: str = "ABG", mtime: datetime | None = None
) -> Inspection:
    """The inspection of such a file; other attributes make another version of the same path."""
    source = MemorySource(exr_bytes(*extra, channels=channels), path)
    source.mtime = mtime
    return inspect(source)


def text(name: str, value: str) -> bytes:
    """A string attribute."""
    return attribute(name, "string", value.encode())


def different_file(number: int) -> bytes:
    """A file with nine attributes that no other file has, one of them by its name too."""
    return exr_bytes(
        text("artist", f"artist{number}"),
        text(
            "capDate", f"2026:03:{1 + number % 28:02} {number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}"
        ),
        text("comments", f"frame {number} of take {number * 7}"),
        text("scene", f"/shows/harbor/sq{number}/sh{number * 7}/lighting_v{number % 30:03}.ma"),
        text("software", f"Arnold 7.3.{number}.1 build {number * 13:x}"),
        text(f"custom/setting{number}", "on"),
        attribute("renderTime", "float", pack("<f", number / 8)),
        attribute("seed", "int", pack("<i", number)),
        attribute("worldToCamera", "m44f", pack("<16f", *(number + index / 16 for index in range(16)))),
    )
