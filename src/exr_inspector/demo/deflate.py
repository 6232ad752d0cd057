"""A zlib encoder with one output: the bytes of zlib differ between its releases, its forks and processors.

Runs of one byte become matches of distance 1, all else is literal, in one block with the fixed Huffman codes.
Source: RFC 1950 and RFC 1951.
"""

from __future__ import annotations

from struct import pack
from zlib import adler32

import numpy as np
from numpy.typing import NDArray

_LONGEST = 258  # bytes of a match
_SHORTEST = 3


def deflate(data: bytes) -> bytes:
    """The data as a zlib stream."""
    return b"\x78\x01" + _block(np.frombuffer(data, np.uint8)) + pack(">I", adler32(data))


def _block(data: NDArray[np.uint8]) -> bytes:
    symbols = _symbols(data) if data.size else np.zeros(0, np.int64)
    # Last block, fixed codes; after the symbols the end of the block, whose code is seven zeros.
    bits = np.concatenate([[0b011], _BITS[symbols], [0]]).astype(np.uint64)
    widths = np.concatenate([[3], _WIDTHS[symbols], [7]])
    return _joined(bits, widths)


def _symbols(data: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Literals as their value, matches as 256 + their length."""
    starts = np.concatenate([[0], np.flatnonzero(data[1:] != data[:-1]) + 1])
    # Each run is a literal, as many of the longest matches as fit, and the rest: a match, or literals if it is short.
    full, rest = np.divmod(np.diff(starts, append=data.size) - 1, _LONGEST)
    counts = 1 + full + np.where(rest >= _SHORTEST, 1, rest)
    run = np.repeat(np.arange(starts.size), counts)
    at = np.arange(run.size) - np.repeat(np.cumsum(counts) - counts, counts)
    match = np.where(at <= full[run], _LONGEST, rest[run])
    symbols: NDArray[np.int64] = np.where((at == 0) | (match < _SHORTEST), data[starts][run], 256 + match)
    return symbols


def _joined(bits: NDArray[np.uint64], widths: NDArray[np.int64]) -> bytes:
    """The codes one after another, the lowest bit of each first."""
    ends = np.cumsum(widths)
    starts = ends - widths
    shifted = bits << (starts % 32).astype(np.uint64)
    word = starts // 32
    first = np.flatnonzero(np.diff(word, prepend=-1))
    sums = np.add.reduceat(shifted, first)  # no two codes share a bit, so that adding joins them
    words = np.zeros(first.size + 1, np.uint64)
    words[:-1] = sums & np.uint64(0xFFFFFFFF)
    words[1:] += sums >> np.uint64(32)
    return words.astype("<u4").tobytes()[: (int(ends[-1]) + 7) // 8]


def _codes() -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """By symbol, the bits of its code and their number; for matches with extra bits and the distance, five zeros."""

    def huffman(code: int, width: int) -> tuple[int, int]:
        return int(f"{code:0{width}b}"[::-1], 2), width  # these codes alone begin with their highest bit

    table = [huffman(0x30 + value, 8) if value < 144 else huffman(0x190 + value - 144, 9) for value in range(256)]
    table += [(0, 0)] * _SHORTEST
    code = 257
    for extra, lengths in zip((0, 1, 2, 3, 4, 5), (8, 4, 4, 4, 4, 4), strict=True):
        for _ in range(lengths):
            bits, width = huffman(code - 256, 7) if code < 280 else huffman(0xC0 + code - 280, 8)
            table += [(bits | more << width, width + extra + 5) for more in range(1 << extra)]
            code += 1
    bits, width = huffman(0xC0 + 285 - 280, 8)
    table[256 + _LONGEST] = bits, width + 5  # has a code of its own
    return np.array([bits for bits, _ in table], np.uint64), np.array([width for _, width in table], np.int64)


_BITS, _WIDTHS = _codes()
