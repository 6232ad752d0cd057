"""The one parser of paths and URIs (plain paths, file:// and s3://), and the normal form of each.

A plain path is a name as it is. In a URI, a byte that is not UTF-8 is written as %XX, and `%` before two hex digits as
%25; nothing else is encoded. So names that differ in a byte have different URIs, and each URI leads back to its name.
"""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata

from ..errors import SourceError, SourceNameError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_KEY_BYTES = 1024  # the limit of S3
_TO_ENCODE = re.compile("[\udc80-\udcff]|%(?=[0-9A-Fa-f]{2})")  # Python represents bytes that are not UTF-8 as \udcXX
_STORED_BYTE = re.compile("%[89A-F][0-9A-F]")
_ENCODED_PERCENT = re.compile("%25(?=[0-9A-Fa-f]{2})")
_ENCODED = re.compile("%25(?=[0-9A-Fa-f]{2})|%[89A-Fa-f][0-9A-Fa-f]")


def parse(uri: str | os.PathLike[str]) -> tuple[str, str]:
    """The scheme of a path or URI, in lower case, and the decoded name after `://`; a plain path has scheme `file`."""
    text = os.fspath(uri)
    match = _SCHEME.match(text)
    if match is None:
        return "file", text
    scheme, rest = match[1].lower(), _decoded(text[match.end() :])
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


def object_uri(bucket: str, key: str) -> str:
    """The URI of an object."""
    return f"s3://{bucket}/{encode(key)}"


def normalize_path(path: str | os.PathLike[str]) -> str:
    """The normal form of a path or URI: `s3://bucket/key`, or `file:///absolute/path` for a local file.

    Local paths: `.`, `..` and `//` are resolved. Symbolic links are followed only before `..`, as the system does when
    it opens the file. The key of an object is not changed: it is a name, not a path.
    """
    scheme, name = parse(path)
    return f"{scheme}://{encode(_absolute(name) if scheme == 'file' else name)}"


def name_below(folder: str, uri: str) -> str:
    """The decoded path of a file relative to a folder; both are normalized URIs."""
    return parse(uri)[1][len(parse(folder)[1].rstrip("/")) + 1 :]


def display_path(uri: str) -> str:
    """A local path without file:// where it is text, else the URI: either can be given back."""
    path = local_path(uri)
    return uri if path is None or _has_undecodable(path) else path


def path_as_text(path: str) -> str:
    """A path or URI as given; a path whose bytes are not UTF-8 as its URI."""
    return normalize_path(path) if _has_undecodable(path) else path


def encode(name: str) -> str:
    """A file name, path or key as it stands in a URI; valid Unicode."""
    if name.isascii() and "%" not in name:
        return name
    return _TO_ENCODE.sub(lambda match: "%25" if match[0] == "%" else f"%{ord(match[0]) - 0xDC00:02X}", name)


def has_scheme(text: str) -> bool:
    """Whether a text is a URI, or a pattern of URIs, and not a path."""
    return _SCHEME.match(text) is not None


def _decoded(text: str) -> str:
    """The inverse of `encode`."""
    if "%" not in text:
        return text
    name = _ENCODED.sub(lambda match: "%" if match[0] == "%25" else chr(0xDC00 + int(match[0][1:], 16)), text)
    try:
        # Encoded bytes that are UTF-8 after all become characters.
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that is in no file name
        return name


def exact_uri(stored_uri: str, path: str) -> str:
    """The normal form of a URI that a catalog of version 1 stored, with the path as it was given.

    It was composed (NFC), which the names in the path undo, and a `%` in a name was not encoded. So `%80` to `%FF` in
    the URI of a local file may be a byte or three characters; it is taken for the byte. A URI in normal form is
    returned as it is.
    """
    match = _SCHEME.match(stored_uri)
    if match is None:
        return stored_uri
    encoded = _encoded_file_name if match[1] == "file" else encode
    stored = stored_uri[match.end() :].split("/")[::-1]
    names = _names_in(path, is_local=match[1] == "file")[::-1]
    known = 0  # the number of names, from the last one, that the path has too
    for in_uri, name in zip(stored, names, strict=False):
        if in_uri not in (unicodedata.normalize("NFC", name), encoded(name)):
            break
        known += 1
    others = ["%25".join(map(encoded, _ENCODED_PERCENT.split(name))) for name in stored[known:]]
    return match[0] + "/".join([*map(encoded, names[:known]), *others][::-1])


def _names_in(path: str, *, is_local: bool) -> list[str]:
    """The names in a path as version 1 resolved it: by its text only."""
    match = _SCHEME.match(path)
    name = path[match.end() :] if match else path
    return (posixpath.normpath(name) if is_local else name).split("/")


def _encoded_file_name(name: str) -> str:
    """A file name of version 1 as it stands in a URI."""
    return encode(_STORED_BYTE.sub(lambda byte: chr(0xDC00 + int(byte[0][1:], 16)), name))


def _has_undecodable(path: str) -> bool:
    return not path.isascii() and any("\udc80" <= character <= "\udcff" for character in path)


def _absolute(path: str) -> str:
    path = path.replace(os.sep, "/")
    if "/../" in f"/{path}/":
        return _without_parent_references(posixpath.join(os.getcwd(), path))
    path = posixpath.normpath(os.path.abspath(path))
    return path[1:] if path.startswith("//") else path  # POSIX keeps exactly two leading slashes


def _without_parent_references(path: str) -> str:
    """An absolute path without `..`: the parent of a symbolic link is that of its target."""
    resolved = "/"
    for name in path.split("/"):
        if name == "..":
            resolved = posixpath.dirname(os.path.realpath(resolved) if os.path.islink(resolved) else resolved)
        elif name not in ("", "."):
            resolved = posixpath.join(resolved, name)
    return resolved
