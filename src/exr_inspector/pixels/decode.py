"""Decodes flat parts band by band, in memory that does not depend on the size of the image.

The only module that uses OpenEXR. It prints warnings on stdout and stderr: run it where these are not needed, as in
`worker.py`.
"""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import MissingExtraError
from ..exr.attributes import Box2i
from ..exr.channels import samples_along
from ..exr.leaders import Read
from ..exr.locate import LocatedPart
from ..exr.writer import Pieces
from .cuts import Cutter, Run
from .fetch import MISSING, Chunk, ChunkFault, fetch_chunks
from .model import PixelLimits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float16] | NDArray[np.float32] | NDArray[np.uint32]

UNDECODABLE = ChunkFault("decode_failed", "the chunk's data cannot be decompressed")
_MAX_MEMORY_FILE_BYTES = 5 << 20  # of a band of the default size; larger ones have few chunks
_OPEN_FILES = "/proc/self/fd"
_idle_files: list[int] = []  # descriptors of files in memory that no thread uses; their pages are used again
os.register_at_fork(after_in_child=_idle_files.clear)  # or parent and child would write to the same files
_COPIES = 5  # of the data before compression, which the library allocates
_DTYPES = {"HALF": ("f", 2), "FLOAT": ("f", 4), "UINT": ("u", 4)}  # kind and size; names take longer to look up


class Band(NamedTuple):
    """Decoded pixels: their inclusive bounds, and the samples of each channel by name, one row for each line."""

    box: Box2i
    channels: dict[str, Samples]


class BandError(NamedTuple):
    """Chunks that were not decoded."""

    slots: range
    fault: ChunkFault


class FlatDecoder:
    """Decodes one level of a flat part. Raises NotDecodableError."""

    def __init__(self, read: Read, located: LocatedPart, limits: PixelLimits, level: int = 0) -> None:
        self._read, self._located = read, located
        self._cutter = Cutter(located.leaders.part, located.leaders.layout, limits, level)
        self._channels = located.leaders.part.channels

    def runs(self) -> Iterator[Run]:
        """The runs of the level from top to bottom. Raises NotDecodableError."""
        return self._cutter.runs()

    def decode(self, run: Run) -> Iterator[Band | BandError]:
        """The pixels of a run. Where a chunk is damaged, those of the others, and the errors.

        Reads the run with one request if its chunks lie one after another. Raises SourceError.
        """
        chunks = fetch_chunks(self._read, self._located, run.slots, self._longest)
        result = self._decode(run, chunks)
        if isinstance(result, Band):
            yield result
            return
        for unit in self._cutter.units(run):
            unit_result = self._decode(unit, chunks) if unit.slots != run.slots else result
            if unit_result is UNDECODABLE:
                require_memory(sum(map(self._cutter.size_of, unit.slots)))
            yield unit_result if isinstance(unit_result, Band) else BandError(unit.slots, unit_result)

    def _longest(self, slot: int) -> int:
        return self._located.leaders.layout.size_range(slot)[1]

    def _decode(self, run: Run, chunks: dict[int, Chunk | ChunkFault]) -> Band | ChunkFault:
        packed = []
        for slot in run.slots:
            chunk = chunks[slot]
            if isinstance(chunk, ChunkFault):
                return chunk
            if len(chunk.data) < chunk.size:  # the file was shortened since its size was read
                return MISSING
            packed.append(chunk.data)
        decoded = decode_flat(self._cutter.small_exr(run, packed))
        return UNDECODABLE if decoded is None else self._band(run.box, decoded)

    def _band(self, box: Box2i, decoded: dict[str, Any]) -> Band | ChunkFault:
        """A band with the samples in the order of the channel list, if they have the expected types and sizes."""
        channels = {}
        for channel in self._channels:
            samples = decoded.get(channel.channel_name)
            height = samples_along(box.yMin, box.yMax, channel.y_sampling)
            width = samples_along(box.xMin, box.xMax, channel.x_sampling)
            expected = (height, width), _DTYPES[channel.channel_type or ""]
            if samples is None or (samples.shape, (samples.dtype.kind, samples.dtype.itemsize)) != expected:
                return UNDECODABLE
            channels[channel.channel_name] = samples
        return Band(box, channels)


class PiecesStream(io.BufferedIOBase):
    """A file in pieces, as the library reads it; a piece is copied when it is read, whole as a rule."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces, self._ends, self._at = pieces, list(accumulate(map(len, pieces))), 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to an offset, which may be beyond the end, and return it."""
        self._at = offset + (0, self._at, self._ends[-1])[whence]
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes: `size`, or the rest if it is negative or None; fewer at the end."""
        end = self._ends[-1] if size is None or size < 0 else min(self._at + size, self._ends[-1])
        found, number = [], bisect_right(self._ends, self._at)
        while self._at < end:
            piece = self._pieces[number]
            first = self._at - self._ends[number] + len(piece)
            found.append(piece[first : first + end - self._at])
            self._at += len(found[-1])
            number += 1
        return b"".join(found)


def decode_flat(small_exr: Pieces) -> dict[str, Any] | None:
    """The samples of a flat EXR file with one part, by channel; None if the library cannot decode all of it.

    The library does not raise for damaged chunks: it leaves out the part, with a warning on stdout.
    """
    decoded = None
    if sum(map(len, small_exr)) <= _MAX_MEMORY_FILE_BYTES:
        with suppress(OSError), _memory_file(small_exr) as path:
            decoded = _decoded(path)
    # Data that seems damaged is decoded again: the library may have failed to open the path.
    return _decoded(PiecesStream(small_exr)) if decoded is None else decoded


def _decoded(exr: str | PiecesStream) -> dict[str, Any] | None:
    openexr = _openexr()
    try:
        with openexr.File(exr, separate_channels=True, num_threads=0) as file:
            if len(file.parts) != 1:
                return None
            return {name: channel.pixels for name, channel in file.parts[0].channels.items()}
    except (RuntimeError, ValueError, UnicodeDecodeError):
        return None


@contextmanager
def _memory_file(pieces: Pieces) -> Iterator[str]:
    """The path of a copy in memory of a file in pieces. Raises OSError where the system or its limits allow none.

    The library reads it while other threads run Python code; to read from a stream, it waits until none does.
    """
    data = b"".join(pieces)
    try:
        file = _idle_files.pop()
    except IndexError:
        file = _new_memory_file()
    try:
        if os.pwrite(file, data, 0) < len(data):  # the limit of the size of files
            raise OSError("the file is larger than the limit")
        os.ftruncate(file, len(data))
        yield f"{_OPEN_FILES}/{file}"
    except BaseException:
        os.close(file)
        raise
    _idle_files.append(file)


def _new_memory_file() -> int:
    """The descriptor of an empty file in memory, as Linux has, that can be opened by its path. Raises OSError."""
    if not hasattr(os, "memfd_create"):
        raise OSError("the system has no files in memory")
    file = os.memfd_create("exr")
    try:
        os.close(os.open(f"{_OPEN_FILES}/{file}", os.O_RDONLY))
    except OSError:
        os.close(file)
        raise
    return file


def require_memory(size: int) -> None:
    """Raise MemoryError if there was too little memory for data of this size, which the library takes for damage."""
    import numpy as np

    try:
        _ = [np.empty(size, np.uint8) for _ in range(_COPIES)]  # memory that is not touched
    except MemoryError:
        raise MemoryError(size) from None


def _openexr() -> Any:
    try:
        import OpenEXR
    except ModuleNotFoundError:
        raise MissingExtraError("pixels", "decoding pixels") from None
    return OpenEXR
