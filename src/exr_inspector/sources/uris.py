"""Paths and URIs: the one parser for plain paths, file:// and s3://, and the normal form of each."""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata

from ..errors import SourceError, SourceNameError

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")


_KEY_BYTES = 1024
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
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


def split_uri(uri: str, *, may_be_bucket: bool = False) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`. The key is a name and stays as it is. Raises SourceError."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme.lower() != "s3" or not _BUCKET.fullmatch(bucket):
        raise SourceError(uri, "not of the form s3://bucket/key")
    if not key and not may_be_bucket:
        raise SourceError(uri, "names a bucket and no object in it")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise SourceNameError(uri, "the key is no text that UTF-8 can hold") from None
    if size > _KEY_BYTES:
        raise SourceNameError(uri, f"the key has {size} bytes; a key has {_KEY_BYTES} at most")
    return bucket, key
