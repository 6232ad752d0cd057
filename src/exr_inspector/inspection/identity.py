"""The identity of a file version: header hash, structure hash and `file_id`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from ..exr import Attribute, Part
from .volatility import structure_of


def header_hash(header: bytes | memoryview) -> str:
    """SHA-256 of the header's bytes, from the magic number to the end of the last part's header."""
    return sha256(header).hexdigest()


def structure_hash(parts: Sequence[Part] | Sequence[Sequence[Attribute]]) -> str:
    """SHA-256 of names, types and constant values of the attributes; equal for all frames that were written alike."""
    digest = sha256()
    for part in parts:
        attributes = part.attributes if isinstance(part, Part) else part
        for name, value in sorted(structure_of(attributes)):
            digest.update(name)
            digest.update(value)
        digest.update(b";")
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
