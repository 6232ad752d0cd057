"""Thousands of small realistic EXR files, for benchmarks of reading and ingesting headers."""

from __future__ import annotations

from functools import lru_cache, partial
from struct import Struct

from tests.support import exr_writer as w

FRAMES_PER_SEQUENCE = 100
WIDTH, HEIGHT = 16, 8
COMPRESSIONS = (0, 3, 2, 4, 8)  # NO, ZIP, ZIPS, PIZ, DWAA: a chunk of the full size is stored raw
DEPTH: tuple[w.Channel, ...] = (("Z", w.FLOAT, 1, 1, 0),)
AOVS = ("diffuse", "specular", "transmission", "sss", "volume", "emission")

_FLOAT, _OFFSET = Struct("<f").pack, Struct("<Q").pack


def small_file(index: int, multipart: bool, attribute_count: int) -> bytes:
    """The bytes of file `index`: a valid 16 x 8 render of a sequence of 100 frames.

    Its first part has `attribute_count` attributes: the required ones (8, in a multipart file 11), up to four that
    change with every frame, and those of the sequence; at least the required ones and at most all of them (40 or
    more). The same arguments give the same bytes.
    """
    sequence, frame = divmod(index, FRAMES_PER_SEQUENCE)
    changing = _frame_attributes(index, 1001 + frame)
    required, constant, rest, bodies = _sequence(sequence, multipart)
    optional = [*changing, *constant][: max(0, attribute_count - len(required))]
    header = b"".join(sorted([*required, *optional])) + b"\0" + rest
    position = 8 + len(header) + 8 * len(bodies)
    table = []
    for body in bodies:
        table.append(_OFFSET(position))
        position += len(body)
    version = b"v/1\x01\x02\x10\0\0" if multipart else b"v/1\x01\x02\0\0\0"
    return b"".join([version, header, *table, *bodies])


def _frame_attributes(index: int, frame: int) -> list[bytes]:
    clock = f"2026:03:{1 + index // 5760 % 28:02} {index // 240 % 24:02}:{index // 4 % 60:02}:{index % 4 * 15:02}"
    return [
        b"arnold/frame\0float\0\4\0\0\0" + _FLOAT(frame),
        b"arnold/stats/time/render\0float\0\4\0\0\0" + _FLOAT(60 + index * 7919 % 1000 / 8),
        b"arnold/stats/memory/peak\0float\0\4\0\0\0" + _FLOAT(4000 + index * 104729 % 3000),
        b"capDate\0string\0\x13\0\0\0" + clock.encode(),
    ]


@lru_cache(maxsize=1024)
def _sequence(number: int, multipart: bool) -> tuple[tuple[bytes, ...], list[bytes], bytes, list[bytes]]:
    """The shared pieces of the frames of a sequence: required attributes, other attributes, later headers, chunks."""
    compression = COMPRESSIONS[number % len(COMPRESSIONS)]
    part = partial(w.part, width=WIDTH, height=HEIGHT, compression=compression)
    if not multipart:
        only = part()
        return only.attributes, _sequence_attributes(number), b"", list(only.chunks)
    beauty, depth = part(name="beauty"), part(name="depth", channels=DEPTH)
    bodies = [bytes([index, 0, 0, 0]) + c for index, each in enumerate((beauty, depth)) for c in each.chunks]
    rest = b"".join(depth.attributes) + b"\0\0"
    return beauty.attributes, _sequence_attributes(number), rest, bodies


def _sequence_attributes(number: int) -> list[bytes]:
    shot = f"sq{number // 20:03}0_sh{number % 20:03}0"
    texts = {
        "arnold/version": "Arnold 7.3.2.1 [5a4c1f0e] linux x86_64 oiio-2.5.8 osl-1.13.9 vdb-7.1.1",
        "show": "harbor",
        "shot": shot,
        "arnold/scene": f"/shows/harbor/{shot}/lighting/{shot}_lighting_v{1 + number % 30:03}.ma",
        "arnold/color_space": "ACEScg",
        "arnold/host/os": "Linux",
    }
    numbers = {"arnold/AA_samples": 4 + number % 5, "arnold/threads": 32, "arnold/diffuse_samples": 2}
    pieces = [w.text(name, text) for name, text in texts.items()]
    pieces += [w.fixed(name, "int", value) for name, value in numbers.items()]
    for aov in AOVS:
        pieces += [
            w.text(f"arnold/aovs/{aov}/filter", "gaussian_filter"),
            w.fixed(f"arnold/aovs/{aov}/filter_width", "float", 2),
            w.text(f"arnold/aovs/{aov}/lpe", f"C<.'{aov}'>.*"),
        ]
    return [*pieces, w.fixed("framesPerSecond", "rational", 24000, 1001)]
