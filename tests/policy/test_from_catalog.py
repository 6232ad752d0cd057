"""Verdicts from the rows of a catalog, compared with those on the files."""

from __future__ import annotations

import json
import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from exr_inspector import inspect, open_catalog
from exr_inspector.catalog import IngestError
from exr_inspector.catalog.rows import from_inspections
from exr_inspector.cli.main import main
from exr_inspector.inspection.json_form import json_value, value_of_json
from exr_inspector.policy.compile import compile_policy
from exr_inspector.policy.evaluate import Verdict, evaluate, unreadable
from exr_inspector.policy.from_catalog import StoredVerdict, Unread, validate_catalog
from exr_inspector.policy.load import builtin_names
from exr_inspector.policy.registry import RULES
from exr_inspector.policy.rule import MULTI_FILE_SCOPES
from exr_inspector.policy.sequence_files import sequence_file, unreadable_file
from exr_inspector.policy.stored_parts import AttributeRow, attribute_of
from exr_inspector.policy.stored_structures import Structures
from exr_inspector.policy.validate import compiled_policy
from exr_inspector.sources.memory import MemorySource
from tests.support import exr_writer as w
from tests.support.corpus import POLICY_SIDECARS, VALID_FILES, inspected, need_corpus, sidecar
from tests.support.policies import parse_policy

CATALOG = ("--catalog", "duckdb:catalog.duckdb")
ALL = compile_policy(
    parse_policy(
        "all.yaml",
        b"""
policy: all
version: "1"
select: [EXR1, EXR2, EXR3, EXR4, EXR5, EXR6, EXR7, part-type, part-count, lower-case]
rules:
  channels-required: {channels: [R, "*.N?"]}
  channels-forbidden: {channels: [A]}
  attribute-required: {attributes: [{name: owner, glob: "?*"}, {name: capDate}, {name: dataWindow, type: box2i},
                                    {name: framesPerSecond, min: 1, max: 2}]}
  attribute-forbidden: {attributes: ["*user*"]}
  software-allowed: {allowed: ["Blender*"]}
  display-size: {sizes: [[1920, 1080]]}
  fps-allowed: {allowed: ["24"]}
  gamut: {gamuts: [AP0]}
  private-path: {also: ["*2*"]}
overrides:
  - when: {path: "**/*odd*"}
    ignore: [EXR2]
""",
    )
)

CONDITIONS = compile_policy(
    parse_policy(
        "conditions.yaml",
        b"""
policy: conditions
version: "1"
select: [EXR5, EXR608, EXR609, EXR617, EXR124, EXR705, OWN001, OWN002]
overrides:
  - when: {frame_number: {ge: 30}}
    ignore: [name-characters]
    select: [EXR601, EXR3]
    rules: {attribute-required: {attributes: [{name: owner, glob: "x*"}]}}
  - when: {any: [{renderer: null, height: 2}, {path: "**/*odd*"}]}
    ignore: [EXR309]
    rules: {header-size: {max: 10}, name-characters: {allowed: "A v1.exr"}}
custom:
  - {id: OWN001, name: not-four, scope: part, when: {height: {ne: 1}}, require: {not: {data_y_offset: 0, height: 4}},
     message: not four lines, remedy: crop}
  - {id: OWN002, name: even, scope: file, require: {size_bytes: {le: 900}}, message: small, remedy: crop}
""",
    )
)


def comparable(verdict: Verdict, but: frozenset[str] = frozenset()) -> tuple:
    findings = [finding for finding in verdict.findings if finding.rule_id not in but]
    undecided = [each for each in verdict.not_evaluated if each.rule_id not in but]
    return sorted(map(repr, findings)), sorted(undecided)


def cut_rules(verdict: Verdict) -> frozenset[str]:
    return frozenset(each.rule_id for each in verdict.not_evaluated if each.reason.startswith("the catalog has"))


def verdicts(catalog, policy, *patterns) -> dict[str, Verdict]:
    judged = [each for each in validate_catalog(catalog, policy, patterns) if isinstance(each, StoredVerdict)]
    return {each.file.uri: each.verdict for each in judged}


def filled(inspections, uri="duckdb:catalog.duckdb", **options):
    with open_catalog(uri) as catalog:
        catalog.persist_rows(from_inspections(inspections, vectors=False, **options))
    return open_catalog(uri, read_only=True)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@need_corpus
@pytest.mark.slow
def test_verdicts_on_the_corpus_are_those_on_its_files():
    """All rules of all built-in policies, and each rule with parameters that many files violate."""
    sidecars = [parameters.values[0] for parameters in POLICY_SIDECARS]
    cases = [path.parent / sidecar(path)["files"][0] for path in sidecars]
    inspections = [inspected(path) for path in dict.fromkeys((*VALID_FILES, *cases))]
    with filled(inspections) as catalog:
        for policy in (ALL, CONDITIONS, *map(compiled_policy, builtin_names())):
            found = verdicts(catalog, policy)
            assert len(found) == len(inspections) > 50
            for inspection in inspections:
                verdict = found[inspection.file.file_path_normalized]
                cut = cut_rules(verdict)
                assert comparable(verdict, cut) == comparable(evaluate(policy, inspection), cut), policy.policy.name
                assert not cut or (policy is ALL and cut == {"EXR616"})  # previews of more than 64 KiB


def frame(number: int, *, rate: tuple[int, int] = (24, 1), **options):
    """A frame whose time code, windows, dates, sizes and texts differ from those of the others."""
    name = f"show/A v1.{number if number % 3 else f'{number}odd'}.exr"
    extra = [
        w.attribute("timeCode", "timecode", w.timecode(number % 30, 0, 0, number % 40, drop=number % 2 == 0)),
        w.fixed("framesPerSecond", "rational", *rate),
        w.text("capDate", f"2026:01:0{number % 9} 10:00:00" + "!" * (number % 2)),
        w.text("note", f"/secret/{number} 2026-01-01" if number % 5 == 0 else f"{number} 2026-01-01"),
        w.text("owner", "" if number % 7 == 0 else f"x{number} 2026-01-0{number % 9}"),
        w.fixed("aperture", "float", number * 1.234567 - 20),
    ]
    part = w.part(extra=extra, window=(0, 0, 7, number % 4), display=(0, 0, 7, 3), **options)
    data = w.build(part).data
    return inspect(MemorySource(data[: len(data) - number % 2], str(Path(name).absolute())))


@pytest.mark.slow
def test_values_that_differ_within_a_structure_are_read():
    """Frames share few structures; each has its own verdict."""
    inspections = [frame(number) for number in range(1, 41)] + [frame(n, rate=(25, 1)) for n in range(41, 45)]
    inspections += [
        inspect(MemorySource(w.build(w.part(extra=[w.text("capDate", date)])).data, f"/show/{name}.{number}.exr"))
        for number, date in enumerate(("2026:01:01 10:00:00", "2026:01:02 10:00:00", "x", "y", "y"))
        for name in ("a", "b c", "c")
    ]
    assert len({inspection.file.structure_hash for inspection in inspections}) == 3
    with filled(inspections) as catalog:
        for policy in (ALL, CONDITIONS, *map(compiled_policy, ("plate", "render", "vfx-delivery"))):
            judged = list(validate_catalog(catalog, policy))
            found = {each.file.uri: each.verdict for each in judged}
            files = {one.file.file_path_normalized: sequence_file(one, policy.overrides_of(one)) for one in inspections}
            assert {each.file.uri: each.file for each in judged} == files
            expected = {one.file.file_path_normalized: comparable(evaluate(policy, one)) for one in inspections}
            assert {uri: comparable(verdict) for uri, verdict in found.items()} == expected
            assert len({tuple(findings) for findings, _ in expected.values()}) > 4
        assert len(verdicts(catalog, ALL, "**/A v1.4?.exr")) == 4
        assert len(verdicts(catalog, ALL, "**/A v1.41.exr", "**/A v1.4?.exr", "**/A v1.1.exr")) == 5


def test_every_rule_says_what_it_reads():
    """Without it, a rule is evaluated for each file, with all attributes that differ."""
    unsaid = [rule.name for rule in RULES.values() if rule.reads is None and rule.scope in ("file", "part")]
    assert unsaid == ["attribute-required"]


@pytest.mark.slow
def test_pages_and_many_structures(monkeypatch):
    """Structures are read in bounded groups, and again after they were forgotten."""
    for name, value in (("_STRUCTURES_AT_ONCE", 2), ("_STRUCTURES_KEPT", 1)):
        monkeypatch.setattr(f"exr_inspector.policy.stored_structures.{name}", value)
    paths = [f"s3://s/{number:02}.exr" for number in range(20)]
    data = [w.build(w.part(compression=number % 5)).data for number in range(20)]
    inspections = [inspect(MemorySource(*pair)) for pair in zip(data, paths, strict=True)]
    with filled(inspections) as catalog:
        expected = {one.file.file_path_normalized: comparable(evaluate(ALL, one)) for one in inspections}
        assert {uri: comparable(verdict) for uri, verdict in verdicts(catalog, ALL).items()} == expected


@pytest.mark.slow
def test_a_structure_that_is_used_again_is_kept(monkeypatch):
    """With two files in a page and two structures that are kept, the first structure is in each page."""
    read: list[str] = []
    original = Structures._read

    def counted(structures, new):
        read.extend(facts.file_path_normalized for facts in new.values())
        original(structures, new)

    monkeypatch.setattr(Structures, "_read", counted)
    monkeypatch.setattr("exr_inspector.policy.stored_structures._STRUCTURES_KEPT", 2)
    monkeypatch.setattr("exr_inspector.policy.from_catalog._FILES_PER_PAGE", 2)
    data = [w.build(w.part(compression=compression)).data for compression in (0, 1, 0, 2, 0, 3)]
    inspections = [inspect(MemorySource(each, f"s3://s/{number}.exr")) for number, each in enumerate(data)]
    with filled(inspections) as catalog:
        verdicts(catalog, ALL)
    assert read == ["s3://s/0.exr", "s3://s/1.exr", "s3://s/3.exr", "s3://s/5.exr"]


@pytest.mark.slow
def test_digits_of_names_that_decide_a_rule_are_read(monkeypatch):
    """Names of a sequence, of which a folder, characters and a template forbid some."""
    monkeypatch.setattr("exr_inspector.policy.from_catalog._FILES_PER_PAGE", 7)
    of_rules = """
policy: names
version: "1"
select: [EXR5]
rules:
  name-characters: {allowed: "asheqx.012345678-"}
  name-template: {template: "sh{frame:1*}.exr"}
"""
    policy = compile_policy(parse_policy("names.yaml", of_rules.encode()))
    data = w.build(w.part()).data
    names = ("sh1000", "sh1001", "sh1009", "sh2001", "b", "b.9")
    paths = [f"/s/sh1001/{name}.{extension}" for name in names for extension in ("exr", "EXR")]
    paths += ["sh1001/../sh1003.exr", "/s/sh1001/b c.1001.exr", "file:///s/sh1001/b%20c.1002.exr", "s3://s/a-1.exr"]
    inspections = [inspect(MemorySource(data, path)) for path in paths]
    with filled(inspections) as catalog:
        expected = {one.file.file_path_normalized: comparable(evaluate(policy, one)) for one in inspections}
        assert {uri: comparable(verdict) for uri, verdict in verdicts(catalog, policy).items()} == expected


@pytest.mark.slow
def test_what_the_catalog_does_not_have_is_not_evaluated():
    """A text above the limit of a cell, and problems that the first version did not look for."""
    long = w.text("capDate", "x" * 5000)
    one = inspect(MemorySource(w.build(w.part(extra=[long])).data, "s3://s/a.exr"))
    with filled([one], cell_limit=4096) as catalog:
        verdict = verdicts(catalog, compiled_policy("render"))["s3://s/a.exr"]
    assert verdict.findings == ()
    reasons = {
        each.rule_name: each.reason for each in verdict.not_evaluated if each.reason not in MULTI_FILE_SCOPES.values()
    }
    assert reasons.pop("capdate") == "the catalog has the first part only of the attribute capDate"
    assert set(reasons.values()) == {"no statistics of pixels"}
    old = replace(one, file=replace(one.file, problem_severity=None, version_flags=None))
    with filled([old], "duckdb:old.duckdb") as catalog:
        verdict = verdicts(catalog, compiled_policy("base"))["s3://s/a.exr"]
        override = b'policy: a\nversion: "1"\noverrides: [{when: {path: "**/a.exr"}, select: [EXR104]}]'
        of_override = verdicts(catalog, compile_policy(parse_policy("a.yaml", override)))["s3://s/a.exr"]
    assert [each.rule_id for each in of_override.not_evaluated] == ["EXR104"]
    missing = {each.rule_id for each in verdict.not_evaluated if "older version" in each.reason}
    assert {"EXR104", "EXR113"} <= missing
    assert "EXR102" not in missing


@pytest.mark.slow
def test_the_command_judges_and_stores(capfd):
    """Its findings are those on the files; stored verdicts are not stored again."""
    Path("show").mkdir()
    for number in range(1, 6):
        Path(f"show/a.{number:04}.exr").write_bytes(w.build(w.part(compression=3 * (number % 2))).data)
    Path("show/cut.exr").write_bytes(b"v/1\1\2\0\0\0")
    assert main(["ingest", "show", "--fail-on", "never", *CATALOG]) == 0
    capfd.readouterr()

    def shown():
        captured = capfd.readouterr()
        return captured.out, sorted(captured.err.splitlines())

    Path("own.yaml").write_text('policy: own\nversion: "1"\nselect: [EXR1, EXR3, EXR4, EXR5]\n')
    command = ["validate", "--policy", "own.yaml", "--format", "json"]
    assert main([*command, "show"]) == 1
    expected = shown()
    assert main([*command, "--from-catalog", *CATALOG]) == 1
    assert shown() == expected
    Path("show").rename("moved")
    for _ in range(2):
        assert main([*command, "--from-catalog", "--persist", *CATALOG]) == 1
        assert shown() == expected
    with open_catalog(CATALOG[1], read_only=True) as catalog:
        rows = catalog.sql("SELECT status, validation_status FROM validations JOIN files USING (file_id)").to_pylist()
    assert rows == [{"status": "failed", "validation_status": "failed"}] * 5
    assert main([*command, "--from-catalog", "a.####.exr", *CATALOG]) == 1
    assert main([*command, "--from-catalog", "nothing", *CATALOG]) == 2
    assert main([*command, "show", "--persist"]) == 2


def test_unreadable_files_are_reported():
    def error(path, code):
        return IngestError(
            file_path_normalized=path, size_bytes=1, mtime=None, code=code, message="cut", byte_offset=8
        )  # fmt: skip

    with open_catalog("duckdb:catalog.duckdb") as catalog:
        catalog.record_errors([error("s3://s/cut.exr", "truncated"), error("s3://s/b.exr", "denied")])
        unread, judged = validate_catalog(catalog, compiled_policy("base"))
    expected = unreadable(compiled_policy("base"), "s3://s/cut.exr", "cut (truncated at byte 8)")
    file = unreadable_file("s3://s/cut.exr")
    assert (unread, judged) == (Unread("s3://s/b.exr", "cut (denied)"), StoredVerdict("", expected, file))


@pytest.mark.parametrize(
    ("attr_type", "value"),
    [
        ("float", struct.unpack("<f", struct.pack("<f", 0.1))[0]),
        ("float", float("-inf")),
        ("double", 0.1),
        ("int", -3),
        ("string", "a"),
        ("stringvector", ("a", "b")),
    ],
)
def test_values_are_those_before_they_were_json(attr_type, value):
    assert value_of_json(attr_type, json.loads(json.dumps(json_value(attr_type, value)))) == value


@need_corpus
@pytest.mark.slow
def test_values_of_all_types_are_those_before_they_were_json():
    seen = set()
    for path in VALID_FILES:
        for part in inspected(path).parts:
            for attribute in part.attributes:
                if attribute.value is None or attribute.attr_type == "idmanifest":
                    continue
                seen.add(attribute.attr_type)
                text = json.dumps(json_value(attribute.attr_type, attribute.value))
                assert repr(value_of_json(attribute.attr_type, json.loads(text))) == repr(attribute.value)
    assert len(seen) > 12


@pytest.mark.slow
def test_the_pixels_of_a_file_without_channels_are_judged(capfd):
    Path("a.exr").write_bytes(w.build(w.part(channels=[])).data)
    Path("own.yaml").write_text('policy: own\nversion: "1"\nselect: [EXR801, EXR804]\n')
    assert main(["validate", "a.exr", "--stats", "--policy", "own.yaml"]) == 0
    expected = capfd.readouterr()
    assert not expected.err
    main(["ingest", "a.exr", "--stats", *CATALOG])
    capfd.readouterr()
    assert main(["validate", "--from-catalog", "--policy", "own.yaml", *CATALOG]) == 0
    assert capfd.readouterr() == expected


def delivery() -> list[tuple[str, bytes]]:
    """Two versions of a sequence and a stereo pair, with a fault for most rules about sequences."""

    def of(number: int, *extra: bytes, rate: int = 24, frames: int = 0, cut: int = 0, **given) -> bytes:
        seconds, rest = divmod(number + frames, 24)
        code = w.attribute("timeCode", "timecode", w.timecode(1, 0, seconds % 60, rest))
        rates = w.fixed("framesPerSecond", "rational", rate, 1)
        window = w.part(extra=(code, rates, *(extra or (w.text("software", "Nuke 15"),))), compression=2, **given)
        data = w.build(window).data
        return data[: len(data) - cut]

    names = {
        "comp_v003.01001": of(1001, cut=1),
        "comp_v003.1002": of(1002, w.text("software", "Natron 2")),
        "comp_v003.1003": of(1003, w.text("software", "Nuke 15"), w.text("owner", "x")),
        "comp_v003.1005": of(1005),
        "comp_v003.1006": of(1005),  # the bytes of the one before
        "comp_v003.1007": of(1007, rate=25),
        "comp_v003.1008": of(1008, frames=3),
        "comp_v003.1009": of(1009, channels=[(name, w.HALF, 1, 1, 0) for name in "BG"]),
        "comp_v003.1010": b"v/1\1\2\0\0\0",
        "comp_v002.1001": of(1001),
        "comp_v002.1002": of(1002),
        "comp_left.1001": of(1001),
        "comp_left.1002": of(1002),
        "comp_right.1001": of(1001, w.text("note", "y")),
    }
    return [(f"show/{name}.exr", data) for name, data in names.items()]


@pytest.mark.slow
@pytest.mark.parametrize("decoded", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_command_judges_sequences_and_pixels(decoded, capfd):
    """A delivery with faults: the findings about sequences and pixels are those on the files."""
    Path("show").mkdir()
    for name, data in delivery():
        Path(name).write_bytes(data)
    stats = ["--stats"] if decoded else []
    assert main(["ingest", "show", *stats, "--fail-on", "never", *CATALOG]) == 0
    capfd.readouterr()
    Path("own.yaml").write_text('policy: own\nversion: "1"\nselect: [EXR1, EXR5, EXR8, EXR9]\n')
    for selected in (["show"], ["show/comp_v003.#.exr", "show/other.#.exr"]):
        command = ["validate", *selected, "--policy", "own.yaml", "--range", "1000-1009", "--format", "json"]
        assert main([*command, *stats]) == 1
        expected = capfd.readouterr()
        assert main([*command, "--from-catalog", *CATALOG]) == 1
        found = capfd.readouterr()
        remedies = "use --stats", "`ingest --stats` stores them"
        assert json.loads(found.out) == json.loads(expected.out.replace(*remedies))
        unmatched, *_ = [*(line for line in expected.err.splitlines() if "other.#" in line), None]
        lines = [line.replace(*remedies) for line in expected.err.splitlines() if line != unmatched]
        lines += ["show/other.#.exr: no file of the catalog matches"] if unmatched else []
        assert sorted(found.err.splitlines()) == sorted(lines)
        rules = {finding["rule_id"] for finding in json.loads(found.out)["validation"]["findings"]}
        assert {"EXR902", "EXR903", "EXR904", "EXR905", "EXR908", "EXR909", "EXR911", "EXR917"} <= rules
        assert ("EXR804" in rules) == decoded
        if selected == ["show"]:
            assert ("rules about pixels were not evaluated in 13 files: `ingest" in found.err) != decoded
    assert "show/other.#.exr" in found.out


def test_the_memory_of_values_that_are_kept_is_bounded():
    """Of 2,000 values of 64 KiB as JSON, some MB are kept."""
    tracemalloc.start()
    for number in range(2000):
        attribute_of(AttributeRow("a", "string", 65536, json.dumps(f"{number}" + "x" * 65536), truncated=False))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 40 << 20
