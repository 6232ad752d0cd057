"""The commands validate and policy: findings, formats, what was not evaluated, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import pytest

from exr_inspector.cli.main import main
from exr_inspector.policy.load import builtin_names
from tests.cli.test_inspect import CUT
from tests.support import exr_writer as w
from tests.support.s3_server import ACCESS_KEY, BUCKET, SECRET_KEY

ZIP = w.build(w.part(compression=3)).data
POLICY = """\
policy: show
version: "1"
extends: [base]
select: [frame-padding, colour-space-allowed]
rules:
  compression: {allowed: [NONE], severity: warning}
"""
FINDINGS = """\
show/c.####.exr
error    1003  truncated: 7 of 8 chunks; missing line 7 (7 in part) (EXR102)
           render the frame again, or copy the file again
warning  1001-1002  compression: expected NONE, is ZIP (EXR301)
           write the file again with other settings; the pixels need not be rendered again
show/png.exr
error    unreadable: not an EXR file: PNG signature (not_exr at byte 0) (EXR101)
           replace it with a complete EXR file
4 files: 2 errors, 1 warning, 2 rules not evaluated
"""


@pytest.fixture(autouse=True)
def show(tmp_path, monkeypatch):
    """Three frames, two of them compressed and one truncated, and a file that is not an EXR."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXR_INSPECTOR_WORKERS", "1")
    Path("show").mkdir()
    for number, data in ((1001, ZIP), (1002, ZIP), (1003, CUT)):
        Path(f"show/c.{number}.exr").write_bytes(data)
    Path("show/png.exr").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(60))
    Path("show.yaml").write_text(POLICY)


def test_findings_are_grouped_and_rules_without_a_verdict_are_listed(capfd):
    """In blocks whose rows begin with the severity; the worst finding decides the exit code."""
    assert main(["validate", "show", "--policy", "show.yaml"]) == 1
    text, errors = capfd.readouterr()
    assert text == FINDINGS
    assert errors.splitlines() == [
        "1 rule about pixels was not evaluated in 3 files: use --stats",
        "not evaluated: EXR404 colour-space-allowed in 3 files: the policy gives no value for allowed",
        "not evaluated: all other rules in 1 file: the header cannot be read",
    ]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["show/c.1001.exr"], 0),
        (["show/c.1001.exr", "--policy", "show.yaml"], 0),
        (["show/c.1001.exr", "--policy", "show.yaml", "--fail-on", "warning"], 1),
        (["show/c.1003.exr"], 1),
        (["show/c.1003.exr", "--fail-on", "never"], 0),
        (["show/none.exr"], 3),
        (["show/none.####.exr"], 2),
        (["show/c.1001.exr", "--policy", "none.yaml"], 2),
        (["show/c.1001.exr", "--policy", "rendr"], 2),
        ([], 2),
        (["show/c.1001.exr", "--policy", "base", "--policy", "render"], 2),
    ],
)
def test_exit_codes(words, code):
    assert main(["validate", *words]) == code


def test_errors_of_a_policy_name_file_line_and_column(capfd):
    Path("show.yaml").write_text(POLICY.replace("allowed", "alowed"))
    assert main(["validate", "show", "--policy", "show.yaml"]) == 2
    assert capfd.readouterr() == (
        "",
        "exr-inspector: show.yaml:4:25: unknown rule 'colour-space-alowed'; did you mean colour-space-allowed or "
        "colour-space or software-allowed?\n"
        "exr-inspector: show.yaml:6:17: rules.compression.alowed: unknown; expected severity, allowed; did you mean "
        "allowed?\n",
    )


WAIVERS = """\
waivers:
  - {id: W1, rule: EXR102, path: show/c.####.exr, frames: 1003, reason: agreed, by: Ann, until: 2099-12-31}
  - {id: W2, rule: compression, path: show/c.*.exr, frames: 1002-1010, reason: ok, by: B, ticket: T1, until: 2099-12-31}
  - {id: W3, rule: unreadable, path: "show/**", reason: old, by: Bob, until: 2020-12-31}
"""


@pytest.mark.parametrize("named", [False, True])
def test_waived_findings_are_marked_and_do_not_count(capfd, named):
    """By the option, or by the policy, whose path is relative to it."""
    Path("waivers").mkdir()
    Path("waivers/show.yaml").write_text(WAIVERS)
    Path("show.yaml").write_text(POLICY + ("waivers: waivers/show.yaml\n" if named else ""))
    options = [] if named else ["--waivers", "waivers/show.yaml"]
    assert main(["validate", "show", "--policy", "show.yaml", *options]) == 1
    assert (
        capfd.readouterr().out
        == """\
show/c.####.exr
warning  1001  compression: expected NONE, is ZIP (EXR301)
           write the file again with other settings; the pixels need not be rendered again
waived   1003  truncated: 7 of 8 chunks; missing line 7 (7 in part) (EXR102), waived by W1: agreed (Ann)
waived   1002  compression: expected NONE, is ZIP (EXR301), waived by W2: ok, ticket T1 (B)
show/png.exr
error    unreadable: not an EXR file: PNG signature (not_exr at byte 0) (EXR101)
           replace it with a complete EXR file
waivers/show.yaml
warning  line 4: the waiver W3 of EXR101 expired on 2020-12-31; it is by Bob (EXR991)
           fix what it waived and remove it, or renew it with a later date
4 files: 1 error, 2 warnings, 2 waived, 2 rules not evaluated
"""
    )
    assert main(["validate", "show/c.1003.exr", "--policy", "show.yaml", *options]) == 0
    assert main(["policy", "check", "show.yaml"]) == 0
    assert ("3 waivers\n" in capfd.readouterr().out) == named


def test_waivers_of_rules_that_are_not_evaluated_are_not_unused(capfd):
    """Rules about pixels without --stats, about sequences, and those of a file without a header."""
    waivers = {
        "W1": ("nan", "show/c.####.exr"),
        "W2": ("drift", "show/c.####.exr"),
        "W3": ("compression", "show/png.exr"),
        "W4": ("compression", "show/c.1003.exr"),
        "W5": ("gap", "show/c.####.exr"),
    }
    entries = ", ".join(
        f'{{id: {name}, rule: {rule}, path: "{path}", reason: r, by: Ann, until: 2099-12-31}}'
        for name, (rule, path) in waivers.items()
    )
    Path("w.yaml").write_text(f"waivers: [{entries}]")
    rules = "nan: {}, drift: {fields: [none]}, compression: {allowed: [ZIP, NONE]}, gap: {}"
    Path("a.yaml").write_text(f'policy: a\nversion: "1"\nrules: {{{rules}}}\n')
    assert main(["validate", "show", "--policy", "a.yaml", "--waivers", "w.yaml", "--fail-on", "warning"]) == 1
    shown = capfd.readouterr()
    assert "1 rule about pixels was not evaluated in 3 files" in shown.err
    assert "EXR904 drift in 3 files" in shown.err
    assert [line.split(" of ")[0].split()[-1] for line in shown.out.splitlines() if "EXR990" in line] == ["W4", "W5"]


def test_formats_of_programs(capfd):
    """All findings are in each."""

    def printed(name: str) -> str:
        assert main(["validate", "show", "--policy", "show.yaml", "--format", name]) == 1
        return capfd.readouterr().out

    validation = json.loads(printed("json"))["validation"]
    assert list(validation) == ["policy", "version", "hash", "verdict", "files", "findings", "not_evaluated"]
    assert (validation["policy"], validation["verdict"], validation["files"]) == ("show", "FAIL", 4)
    undecided = {(each["rule_id"], each["reason"]): each["file_count"] for each in validation["not_evaluated"]}
    assert undecided["EXR404", "the policy gives no value for allowed"] == 3
    rows = validation["findings"]
    assert [(row["rule_id"], row["frames"]) for row in rows] == [
        ("EXR102", "1003"),
        ("EXR301", "1001-1002"),
        ("EXR101", None),
    ]
    (run,) = json.loads(printed("sarif"))["runs"]
    assert {result["ruleId"] for result in run["results"]} == {"EXR101", "EXR102", "EXR301"}
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert {each.get("associatedRule", {"id": ""})["id"] for each in notes} == {rule_id for rule_id, _ in undecided}
    assert {rule["name"] for rule in run["tool"]["driver"]["rules"]} == {"Unreadable", "NotWhole", "Compression"}
    (suite,) = ElementTree.fromstring(printed("junit"))
    assert "validate --policy show.yaml" in suite.find("properties/property").get("value")
    judged = [case for case in suite.findall("testcase") if case.find("skipped") is None]
    assert [(case.get("name"), case.find("failure") is not None) for case in judged] == [
        ("show/c.####.exr", True),
        ("show/png.exr", True),
    ]
    assert "EXR404 colour-space-allowed" in [case.get("name") for case in suite.findall("testcase")]
    *commands, notice = printed("github").splitlines()
    assert len(commands) == printed("jsonl").count("\n") == 3
    assert notice.startswith("::notice title=exr-inspector::not evaluated: ")
    assert "EXR404 colour-space-allowed in 3 files: the policy gives no value for allowed" in notice


def test_paddings_of_one_sequence_are_one_pattern(capfd):
    for frame in ("9", "10"):
        Path(f"show/short.{frame}.exr").write_bytes(CUT)
    assert main(["validate", "show/short.#.exr", "--format", "json"]) == 1
    (row,) = json.loads(capfd.readouterr().out)["validation"]["findings"]
    assert (row["pattern"].rpartition("/")[2], row["frames"]) == ("short.#.exr", "9-10")


def test_files_that_cannot_be_read_are_findings_for_programs(capfd):
    assert main(["validate", "show/none.1001.exr", "show/c.1001.exr", "--format", "json"]) == 3
    (row,) = json.loads(capfd.readouterr().out)["validation"]["findings"]
    assert (row["rule_id"], row["frames"]) == ("EXR100", "1001")


def test_worker_processes_return_the_same(capfd, monkeypatch):
    main(["validate", "show", "--policy", "show.yaml"])
    expected = capfd.readouterr()
    monkeypatch.setenv("EXR_INSPECTOR_WORKERS", "2")
    assert main(["validate", "show", "--policy", "show.yaml"]) == 1
    assert capfd.readouterr() == expected


@pytest.mark.slow
def test_policies_are_listed_shown_and_checked(capfd):
    assert main(["policy", "list"]) == 0
    assert [line.split()[0] for line in capfd.readouterr().out.splitlines()] == builtin_names()
    for name in builtin_names():
        assert main(["policy", "show", name]) == 0
    assert capfd.readouterr().out.count("policy: ") == len(builtin_names())
    assert main(["policy", "check", "show.yaml"]) == 0
    assert capfd.readouterr() == (
        "show.yaml: policy show version 1, 30 rules, 0 overrides\n",
        "show.yaml:4:25: warning: not evaluated: EXR404 colour-space-allowed: the policy gives no value for allowed\n",
    )
    override = 'overrides: [{when: {path: "**/a/**"}, select: [fps-allowed]}]'
    Path("over.yaml").write_text(f'policy: over\nversion: "1"\n{override}\n')
    assert main(["policy", "check", "over.yaml"]) == 0
    assert "over.yaml:3:48: warning: not evaluated: EXR606 fps-allowed" in capfd.readouterr().err
    override = 'overrides: [{when: {path: a}, rules: {fps-allowed: {allowed: ["24"]}}}]'  # the others have none
    Path("over.yaml").write_text(f'policy: over\nversion: "1"\nselect: [fps-allowed]\n{override}\n')
    assert main(["policy", "check", "over.yaml"]) == 0
    assert capfd.readouterr().err.startswith("over.yaml:3:10: warning: not evaluated: EXR606 fps-allowed")
    assert main(["policy", "schema"]) == 0
    assert "frame-padding" in json.loads(capfd.readouterr().out)["properties"]["rules"]["properties"]
    assert main(["policy", "rules", "show.yaml", "--format", "json"]) == 0
    rules = {row["name"]: row for row in json.loads(capfd.readouterr().out)}
    assert (rules["compression"]["severity"], rules["compression"]["parameters"]) == (
        "warning",
        '{"allowed": ["NONE"]}',
    )


def test_policies_that_do_nothing_are_reported(capfd):
    Path("none.yaml").write_text('policy: none\nversion: "1"\n')
    assert main(["policy", "check", "none.yaml"]) == 0
    assert (
        "none.yaml:1:1: warning: the policy selects no rule; add select, or extends: [base]\n" in capfd.readouterr().err
    )
    assert main(["policy", "rules", "none.yaml"]) == 0
    for words in (["validate", "show"], ["ingest", "show", "--catalog", "duckdb:c.duckdb"]):
        assert main([*words, "--policy", "none.yaml"]) == 2
        assert "none.yaml:1:1: the policy selects no rule" in capfd.readouterr().err
    Path("ignore.yaml").write_text(f"ignore: [EXR301, EXR8, drift]\n{POLICY}")
    assert main(["policy", "check", "ignore.yaml"]) == 0
    assert "ignore.yaml:1:24: warning: ignore: no rule that is selected matches drift\n" in (
        text := capfd.readouterr().err
    )
    assert text.count("no rule that is selected") == 1
    assert main(["validate", "show", "--range", "1001-990"]) == 2
    assert "the smaller frame comes first: 990-1001" in capfd.readouterr().err


def test_objects_of_a_store(store, monkeypatch, capfd):
    for name, value in (("ENDPOINT", store.url), ("ACCESS_KEY", ACCESS_KEY), ("SECRET_KEY", SECRET_KEY)):
        monkeypatch.setenv(f"S3_{name}", value)
    for key, data in (("a/c.1001.exr", ZIP), ("a/c.1002.exr", CUT)):
        store.client.put_object(Bucket=BUCKET, Key=key, Body=data)
    assert main(["validate", f"s3://{BUCKET}/a/", f"s3://{BUCKET}/none.exr", "--format", "json"]) == 3
    rows = json.loads(capfd.readouterr().out)["validation"]["findings"]
    assert [(row["pattern"], row["rule_id"], row["frames"]) for row in rows] == [
        (f"s3://{BUCKET}/a/c.####.exr", "EXR102", "1002"),
        (f"s3://{BUCKET}/none.exr", "EXR100", None),
    ]


@pytest.mark.slow
def test_pixels_are_judged_on_request(capfd):
    """Without statistics, rules about them are not evaluated."""
    Path("pixels.yaml").write_text('policy: pixels\nversion: "1"\nselect: [EXR8]\n')
    words = ["validate", "show/c.1001.exr", "--policy", "pixels.yaml", "--fail-on", "warning"]
    assert main(words) == 0
    assert capfd.readouterr() == (
        "1 file: no findings, 11 rules not evaluated\n",
        "11 rules about pixels were not evaluated in 1 file: use --stats\n",
    )
    assert main([*words, "--stats"]) == 1
    output = capfd.readouterr()
    assert "(EXR804)" in output.out
    assert not output.err
    Path("show/c.1003.exr").write_bytes(b"")
    assert main(["validate", "show/c.####.exr", *words[2:-1], "error", "--stats", "--format", "markdown"]) == 1
    output = capfd.readouterr()
    assert "pixels judged, but not in 1 file" in output.out
    assert "--stats" not in output.err
    for name in ("render", "plate", "vfx-delivery"):
        main(["validate", "show/c.1001.exr", "--policy", name, "--stats"])
        assert "(EXR804)" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "verdict"),
    [
        (["empty"], 2, "NOTHING JUDGED"),
        (["show/none.####.exr", "--range", "1001-1004"], 1, "FAIL"),
    ],
)
def test_reports_of_no_file_do_not_pass(capfd, words, code, verdict):
    Path("empty").mkdir()
    for name in ("html", "markdown"):
        assert main(["validate", *words, "--format", name]) == code
        output = capfd.readouterr().out
        assert f">{verdict}<" in output or f"**{verdict}**" in output
        assert ">PASS<" not in output
    assert main(["validate", *words]) == code
    assert "no findings" not in capfd.readouterr().out


def test_sequences_are_judged_when_all_files_are_known(capfd):
    """--range gives the frames that each must have, also a pattern without any file."""
    words = ["validate", "show/c.####.exr", "show/none.####.exr", "--policy", "base", "--range", "1001-1004"]
    assert main([*words, "--format", "json"]) == 1
    rows = json.loads(capfd.readouterr().out)["validation"]["findings"]
    assert [(row["pattern"].rpartition("/")[2], row["rule_id"], row["frames"]) for row in rows] == [
        ("c.####.exr", "EXR102", "1003"),
        ("c.####.exr", "EXR902", "1004"),
        ("none.####.exr", "EXR902", "1001-1004"),
    ]
    Path("range.yaml").write_text(
        'policy: range\nversion: "1"\nrules: {range: {expected: 1001-1004, severity: warning}}\n'
    )
    assert main(["validate", "show/none.####.exr", "--policy", "range.yaml", "--fail-on", "warning"]) == 1
    assert "warning  1001-1004  missing" in capfd.readouterr().out
    Path("range.yaml").write_text(
        'policy: range\nversion: "1"\nrules: {range: {expected: 1-9, handles: 8, severity: info, slate: allowed}}\n'
    )
    capfd.readouterr()
    assert main(["validate", "show/c.####.exr", "--policy", "range.yaml", "--range", "1002-1003"]) == 1
    assert "error    1001  not of 1002-1003 (EXR902)" in capfd.readouterr().out
    for frames in ("1001:", "1-5y1"):
        assert main(["validate", "show/c.####.exr", "--range", frames]) == 2
        assert main(["check", "show/c.####.exr", "--range", frames]) == 2
    Path("show/c.1002.exr").unlink()
    words = ["validate", "show/c.####.exr", "show/c.1002.exr", "--policy", "render"]
    assert main(words) == 3
    output = capfd.readouterr().out
    assert "EXR901" not in output  # whether an unreadable file is there is not known
    assert "2 files: 1 error, " in output
    assert main([*words, "--format", "json"]) == 3
    assert json.loads(capfd.readouterr().out)["validation"]["files"] == 2


@pytest.mark.slow
def test_paths_that_no_file_of_the_catalog_matches_are_usage_errors(capfd):
    """As in `check`; but of a sequence that must have frames, all are missing."""
    catalog = ["--from-catalog", "--catalog", "duckdb:c.duckdb"]
    main(["ingest", "show", *catalog[1:]])
    capfd.readouterr()
    assert main(["validate", "c.1001.exr", "shwo", *catalog]) == 2
    output = capfd.readouterr()
    assert "1 file: no findings" in output.out
    assert output.err.startswith("shwo: no file of the catalog matches\n")
    assert main(["validate", "shwo", *catalog]) == 2
    assert capfd.readouterr().err == "shwo: no file of the catalog matches\n"
    assert main(["validate", "show/d.####.exr", "--range", "1001-1002", *catalog]) == 1
    assert "missing of 1001-1002; no file of this sequence exists (EXR902)" in capfd.readouterr().out
    assert main(["validate", "--stats", *catalog]) == 2
    assert "store those of a catalog with ingest --stats" in capfd.readouterr().err


@pytest.mark.slow
def test_names_that_another_version_split_otherwise_are_judged(capfd):
    catalog = ["--catalog", "duckdb:c.duckdb"]
    main(["ingest", "show", *catalog])
    with duckdb.connect("c.duckdb") as connection:
        connection.execute("UPDATE files SET sequence = NULL, frame = NULL WHERE file_path LIKE '%1003%'")
    capfd.readouterr()
    assert main(["validate", "--from-catalog", *catalog]) == 1
    assert "show/c.1003.exr\nerror    truncated" in capfd.readouterr().out


@pytest.mark.parametrize("notation", ["<UDIM>", "%(UDIM)d"])
@pytest.mark.parametrize("folder", ["show/", "./show/"])
def test_tiles_have_no_gaps_and_no_expected_range(capfd, notation, folder):
    for number in (1001, 1003, 1011):
        Path(f"show/t.{number}.exr").write_bytes(ZIP)
    pattern = f"{folder}t.{notation}.exr"
    assert main(["validate", pattern, "--policy", "render", "--format", "json"]) == 0
    assert "EXR901" not in capfd.readouterr().out
    capfd.readouterr()
    for command in "validate", "check", "sequences":
        assert main([command, pattern, "--range", "1001-1002"]) == 2
        shown = capfd.readouterr()
        assert (shown.out, f"--range: {pattern} names tiles of a texture" in shown.err) == ("", True)
    assert main(["validate", "show/t.####.exr", "--policy", "render"]) == 1
    assert "EXR901" in capfd.readouterr().out


@pytest.mark.slow
def test_reports_for_people(capfd):
    """A page with all files, and Markdown for a comment."""
    words = ["validate", "show", "--policy", "show.yaml", "--range", "1001-1003", "--format"]
    assert main([*words, "html", "--output", "report.html"]) == 1
    page = Path("report.html").read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    for part in ("show/c.####.exr", "show/c.1003.exr", "--policy show.yaml", "--range 1001-1003", " show<", ">FAIL<"):
        assert part in page
    Path("w.yaml").write_text(WAIVERS)
    assert main(["validate", "show", "--waivers", "w.yaml", "--stats", "--format", "html"]) == 1
    page = capfd.readouterr().out
    assert "4 files, 2 sequences and files" in page
    assert "validate --format html --waivers w.yaml --stats show<" in page
    assert "<dt>Pixels</dt><dd>judged, but not in 1 file</dd>" in page
    assert main(["validate", "show/png.exr", "-q", "--format", "markdown"]) == 1
    assert "pixels not judged" in capfd.readouterr().out
    assert page.index("w.yaml</code></h3>") > page.index("<h2>Findings")
    assert main([*words, "markdown"]) == 1
    assert "**FAIL** · policy <code>show</code>" in capfd.readouterr().out
    assert main(["check", "show", "--range", "1001-1003", "--format", "html", "--output", "check.html"]) == 1
    page = Path("check.html").read_text("utf-8")
    assert "<h1>exr-inspector check</h1>" in page
    assert "check --range 1001-1003 --format html --output check.html show<" in page
    assert "rules" not in page.lower()


@pytest.mark.slow
@pytest.mark.parametrize("until", ["2000-01-01", "9999-12-31"])
def test_a_finding_about_one_attribute_hides_no_other(until, capfd):
    """Nor does a waived finding hide one that is not."""
    Path("times").mkdir()
    for number in range(1, 5):
        time, rate = (-1, 25) if number == 4 else (1, 24)
        extra = [w.fixed("expTime", "float", time), w.fixed("captureRate", "rational", rate, 1)]
        Path(f"times/a.{number:04}.exr").write_bytes(w.build(w.part(extra=extra)).data)
    entry = f"{{id: W1, rule: positive-number, path: '*.exr', reason: r, by: Ann, until: {until}}}"
    Path("waivers.yaml").write_text(f"waivers: [{entry}]")
    severities = "positive-number: {severity: error}, drift: {severity: warning}"
    Path("a.yaml").write_text(f'policy: a\nversion: "1"\nrules: {{{severities}}}\nwaivers: waivers.yaml\n')
    assert main(["validate", "times", "--policy", "a.yaml", "--format", "jsonl", "--fail-on", "warning"]) == 1
    rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    found = {(row["rule_name"], row["attr_name"], bool(row.get("waived_by"))) for row in rows if row.get("attr_name")}
    is_waived = until > "2026"
    expected = {("positive-number", "expTime", is_waived), ("drift", "captureRate", False)}
    assert found == expected | ({("drift", "expTime", False)} if is_waived else set())


def test_a_fault_of_some_frames_is_one_finding(tmp_path, monkeypatch, capfd):
    """Their compression is not allowed, and differs from that of the others; what no rule about files reports, does."""
    monkeypatch.chdir(tmp_path)
    Path("drift").mkdir()
    for number in range(1, 6):
        name = w.text("owner", "x" if number == 5 else "y")
        data = w.build(w.part(compression=3 if number < 4 else 1, extra=[name])).data
        Path(f"drift/a.{number:04}.exr").write_bytes(data)
    text = 'policy: a\nversion: "1"\nselect: [drift]\nrules: {compression: {allowed: [ZIP], severity: SEVERITY}}\n'
    for severity, expected in (("error", ["EXR301", "EXR904"]), ("info", ["EXR301", "EXR904", "EXR904"])):
        Path("a.yaml").write_text(text.replace("SEVERITY", severity))
        assert main(["validate", "drift", "--policy", "a.yaml", "--format", "jsonl"]) == 1
        found = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
        assert sorted(each["rule_id"] for each in found if "rule_id" in each and each.get("frames")) == expected
