"""Manifests: values written by the OpenEXR library, invalid values, and values that exhaust readers."""

from __future__ import annotations

import os
import random
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exr_inspector.exr.budget import Budget
from exr_inspector.exr.idmanifest import ChannelGroup, IdManifest, decode_idmanifest
from tests.support.strategies import examples

Entries = dict[int, tuple[str, ...]]
LIFETIMES = ("frame", "shot", "stable")


# --- the oracle ---


def idmanifest_values(data: bytes) -> Iterator[bytes]:
    """The raw idmanifest values in the header of a file's first part."""
    position = 8
    while data[position]:
        name_end = data.index(b"\0", position)
        type_end = data.index(b"\0", name_end + 1)
        (size,) = struct.unpack_from("<i", data, type_end + 1)
        position = type_end + 5 + size
        if data[name_end + 1 : type_end] == b"idmanifest":
            yield data[type_end + 5 : position]


def write_and_read(path: Path, groups: Iterable[ChannelGroup]) -> tuple[bytes, IdManifest]:
    """The value that the library writes for these groups, and the manifest that the library reads from it."""
    openexr = pytest.importorskip("OpenEXR")
    numpy = pytest.importorskip("numpy")
    manifest = openexr.IDManifest()
    for group in groups:
        made = openexr.ChannelGroupManifest()
        made.setChannels(set(group.channels))
        made.setComponents(list(group.components))
        made.setLifetime(LIFETIMES.index(group.lifetime))
        made.setHashScheme(group.hash_scheme)
        made.setEncodingScheme(group.encoding_scheme)
        for key, texts in group.entries.items():
            made.insert(key, list(texts))
        manifest.add(made)
    header = {"compression": openexr.NO_COMPRESSION, "type": openexr.scanlineimage, "idManifest": manifest}
    openexr.File(header, {"Y": numpy.zeros((1, 1), "float32")}).write(str(path))
    (raw,) = idmanifest_values(path.read_bytes())
    return raw, as_read_by_library(path)


def as_read_by_library(path: Path) -> IdManifest:
    openexr = pytest.importorskip("OpenEXR")
    with openexr.File(str(path), header_only=True) as file:
        (manifest,) = (v for v in file.header().values() if isinstance(v, openexr.IDManifest))
        return IdManifest(tuple(_group_of(manifest[index]) for index in range(manifest.size())))


def in_a_plain_file(raw: bytes, path: Path) -> Path:
    """A file whose header has this value and no other attribute that the library's Python module cannot read."""
    old, _ = write_and_read(path, [])
    before, _, after = path.read_bytes().partition(struct.pack("<i", len(old)) + old)
    path.write_bytes(before + struct.pack("<i", len(raw)) + raw + after)
    return path


def _group_of(group: Any) -> ChannelGroup:
    return ChannelGroup(
        channels=tuple(sorted(group.getChannels(), key=str.encode)),
        components=tuple(group.getComponents()),
        lifetime=LIFETIMES[int(group.getLifetime())],  # type: ignore[arg-type]
        hash_scheme=group.getHashScheme(),
        encoding_scheme=group.getEncodingScheme(),
        entries={entry.id(): tuple(entry.text()) for entry in group},
    )


def group(entries: Entries, components: Sequence[str] = ("model",), **changes: Any) -> ChannelGroup:
    fields = {"channels": ("id",), "lifetime": "shot", "hash_scheme": "none", "encoding_scheme": "id"}
    return ChannelGroup(**{**fields, "components": tuple(components), "entries": entries, **changes})


def crowd(count: int, seed: int = 1) -> Entries:
    """Hashed 32-bit ids with long paths and materials, some of which are far more frequent than others."""
    rng = random.Random(seed)
    ids = rng.sample(range(1 << 32), count)
    paths = [f"/set/crowd/agent_{n:05d}/geo" for n in range(count)]
    return {key: (path, f"material_{int(rng.expovariate(0.02))}") for key, path in zip(ids, paths, strict=True)}


def long_texts() -> list[str]:
    """Texts around 255 bytes, from which on the size of a common prefix takes two bytes."""
    return ["x" * size + end for size in (254, 255, 256, 300, 511, 512, 70000) for end in ("", "a", "é")]


CASES = {
    "no groups": [],
    "no entries": [group({})],
    "no components": [group({}, ())],
    "empty text": [group({0: ("",), 1: ("a",)})],
    "one entry": [group({7: ("ball",)})],
    "small steps": [group({n: (f"n{n}",) for n in range(1000)})],
    "crowd": [group(crowd(20000), ("model", "material"), hash_scheme="MurmurHash3_32", lifetime="stable")],
    "64 bits": [group({0: ("zero",), 1: ("one",), 1 << 63: ("high",), (1 << 64) - 1: ("last",)})],
    "steps of 64 bits": [group({n << 60: (f"{n}",) for n in range(1, 16)}, encoding_scheme="id2")],
    "non-ASCII": [group({1: ("é",), 2: ("è",), 3: ("球",), 4: ("🎬🎞",)}, ("größe",), channels=("α.id", "β.id"))],
    "beyond 255 bytes": [group({n: (text,) for n, text in enumerate(long_texts())})],
    "several groups": [
        group({5: ("a", "b", "c")}, ("model", "material", "asset"), channels=("id", "id2"), lifetime="frame"),
        group({5: ("b",), 6: ("z",)}, channels=("layer.id",), hash_scheme="unknown"),
        group({}, ("unused",), channels=("none",), lifetime="stable", hash_scheme="", encoding_scheme=""),
    ],
}


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize("groups", CASES.values(), ids=CASES.keys())
def test_reads_what_the_library_writes(tmp_path: Path, groups: list[ChannelGroup]) -> None:
    """Every field equals the one given to the library and the one that it reads."""
    raw, seen_by_library = write_and_read(tmp_path / "a.exr", groups)
    assert decode_idmanifest(raw) == seen_by_library == IdManifest(tuple(groups))


def test_ids_ascend(tmp_path: Path) -> None:
    """Entries are in ascending order of ids."""
    raw, _ = write_and_read(tmp_path / "a.exr", [group(crowd(300), ("model", "material"))])
    (only,) = decode_idmanifest(raw).groups
    assert list(only.entries) == sorted(only.entries)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5) | st.sampled_from(
    ["/a/b" * 40, "/a/b" * 80, "/a/b" * 80 + "c"]
)


@st.composite
def groups_of_one_file(draw: st.DrawFn) -> list[ChannelGroup]:
    groups = []
    for _ in range(draw(st.integers(0, 3))):
        components = draw(st.lists(texts, min_size=1, max_size=3))
        row = st.tuples(*[texts] * len(components))
        entries = draw(st.dictionaries(st.integers(0, 300) | st.integers(0, (1 << 64) - 1), row, max_size=20))
        channels = sorted(draw(st.sets(texts, min_size=1, max_size=3)), key=str.encode)
        lifetime = draw(st.sampled_from(LIFETIMES))
        groups.append(group(entries, components, channels=tuple(channels), lifetime=lifetime))
    return groups


@pytest.mark.slow
@examples(150)
@given(groups=groups_of_one_file())
def test_agrees_with_the_library(tmp_path_factory: pytest.TempPathFactory, groups: list[ChannelGroup]) -> None:
    """Any groups that the library writes are read as the library reads them."""
    path = tmp_path_factory.getbasetemp() / "any.exr"
    raw, seen_by_library = write_and_read(path, groups)
    assert decode_idmanifest(raw) == seen_by_library == IdManifest(tuple(groups))


SAMPLES = ("valid/deep/11.deep.exr", "valid/deep/42.deep.exr")


@pytest.mark.parametrize("name", SAMPLES)
def test_real_files(tmp_path: Path, name: str) -> None:
    """Manifests of renderers are read as the library reads them."""
    path = Path(os.environ.get("EXR_CORPUS", "")) / name
    if not path.is_file():
        pytest.skip("EXR_CORPUS does not name a folder with this file")
    (raw,) = idmanifest_values(path.read_bytes())
    manifest = decode_idmanifest(raw)
    assert manifest == as_read_by_library(in_a_plain_file(raw, tmp_path / "a.exr"))
    assert any(one.entries for one in manifest.groups)


# --- hand-written values ---


def u32(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}I", *numbers)


def varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def stored_list(*blocks: bytes) -> bytes:
    return u32(len(blocks)) + b"".join(varint(len(block)) for block in blocks) + b"".join(blocks)


def value(payload: bytes, declared: int | None = None) -> bytes:
    return struct.pack("<Q", len(payload) if declared is None else declared) + zlib.compress(payload)


def one_group(
    *blocks: bytes,
    runs: Sequence[int] = (0, 0),
    lifetime: int = 1,
    storage: int = 2,
    count: int = 1,
    table: bytes = b"\x05\0",
) -> bytes:
    """A payload with one group of one component; by default id 5 is "ball"."""
    names = stored_list(b"id") + stored_list(b"model")
    schemes = u32(4) + b"none" + u32(2) + b"id"
    head = u32(0) + stored_list(*(blocks or (b"ball",))) + u32(len(runs) // 2, *runs) + u32(1)
    return head + names + bytes([lifetime]) + schemes + bytes([storage]) + u32(count) + table


def entries_of(payload: bytes) -> Entries:
    (only,) = decode_idmanifest(value(payload)).groups
    return only.entries


def test_hand_built_values() -> None:
    """The payloads that the invalid values below are made from are valid."""
    assert entries_of(one_group()) == {5: ("ball",)}
    assert entries_of(one_group(storage=1, table=u32(5) + b"\0")) == {5: ("ball",)}
    assert entries_of(one_group(storage=0, table=u32(0, 5) + b"\0")) == {5 << 32: ("ball",)}
    last = varint((1 << 64) - 1)
    assert entries_of(one_group(table=last + b"\0")) == {(1 << 64) - 1: ("ball",)}


def test_runs_skip_the_positions_of_earlier_runs() -> None:
    """The runs 2, 1–3 and 0–4 give the order 2, 1, 3, 0, 4."""
    table = bytes([1, 0, 1, 1, 1, 2, 1, 3, 1, 4])
    payload = one_group(b"a", b"\0b", b"\0c", b"\0d", b"\0e", runs=(2, 2, 1, 3, 0, 4), count=5, table=table)
    assert entries_of(payload) == {1: ("c",), 2: ("b",), 3: ("d",), 4: ("a",), 5: ("e",)}


def test_text_that_is_not_utf8_is_latin1() -> None:
    """Each text is decoded on its own; a prefix is counted in bytes and may end inside a character."""
    payload = one_group(b"\xc3\xa8", b"\x01\xa9", b"\x01\xff", runs=(0, 2), count=3, table=bytes([1, 0, 1, 1, 1, 2]))
    assert entries_of(payload) == {1: ("è",), 2: ("é",), 3: ("Ãÿ",)}


BAD = {
    "nothing": (b"", "8 bytes"),
    "size only": (bytes(8), "declares 0"),
    "no stream": (struct.pack("<Q", 9), "has 0"),
    "no zlib": (struct.pack("<Q", 9) + b"not zlib", "valid zlib"),
    "declares too little": (value(one_group(), 20), "has more"),
    "declares too much": (value(one_group(), 2000), "declares 2000 bytes"),
    "declares far too much": (value(one_group(), (1 << 64) - 1), "declares 18446744073709551615"),
    "no checksum": (value(one_group())[:-4], "end of its zlib"),
    "bytes after the stream": (value(one_group()) + b"abc", "3 bytes after"),
    "version": (value(u32(1) + one_group()[4:]), "has version 1, expected 0"),
    "only a version": (value(u32(0)), "number of strings"),
    "more strings than bytes": (value(u32(0, 0xFFFFFFFF)), "4294967295 strings"),
    "string longer than the rest": (value(u32(0, 1) + varint(1 << 40)), "needs 1099511627776"),
    "number without end": (value(u32(0, 1) + b"\x80"), "number for"),
    "number of 65 bits": (value(one_group(table=b"\xff" * 9 + b"\x02\0")), "more than 64 bits"),
    "number of 11 bytes": (value(one_group(table=b"\x80" * 10 + b"\0\0")), "more than 64 bits"),
    "no prefix size": (value(one_group(b"a", b"")), "too short for"),
    "half a prefix size": (value(one_group(b"a" * 256, b"\0")), "too short for"),
    "prefix longer than the text": (value(one_group(b"a", b"\x02b")), "shares 2 bytes with one of 1"),
    "run past the strings": (value(one_group(runs=(0, 1))), "from 0 to 1 in 1"),
    "run backwards": (value(one_group(b"a", b"\0b", runs=(1, 0))), "from 1 to 0"),
    "run without strings": (value(u32(0, 0, 1, 0, 0, 0)), "in 0 strings"),
    "more runs than bytes": (value(u32(0, 0, 1 << 30)), "runs of ranks"),
    "more groups than bytes": (value(u32(0, 0, 0, 1 << 30)), "channel groups"),
    "lifetime": (value(one_group(lifetime=3)), "lifetime 3, expected 0, 1 or 2"),
    "storage": (value(one_group(storage=3)), "storage 3, expected 0, 1 or 2"),
    "more ids than bytes": (value(one_group(count=2)), "2 ids"),
    "string without rank": (value(one_group(b"a", b"\0b", table=b"\x05\x01")), "string 1 of 1"),
    "rank of 63 bits": (value(one_group(table=b"\x05" + varint(1 << 62))), "refers to string"),
    "id twice": (value(one_group(count=2, table=b"\x05\0\0\0")), "ascend"),
    "id past 64 bits": (value(one_group(count=2, table=varint((1 << 64) - 1) + b"\0\x01\0")), "ascend"),
}


@pytest.mark.parametrize(("raw", "words"), BAD.values(), ids=BAD.keys())
def test_invalid_values_are_described(raw: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decode_idmanifest(raw)


def test_every_cut_is_detected() -> None:
    """A payload that ends early is rejected at any byte."""
    payload = one_group(b"ball", b"\x02t", runs=(0, 1), count=2, table=b"\x05\0\x01\x01")
    for size in range(1, len(payload)):
        with pytest.raises(ValueError, match="is truncated"):
            decode_idmanifest(value(payload[:size]))


# --- limits ---

LIMIT = 1 << 20
OBJECTS = 70_000


def prefix_bomb() -> bytes:
    """Four bytes each for texts of 60000 bytes."""
    return one_group(b"x" * 60000, *[b"\xea\x60"] * 60000)


def repeated_runs() -> bytes:
    """The longest run, repeated: quadratic work if each run is walked."""
    return one_group(b"a", *[b"\0b"] * 39999, runs=(0, 39999) * 100000)


def many_ids(count: int = 900000) -> bytes:
    """Ids of one byte each, without components."""
    head = u32(0, 0, 0, 1) + stored_list(b"id") + stored_list() + bytes([0]) + u32(0, 0) + bytes([2])
    return head + u32(count) + b"\x01" * count


# Functions, because building the values takes longer than rejecting them.
HARM: dict[str, tuple[Callable[[], bytes], str | None]] = {
    "zlib bomb": (lambda: struct.pack("<Q", LIMIT) + zlib.compress(bytes(200 * LIMIT)), "has more"),
    "zlib bomb that declares its size": (lambda: value(bytes(17 * LIMIT)), "declares 17825792"),
    "prefix bomb": (lambda: value(prefix_bomb()), "are left"),
    "repeated runs": (lambda: value(repeated_runs()), None),
    "many ids": (lambda: value(many_ids()), "are left"),
    "many empty strings": (lambda: value(u32(0, 1000000) + bytes(1000000)), "are left"),
    "many empty names": (lambda: value(u32(0, 0, 0, 1, 900000) + bytes(900000)), "are left"),
    "many empty groups": (lambda: value(u32(0, 0, 0, 47000) + bytes(22 * 47000)), "are left"),
    "as many groups as may be": (lambda: value(u32(0, 0, 0, 8192) + bytes(22 * 8192)), None),
    "as many ids as may be": (lambda: value(many_ids(65000)), None),
}
# Read to their end twice, the second time with every allocation traced.
LONGEST = ("repeated runs", "as many ids as may be")


def error_message(raw: bytes, objects: int) -> str | None:
    try:
        decode_idmanifest(raw, Budget(objects))
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in LONGEST else []) for name in HARM]
)
def test_time_and_memory_are_bounded(name: str) -> None:
    """Time and memory stay within a small multiple of the budget."""
    make, words = HARM[name]
    raw = make()
    begin = time.process_time()
    message = error_message(raw, OBJECTS)
    assert time.process_time() - begin < 4  # measured: at most half a second; quadratic work takes minutes
    assert message is None if words is None else words in (message or "")

    tracemalloc.start()
    try:
        error_message(raw, OBJECTS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 25 * LIMIT


GOOD_PAYLOAD = one_group(
    b"/set/ball", b"\x05tree", b"\x00" + b"y" * 300, b"\x01\x2cz",
    runs=(1, 2, 0, 3), count=4, table=b"\x05\0\x81\x01\x01\x01\x02\x01\x03",
)  # fmt: skip


def mutate(raw: bytes, steps: list[tuple[int, int, bytes]]) -> bytes:
    for position, removed, added in steps:
        at = position % (len(raw) + 1)
        raw = raw[:at] + added + raw[at + (removed or len(added)) :]
    return raw


mutations = st.lists(st.tuples(st.integers(0, 600), st.integers(0, 2), st.binary(max_size=4)), max_size=6)


def result_or_message(raw: bytes, limit: int) -> str:
    """The message of the ValueError for a value; empty if it is read, and its groups are valid then."""
    try:
        manifest = decode_idmanifest(raw, Budget(limit))
    except ValueError as error:
        message = str(error)
        assert message, raw
        return message
    for one in manifest.groups:
        assert one.lifetime in LIFETIMES, raw
        assert all(len(row) == len(one.components) for row in one.entries.values()), raw
    return ""


@settings(max_examples=150, deadline=None)
@given(payload_steps=mutations, value_steps=mutations | st.just([]), limit=st.sampled_from([0, 1, 400, 1 << 20]))
@pytest.mark.slow
def test_any_mutations_give_a_result_or_a_value_error(
    payload_steps: list[tuple[int, int, bytes]], value_steps: list[tuple[int, int, bytes]], limit: int
) -> None:
    """As the following cases, chosen by Hypothesis, which reduces one that fails."""
    result_or_message(mutate(value(mutate(GOOD_PAYLOAD, payload_steps)), value_steps), limit)


def test_mutations_give_a_result_or_a_value_error() -> None:
    """Mutations inside and outside of the zlib stream raise no other exception."""
    chosen = random.Random(5)

    def steps(most: int) -> list[tuple[int, int, bytes]]:
        return [
            (chosen.randrange(601), chosen.randrange(3), chosen.randbytes(chosen.randrange(5)))
            for _ in range(chosen.randrange(most + 1))
        ]

    results = 0
    for number in range(2000):
        payload = mutate(GOOD_PAYLOAD, steps(6) if number else [])
        raw = mutate(value(payload), steps(6) if number % 3 == 2 else [])
        results += not result_or_message(raw, (1 << 20, 400, 1, 0, 1 << 20)[number % 5])
    assert 20 < results < 1500


@given(raw=st.binary(max_size=100))
def test_noise_raises_only_value_errors(raw: bytes) -> None:
    """Random bytes, as a value and as a payload."""
    for attempt in (raw, value(raw), value(u32(0) + raw)):
        try:
            decode_idmanifest(attempt)
        except ValueError:
            pass
