"""Damage as it happens on a render farm: bytes of a good file in, bytes of a damaged one out."""

from __future__ import annotations

import zlib
from struct import pack, unpack_from

from ..exr import read_header
from .deflate import deflate


def truncate(data: bytes, fraction: float = 0.6) -> bytes:
    """The first part of a file, as a full disk or an interrupted copy leaves it."""
    return data[: int(len(data) * fraction)]


def interrupt(data: bytes, written: int) -> bytes:
    """A file whose renderer stopped after `written` chunks: the offsets of the other chunks are zero.

    For a file of one part without `chunkCount`, with its chunks in the order of the offset table.
    """
    table = read_header(data).header_bytes
    (first,) = unpack_from("<Q", data, table)
    count = (first - table) // 8
    (end,) = unpack_from("<Q", data, table + 8 * written)
    return data[: table + 8 * written] + bytes(8 * (count - written)) + data[first:end]


def png(width: int = 64, height: int = 36) -> bytes:
    """A grey ramp as PNG, to be stored under an EXR name."""
    line = b"\0" + bytes(255 * x // (width - 1) for x in range(width))
    chunks = [
        (b"IHDR", pack(">2I5B", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", deflate(line * height)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        pack(">I", len(body)) + kind + body + pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
