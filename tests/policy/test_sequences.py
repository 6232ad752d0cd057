"""Rules about sequences find their faults, and nothing in good sequences."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from exr_inspector import inspect
from exr_inspector.catalog import open_catalog
from exr_inspector.catalog.rows import from_inspections
from exr_inspector.defaults import PATH_TEMPLATE
from exr_inspector.errors import PolicyError
from exr_inspector.gate import check
from exr_inspector.policy.compile import CompiledPolicy, compile_policy
from exr_inspector.policy.evaluate import evaluate
from exr_inspector.policy.registry import RULES
from exr_inspector.policy.sequence_files import sequence_file, unreadable_file
from exr_inspector.policy.sequences import SequenceFile, SequenceFiles, evaluate_sequences
from tests.support import exr_writer as w
from tests.support.policies import parse_policy

NAME = "/show/comp_v003/comp_v003.{}.exr"
RATE = w.fixed("framesPerSecond", "rational", 24, 1)
DAMAGED = unreadable_file("file://" + NAME.format(9))
HEADERS_VARY = "headers differ in each frame"  # why pixels are not compared
NOON = datetime(2026, 11, 28, 12, tzinfo=timezone.utc)


def policy(*select: str, **rules: Mapping[str, Any]) -> CompiledPolicy:
    named = {name.replace("_", "-"): dict(parameters) for name, parameters in rules.items()}
    data = {"policy": "test", "version": "1", "select": select, "rules": named}
    return compile_policy(parse_policy("test.yaml", json.dumps(data).encode()))


def frame(number: int | str, *extra: bytes, name: str = NAME, cut: int = 0, **given: Any) -> SequenceFile:
    """A file as rules about sequences see it."""
    data = w.build(w.part(extra=extra, **given)).data
    return sequence_file(inspect(data[: len(data) - cut], name=name.format(number)))


def code(number: int, frames: int = 0) -> bytes:
    """A time code that follows the frames, and then differs by some."""
    seconds, rest = divmod(number + frames, 24)
    return w.attribute("timeCode", "timecode", w.timecode(1, 0, seconds, rest))


def channels(*names: str) -> dict[str, Any]:
    return {"channels": [(name, w.HALF, 1, 1, 0) for name in names]}


def found(
    files: Iterable[SequenceFile], *select: str, undecided: str = "", **rules: Mapping[str, Any]
) -> list[tuple[str, ...]]:
    """Rule, severity, frames and actual value of each finding."""
    verdict = evaluate_sequences(policy(*select, **rules), files)
    assert {each.reason.partition(",")[0] for each in verdict.not_evaluated} <= {undecided}
    return [(each.rule_id, each.severity, each.frames, each.actual) for each in verdict.findings]


def test_drift_of_channels_is_readable_and_left_to_the_rule_about_pixel_types():
    kept = {"channels": [(name, w.HALF, 1, 1, 0) for name in "AB"]}
    other = {"channels": [(name, w.FLOAT, 1, 1, 0) for name in "BZ"]}
    only_types = {"channels": [(name, w.FLOAT, 1, 1, 0) for name in "AB"]}
    files = [frame(1, **kept), frame(2, **kept), frame(3, **kept), frame(4, **other), frame(5, **only_types)]
    messages = [each.message for each in evaluate_sequences(policy("EXR904"), files).findings]
    assert messages == [
        "channels: B FLOAT, usually HALF; A missing; Z extra",
        "channels: A, B FLOAT, usually HALF",
    ]
    both = evaluate_sequences(policy("EXR904", "pixel-type", pixel_type={"types": ["HALF"]}), files).findings
    assert [each.frames for each in both] == ["4"]
    other_types = evaluate_sequences(policy("EXR904", "pixel-type", pixel_type={"types": ["FLOAT"]}), files).findings
    assert [each.frames for each in other_types] == ["4", "5"]


def test_channels_without_a_majority_are_compared_with_the_first():
    """The change of pixel types in the middle is left to the rule about them, whichever it forbids."""
    half, single = ({"channels": [(name, kind, 1, 1, 0) for name in "AB"]} for kind in (w.HALF, w.FLOAT))
    for before, after in ((half, single), (single, half)):
        files = [frame(1, **before), frame(2, **before), frame(3, **after), frame(4, **after)]
        types = policy("EXR904", "pixel-type", pixel_type={"types": ["HALF"]})
        assert evaluate_sequences(types, files).findings == ()
    ((message, expected, actual),) = [
        (each.message, each.expected, each.actual) for each in evaluate_sequences(policy("EXR904"), files).findings
    ]
    assert message == "channels: 3-4: A, B HALF, in 1-2 FLOAT"
    assert ("FLOAT" in expected, "HALF" in actual) == (True, True)
    files += [frame(number, **channels("A")) for number in (5, 6)]
    (split,) = evaluate_sequences(policy("EXR904"), files).findings
    assert split.message == "channels: 3-4: A, B HALF, in 1-2 FLOAT; 5-6: A HALF, in 1-2 FLOAT; B missing"
    assert split.expected == ""


def good() -> list[SequenceFile]:
    """A sequence without faults, in another order than that of its frames."""
    extra = (RATE, w.text("software", "Nuke 15"))
    return [frame(number, code(number), *extra, compression=2) for number in (3, 1, 2, 5, 4)]


def test_a_delivery_with_each_fault_once():
    """No fault is reported by two rules."""
    nuke, other = w.text("software", "Nuke 15"), w.text("software", "Natron 2")

    def of(number: int, *extra: bytes, fps: bytes = RATE, frames: int = 0, **given: Any) -> SequenceFile:
        return frame(f"{number:04}", code(number, frames), fps, *(extra or (nuke,)), compression=2, **given)

    def of_old(number: int) -> SequenceFile:
        return of(number, name="/show/comp_v003/comp_v002.{}.exr")

    files = [
        of(1001, cut=1),
        of(1002, other),
        of(1003, nuke, w.text("owner", "x")),
        *map(of, (1005, 1006)),
        of(1007, fps=w.fixed("framesPerSecond", "rational", 25, 1)),
        of(1008, frames=3),
        of(1009, **channels("B", "G")),
        *map(of, (1010, 1011)),
        of(1012)._replace(content=of(1011).content),
        of(1013, name="/show/comp_v003/comp_v003.0{}.exr"),
        *map(of_old, (1001, 1002)),
    ]
    select = [f"EXR{number}" for number in (901, 903, 904, 905, 906, 907, 908, 909, 911, 917)]
    verdict = found(files, *select, undecided=HEADERS_VARY)
    assert len(files) == 14
    assert verdict == [
        ("EXR907", "error", "1001-1002", "v002, v003"),
        ("EXR901", "error", "1004", ""),
        ("EXR903", "error", "1001", "truncated"),
        ("EXR904", "error", "1003", '"x"'),
        ("EXR905", "warning", "", "4, 5"),
        ("EXR906", "warning", "1012", "1011"),
        ("EXR908", "error", "1009", "R"),
        ("EXR909", "warning", "1008", "+3 frames"),
        ("EXR911", "error", "1007", "25/1"),
        ("EXR917", "warning", "1002", "Natron 2"),
    ]


def test_a_good_sequence_has_no_findings():
    assert found(good(), "EXR9", undecided=HEADERS_VARY, range={"expected": "1-5"}) == []


def stereo(view: str, numbers: Iterable[int], **given: Any) -> list[SequenceFile]:
    return [frame(number, name=f"/show/comp_v003_{view}.{{}}.exr", **given) for number in numbers]


def sized(number: int, size_bytes: int) -> SequenceFile:
    return frame(number)._replace(size_bytes=size_bytes)


def dated(number: int, hours: int) -> SequenceFile:
    return frame(number)._replace(modified=NOON.timestamp() - 3600 * hours)


CUT = unreadable_file("file:///show/comp_v003/comp_v003.2.exr")
OLD = [frame(number, name="/show/comp_v003/comp_v002.{}.exr") for number in (1, 2)]
CASES = {
    "gap": ([frame(1), frame(3)], {}, [("error", "2", "")]),
    "range": ([frame(2), frame(3)], {"expected": "1-3"}, [("error", "1", "2-3")]),
    "range, more frames": ([frame(1), frame(2)], {"expected": "2"}, [("error", "1", "1-2")]),
    "range, handles": ([frame(1), frame(2)], {"expected": "2", "handles": 1}, [("error", "3", "1-2")]),
    "range, slate": ([frame(1), frame(2)], {"expected": "2", "slate": "allowed"}, []),
    "bad-frame": ([frame(1), frame(2, cut=1)], {}, [("error", "2", "truncated")]),
    "bad-frame, unreadable": ([frame(1), CUT], {}, [("error", "2", "unreadable")]),
    "drift": ([frame(1), frame(2), frame(3, compression=2)], {}, [("error", "3", '"ZIPS"')]),
    "drift, other fields": ([frame(1), frame(2), frame(3, compression=2)], {"fields": ["owner"]}, []),
    "padding-changes": ([frame("01"), frame("002")], {}, [("warning", "", "2, 3")]),
    "frozen-frame": (
        [frame(n, code(max(n, 2)), compression=2) for n in (1, 2, 3, 4)],
        {},
        [("warning", "2", "1")],
    ),
    "frozen-frame, every second frame": (
        [frame(n, code(max(n, 3)), compression=2) for n in (1, 3, 5, 7)],
        {},
        [("warning", "3", "1")],
    ),
    "frozen-frame, frame 2 is missing": ([frame(n, code(max(n, 3)), compression=2) for n in (1, 3, 4, 5)], {}, []),
    "frozen-frame, frame 2 may be missing": (
        [frame(n, code(max(min(n, 5), 3)), compression=2) for n in (1, 3, 4, 2_000_000)],
        {},
        [],
    ),
    "frozen-frame, one frame": (
        [frame(n, code(int(n)), compression=2) for n in ("1001", "01001", "1002", "1003", "1004")],
        {},
        [],
    ),
    "frozen-frame, static": ([frame(number, compression=2) for number in range(9)], {}, []),
    "mixed-versions": ([frame(1), *OLD], {}, [("error", "1-2", "v002, v003")]),
    "aov-missing": (
        [frame(1), frame(2), frame(3, **channels("B", "G"))],
        {},
        [("error", "3", "R")],
    ),
    "aov-missing, no majority": ([frame(1), frame(2, **channels("B", "G"))], {}, []),
    "timecode-follows": (
        [frame(n, code(n, 5 if n == 4 else 0), RATE) for n in range(1, 6)],
        {},
        [("warning", "4", "+5 frames")],
    ),
    "timecode-follows, constant": (
        [frame(n, code(1), RATE) for n in (1, 2, 3)],
        {},
        [("warning", "1-3", "01:00:00:01 to 01:00:00:01")],
    ),
    "size-outlier": ([sized(1, 100), sized(2, 110), sized(3, 500)], {}, [("warning", "3", "500 bytes")]),
    "size-outlier, factor": ([sized(1, 100), sized(2, 110), sized(3, 500)], {"factor": 5}, []),
    "fps-same": (
        [frame(n, w.fixed("framesPerSecond", "rational", 25 if n == 2 else 24, 1)) for n in (1, 2, 3)],
        {},
        [("error", "2", "25/1")],
    ),
    "layers-same-range": (
        [frame(n, name=f"/show/{aov}.{{}}.exr") for aov, n in (("a", 1), ("a", 2), ("b", 1), ("b", 2), ("b", 3))],
        {},
        [("warning", "", "1-2")],
    ),
    "repeated-frame": ([frame("0001"), frame("001")], {}, [("warning", "1", "")]),
    "stale-frame": ([dated(1, 0), dated(2, 1), dated(3, 40)], {}, [("warning", "3", "")]),
    "stale-frame, hours": ([dated(1, 0), dated(2, 1), dated(3, 40)], {"hours": 48}, []),
    "mixed-software": (
        [frame(n, w.text("software", "b 2" if n == 2 else "a 1")) for n in (1, 2, 3, 4)],
        {},
        [("warning", "2", "b 2")],
    ),
    "duplicate-frame": (
        [frame(n, code(2 if n == 5 else n), compression=2) for n in range(1, 7)],
        {},
        [("warning", "5", "2")],
    ),
    "duplicate-frame, frame 2 is missing": (
        [frame(n, code(max(n, 3)), compression=2) for n in (1, 3, 4, 5)],
        {},
        [("warning", "3", "1")],
    ),
    "empty-region": (
        [frame(n)._replace(used_areas=(0.1 if n == 4 else 0.9,)) for n in range(1, 9)],
        {},
        [("warning", "4", "")],
    ),
    "stereo-pair": ([*stereo("left", (1, 2)), *stereo("right", (1,))], {}, [("error", "2", "1")]),
    "stereo-pair, channels": (
        [*stereo("left", (1,)), *stereo("right", (1,), **channels("B", "G"))],
        {},
        [("error", "", "R")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_rule_finds_its_fault(name):
    """The first word of a case is the rule."""
    files, parameters, expected = CASES[name]
    rule = name.partition(",")[0]
    verdict = evaluate_sequences(policy(rule, **{rule: parameters}), files)
    assert [(each.severity, each.frames, each.actual) for each in verdict.findings] == expected
    assert {each.rule_name for each in verdict.findings} <= {rule}
    assert all(each.message and each.remedy for each in verdict.findings)


def test_drift_of_names_that_no_header_has_is_not_evaluated():
    """A misspelt one, and one whose values differ in each frame; patterns that match one are evaluated."""
    files = [frame(1), frame(2), frame(3, compression=2)]
    verdict = evaluate_sequences(policy(drift={"fields": ["compresion", "dataWindow", "comp*"]}), files)
    assert [(each.attr_name, each.frames) for each in verdict.findings] == [("compression", "3")]
    reason = "no header has the field {}, or its value may differ in each frame"
    assert {each.reason: count for each, count in verdict.not_evaluated.items()} == {
        reason.format(name): 3 for name in ("compresion", "dataWindow")
    }


def test_every_rule_about_sequences_has_a_case():
    rules = {rule.name for rule in RULES.values() if rule.scope == "sequence"}
    assert {name.partition(",")[0] for name in CASES} == rules


def shots(show: str = "/film", /, **names: str) -> list[SequenceFile]:
    """A sequence for each layer of shots."""
    path = show + "/sq01/{}/comp/{}/c.{{}}.exr"
    return [frame(1, name=path.format(shot, layer)) for shot, layers in names.items() for layer in layers.split()]


@pytest.mark.parametrize(
    ("files", "parameters", "expected"),
    [
        (shots(sh010="beauty depth", sh020="depth beauty_v2"), {}, []),
        (shots(sh010="beauty depth", sh020="beauty"), {}, [("file:///film/sq01/sh020", "error", "beauty", "depth")]),
        (shots(sh010="depth", sh020="depth"), {"shots": ["sh?20"], "severity": "warning"}, [
            ("file:///film/sq01/sh020", "warning", "depth", "beauty*"),
        ]),
        (shots(sh010="beauty depth"), {"shots": ["sh0*", "sh030", "sh[4-6]*"]}, [
            ("file:///film/sq01/sh030", "error", "", ""),
            ("file:///film/sq01/sh[4-6]*", "error", "", ""),
        ]),
        ([*shots("/film", sh010="beauty"), *shots("/mnt/film", sh010="depth")], {}, []),
        ([*shots("/film", sh010="beauty"), *shots("/tv", sh010="depth")], {"shots": ["sh*", "sh030"]}, [
            ("file:///film/sq01/sh010", "error", "beauty", "depth"),
            ("file:///tv/sq01/sh010", "error", "depth", "beauty*"),
            ("file:///sh030", "error", "", ""),
        ]),
    ],
)  # fmt: skip
def test_each_shot_has_a_sequence_of_each_layer(files, parameters, expected):
    given = policy(shot_complete={"layers": ["beauty*", "depth"], **parameters})
    verdict = evaluate_sequences(given, files)
    found = [
        (each.pattern, each.severity, each.actual, each.message.partition("layers: ")[2]) for each in verdict.findings
    ]
    assert found == expected
    assert all(each.rule_name == "shot-complete" and each.remedy and each.expected for each in verdict.findings)
    assert not verdict.not_evaluated


def test_a_layer_may_be_above_the_shots():
    given = compile_policy(policy(shot_complete={"layers": ["beauty", "depth"]}).policy, "{show}/{layer}/{shot}/**")
    names = ("beauty/sh010", "depth/sh010", "beauty/sh020")
    (found,) = evaluate_sequences(given, [frame(1, name=f"/film/{name}/a.{{}}.exr") for name in names]).findings
    assert (found.pattern, found.message) == ("file:///film/beauty/sh020", "no sequence of these layers: depth")


@pytest.mark.parametrize(
    ("template", "reason"),
    [(PATH_TEMPLATE, "finds no shot in the paths"), ("{show}/{shot}/**", "finds no layer in the paths")],
)
def test_shots_that_paths_do_not_name_are_not_judged(template, reason):
    given = compile_policy(policy(shot_complete={"layers": ["beauty"]}).policy, template)
    verdict = evaluate_sequences(given, [frame(1, name=f"/film{NAME}"), frame(2, name=f"/film{NAME}")])
    ((rule, count),) = verdict.not_evaluated.items()
    assert (rule.rule_name, rule.reason, count) == ("shot-complete", f"the path template {reason}", 2)
    assert verdict.findings == ()


def test_what_a_policy_says_of_shots_is_about_all_files():
    given = policy(shot_complete={"layers": ["beauty"]})
    (rule,) = evaluate(given, inspect(w.build(w.part()).data)).not_evaluated
    assert rule.reason == "needs all files of the shots"
    assert given.hash != compile_policy(given.policy, "{shot}/{layer}/*").hash
    assert "EXR913" not in {use.rule.rule_id for use in policy("EXR9").rules_for().uses()}
    override = {"when": {"path": "a"}, "select": ["EXR913"], "rules": {"shot-complete": {"layers": ["a"]}}}
    override["ignore"] = ["shot-complete"]
    with pytest.raises(PolicyError, match="the rule is about the shots of all files") as raised:
        parse_policy("a.yaml", json.dumps({"policy": "a", "version": "1", "overrides": [override]}).encode())
    assert len(raised.value.others) == 2


@pytest.mark.parametrize(
    ("files", "rule", "reason"),
    [
        ([frame(1, code(1)), frame(2, code(2))], "timecode-follows", "the frame rate is unknown"),
        ([frame(1), frame(2)], "frozen-frame", "files without compression have equal sizes"),
        ([frame(n, code(n), RATE, compression=2) for n in (1, 2)], "frozen-frame", HEADERS_VARY),
        ([frame(n, code(n), RATE, compression=2) for n in (1, 2)], "duplicate-frame", HEADERS_VARY),
        ([frame(1), frame(2)], "empty-region", "no statistics of pixels"),
        ([frame(1), frame(2), DAMAGED], "empty-region", "no statistics of pixels"),
        ([frame(1), frame(2), DAMAGED], "frozen-frame", "files without compression have equal sizes"),
    ],
)
def test_what_cannot_be_decided_has_not_passed(files, rule, reason):
    verdict = evaluate_sequences(policy(rule), files)
    assert verdict.findings == ()
    ((each, count),) = verdict.not_evaluated.items()
    assert (each.rule_name, count) == (rule, 2)
    assert each.reason.startswith(reason)


@pytest.mark.parametrize("rule", ["frozen-frame", "duplicate-frame"])
def test_each_file_that_is_not_compared_is_counted(rule):
    """Also beside files with statistics of pixels, or whose bytes are known."""
    packed = [frame(n, code(n), compression=2) for n in range(1, 7)]
    raw = [frame(n) for n in range(1, 7)]

    def counts(files: list[SequenceFile]) -> list[tuple[str, int]]:
        undecided = evaluate_sequences(policy(rule), files).not_evaluated
        return [(each.reason.partition(";")[0].partition(",")[0], count) for each, count in undecided.items()]

    def with_pixels(file: SequenceFile) -> SequenceFile:
        return file._replace(content=file.frame, has_pixels=True)

    some, equal = "some files have no statistics of pixels", "files without compression have equal sizes"
    assert counts([*map(with_pixels, packed[:5]), packed[5]]) == [(some, 1)]
    assert counts([*map(with_pixels, packed[:4]), *packed[4:]]) == [(some, 2)]
    assert counts([*map(with_pixels, raw[:4]), *raw[4:]]) == [(equal, 2)]
    assert counts([*packed[:4], *raw[4:]]) == [(equal, 2), (HEADERS_VARY, 4)]
    assert counts(list(map(with_pixels, packed))) == []


def test_a_damaged_frame_is_not_compared():
    first, second = (frame(number)._replace(content="same") for number in (1, 3))
    verdict = evaluate_sequences(policy("frozen-frame", "duplicate-frame", "empty-region"), [DAMAGED])
    assert not verdict.findings
    assert not verdict.not_evaluated
    damaged = unreadable_file("file://" + NAME.format(2))
    files = [first, damaged, second, frame(4)._replace(content="other")]
    assert found(files, "frozen-frame") == []
    assert found(files, "duplicate-frame") == [("EXR919", "warning", "3", "1")]
    assert found(files[:3], "duplicate-frame") == []  # half of the frames that are compared


def test_time_codes_with_dropped_frames_follow():
    """29.97 frames a second: 00:01:00;02 is the frame after 00:00:59;29."""
    rate = w.fixed("framesPerSecond", "rational", 30000, 1001)
    codes = [(0, 59, 28), (0, 59, 29), (1, 0, 2), (1, 0, 3)]
    files = [
        frame(n, w.attribute("timeCode", "timecode", w.timecode(0, *each, drop=True)), rate)
        for n, each in enumerate(codes)
    ]
    assert found(files, "timecode-follows") == []


def test_time_codes_above_30_frames_per_second_may_count_pairs():
    rate = w.fixed("framesPerSecond", "rational", 50, 1)
    files = [
        frame(n, w.attribute("timeCode", "timecode", w.timecode(1, 0, n // 50, n % 50 // 2)), rate) for n in range(60)
    ]
    verdict = evaluate_sequences(policy("timecode-follows"), files)
    assert verdict.findings == ()
    assert [each.reason for each in verdict.not_evaluated] == [
        "time codes at 50 frames per second may count pairs of frames"
    ]


def test_a_time_code_over_midnight_follows():
    codes = [(23, 59, 59, 22), (23, 59, 59, 23), (0, 0, 0, 0)]
    files = [frame(n, w.attribute("timeCode", "timecode", w.timecode(*c)), RATE) for n, c in enumerate(codes)]
    assert found(files, "timecode-follows") == []


def test_overrides_change_the_rules_of_sequences():
    """Those of most files of a sequence."""
    data = {
        "policy": "test",
        "version": "1",
        "select": ["gap"],
        "overrides": [{"when": {"path": "**/elements/**"}, "ignore": ["gap"]}],
    }
    ready = compile_policy(parse_policy("test.yaml", json.dumps(data).encode()))
    files = []
    for name in ("/show/elements/a.1.exr", "/show/elements/a.3.exr", "/show/b.1.exr", "/show/b.3.exr"):
        inspection = inspect(w.build(w.part()).data, name=name)
        files.append(sequence_file(inspection, ready.overrides_of(inspection)))
    (gap,) = evaluate_sequences(ready, files).findings
    assert gap.pattern.endswith("/show/b.#.exr")


@pytest.mark.slow
def test_files_of_the_catalog_have_the_findings_of_check(tmp_path):
    """The same rules, from the same decisions."""
    inspections = [
        inspect(w.build(w.part(compression=2 if n == 4 else 0)).data, name=f"/show/a.{n:04}.exr") for n in (1, 2, 4, 5)
    ]
    with open_catalog(f"duckdb:{tmp_path / 'a.duckdb'}") as catalog:
        catalog.persist_rows(from_inspections(inspections, vectors=False))
        checked = [each for each in check(catalog).findings if each.rule_id.startswith("EXR9")]
    ready = policy("EXR901", "EXR904", drift={"severity": "warning"})
    validated = evaluate_sequences(ready, map(sequence_file, inspections)).findings
    assert [replace(each, files=()) for each in validated] == checked
    assert [len(each.files) for each in validated] == [0, 1]


def test_equal_structures_are_kept_once():
    """Files come from other processes, each with its own copies."""
    files = SequenceFiles()
    for number in range(3):
        file = frame(number)
        files.add(file._replace(structure=replace(file.structure, fields=dict(file.structure.fields))))
    assert len({id(file.structure) for file in files.files}) == 1


@pytest.mark.slow
def test_many_files_stay_within_memory():
    """3 KB for each, while the rules are evaluated; also if a tenth of the files have structures of their own."""
    import tracemalloc

    original = frame(1)
    tracemalloc.start()
    try:
        files = SequenceFiles()
        for number in range(10_000):
            uri = f"file:///show/comp_v003/comp_v003.{number:06}.exr"
            structure = replace(original.structure, structure_hash=f"{number % 1000:064}")
            files.add(
                original._replace(uri=uri, frame=f"{number:06}", structure=structure, header_hash=f"{number:064}")
            )
        verdict = evaluate_sequences(policy("gap", "drift", "aov-missing", "size-outlier"), files.files)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert verdict.findings == ()
    assert peak < 30 << 20
