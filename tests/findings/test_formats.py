"""Findings grouped by sequence and frame range, and as documents for build servers."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from exr_inspector.findings import files
from exr_inspector.findings.github import github
from exr_inspector.findings.junit import junit
from exr_inspector.findings.model import FileFrame, Waived, as_arrow, grouped
from exr_inspector.findings.sarif import sarif
from exr_inspector.findings.text import one_line

SEQUENCE = "file:///show/a.####.exr"
HOSTILE = "file:///show/50%,a:b\r\n::error::x\x00\x1b .exr"
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


def frame(number: int) -> FileFrame:
    return FileFrame(uri=f"file:///show/a.{number:04}.exr", frame=f"{number:04}")


def problem(message: str = "the width is 0", severity: str = "warning", part_index: int | None = 1):
    return files.problem(
        SEQUENCE, code="long_name", severity=severity, message=message, part_index=part_index, attr_name="x"
    )


CUT = files.not_whole(SEQUENCE, "truncated", "5 of 12 chunks")
FINDINGS = [
    *grouped([(CUT, frame(1)), (problem(), frame(1)), (CUT, frame(2)), (CUT, frame(5))]),
    *grouped([(files.unreadable(HOSTILE, "empty file"), FileFrame(uri=HOSTILE, frame=""))]),
]


def test_equal_findings_of_a_sequence_are_one():
    cut, long_name, unreadable = FINDINGS
    assert (cut.frames, cut.frame_count, cut.files) == ("1-2,5", 3, tuple(frame(n).uri for n in (1, 2, 5)))
    assert one_line(cut) == "1-2,5  truncated: 5 of 12 chunks (EXR102)"
    assert one_line(long_name) == "1  part 1: the width is 0 (long_name) (EXR109)"
    assert (unreadable.frames, unreadable.frame_count, unreadable.files) == ("", 0, (HOSTILE,))


def test_a_table_has_a_row_for_each_finding():
    first, second = as_arrow(FINDINGS[:2]).to_pylist()
    assert first["part_index"] is first["channel_name"] is None
    assert (first["rule_id"], first["severity"], first["expected"], first["actual"]) == (
        "EXR102",
        "error",
        "complete",
        "truncated",
    )
    assert (second["part_index"], second["attr_name"], second["frames"]) == (1, "x", "1")


def test_junit_has_a_case_for_each_pattern():
    document = ElementTree.fromstring(junit("check", ["file:///show/fine.exr", SEQUENCE], FINDINGS, str.upper))
    (suite,) = document
    assert (suite.get("tests"), suite.get("failures")) == ("3", "2")
    fine, sequence, unreadable = suite
    assert (fine.get("name"), list(fine)) == ("FILE:///SHOW/FINE.EXR", [])
    failure, output = sequence
    assert failure.get("type") == "EXR102"
    assert failure.get("message") == one_line(FINDINGS[0])
    assert output.text.startswith(one_line(FINDINGS[1]))
    assert unreadable.get("name") == HOSTILE.upper().translate(dict.fromkeys((0, 27), "\ufffd"))


def test_waived_findings_stay_visible_but_do_not_fail():
    """In every format; in SARIF as suppressions, which all results have then."""
    waiver = Waived(waiver_id="W1", reason="agreed", owner="Ann")
    findings = [replace(FINDINGS[0], waived_by=waiver), FINDINGS[1]]
    line = "1-2,5  truncated: 5 of 12 chunks (EXR102), waived by W1: agreed (Ann)"
    assert one_line(findings[0]) == line
    (suite,) = ElementTree.fromstring(junit("check", [], findings, str))
    assert suite.get("failures") == "0"
    assert line in suite[0].find("system-out").text
    assert github(findings, str).startswith(b"::notice ")
    results = json.loads(sarif("1", findings, str, str))["runs"][0]["results"]
    suppression = {"kind": "external", "status": "accepted", "justification": "agreed (Ann, W1)"}
    assert [result["suppressions"] for result in results] == [[suppression], []]
    assert "suppressions" not in json.loads(sarif("1", findings[1:], str, str))["runs"][0]["results"][0]
    table = as_arrow(findings).to_pylist()
    assert [row["waived_by"] for row in table] == [{"waiver_id": "W1", "reason": "agreed", "owner": "Ann"}, None]


def test_sarif_names_rules_locations_and_parts():
    (run,) = json.loads(sarif("1.2.3", FINDINGS, str, lambda uri: uri.removeprefix("file:///")))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["EXR101", "EXR102", "EXR109"]
    cut, long_name, unreadable = run["results"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == ["EXR102", "EXR109", "EXR101"]
    assert (cut["level"], long_name["level"]) == ("error", "warning")
    assert [location["physicalLocation"]["artifactLocation"]["uri"] for location in cut["locations"]] == [
        "show/a.0001.exr",
        "show/a.0002.exr",
        "show/a.0005.exr",
    ]
    assert long_name["locations"][0]["logicalLocations"] == [{"fullyQualifiedName": "part 1/x"}]
    assert len(unreadable["locations"]) == 1


def test_the_fingerprint_of_a_result_does_not_depend_on_frames():
    """Or each run of a build server would have new results."""
    one, other = grouped([(CUT, frame(1))]), grouped([(CUT, frame(1)), (CUT, frame(2))])
    prints = [json.loads(sarif("1", findings, str, str))["runs"][0]["results"][0] for findings in (one, other)]
    assert prints[0]["partialFingerprints"] == prints[1]["partialFingerprints"]


def test_findings_that_differ_in_values_only_have_different_fingerprints():
    other = files.not_whole(SEQUENCE, "truncated", "6 of 12 chunks")
    results = json.loads(sarif("1", grouped([(CUT, frame(1)), (other, frame(2))]), str, str))["runs"][0]["results"]
    assert len({result["partialFingerprints"]["primaryLocationLineHash"] for result in results}) == 2


def test_a_file_with_equal_problems_counts_once():
    """An attribute that is written three times."""
    (finding,) = grouped([(problem(), frame(1)), (problem(), frame(1)), (problem(), frame(2))])
    assert (finding.frame_count, finding.files) == (2, (frame(1).uri, frame(2).uri))


def test_a_result_has_a_limited_number_of_locations():
    (many,) = grouped((CUT, frame(number)) for number in range(1, 500))
    assert len(json.loads(sarif("1", [many], str, str))["runs"][0]["results"][0]["locations"]) == 100


def test_github_gets_one_command_a_line():
    lines = github(FINDINGS, str).decode().splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::error", "::warning", "::error"]
    assert f"file={SEQUENCE.replace(':', '%3A')},title=EXR102 not-whole::{SEQUENCE}  1-2,5  truncated" in lines[0]
    assert "50%25%2Ca%3Ab%0D%0A%3A%3Aerror%3A%3Ax" in lines[2]


@given(TEXTS, TEXTS)
def test_any_text_gives_well_formed_documents(pattern, message):
    """Names and messages come from files."""
    finding = files.unreadable(pattern, message)
    ElementTree.fromstring(junit("check", [pattern], [finding], str))
    json.loads(sarif("1", [finding], str, str))
    assert github([finding], str).count(b"\n") == 1
