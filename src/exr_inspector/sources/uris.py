"""The one parser of paths and URIs (plain paths, file:// and s3://), and the normal form of each."""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata

from ..errors import SourceError, SourceNameError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_KEY_BYTES = 1024  # the limit of S3
_UNDECODABLE = re.compile("[\udc80-\udcff]")  # how Python represents the bytes of a file name that are not UTF-8


def parse(uri: str | os.PathLike[str]) -> tuple[str, str]:
    """The scheme of a path or URI, in lower case, and the rest after `://`. A plain path has the scheme `file`."""
    text = os.fspath(uri)
    match = _SCHEME.match(text)
    if match is None:
        return "file", text
    scheme, rest = match[1].lower(), text[match.end() :]
    return scheme, rest.removeprefix("localhost") if scheme == "file" and rest.startswith("localhost/") else rest


def local_path(uri: str | os.PathLike[str]) -> str | None:
    """The path of a local file, without file://; None for a URI of any other scheme."""
    scheme, path = parse(uri)
    return path if scheme == "file" else None


def is_object(uri: str | os.PathLike[str]) -> bool:
    """Whether the URI names something in an object store. Raises SourceError for a scheme other than file and s3."""
    scheme, _ = parse(uri)
    if scheme not in ("file", "s3"):
        raise SourceError(os.fspath(uri), f"{scheme}:// is not supported; give a path, file:// or s3:// URI")
    return scheme == "s3"


def bucket_and_key(uri: str, *, key_required: bool = True) -> tuple[str, str]:
    """The bucket and key of `s3://bucket/key`. The key is not changed: it is a name, not a path. Raises SourceError."""
    scheme, rest = parse(uri)
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not _BUCKET.fullmatch(bucket):
        raise SourceError(uri, "not of the form s3://bucket/key")
    if key_required and not key:
        raise SourceError(uri, "names a bucket, expected an object: s3://bucket/key")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise SourceNameError(uri, "the key is not valid UTF-8") from None
    if size > _KEY_BYTES:
        raise SourceNameError(uri, f"the key has {size} bytes, the limit is {_KEY_BYTES}")
    return bucket, key


def normalize_path(path: str | os.PathLike[str]) -> str:
    """The normal form of a path or URI: `s3://bucket/key`, or `file:///absolute/path` for a local file.

    Local paths: `.`, `..` and `//` are resolved, symbolic links are not followed. The key of an object is not changed:
    it is a name, not a path. All text is Unicode NFC, case is kept. Only bytes that are not UTF-8 are percent-encoded.
    """
    scheme, rest = parse(path)
    if scheme != "file":
        return unicodedata.normalize("NFC", f"{scheme}://{rest}")
    local = posixpath.normpath(os.path.abspath(rest).replace(os.sep, "/"))
    if local.startswith("//"):  # POSIX keeps exactly two leading slashes
        local = local[1:]
    return "file://" + unicodedata.normalize("NFC", percent_undecodable(local))


def percent_undecodable(path: str) -> str:
    """A path as valid Unicode: each byte of a file name that is not UTF-8 is written as %XX."""
    return path if path.isascii() else _UNDECODABLE.sub(lambda match: f"%{ord(match[0]) - 0xDC00:02X}", path)
