"""Findings grouped by sequence and frame range, and as documents for build servers."""

from __future__ import annotations

import functools
import gzip
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import junitparser
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from exr_inspector.cli.text import uri_reference
from exr_inspector.findings import files
from exr_inspector.findings.github import github
from exr_inspector.findings.junit import junit
from exr_inspector.findings.model import FileFrame, Finding, Waived, as_arrow, grouped
from exr_inspector.findings.report import NotEvaluatedRule
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
    document = ElementTree.fromstring(junit("check", ["file:///show/fine.exr", SEQUENCE], FINDINGS, str.upper, str))
    (suite,) = document
    assert (suite.get("tests"), suite.get("failures")) == ("3", "2")
    fine, sequence, unreadable = suite
    assert (fine.get("name"), list(fine)) == ("FILE:///SHOW/FINE.EXR", [])
    failure, output = sequence
    assert failure.get("type") == "EXR102"
    assert failure.get("message") == one_line(FINDINGS[0])
    assert output.text.startswith(one_line(FINDINGS[1]))
    assert unreadable.get("name") == HOSTILE.upper().translate(dict.fromkeys((0, 27), "\ufffd"))


@pytest.mark.parametrize(("ticket", "reason"), [("", "agreed"), ("PIPE-1", "agreed, ticket PIPE-1")])
def test_waived_findings_stay_visible_but_do_not_fail(ticket, reason):
    """In every format, with the ticket; in SARIF as suppressions, which all results have then."""
    waiver = Waived(waiver_id="W1", reason="agreed", owner="Ann", ticket=ticket)
    findings = [replace(FINDINGS[0], waived_by=waiver), FINDINGS[1]]
    line = f"1-2,5  truncated: 5 of 12 chunks (EXR102), waived by W1: {reason} (Ann)"
    assert one_line(findings[0]) == line
    (suite,) = ElementTree.fromstring(junit("check", [], findings, str, str))
    assert suite.get("failures") == "0"
    assert line in suite[0].find("system-out").text
    assert github(findings, str, str).startswith(b"::notice ")
    results = json.loads(sarif("1", findings, str, str))["runs"][0]["results"]
    suppression = {"kind": "external", "status": "accepted", "justification": f"{reason} (Ann, W1)"}
    assert [result["suppressions"] for result in results] == [[suppression], []]
    assert "suppressions" not in json.loads(sarif("1", findings[1:], str, str))["runs"][0]["results"][0]
    table = as_arrow(findings).to_pylist()
    covered_by = {"waiver_id": "W1", "reason": "agreed", "owner": "Ann", "ticket": ticket or None}
    assert [row["waived_by"] for row in table] == [covered_by, None]


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
    lines = github(FINDINGS, str, str).decode().splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::error", "::warning", "::error"]
    assert f"file={SEQUENCE.replace(':', '%3A')},title=EXR102 not-whole::{SEQUENCE}  1-2,5  truncated" in lines[0]
    assert "50%25%2Ca%3Ab%0D%0A%3A%3Aerror%3A%3Ax" in lines[2]


@functools.cache
def sarif_schema() -> Draft4Validator:
    path = Path(__file__).parent / "data/sarif-2.1.0-rtm.5.json"
    return Draft4Validator(json.loads(path.read_text("utf-8")))


def many(count: int, severity: str = "warning") -> list[Finding]:
    """Distinct findings, in long paths with characters that formats escape."""
    folder = f"file:///show/{'a long folder %20 & <b>/' * 4}"
    about = problem(severity=severity)
    return [
        replace(about, pattern=f"{folder}{number}.####.exr", message=f"value {number} " + "x" * 100, frames="1001-1240")
        for number in range(count)
    ]


def test_sarif_satisfies_the_schema_of_the_standard():
    """With waivers, hostile names, findings about sequences and paths below the working folder."""
    waived = replace(FINDINGS[0], waived_by=Waived(waiver_id="W-1", reason="as agreed", owner="Ana"))
    document = json.loads(sarif("1.2.3", [*FINDINGS, waived, *many(3)], str, uri_reference))
    sarif_schema().validate(document)
    (run,) = document["runs"]
    below = json.loads(sarif("1.2.3", FINDINGS, str, lambda _: "show/a.exr"))["runs"][0]["results"][0]["locations"][0]
    assert below["physicalLocation"]["artifactLocation"] == {"uri": "show/a.exr", "uriBaseId": "%SRCROOT%"}
    assert set(run["originalUriBaseIds"]) == {"%SRCROOT%"}
    assert all(rule["helpUri"].startswith("https://") for rule in run["tool"]["driver"]["rules"])
    document["runs"][0]["results"][0]["level"] = "fatal"
    assert not sarif_schema().is_valid(document)


@pytest.mark.slow
def test_ten_thousand_findings_keep_the_limits_of_github():
    """10 MB when compressed, 25,000 results, 100 locations and 2,000 characters each; distinct fingerprints."""
    findings = many(10_000)
    findings[0] = replace(findings[0], message="y" * 9_000, files=tuple(f"file:///{n}.exr" for n in range(5_000)))
    data = sarif("1", findings, str, str)
    (run,) = json.loads(data)["runs"]
    results = run["results"]
    assert (len(results), len(gzip.compress(data, 6)) < 10_000_000) == (10_000, True)
    assert max(len(result["locations"]) for result in results) <= 100
    assert max(len(result["message"]["text"]) for result in results) <= 2_001
    assert len({result["partialFingerprints"]["primaryLocationLineHash"] for result in results}) == 10_000


def test_of_too_many_findings_sarif_has_the_most_severe_ones(monkeypatch):
    """And says how many it left out."""
    monkeypatch.setattr("exr_inspector.findings.sarif._MOST_RESULTS", 30)
    (run,) = json.loads(sarif("1", [*many(40), *many(5, "error")], str, str))["runs"]
    assert [result["level"] for result in run["results"]].count("error") == 5
    assert len(run["results"]) == 30
    (notification,) = run["invocations"][0]["toolExecutionNotifications"]
    assert notification["message"]["text"].startswith("15 more findings")


@pytest.mark.slow
def test_junit_is_read_back():
    """By the library of build servers; rules that were not evaluated are skipped."""
    rules = [NotEvaluatedRule("EXR801", "nan", "no statistics <&>", 4)]
    document = junit("check", ["file:///show/fine.exr"], [*FINDINGS, *many(10_000, "error")], str, str, rules)
    (suite,) = junitparser.JUnitXml.fromstring(document)
    assert (suite.tests, suite.failures, suite.skipped) == (10_004, 10_002, 1)
    results = [case.result for case in suite]
    assert sum(bool(result) and isinstance(result[0], junitparser.Failure) for result in results) == 10_002
    assert results[-1][0].message == "4 files: no statistics <&>"


def test_github_gets_ten_annotations_of_a_severity():
    """It shows no more; the others are lines of the log, which are not commands."""
    lines = github([*many(10_000), *many(10, "error")], str, str).decode().splitlines()
    commands = [line for line in lines if line.startswith("::")]
    assert [command.split(" ")[0] for command in commands].count("::warning") == 10
    assert [command.split(" ")[0] for command in commands].count("::error") == 10
    assert "::warning title=exr-inspector::9,991 more; the log lists them" in commands
    assert len(lines) == 10_011
    assert len({line for line in lines if line.startswith("warning: ")}) == 9_991


@pytest.mark.slow
@given(TEXTS, TEXTS)
def test_any_text_gives_well_formed_documents(pattern, message):
    """Names and messages come from files."""
    finding = files.unreadable(pattern, message)
    ElementTree.fromstring(junit("check", [pattern], [finding], str, str))
    json.loads(sarif("1", [finding], str, str))
    assert github([finding], str, str).count(b"\n") == 1
