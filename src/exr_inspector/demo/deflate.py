"""A zlib encoder whose output is the same everywhere; that of zlib depends on its release, fork and processor.

Runs of one byte become matches of distance 1, other bytes are literals, in one block with the fixed Huffman codes.
Source: RFC 1950 and RFC 1951.
"""

from __future__ import annotations

from struct import pack
from zlib import adler32

import numpy as np
from numpy.typing import NDArray

_LONGEST, _SHORTEST = 258, 3  # bytes of a match


def deflate(data: bytes) -> bytes:
    """The data as a zlib stream."""
    return b"\x78\x01" + _block(np.frombuffer(data, np.uint8)) + pack(">I", adler32(data))


def _block(data: NDArray[np.uint8]) -> bytes:
    symbols = _symbols(data) if data.size else np.zeros(0, np.int64)
    # The header of the last block with fixed codes, the symbols, and the end of the block: seven zero bits.
    bits = np.concatenate([[0b011], _BITS[symbols], [0]]).astype(np.uint64)
    widths = np.concatenate([[3], _WIDTHS[symbols], [7]])
    return _joined(bits, widths)


def _symbols(data: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The symbols: the value of a literal, 256 + the length of a match."""
    starts = np.concatenate([[0], np.flatnonzero(data[1:] != data[:-1]) + 1])
    # A run is encoded as a literal, as many of the longest matches as fit, and the rest as a match or, if too short,
    # as literals.
    full, rest = np.divmod(np.diff(starts, append=data.size) - 1, _LONGEST)
    counts = 1 + full + np.where(rest >= _SHORTEST, 1, rest)
    run = np.repeat(np.arange(starts.size), counts)
    at = np.arange(run.size) - np.repeat(np.cumsum(counts) - counts, counts)
    match = np.where(at <= full[run], _LONGEST, rest[run])
    symbols: NDArray[np.int64] = np.where((at == 0) | (match < _SHORTEST), data[starts][run], 256 + match)
    return symbols


def _joined(bits: NDArray[np.uint64], widths: NDArray[np.int64]) -> bytes:
    """Concatenate the codes, the lowest bit of each first."""
    ends = np.cumsum(widths)
    starts = ends - widths
    shifted = bits << (starts % 32).astype(np.uint64)
    word = starts // 32
    first = np.flatnonzero(np.diff(word, prepend=-1))
    sums = np.add.reduceat(shifted, first)  # the codes share no bit, so the sum joins them
    words = np.zeros(first.size + 1, np.uint64)
    words[:-1] = sums & np.uint64(0xFFFFFFFF)
    words[1:] += sums >> np.uint64(32)
    return words.astype("<u4").tobytes()[: (int(ends[-1]) + 7) // 8]


def _codes() -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Bits and width of the code of each symbol; codes of matches include extra bits and the distance (five zeros)."""

    def huffman(code: int, width: int) -> tuple[int, int]:
        return int(f"{code:0{width}b}"[::-1], 2), width  # Huffman codes are stored from their highest bit

    table = [huffman(0x30 + value, 8) if value < 144 else huffman(0x190 + value - 144, 9) for value in range(256)]
    table += [(0, 0)] * _SHORTEST
    code = 257
    for extra, lengths in zip((0, 1, 2, 3, 4, 5), (8, 4, 4, 4, 4, 4), strict=True):
        for _ in range(lengths):
            bits, width = huffman(code - 256, 7) if code < 280 else huffman(0xC0 + code - 280, 8)
            table += [(bits | more << width, width + extra + 5) for more in range(1 << extra)]
            code += 1
    bits, width = huffman(0xC0 + 285 - 280, 8)
    table[256 + _LONGEST] = bits, width + 5  # the longest match has its own code
    return np.array([bits for bits, _ in table], np.uint64), np.array([width for _, width in table], np.int64)


_BITS, _WIDTHS = _codes()
