"""What happens to files on a farm, done on purpose: bytes of a good file in, bytes of a bad one out."""

from __future__ import annotations

import zlib
from struct import pack, unpack_from

from .deflate import deflate


def cut_short(data: bytes, share: float = 0.6) -> bytes:
    """What a full disk or a broken copy leaves: the first part of a finished file."""
    return data[: int(len(data) * share)]


def interrupt(data: bytes, written: int) -> bytes:
    """What a renderer leaves that was stopped after some chunks: the offsets of the others are zero.

    For a file of one part without `chunkCount`, its chunks in the order of the offset table.
    """
    table = header_end(data)
    (first,) = unpack_from("<Q", data, table)
    count = (first - table) // 8
    (end,) = unpack_from("<Q", data, table + 8 * written)
    return data[: table + 8 * written] + bytes(8 * (count - written)) + data[first:end]


def header_end(data: bytes) -> int:
    """The offset after the header of a file of one part, at which the offset table begins."""
    position = 8
    while data[position]:
        type_start = data.index(b"\0", position) + 1
        size_start = data.index(b"\0", type_start) + 1
        (size,) = unpack_from("<i", data, size_start)
        position = size_start + 4 + size
    return position + 1


def png(width: int = 64, height: int = 36) -> bytes:
    """A grey ramp as PNG, for the file that somebody has renamed."""
    line = b"\0" + bytes(255 * x // (width - 1) for x in range(width))
    chunks = [
        (b"IHDR", pack(">2I5B", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", deflate(line * height)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        pack(">I", len(body)) + kind + body + pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
