"""The identity of a file version: header hash, structure hash and `file_id`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from ..exr import Attribute, Part
from ..exr.cache import Cache
from .volatility import structure_of


def header_hash(header: bytes | memoryview) -> str:
    """SHA-256 of the header's bytes, from the magic number to the end of the last part's header."""
    return sha256(header).hexdigest()


def structure_hash(parts: Sequence[Part] | Sequence[Sequence[Attribute]]) -> str:
    """SHA-256 of names, types and constant values of the attributes; equal for all frames that were written alike."""
    structure = tuple([tuple(structure_of(part.attributes if isinstance(part, Part) else part)) for part in parts])
    return _STRUCTURE_HASHES.get(structure) or _hash_of_structure(structure)


_Structure = tuple[tuple[tuple[bytes, bytes], ...], ...]  # the items of each part
# Frames that were written alike have the same structure, in the same order.
_STRUCTURE_HASHES: Cache[_Structure, str] = Cache(
    4 << 20, lambda structure, _: 256 + sum(256 + len(name) + len(value) for part in structure for name, value in part)
)


def _hash_of_structure(structure: _Structure) -> str:
    digest = sha256()
    for part in structure:
        for name, value in sorted(part):
            digest.update(name)
            digest.update(value)
        digest.update(b";")
    _STRUCTURE_HASHES.put(structure, digest.hexdigest())
    return digest.hexdigest()


def file_id(
    uri: str, size_bytes: int, mtime: datetime | None, etag: str | None, header: str, damage: str | None = None
) -> str:
    """32 hex digits that identify one version of a file: a hash of its URI, size, etag or mtime, and header hash.

    `damage` is the state of the chunks of a file that is not complete, as a writer or a copy may still add to it
    without a change of size and time.
    """
    version = etag if etag is not None else mtime.isoformat() if mtime is not None else ""
    texts = [uri, str(size_bytes), version, header, *([] if damage is None else [damage])]
    return sha256("\0".join(texts).encode()).hexdigest()[:32]
