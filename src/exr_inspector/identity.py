"""What makes a file the same file: its place as a URI, the hashes of its header, and its `file_id`."""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from .exr import Attribute, Part
from .structure import structure_of

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
_UNDECODABLE = re.compile("[\udc80-\udcff]")


def normalize_path(path: str | os.PathLike[str]) -> str:
    """The place of a file as a URI: `s3://bucket/key`, or `file:///absolute/path` for anything local.

    `.`, `..` and `//` are resolved (an object's key is left as it is: it is a name, not a path), text is Unicode NFC,
    case is kept, symbolic links are not followed. Nothing is percent-encoded, but for bytes that are no UTF-8.
    """
    text = os.fspath(path)
    scheme = _SCHEME.match(text)
    if scheme and scheme[1].lower() != "file":
        return unicodedata.normalize("NFC", f"{scheme[1].lower()}{text[scheme.end(1) :]}")
    local = os.path.abspath(text[7:] if scheme else text)
    local = posixpath.normpath(local.replace(os.sep, "/"))
    if local.startswith("//"):  # POSIX lets exactly two slashes stand
        local = local[1:]
    return "file://" + unicodedata.normalize("NFC", percent_undecodable(local))


def percent_undecodable(path: str) -> str:
    """A path as text that UTF-8 can hold: bytes of its name that are no UTF-8 stand as %XX."""
    return path if path.isascii() else _UNDECODABLE.sub(lambda match: f"%{ord(match[0]) - 0xDC00:02X}", path)


def header_hash(header: bytes) -> str:
    """SHA-256 of the header's bytes, from the magic number to the end of the last part's header."""
    return sha256(header).hexdigest()


def structure_hash(parts: Sequence[Part] | Sequence[Sequence[Attribute]]) -> str:
    """SHA-256 of what should be equal in all frames of a sequence; see structure.structure_of."""
    digest = sha256()
    for part in parts:
        attributes = part.attributes if isinstance(part, Part) else part
        digest.update(b"".join(sorted(structure_of(attributes))) + b";")
    return digest.hexdigest()


def file_id(normalized: str, size_bytes: int, mtime: datetime | None, etag: str | None, header: str) -> str:
    """32 hex digits for one version of one file: its place, size, etag or modification time, and header hash."""
    version = etag if etag is not None else mtime.isoformat() if mtime is not None else ""
    return sha256("\0".join((normalized, str(size_bytes), version, header)).encode()).hexdigest()[:32]
