"""`check`: everything that is wrong with files and sequences, as findings."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from exr_inspector import inspect
from exr_inspector.catalog import IngestError
from exr_inspector.demo import make_show
from exr_inspector.frames.ranges import parse_range
from exr_inspector.gate import check, frames_to_render, judged_files
from exr_inspector.ingestion.run import ingest
from tests.cli.test_inspect import CUT, GOOD
from tests.support import exr_writer as w


def negative_aspect() -> bytes:
    return w.build(w.part(replace={"pixelAspectRatio": w.fixed("pixelAspectRatio", "float", -1)})).data


def twice(name: str) -> bytes:
    """A file with a warning."""
    return w.build(w.part(extra=[w.fixed(name, "float", 1), w.fixed(name, "float", 1)])).data


def named(owner: str) -> bytes:
    return w.build(w.part(compression=3 if owner == "first" else 0)).data


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def checked(catalog, files: dict[str, bytes], pattern: str | None = None, frames: str | None = None):
    """Rule, severity, frames and message of each finding, and the number of files."""
    for name, data in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(data)
    ingest(["."], catalog)
    expected = parse_range(frames) if frames else None
    result = check(catalog, pattern, expected=lambda _: expected)
    return [(f.rule_id, f.severity, f.frames, f.message) for f in result.findings], result.file_count


def test_sound_files_have_no_findings(catalog):
    """A report lists them."""
    assert checked(catalog, {f"a.{number}.exr": GOOD for number in (1, 2, 3)} | {"single.exr": GOOD}) == ([], 4)
    files = list(judged_files(catalog, [None], check(catalog).sequences))
    assert [(Path(file.pattern).name, Path(file.uri).name, file.frame, file.size_bytes) for file in files] == [
        *(("a.#.exr", f"a.{number}.exr", str(number), len(GOOD)) for number in (1, 2, 3)),
        ("single.exr", "single.exr", "", len(GOOD)),
    ]
    assert {file.header_hash for file in files} == {inspect("single.exr").file.header_hash}


@pytest.mark.slow
def test_the_findings_of_the_demo(catalog):
    make_show(Path("show"))
    ingest(["show"], catalog)
    result = check(catalog)
    assert [(f.rule_id, Path(f.pattern).name, f.frames) for f in result.findings] == [
        ("EXR102", "harbor_sq010_sh0010_beauty_v003.####.exr", "1007"),
        ("EXR901", "harbor_sq010_sh0010_beauty_v003.####.exr", "1004"),
        ("EXR904", "harbor_sq010_sh0020_buoys_v012.####.exr", "1006"),
        ("EXR102", "harbor_sq020_sh0010_env_v001.####.exr", "1005"),
        ("EXR101", "harbor_sq020_sh0020_reference_v001.exr", ""),
    ]
    assert [(Path(pattern).name, frames) for pattern, frames in frames_to_render(result.findings)] == [
        ("harbor_sq010_sh0010_beauty_v003.####.exr", "1004,1007"),
        ("harbor_sq020_sh0010_env_v001.####.exr", "1005"),
        ("harbor_sq020_sh0020_reference_v001.exr", ""),
    ]
    assert result.file_count == 35


@pytest.mark.slow
def test_equal_damage_of_several_frames_is_one_finding(catalog):
    """The parts of a sequence that differ in damage are not."""
    files = {f"a.{number:04}.exr": CUT for number in (1, 2, 4)} | {"a.0003.exr": b"", "a.0005.exr": GOOD}
    assert checked(catalog, files) == (
        [
            ("EXR101", "error", "3", "unreadable: empty file (0 bytes) (empty_file)"),
            ("EXR102", "error", "1-2,4", "truncated: 7 of 8 chunks; missing line 7 (7 in part)"),
        ],
        5,
    )


@pytest.mark.slow
def test_problems_of_headers_have_their_severity(catalog):
    """Also of files without a frame number; what the format allows is not wrong."""
    allowed = w.build(w.part(extra=[w.attribute("x", "unheardOf", b"12")])).data
    assert inspect(allowed).problem_severity == "info"
    files = {"a.1.exr": negative_aspect(), "a.2.exr": negative_aspect(), "b.exr": twice("isoSpeed"), "c.exr": allowed}
    findings, _ = checked(catalog, files)
    assert [finding[:3] for finding in findings] == [("EXR111", "error", "1-2"), ("EXR107", "warning", "")]
    (error, _) = check(catalog).findings
    assert (error.attr_name, error.part_index) == ("pixelAspectRatio", 0)


def test_a_damaged_file_with_header_problems_has_findings_of_both(catalog):
    files = {"a.exr": twice("isoSpeed")[:-5]}
    assert [finding[0] for finding in checked(catalog, files)[0]] == ["EXR102", "EXR107"]


@pytest.mark.slow
def test_the_newest_problems_count(catalog):
    """A row that a newer version of the program judges again has several batches of problems."""
    Path("a.exr").write_bytes(twice("isoSpeed"))
    inspection = inspect("a.exr")
    catalog.persist([replace(inspection, inspector_version="0.0.1")])
    catalog.persist([inspection])
    assert catalog.sql("SELECT count(*) AS n FROM problems")["n"].to_pylist() == [2]
    assert [finding.rule_id for finding in check(catalog).findings] == ["EXR107"]


@pytest.mark.slow
def test_sequences_are_judged_against_given_frames(catalog):
    files = {f"a.{number}.exr": GOOD for number in (1, 2, 5)}
    assert checked(catalog, files)[0] == [("EXR901", "error", "3-4", "missing")]
    assert checked(catalog, {}, frames="1-6")[0] == [("EXR902", "error", "3-4,6", "missing of 1-6")]
    assert checked(catalog, {}, frames="1-2")[0] == []


@pytest.mark.slow
def test_what_was_not_judged_is_a_finding(catalog):
    """Numbers that span more than a million frames are seeds, or a mistake."""
    findings, _ = checked(catalog, {f"a.{number}.exr": GOOD for number in (1, 2, 9000001)})
    assert [finding[:3] for finding in findings] == [("EXR901", "warning", "")]


@pytest.mark.slow
def test_the_severity_of_a_sequence_is_that_of_its_findings(catalog):
    """Of each kind of sequence, sound and not."""
    files = {f"sound/a.{number}.exr": GOOD for number in (1, 2)} | {"gap/a.1.exr": GOOD, "gap/a.3.exr": GOOD}
    files |= {"cut/a.1.exr": CUT, "empty/a.1.exr": b"", "invalid/a.1.exr": negative_aspect()}
    files |= {"warned/a.1.exr": twice("x"), "seeds/a.1.exr": GOOD, "seeds/a.2.exr": GOOD, "seeds/a.9000001.exr": GOOD}
    files |= {f"repeated/a.{number}.exr": GOOD for number in ("1", "01")} | {"padding/a.01.exr": GOOD}
    files |= {"padding/a.002.exr": GOOD} | {f"ranges/a.{number}.exr": GOOD for number in (1, 2)}
    files |= {f"ranges/b.{number}.exr": GOOD for number in (1, 2, 3)}
    files |= {f"drift/a.{number}.exr": twice("x") if number == 2 else GOOD for number in (1, 2, 3)}
    files |= {f"split/a.{number}.exr": named("first" if number < 3 else "second") for number in (1, 2, 3, 4)}
    checked(catalog, files)
    result = check(catalog)
    worst = dict.fromkeys((summary.pattern for summary in result.sequences), "none")
    for finding in reversed(result.findings):  # of each pattern, errors come first
        worst[finding.pattern] = finding.severity
    assert worst == {summary.pattern: summary.severity for summary in result.sequences}
    assert Counter(worst.values()) == {"none": 2, "error": 4, "warning": 7}


def test_an_invalid_file_whose_problems_are_not_stored(catalog):
    stored = inspect(negative_aspect(), name="s3://renders/a.exr")
    catalog.persist([replace(stored, problems=())])
    assert [(f.rule_id, f.severity) for f in check(catalog).findings] == [("EXR130", "error")]


def test_errors_of_reading_are_no_damage(catalog):
    """A store that denied access, recorded by the function: whether the file is whole is unknown."""
    error = IngestError(
        file_path_normalized="s3://renders/a.1.exr",
        size_bytes=None,
        mtime=None,
        code="denied",
        message="no permission",
        byte_offset=None,
    )
    catalog.record_errors([error])
    result = check(catalog)
    assert [(f.rule_id, f.frames) for f in result.findings] == [("EXR100", "1")]
    assert list(frames_to_render(result.findings)) == []


@pytest.mark.slow
def test_a_frame_is_selected_by_its_own_name(catalog):
    files = {"a/x.1.exr": CUT, "a/x.2.exr": CUT}
    assert [finding[:3] for finding in checked(catalog, files, "x.1.exr")[0]] == [("EXR102", "error", "1")]
    assert checked(catalog, {}, f"{Path.cwd()}/a/x.2.exr")[1] == 1


@pytest.mark.slow
def test_repeated_frames_other_paddings_and_other_ranges_are_warnings(catalog):
    files = {f"s/a.{number}.exr": GOOD for number in ("01", "02", "002", "03")}
    files |= {f"s/b.{number}.exr": GOOD for number in ("01", "02", "03", "04")}
    findings, _ = checked(catalog, files)
    assert [finding[:3] for finding in findings] == [
        ("EXR905", "warning", ""),
        ("EXR912", "warning", ""),
        ("EXR914", "warning", "2"),
    ]
    assert "EXR912" not in {finding[0] for finding in checked(catalog, {}, frames="1-3")[0]}


@pytest.mark.slow
def test_a_pattern_selects_files_and_sequences(catalog):
    files = {"a/x.1.exr": CUT, "a/x.2.exr": GOOD, "a/single.exr": CUT, "b/y.1.exr": CUT}
    assert checked(catalog, files)[1] == 4
    for pattern, rules, count in (
        ("a/x.#.exr", ["EXR102"], 2),
        (f"{Path.cwd()}/a", ["EXR102", "EXR102"], 3),
        ("single", ["EXR102"], 1),
        ("nothing", [], 0),
    ):
        findings, file_count = checked(catalog, {}, pattern)
        assert ([finding[0] for finding in findings], file_count) == (rules, count), pattern


@pytest.mark.slow
def test_files_that_are_deleted_or_replaced_do_not_count(catalog):
    checked(catalog, {"a.exr": CUT, "b.exr": b""})
    Path("a.exr").write_bytes(GOOD)
    Path("b.exr").unlink()
    ingest(["."], catalog)
    catalog.mark_deleted([Path("b.exr").absolute().as_uri()])
    assert checked(catalog, {}) == ([], 1)
