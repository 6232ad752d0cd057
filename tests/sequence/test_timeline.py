"""Frames that clips of an OpenTimelineIO timeline need, and the sequences that they mean."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from exr_inspector.cli.main import main
from exr_inspector.errors import SettingsError
from exr_inspector.sequence.counterparts import matches
from exr_inspector.sequence.timeline import frames_in_timeline
from tests.support import exr_writer as w

otio = pytest.importorskip("opentimelineio", reason="OpenTimelineIO is not installed (extra otio)")
RATE = 24


def span(start: float, count: float, rate: float = RATE):
    return otio.opentime.TimeRange(otio.opentime.RationalTime(start, rate), otio.opentime.RationalTime(count, rate))


def images(folder: str, prefix: str, start: int, available=None, **more):
    return otio.schema.ImageSequenceReference(
        target_url_base=folder,
        name_prefix=prefix,
        name_suffix=".exr",
        start_frame=start,
        rate=RATE,
        frame_zero_padding=4,
        available_range=available,
        **more,
    )


def external(url: str, available=None):
    return otio.schema.ExternalReference(target_url=url, available_range=available)


def timeline(*clips) -> str:
    """The path of a timeline whose clips have these media references and source ranges."""
    made = otio.schema.Timeline("cut")
    track = otio.schema.Track("v1")
    made.tracks.append(track)
    for number, (reference, used) in enumerate(clips):
        track.append(otio.schema.Clip(f"clip{number}", media_reference=reference, source_range=used))
    otio.adapters.write_to_file(made, "cut.otio")
    return "cut.otio"


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def frame(path: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(w.build(w.part()).data)


def needed(*clips) -> dict[str, list]:
    return {name: sorted(numbers) for name, numbers in frames_in_timeline(timeline(*clips)).items()}


@pytest.mark.parametrize(
    ("reference", "used", "name", "frames"),
    [
        (images("file:///a", "c.", 1001, span(86400, 99)), span(86410, 3), "file:///a/c.#.exr", range(1011, 1014)),
        (images("/a/", "c.", 1001, span(0, 4)), None, "file:///a/c.#.exr", range(1001, 1005)),
        (images("/a", "c.", 1001), span(1010, 2), "file:///a/c.#.exr", range(1010, 1012)),
        (images("/a", "c.", 1001, span(0, 10), frame_step=2), span(1, 6), "file:///a/c.#.exr", [1003, 1005, 1007]),
        (external("/a/c.%04d.exr", span(1001, 3)), None, "file:///a/c.#.exr", range(1001, 1004)),
        (external("file:///a%20b/c.%04d.exr", span(1001, 3)), None, "file:///a b/c.#.exr", range(1001, 1004)),
        (external("s3://bucket/a/c.####.exr", span(1001, 9)), span(1003, 2), "s3://bucket/a/c.#.exr", [1003, 1004]),
        (external("a\\c_v002.1001.exr", span(1001, 2)), None, "file://a/c_v002.#.exr", [1001, 1002]),
        (external("/a/c.$F4.exr", span(48, 4, 48)), span(26, 1), "file:///a/c.#.exr", [52, 53]),
    ],
)  # fmt: skip
def test_a_clip_needs_the_frames_of_its_trimmed_range(reference, used, name, frames):
    assert needed((reference, used)) == {name: list(frames)}


def test_clips_of_a_sequence_are_united_and_other_media_are_left_out():
    c = images("/a", "c.", 1001, span(0, 100))
    clips = [(c, span(0, 2)), (c.clone(), span(1, 2)), (c.clone(), span(50, 1)), (external("/a/b.mov"), span(0, 5))]
    assert needed(*clips, (external("/a/still.exr"), span(0, 1)), (None, span(0, 1))) == {
        "file:///a/c.#.exr": [1001, 1002, 1003, 1051]
    }


@pytest.mark.parametrize(
    ("reference", "used", "message"),
    [
        (images("/a", "c.", 1, span(0, 1_000_002)), None, "1,000,002 frames"),
        (images("/a", "c.", 1, span(0, 5)), span(1e300, 1), "expected a frame number"),
        (images("/a", "c.", 1, span(0, 5)), span(0, math.inf), "expected a frame number"),
        (images("/a", "c.", 1, span(0, 5)), span(math.nan, 1), "expected a frame number"),
        (images("/a", "c.", 1, span(0, 5)), span(0, 1, 0), "expected a frame number"),
        (images("/a", "c.", 1, span(0, 5), frame_step=0), None, "frame step 0"),
        (images("/a", "c.", 1), None, "neither a source range"),
        (external("/a/b.mov"), span(0, 1), "no clip names"),
    ],
)
def test_a_clip_without_usable_frames_is_refused(reference, used, message):
    with pytest.raises(SettingsError, match=message):
        needed((reference, used))


@pytest.mark.slow
def test_the_frames_of_all_clips_are_bounded():
    clips = [(images("/a", f"c{n}.", 1, span(0, 1_000_000)), None) for n in range(5)]
    with pytest.raises(SettingsError, match="more than 4,000,000 frames"):
        needed(*clips)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not an OpenTimelineIO"),
        ("\xff", "not an OpenTimelineIO"),
        ("[1]", "not an OpenTimelineIO"),
        ('{"OTIO_SCHEMA":"Foo.1"}', "expected Timeline"),
        ('{"OTIO_SCHEMA":"Clip.99"}', "not an OpenTimelineIO"),
        ("[" * 100_000, "nested deeper"),
        ('["]]]\\"]",' * 300 + "1" + "]" * 300, "nested deeper"),
        ('"' + '\\"' * 1_000_000, "not an OpenTimelineIO"),
        ('{"a":' * 50_000 + "1" + "}" * 50_000, "nested deeper"),
        (
            '{"OTIO_SCHEMA":"SerializableCollection.1","OTIO_REF_ID":"x","name":"s","metadata":{},'
            '"children":[{"OTIO_SCHEMA":"Serializable\\u004fbjectRef.1","id":"x"}]}',
            "references between",
        ),
    ],
)
def test_hostile_files_are_refused(text, message):
    """On some of them the library itself ends the process."""
    Path("cut.otio").write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError, match=message):
        frames_in_timeline("cut.otio")


@pytest.mark.slow
def test_a_large_or_absent_file_is_refused():
    with open("cut.otio", "wb") as stream:
        stream.truncate((64 << 20) + 1)
    with pytest.raises(SettingsError, match="more than 64 MiB"):
        frames_in_timeline("cut.otio")
    with pytest.raises(SettingsError, match="No such file"):
        frames_in_timeline("other.otio")


NEEDED = frozenset([1])


def test_the_longest_common_end_of_the_path_decides():
    names = ["file:///farm/sh010/c.#.exr", "file:///farm/sh020/c.#.exr", "file:///farm/sh010/d.#.exr"]
    found = matches({"file:///edit/sh010/c.#.exr": NEEDED, "file:///edit/sh030/e.#.exr": NEEDED}, names)
    assert (list(found.found), list(found.absent), found.ambiguous) == (
        [names[0]],
        ["file:///edit/sh030/e.#.exr"],
        [],
    )


def test_a_sequence_of_a_closer_clip_is_not_that_of_another():
    found = matches({"/e/sh010/c.#.exr": NEEDED, "/e/sh020/c.#.exr": NEEDED}, ["/farm/sh020/c.#.exr"])
    assert (list(found.found), list(found.absent)) == (["/farm/sh020/c.#.exr"], ["/e/sh010/c.#.exr"])


@pytest.mark.slow
def test_many_clips_and_sequences_of_one_file_name():
    """In a time that grows with their number, not with its square."""
    names = [f"/farm/sh{n}/c.#.exr" for n in range(10_000)]
    clips = [f"/edit/sh{n}/c.#.exr" for n in range(5_000)] + [f"/edit/other{n}/c.#.exr" for n in range(5_000)]
    found = matches(dict.fromkeys(clips, NEEDED), names)
    assert (set(found.found), {name for name, _ in found.ambiguous}) == (set(names[:5_000]), set(clips[5_000:]))


@pytest.mark.parametrize(("clips", "names"), [(["/e/c.#.exr"], ["/a/c.#.exr", "/b/c.#.exr"]),
                                              (["/e/c.#.exr", "/f/c.#.exr"], ["/a/c.#.exr"])])  # fmt: skip
def test_equal_ends_are_ambiguous(clips, names):
    found = matches(dict.fromkeys(clips, NEEDED), names)
    assert (found.found, found.absent, {name for name, _ in found.ambiguous}) == ({}, {}, set(clips))


@pytest.mark.slow
def test_sequences_are_judged_by_a_timeline(capfd):
    """One has its frames, one lacks some, one has no clip, and of one no file is there."""
    for name in ("a.1001", "a.1002", "a.1003", "b.1001", "b.1003", "free.1001", "free.1003", "free.1004"):
        frame(f"farm/{name[0]}/{name}.exr")
    cut = timeline(
        (images("file:///edit", "a.", 1001, span(0, 3)), None),
        (images("file:///edit", "b.", 1001, span(0, 3)), span(2, 2)),
        (images("file:///edit", "gone.", 1001, span(0, 3)), None),
    )
    command = ["sequences", "farm", "--range-from", f"otio:{cut}"]
    assert main([*command, "--fail-on", "error"]) == 1
    assert capfd.readouterr().out == (
        "/edit/gone.#.exr\n"
        "missing     1001-1003 (3)  no file of this sequence exists\n"
        "farm/a/a.####.exr  1001-1003  (3 frames)\n"
        "all frames of 1001-1003 are present\n"
        "farm/b/b.####.exr  1001,1003  (2 frames)\n"
        "missing     1004 (1)\n"
        "farm/f/free.####.exr  1001,1003-1004  (3 frames)\n"
        "missing     1002 (1)\n"
    )
    assert main([*command, "--problems-only", "--format", "json"]) == 0
    rows = json.loads(capfd.readouterr().out)
    assert [(row["expected"], row["missing"], row["frame_count"]) for row in rows] == [
        ("1001-1003", "1001-1003", 0),
        ("1003-1004", "1004", 2),
        ("", "1002", 3),
    ]


@pytest.mark.slow
def test_an_ambiguous_clip_is_a_usage_error(capfd):
    frame("x/a.1001.exr")
    frame("y/a.1001.exr")
    command = ["sequences", "--range-from", f"otio:{timeline((images('/edit', 'a.', 1001, span(0, 1)), None))}"]
    assert main([*command, "x", "y"]) == 2
    out, err = capfd.readouterr()
    assert ("all frames" in out, "/edit/a.#.exr is ambiguous: " in err) == (False, True)
    assert main([*command, "y"]) == 0
    assert "all frames of 1001 are present" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--range-from", "cut.otio"], "expected otio:FILE"),
        (["--range-from", "otio:"], "expected otio:FILE"),
        (["--range-from", "otio:cut.otio", "--range", "1-2"], "exclude each other"),
    ],
)
def test_options_that_name_no_timeline(capfd, options, message):
    assert main(["sequences", *options]) == 2
    assert message in capfd.readouterr().err
