"""Digests of pixels that do not depend on compression, tiling and line order.

Of each channel, the SHA-256 of its name, pixel type, width and height, and of the xxh3_128 hashes of its rows from top
to bottom. A row is hashed as its samples in little-endian bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from ..errors import MissingExtraError
from ..exr import Channel
from ..exr.attributes import Box2i
from ..exr.channels import samples_along

ALGORITHM = "xxh3-sha256"
COUNTS = Channel("", "UINT", 1, 1, 0)


class PixelDigest:
    """The digests of the channels of a part, from bands from top to bottom, and from left to right in a row of tiles.

    A deep part has its sample counts as a further channel, COUNTS; the digests of the others depend on it.
    """

    def __init__(self, channels: Iterable[Channel], window: Box2i) -> None:
        self._hasher = _xxhash()
        self._window = window
        self._digests = {}
        for name, pixel_type, x, y, _ in channels:
            width, height = samples_along(window.xMin, window.xMax, x), samples_along(window.yMin, window.yMax, y)
            self._digests[name] = sha256(f"{name}\0{pixel_type}\0{width}\0{height}\n".encode())
        self._open_rows: dict[str, list[Any]] = {}  # hashers of rows that continue in the next band

    def hashed(self, box: Box2i, rows: Iterable[Any]) -> Iterable[Any]:
        """The rows of a channel in a band, as arrays, as `add` takes them: by their hashes, if they are whole.

        Other than `add`, it may be called in any order and thread.
        """
        if not self._is_whole(box):
            return rows
        return [*map(self._hasher.xxh3_128_digest, _little_endian(rows))]

    def add(self, box: Box2i, rows: Mapping[str, Iterable[Any]]) -> None:
        """Add a band: by channel, the rows from `hashed`."""
        for name, digest in self._digests.items():
            if self._is_whole(box):
                digest.update(b"".join(rows[name]))
                continue
            if box.xMin == self._window.xMin:
                self._open_rows[name] = [self._hasher.xxh3_128() for _ in rows[name]]
            for hasher, row in zip(self._open_rows[name], _little_endian(rows[name]), strict=True):
                hasher.update(row)
            if box.xMax == self._window.xMax:
                digest.update(b"".join([hasher.digest() for hasher in self._open_rows.pop(name)]))

    def _is_whole(self, box: Box2i) -> bool:
        """Whether rows of this band are those of the image."""
        return box.xMin == self._window.xMin and box.xMax == self._window.xMax

    def channels(self) -> dict[str, str]:
        """The digest of each channel, with the name of the algorithm."""
        counts = self._digests.get(COUNTS.channel_name)
        prefix = b"" if counts is None else counts.digest()
        return {
            name: f"{ALGORITHM}:{sha256(prefix + digest.digest()).hexdigest() if prefix else digest.hexdigest()}"
            for name, digest in self._digests.items()
            if digest is not counts
        }

    def part(self) -> str:
        """The digest of all channels."""
        return f"{ALGORITHM}:{sha256(''.join(sorted(self.channels().values())).encode()).hexdigest()}"


def _little_endian(rows: Iterable[Any]) -> Iterable[Any]:
    return rows if sys.byteorder == "little" else [row.byteswap() for row in rows]


def _xxhash() -> Any:
    try:
        import xxhash
    except ModuleNotFoundError:
        raise MissingExtraError("pixels", "computing digests of pixels") from None
    return xxhash
