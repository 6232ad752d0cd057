"""Waivers: errors with file, line and column, and the findings that they cover."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exr_inspector.errors import PolicyError, SettingsError
from exr_inspector.findings.model import FileFrame, Finding, finding, grouped
from exr_inspector.findings.rules import GAP, NOT_WHOLE, PADDING, RULES
from exr_inspector.frames.names import parse_name
from exr_inspector.frames.ranges import frame_range, parse_range
from exr_inspector.policy import waivers as waivers_module
from exr_inspector.policy.load import load_policy
from exr_inspector.policy.schema import waivers_schema
from exr_inspector.policy.waivers import Waiver, WaiverEntry, apply_waivers, load_waivers, waivers_of

TODAY = date(2026, 11, 28)
SEQUENCE = "file:///show/sh010/a.####.exr"
SHOT = [finding(RULES["EXR913"], "error", "file:///show/sh010", "no sequence of these layers: depth")]
JUDGED = [f"file:///show/sh010/a.{number:04}.exr" for number in range(1, 10)]
ENTRY: dict[str, Any] = {
    "id": "W1",
    "rule": "not-whole",
    "path": "sh010/a.####.exr",
    "reason": "replaced on Monday",
    "by": "Ann",
    "until": "2026-11-28",
}


WAIVER = Waiver(
    entry=WaiverEntry(
        id="W1", rule="not-whole", path="sh010/a.####.exr", reason="agreed", by="Ann", until=date(2026, 11, 28)
    ),
    rule_id="EXR102",
    numbers=None,
    uri="file:///show/waivers.yaml",
    line=2,
)


def written(path: Path, *entries: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump({"waivers": [{**ENTRY, **entry} for entry in entries]}, sort_keys=False))
    return path


def applied(tmp_path: Path, findings: list[Finding], *entries: dict[str, Any], today: date = TODAY) -> list[Any]:
    """Rule, frames and waiver of each finding."""
    waivers = load_waivers(written(tmp_path / "waivers.yaml", *entries))
    return [
        (each.rule_id, each.frames, each.waived_by and each.waived_by.waiver_id)
        for each in apply_waivers(findings, waivers, today, JUDGED)
    ]


def truncated(*frames: int, **given: Any) -> list[Finding]:
    """One finding about frames of a sequence."""
    about = replace(finding(NOT_WHOLE, "error", SEQUENCE, "truncated"), **given)
    files = [FileFrame(uri=f"file:///show/sh010/a.{n:04}.exr", frame=f"{n:04}") for n in frames]
    return grouped((about, file) for file in files)


def missing(frames: str) -> list[Finding]:
    about = finding(GAP, "error", SEQUENCE, "missing")
    return [replace(about, frames=frames, frame_count=len(parse_range(frames)))]


@pytest.mark.parametrize(
    ("findings", "entry", "expected"),
    [
        (truncated(1, 2, 3), {}, [("EXR102", "1-3", "W1")]),
        (truncated(1, 2, 3), {"frames": "2-9"}, [("EXR102", "1", None), ("EXR102", "2-3", "W1")]),
        (truncated(1, 2, 3), {"frames": 2}, [("EXR102", "1,3", None), ("EXR102", "2", "W1")]),
        (truncated(1, 2), {"path": "/show/sh010/a.0002.exr"}, [("EXR102", "1", None), ("EXR102", "2", "W1")]),
        (truncated(1, 2), {"path": "**/sh010/**"}, [("EXR102", "1-2", "W1")]),
        (truncated(1), {"rule": "EXR102"}, [("EXR102", "1", "W1")]),
        (truncated(1), {"path": "h010/a.####.exr"}, [("EXR102", "1", None)]),  # about no file that was judged
        (truncated(1), {"frames": "30-40"}, [("EXR102", "1", None)]),
        (truncated(1), {"frames": "2-40"}, [("EXR102", "1", None), ("EXR990", "", None)]),
        (truncated(1), {"rule": "gap"}, [("EXR102", "1", None), ("EXR990", "", None)]),
        (truncated(1), {"part": 0}, [("EXR102", "1", None), ("EXR990", "", None)]),
        (truncated(1, part_index=0), {"part": 0}, [("EXR102", "1", "W1")]),
        (truncated(1, channel_name="A.R"), {"channel": "A.*"}, [("EXR102", "1", "W1")]),
        (truncated(1, channel_name="B.R"), {"channel": "A.*"}, [("EXR102", "1", None), ("EXR990", "", None)]),
        (truncated(1), {"until": "2026-11-27"}, [("EXR102", "1", None), ("EXR991", "", None)]),
        (missing("1-9x2"), {"rule": "gap"}, [("EXR901", "1-9x2", "W1")]),
        (missing("1-9x2"), {"rule": "gap", "frames": "3-6"}, [("EXR901", "1,7,9", None), ("EXR901", "3,5", "W1")]),
        (SHOT, {"rule": "shot-complete", "path": "**/sh010/**"}, [("EXR913", "", "W1")]),
        (SHOT, {"rule": "shot-complete", "path": "sh010"}, [("EXR913", "", "W1")]),
        (SHOT, {"rule": "shot-complete", "path": "**/sh01/**"}, [("EXR913", "", None)]),
        (
            [finding(PADDING, "warning", SEQUENCE, "several paddings")],
            {"rule": "padding-changes", "frames": "1-9"},
            [("EXR905", "", None), ("EXR990", "", None)],
        ),
    ],
)
def test_a_waiver_covers_what_it_names(tmp_path, findings, entry, expected):
    """Of a sequence some frames, files or all; nothing after its last day."""
    assert sorted(map(str, applied(tmp_path, findings, entry))) == sorted(map(str, expected))


FRAMES = st.sets(st.integers(1, 20), min_size=1).map(sorted)


@pytest.mark.slow
@given(frames=FRAMES, waived=st.lists(FRAMES, max_size=3), has_files=st.booleans())
def test_each_frame_stays_in_one_finding(frames, waived, has_files):
    """It is waived if a waiver names it, by the first one; also where there are no files, as of missing frames."""
    (about,) = truncated(*frames) if has_files else missing(frame_range(frames))
    waivers = [
        replace(WAIVER, entry=replace(WAIVER.entry, id=f"W{n}"), rule_id=about.rule_id, numbers=frozenset(numbers))
        for n, numbers in enumerate(waived)
    ]
    found = [each for each in apply_waivers([about], waivers, TODAY, about.files) if each.rule_id == about.rule_id]
    by_frame = [
        (frame, each.waived_by and each.waived_by.waiver_id) for each in found for frame in parse_range(each.frames)
    ]
    first = {frame: f"W{n}" for n, numbers in reversed(list(enumerate(waived))) for frame in numbers}
    assert sorted(by_frame) == [(frame, first.get(frame)) for frame in frames]
    assert sum(each.frame_count for each in found) == len(frames)
    assert sum(len(each.files) for each in found) == (len(frames) if has_files else 0)


def test_each_file_is_parsed_once_however_many_waivers_there_are(monkeypatch):
    """Waivers that cover nothing, and those of findings about many files, are compared with all files."""
    parsed: list[str] = []
    monkeypatch.setattr(waivers_module, "parse_name", lambda uri: parsed.append(uri) or parse_name(uri))
    waivers = [
        replace(WAIVER, entry=replace(WAIVER.entry, id=f"W{n}", path=path), rule_id=rule, numbers=frozenset({n}))
        for n in range(1, 6)
        for path in (WAIVER.entry.path, "none.####.exr")
        for rule in ("EXR102", "EXR301")
    ]
    found = apply_waivers(truncated(*range(1, 10)), waivers, TODAY, JUDGED)
    assert [each.frame_count for each in found if each.rule_id == "EXR102"] == [4, 1, 1, 1, 1, 1]
    assert sorted(parsed) == JUDGED


def test_several_waivers_share_the_frames_of_a_sequence(tmp_path):
    found = applied(tmp_path, truncated(1, 2, 3, 4), {"frames": "1-2"}, {"id": "W2", "frames": "2-3"})
    assert found == [("EXR102", "4", None), ("EXR102", "1-2", "W1"), ("EXR102", "3", "W2")]


def test_counts_and_files_are_those_of_the_frames(tmp_path):
    waivers = load_waivers(written(tmp_path / "w.yaml", {"frames": "2-9"}))
    rest, covered = apply_waivers(truncated(1, 2, 3), waivers, TODAY, ())
    assert (rest.frame_count, covered.frame_count) == (1, 2)
    assert [Path(uri).name for uri in covered.files] == ["a.0002.exr", "a.0003.exr"]
    assert (covered.waived_by.reason, covered.waived_by.owner) == ("replaced on Monday", "Ann")


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize(
    ("entry", "line", "column", "message"),
    [
        ({"rule": "not-hole"}, 3, 9, "unknown rule 'not-hole'; did you mean not-whole"),
        ({"rule": "EXR007"}, 3, 9, "unknown rule 'EXR007'"),
        ({"frames": "1001-"}, 8, 11, "is not a frame range"),
        ({"frames": "1-2000000"}, 8, 11, "more than a million frames"),
        ({"until": "2026-13-01"}, 7, 10, "waivers.0.until: expected a date, such as 2026-12-31"),
        ({"reason": " "}, 5, 11, "waivers.0.reason: "),
        ({"until": None}, 7, 10, "waivers.0.until: "),
        ({"part": -1}, 8, 9, "expected 0 or more"),
        ({"ownr": "Ann"}, 8, 3, "unknown; expected id, rule, path, reason, by, until, frames, part, channel, ticket"),
    ],
)
def test_errors_have_file_line_and_column(tmp_path, entry, line, column, message):
    path = written(tmp_path / "w.yaml", entry)
    with pytest.raises(PolicyError) as raised:
        load_waivers(path)
    assert (raised.value.line, raised.value.column) == (line, column), str(raised.value)
    assert str(raised.value).startswith(f"{path}:{line}:{column}: ")
    assert message in str(raised.value)


def test_each_key_that_is_required_or_repeated(tmp_path):
    for key in ENTRY:
        path = tmp_path / "w.yaml"
        path.write_text(yaml.safe_dump({"waivers": [{k: v for k, v in ENTRY.items() if k != key}]}))
        with pytest.raises(PolicyError, match=rf"w\.yaml:2:3: waivers\.0\.{key}: missing"):
            load_waivers(path)
    with pytest.raises(PolicyError, match=r":8:7: the identifier W1 is repeated"):
        load_waivers(written(tmp_path / "w.yaml", {}, {}))
    with pytest.raises(PolicyError, match=r":8:7: the identifier invalid-id is repeated"):
        load_waivers(written(tmp_path / "w.yaml", {"id": "invalid-id"}, {"id": "invalid-id"}))
    several = written(tmp_path / "w.yaml", {"rule": "gapp", "reason": " "}, {"rule": "gapp", "frames": {"str": 1}})
    with pytest.raises(PolicyError) as raised:
        load_waivers(several)
    errors = [f"{each.line}: {each.message.split(';')[0]}" for each in (raised.value, *raised.value.others)]
    assert errors == [
        "3: unknown rule 'gapp'",
        "5: waivers.0.reason: expected a string that is not empty",
        "8: the identifier W1 is repeated",
        "9: unknown rule 'gapp'",
        "15: waivers.1.frames: expected a string",
    ]
    with pytest.raises(SettingsError, match=r"waivers .*none\.yaml: No such file"):
        load_waivers(tmp_path / "none.yaml")


def test_rules_of_a_policy_of_ones_own_are_named_by_their_identifier(tmp_path):
    (waiver,) = load_waivers(written(tmp_path / "w.yaml", {"rule": "XYZ001"}))
    assert waiver.rule_id == "XYZ001"


def test_the_schema_accepts_what_is_valid():
    validator = jsonschema.Draft202012Validator(waivers_schema())
    validator.check_schema(validator.schema)
    validator.validate({"waivers": [{**ENTRY, "frames": 1001, "part": 0, "ticket": "T-1"}]})
    assert not validator.is_valid({"waivers": [{**ENTRY, "frame": 1001}]})
    assert not validator.is_valid({"waivers": [{key: ENTRY[key] for key in ENTRY if key != "reason"}]})


def test_a_file_that_a_policy_names_and_that_is_missing_has_a_position(tmp_path):
    policy = tmp_path / "show.yaml"
    policy.write_text('policy: show\nversion: "1"\nwaivers: none.yaml\n')
    with pytest.raises(PolicyError, match=r"show\.yaml:3:1: waivers .*none\.yaml: No such file"):
        waivers_of(load_policy(policy))
