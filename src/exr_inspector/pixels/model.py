"""The figures of decoded pixels, and the limits of decoding. Plain values: they are sent between processes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

# The bins of `ChannelStats.histogram`: negative values, zeros, values below the first edge, then values from each edge
# to the next, and values from the last edge. The edges are powers of two: bins are one stop wide.
HISTOGRAM_EDGES = tuple(2.0**stop for stop in range(-14, 15))
HISTOGRAM_BINS = len(HISTOGRAM_EDGES) + 3

# The bins of `SampleCounts.histogram`: pixels with fewer samples than the first edge, from each edge to the next, …
SAMPLE_COUNT_EDGES = (1, 2, 3, 4, 5, 6, 7, *(1 << power for power in range(3, 24)))

MAX_CHUNK_BYTES, MAX_SECONDS, _MAX_THREADS = (1 << 31) - 1, 1_000_000, 256
_PROGRAM_BYTES, _THREAD_BYTES = 330 << 20, 70 << 20  # of a thread: its stack, and what the allocator reserves


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelLimits:
    """Upper limits of decoding. Nothing is allocated for values above them."""

    chunk_bytes: int = 64 << 20  # of one chunk before compression; larger chunks are not decoded
    band_bytes: int = 4 << 20  # of the chunks that are decoded at once, before compression
    seconds: float = 300.0  # for one file

    def __post_init__(self) -> None:
        """Raises ValueError for limits that are out of range."""
        for name, size in (("chunk_bytes", self.chunk_bytes), ("band_bytes", self.band_bytes)):
            if not 1 <= size <= MAX_CHUNK_BYTES:
                raise ValueError(f"{name} is {size}; expected 1 to {MAX_CHUNK_BYTES}")
        if not 0 <= self.seconds <= MAX_SECONDS:
            raise ValueError(f"seconds is {self.seconds}; expected 0 to {MAX_SECONDS}")

    def memory_bytes(self, threads: int) -> int:
        """The address space of a process that decodes: the program and its libraries, and what decoding a chunk takes.

        That is 4.5 times its size before compression, 7.5 times that of a band that is hardly compressed.
        """
        return _PROGRAM_BYTES + threads * (_THREAD_BYTES + 6 * max(self.chunk_bytes, self.band_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsOptions:
    """What to compute."""

    parts: Collection[int] | None = None  # by index; all if None
    channels: Collection[str] | None = None  # full names; all if None
    stride: int = 1  # of n runs of chunks, one is decoded
    deep: bool = False  # decode the samples of deep parts; else their counts only
    digest: bool = True  # unless `stride` leaves out pixels
    threads: int = 1
    limits: PixelLimits = field(default_factory=PixelLimits)

    def __post_init__(self) -> None:
        """Raises ValueError for numbers that are out of range."""
        if self.stride < 1:
            raise ValueError(f"stride is {self.stride}; expected 1 or more")
        if not 1 <= self.threads <= _MAX_THREADS:
            raise ValueError(f"threads is {self.threads}; expected 1 to {_MAX_THREADS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelStats:
    """The figures of one channel of level 0; in a deep part, of its samples.

    Minimum, maximum, mean, standard deviation, percentiles and histogram are those of the finite values; without any,
    they are None and the histogram is empty bins. A percentile is the smallest value that so many percent of the values
    do not exceed; of FLOAT and UINT channels it is rounded towards zero to 8 significant bits. All other figures are
    exact, the mean and the standard deviation up to the rounding of a 64-bit float.
    """

    part_index: int
    channel_name: str
    channel_type: str
    sample_count: int  # samples that were decoded
    stride: int
    min: float | None
    max: float | None
    mean: float | None
    stddev: float | None
    nan_count: int
    pos_inf_count: int
    neg_inf_count: int
    negative_count: int
    finite_count: int
    zero_count: int
    max_finite_count: int  # values that are the largest finite number of the pixel type, or its negative
    above_one_count: int  # finite values
    p01: float | None
    p50: float | None
    p99: float | None
    p999: float | None
    # Of the first NaN or infinity but +inf in depth channels, in pixels of the image.
    first_nonfinite_x: int | None
    first_nonfinite_y: int | None
    histogram: tuple[int, ...]  # see HISTOGRAM_EDGES
    pixel_digest: str | None = None  # None unless all samples were decoded


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerStats:
    """The relation of the color channels R, G and B of a layer to its alpha channel A."""

    layer: str  # "" without a layer
    alpha_negative_count: int
    alpha_above_one_count: int
    color_without_alpha_count: int  # pixels where A is zero but R, G or B is not


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleCounts:
    """The numbers of samples of the pixels of a deep part."""

    min: int
    max: int
    mean: float
    total: int
    empty_pixels: int
    max_x: int  # the first pixel with the most samples
    max_y: int
    histogram: tuple[int, ...]  # pixels by number of samples, see SAMPLE_COUNT_EDGES


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeError:
    """Chunks of a part that are missing or cannot be decoded. The other chunks count."""

    part_index: int
    code: str  # a key of DECODE_ERRORS
    where: str  # for people: "lines 800-815", "tiles (3,2) level 0", "all"
    chunk_count: int  # 1 if the number is unknown, 0 if they are still to be decoded
    message: str

    @property
    def is_damage(self) -> bool:
        """Whether the file is the cause: not a limit of time and memory, nor the system. Decoding again fails again."""
        return self.code in _OF_FILE


PENDING, PENDING_DEEP = "pending", "pending_deep"

# Every code of `DecodeError`, with its meaning.
DECODE_ERRORS = {
    PENDING: "The file is not decoded yet: the function had no time or memory left; `ingest --stats` decodes it.",
    PENDING_DEEP: "As `pending`, of a file whose samples of deep parts are to be decoded.",
    "chunk_missing": "The file does not contain the chunk, or not all of it.",
    "bad_chunk": "The chunk's leader or size is invalid, or another chunk begins inside it.",
    "chunk_too_large": "The chunk takes more memory than the limit (a setting).",
    "decode_failed": "The chunk's data cannot be decompressed; of all chunks: the decoder fails.",
    "not_decodable": "The header does not define how the part's pixels are stored, or libraries reject it.",
    "not_supported": "This program does not decode pixels that are stored in this way; the file may be sound.",
    "decode_timeout": "Decoding the file takes more time than the limit (a setting).",
    "decoder_crashed": "The process that decodes the file ended by a fault in a native library.",
    "decoder_ended": "The process that decodes was ended, for example by the system for lack of memory, or hangs.",
    "decoder_unusable": "The process that decodes cannot start, or not load its libraries.",
    "out_of_memory": "Decoding the file takes more memory than the limit.",
}

_OF_FILE = frozenset({"chunk_missing", "bad_chunk", "decode_failed", "not_decodable", "decoder_crashed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PartStats:
    """The figures of one part."""

    part_index: int
    channels: tuple[ChannelStats, ...]  # in file order
    layers: tuple[LayerStats, ...] = ()  # those with an alpha channel
    deep: SampleCounts | None = None
    # Bounds of the pixels that are not zero; None if all are zero, see `is_empty`, or not all were decoded.
    used_window: tuple[int, int, int, int] | None = None
    is_empty: bool | None = None  # whether all pixels of a flat part are zero; None unless all were decoded
    # Windows of lines or tiles inside the used window that are zero, between others that are filled; the first 100.
    empty_regions: tuple[tuple[int, int, int, int], ...] = ()
    pixel_digest: str | None = None  # of all channels; None unless all samples were decoded
    stride: int = 1  # of so many runs of chunks, one was decoded; 1: all
    errors: tuple[DecodeError, ...] = ()

    @classmethod
    def undecoded(cls, part_index: int, code: str, message: str, *, chunk_count: int) -> PartStats:
        """A part of which nothing is decoded."""
        error = DecodeError(part_index=part_index, code=code, where="all", chunk_count=chunk_count, message=message)
        return cls(part_index=part_index, channels=(), errors=(error,))

    @property
    def decode_errors(self) -> int:
        """Number of chunks that are missing or damaged, not those above a limit."""
        return sum(error.chunk_count for error in self.errors if error.is_damage)


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelReport:
    """The figures of the parts of one file, and the version of the file that was read."""

    size_bytes: int
    mtime: datetime | None
    etag: str | None
    parts: tuple[PartStats, ...]

    @property
    def stride(self) -> int:
        """Of so many runs of chunks of a part, one was decoded; 1: all of all parts."""
        return max((part.stride for part in self.parts), default=1)

    @property
    def errors(self) -> tuple[DecodeError, ...]:
        """The errors of all parts."""
        return tuple(error for part in self.parts for error in part.errors)
