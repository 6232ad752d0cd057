"""Share of damaged files that a check of the chunks finds, by kind of damage and by `--chunks`.

    python -m benchmarks.detection [FOLDER]        (default: $EXR_CORPUS/valid)

Uses the complete files of the folder with more than 16 chunks and at most 8 MB; smaller ones are always checked whole.
Each file gets each damage several times, at random positions that are the same in every run. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import pack_into, unpack_from

from exr_inspector import inspect
from exr_inspector.errors import ExrFormatError
from exr_inspector.exr import chunk_counts, read_header
from exr_inspector.exr.layout import layout_of

TRIALS = 6  # of each damage, on each file
MIN_CHUNKS, MAX_BYTES = 17, 8 << 20
CHECKS = ("table", "sample", "all")


@dataclass(frozen=True)
class Sound:
    """A complete file, with the offsets of its chunks in table order."""

    data: bytes
    table_at: int
    offsets: tuple[int, ...]
    leader_bytes: int  # of the first part

    @property
    def last(self) -> int:
        return max(self.offsets)

    @property
    def first(self) -> int:
        return min(self.offsets)

    def with_zeros(self, begin: int, length: int) -> bytes:
        end = min(begin + length, len(self.data))
        return self.data[:begin] + bytes(end - begin) + self.data[end:]

    def with_offsets(self, offsets: dict[int, int]) -> bytes:
        changed = bytearray(self.data)
        for slot, offset in offsets.items():
            pack_into("<Q", changed, self.table_at + 8 * slot, offset)
        return bytes(changed)


def sound(data: bytes) -> Sound | None:
    try:
        header = read_header(data)
    except ExrFormatError:
        return None
    counts = chunk_counts(header.parts)
    if None in counts or sum(counts) < MIN_CHUNKS or inspect(data).completeness != "complete":
        return None
    offsets = unpack_from(f"<{sum(counts)}Q", data, header.header_bytes)
    layout = layout_of(header.parts[0], header.is_multipart, counts[0])
    return Sound(data, header.header_bytes, offsets, layout.leader.size)


def cut(file: Sound, choose: random.Random) -> bytes:
    return file.data[: choose.randrange(file.first, len(file.data))]


def cut_in_last_chunk(file: Sound, choose: random.Random) -> bytes:
    return file.data[: choose.randrange(file.last, len(file.data))]


def last_byte_missing(file: Sound, _: random.Random) -> bytes:
    return file.data[:-1]


def zero_table(file: Sound, _: random.Random) -> bytes:
    return file.with_zeros(file.table_at, 8 * len(file.offsets))


def stopped_half_way(file: Sound, choose: random.Random) -> bytes:
    end = choose.choice(file.offsets)
    return file.with_offsets({slot: 0 for slot, at in enumerate(file.offsets) if at >= end})[: max(end, file.first)]


def chunk_never_written(file: Sound, choose: random.Random) -> bytes:
    slot = choose.randrange(len(file.offsets))
    end = min((at for at in file.offsets if at > file.offsets[slot]), default=len(file.data))
    length = end - file.offsets[slot]
    moved = {n: at - length for n, at in enumerate(file.offsets) if at > file.offsets[slot]}
    data = file.with_offsets({**moved, slot: 0})
    return data[: file.offsets[slot]] + data[end:]


def zero_tail(file: Sound, choose: random.Random) -> bytes:
    return file.with_zeros(choose.randrange(file.first, len(file.data)), len(file.data))


def zero_tail_in_last_chunk(file: Sound, choose: random.Random) -> bytes:
    return file.with_zeros(choose.randrange(file.last + file.leader_bytes, len(file.data)), len(file.data))


def hole(length: int) -> Callable[[Sound, random.Random], bytes | None]:
    def damage(file: Sound, choose: random.Random) -> bytes | None:
        room = len(file.data) - file.first - length
        return file.with_zeros(choose.randrange(file.first, file.first + room), length) if room > 0 else None

    return damage


def hole_of_a_quarter(file: Sound, choose: random.Random) -> bytes | None:
    return hole(len(file.data) // 4)(file, choose)


def bytes_lost(file: Sound, choose: random.Random) -> bytes | None:
    if len(file.data) - file.first <= 4096:
        return None
    at = choose.randrange(file.first, len(file.data) - 4096)
    return file.data[:at] + file.data[at + 4096 :]


def offset_repeated(file: Sound, choose: random.Random) -> bytes:
    one, other = choose.sample(range(len(file.offsets)), 2)
    return file.with_offsets({one: file.offsets[other]})


def offsets_swapped(file: Sound, choose: random.Random) -> bytes:
    one, other = choose.sample(range(len(file.offsets)), 2)
    return file.with_offsets({one: file.offsets[other], other: file.offsets[one]})


def offset_wrong(file: Sound, choose: random.Random) -> bytes:
    slot = choose.randrange(len(file.offsets))
    return file.with_offsets({slot: choose.randrange(file.first, len(file.data))})


def leader_wrong(file: Sound, choose: random.Random) -> bytes:
    changed, at = bytearray(file.data), choose.choice(file.offsets)
    changed[at : at + 4] = choose.randbytes(4)
    return bytes(changed)


def size_wrong(file: Sound, choose: random.Random) -> bytes:
    changed, at = bytearray(file.data), choose.choice(file.offsets) + file.leader_bytes - 4
    changed[at : at + 4] = choose.randbytes(4)
    return bytes(changed)


def size_smaller(file: Sound, choose: random.Random) -> bytes | None:
    changed, at = bytearray(file.data), choose.choice(file.offsets) + file.leader_bytes - 4
    (size,) = unpack_from("<I", file.data, at)
    if size < 16:  # of a deep chunk, the upper half of a field
        return None
    pack_into("<I", changed, at, size - choose.randint(1, 8))
    return bytes(changed)


def pixels_changed(file: Sound, choose: random.Random) -> bytes:
    changed, at = bytearray(file.data), choose.choice(file.offsets) + file.leader_bytes
    changed[at : at + 8] = choose.randbytes(8)
    return bytes(changed)


DAMAGES: dict[str, Callable[[Sound, random.Random], bytes | None]] = {
    "cut anywhere": cut,
    "cut in the last chunk": cut_in_last_chunk,
    "last byte missing": last_byte_missing,
    "offset table never written": zero_table,
    "writer stopped half-way": stopped_half_way,
    "a chunk never written": chunk_never_written,
    "zeros from anywhere to the end": zero_tail,
    "zeros from inside the last chunk to the end": zero_tail_in_last_chunk,
    "hole of 1 MiB": hole(1 << 20),
    "hole of a quarter of the file": hole_of_a_quarter,
    "hole of 64 KiB": hole(64 << 10),
    "hole of 4 KiB": hole(4 << 10),
    "4 KiB lost": bytes_lost,
    "an offset repeated": offset_repeated,
    "two offsets swapped": offsets_swapped,
    "one offset wrong": offset_wrong,
    "one leader wrong": leader_wrong,
    "one size wrong": size_wrong,
    "one size 1 to 8 bytes too small": size_smaller,
    "bytes of pixels changed": pixels_changed,
}


def sound_files(folder: Path) -> Iterator[tuple[str, Sound]]:
    for path in sorted(folder.rglob("*.exr")):
        if path.stat().st_size <= MAX_BYTES and (file := sound(path.read_bytes())):
            yield path.relative_to(folder).as_posix(), file


def is_found(data: bytes, check: str) -> bool:
    """Whether the file is not complete, or has a problem for a table that was never written: its chunks can be read."""
    inspection = inspect(data, chunks=check)  # type: ignore[arg-type]
    problems = {problem.code for problem in inspection.problems}
    return inspection.completeness != "complete" or "offset_table_unwritten" in problems


def main() -> None:
    """Print the table."""
    corpus = os.environ.get("EXR_CORPUS")
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(corpus, "valid") if corpus else None)
    folder = parser.parse_args().folder
    if folder is None:
        parser.error("no folder: pass a folder of EXR files or set EXR_CORPUS")
    found = {damage: dict.fromkeys(CHECKS, 0) for damage in DAMAGES}
    tried = dict.fromkeys(DAMAGES, 0)
    files = false_alarms = 0
    for name, file in sound_files(folder):
        files += 1
        false_alarms += sum(is_found(file.data, check) for check in CHECKS)
        choose = random.Random(name)
        for damage, make in DAMAGES.items():
            for _ in range(TRIALS):
                data = make(file, choose)
                if data is None or data == file.data:
                    continue
                tried[damage] += 1
                for check in CHECKS:
                    found[damage][check] += is_found(data, check)
    print(f"{files} files, {false_alarms} false alarms", file=sys.stderr)
    print(f"| damage | {' | '.join(f'`{check}`' for check in CHECKS)} |\n|---|{'---|' * len(CHECKS)}")
    for damage, count in tried.items():
        if count:
            shares = " | ".join(f"{100 * found[damage][check] / count:.0f}" for check in CHECKS)
            print(f"| {damage} | {shares} |")


if __name__ == "__main__":
    main()
