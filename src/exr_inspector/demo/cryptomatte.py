"""Cryptomatte attributes and ids, computed from object names.

Source: "Cryptomatte Specification" 1.2.0, Psyop.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from struct import pack, unpack

_MASK = 0xFFFFFFFF


def murmur3(data: bytes) -> int:
    """MurmurHash3_x86_32 with seed 0."""
    state = 0
    whole = len(data) // 4 * 4
    for start in range(0, whole, 4):
        state ^= _scramble(int.from_bytes(data[start : start + 4], "little"))
        state = (_rotate(state, 13) * 5 + 0xE6546B64) & _MASK
    state ^= _scramble(int.from_bytes(data[whole:], "little")) ^ len(data)
    state = ((state ^ state >> 16) * 0x85EBCA6B) & _MASK
    state = ((state ^ state >> 13) * 0xC2B2AE35) & _MASK
    return state ^ state >> 16


def _rotate(value: int, bits: int) -> int:
    return (value << bits | value >> (32 - bits)) & _MASK


def _scramble(block: int) -> int:
    return (_rotate((block * 0xCC9E2D51) & _MASK, 15) * 0x1B873593) & _MASK


def id_bits(name: str) -> int:
    """The id of an object as 32 bits. One bit of the exponent is flipped where the float would not be normal."""
    bits = murmur3(name.encode())
    if (bits >> 23) & 0xFF in (0, 0xFF):
        bits ^= 1 << 23
    return bits


def id_float(name: str) -> float:
    """The id of an object as the value of the id channel."""
    value: float = unpack("<f", pack("<I", id_bits(name)))[0]
    return value


def attributes(layer: str, names: Iterable[str]) -> dict[str, object]:
    """The four attributes of one Cryptomatte. Its channels are named after `layer`: `{layer}00.R` and so on."""
    prefix = f"cryptomatte/{murmur3(layer.encode()):08x}"[:-1]
    manifest = {name: f"{id_bits(name):08x}" for name in names}
    return {
        f"{prefix}/name": layer,
        f"{prefix}/hash": "MurmurHash3_32",
        f"{prefix}/conversion": "uint32_to_float32",
        f"{prefix}/manifest": json.dumps(manifest, separators=(",", ":")),
    }
