"""Ingest with a policy: which files are validated, what is stored, and the exit code."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from exr_inspector import IngestOptions, compiled_policy, ingest, open_catalog
from exr_inspector.catalog.duckdb.catalog import DuckDBCatalog
from exr_inspector.cli.main import main
from exr_inspector.ingestion import run as run_module
from exr_inspector.ingestion import tasks
from exr_inspector.ingestion.workers import MIN_ITEMS_FOR_WORKERS
from exr_inspector.inspection.inspector import inspect
from exr_inspector.pixels.model import PixelLimits, StatsOptions
from exr_inspector.pixels.worker import PixelWorker
from exr_inspector.policy.evaluate import evaluate
from tests.support import exr_writer as w
from tests.support.pixels import located, write

CATALOG = "duckdb:catalog.duckdb"
POLICY = """
policy: small
version: "{version}"
title: "Small frames"
select: [frame-padding, EXR102]
rules:
  compression: {{allowed: [{allowed}], severity: {severity}}}
"""
_VERDICTS = """
    SELECT parse_filename(file_path) AS name, status, errors, warnings, inspection_count AS counted, validation_status
    FROM validations JOIN files USING (file_id) ORDER BY name, evaluated_at
"""


@pytest.fixture(autouse=True)
def show(tmp_path, monkeypatch):
    """Two good frames, one of four with another compression, and one whose name lacks digits."""
    monkeypatch.chdir(tmp_path)
    write_policy("NONE")
    for name, compression in (("a.1001.exr", 0), ("a.1002.exr", 0), ("b.1001.exr", 3)):
        path = Path("show") / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(w.build(w.part(compression=compression)).data)


def write_policy(allowed: str, severity: str = "error", version: str = "1") -> None:
    Path("small.yaml").write_text(POLICY.format(allowed=allowed, severity=severity, version=version))


def run(**options):
    with open_catalog(CATALOG) as catalog:
        given = {"policy": compiled_policy("small.yaml")} | options
        return ingest("show", catalog, IngestOptions(workers=1, **given))


def stored() -> list[tuple]:
    with open_catalog(CATALOG, read_only=True) as catalog:
        return [tuple(row.values()) for row in catalog.sql(_VERDICTS).to_pylist()]


def content() -> dict[str, list]:
    with open_catalog(CATALOG, read_only=True) as catalog:
        tables = ("files", "parts", "validations", "validation_results")
        return {table: sorted(map(repr, catalog.sql(f"FROM {table}").to_pylist())) for table in tables}


@pytest.mark.slow
def test_files_are_validated_as_they_are_ingested_and_once():
    summary = run()
    expected = {("passed", True): 2, ("failed", True): 1}
    assert (summary.inserted, dict(summary.validations)) == (3, expected)
    assert stored() == [
        ("a.1001.exr", "passed", 0, 0, 1, "passed"),
        ("a.1002.exr", "passed", 0, 0, 1, "passed"),
        ("b.1001.exr", "failed", 1, 0, 1, "failed"),
    ]
    before = content()
    again = run()
    assert (again.unchanged, again.known) == (3, 0)
    assert dict(again.validations) == {("passed", False): 2, ("failed", False): 1}
    assert content() == before


@pytest.mark.slow
def test_known_files_are_validated_without_being_stored_again():
    with open_catalog(CATALOG) as catalog:
        ingest("show", catalog, IngestOptions(workers=1))
    files = content()
    summary = run()
    assert (summary.unchanged, summary.known, summary.inserted, summary.done) == (3, 0, 0, 3)
    assert content()["parts"] == files["parts"]
    assert [(status, counted) for _, status, *_, counted, _ in stored()] == [
        ("passed", 1),
        ("passed", 1),
        ("failed", 1),
    ]
    write_policy("NONE, ZIP")  # other rules
    assert dict(run().validations) == {("passed", True): 3}
    assert [row[-1] for row in stored()] == ["passed"] * 6
    Path("show/a.1001.exr").write_bytes(w.build(w.part(compression=4)).data)
    again = run()
    assert (again.replaced, dict(again.validations)) == (1, {("failed", True): 1, ("passed", False): 2})


@pytest.mark.slow
def test_stored_results_count_rules_about_sequences_as_not_evaluated():
    write_policy("NONE")
    Path("small.yaml").write_text(Path("small.yaml").read_text().replace("frame-padding", "gap, drift"))
    run()
    with open_catalog(CATALOG, read_only=True) as catalog:
        rows = catalog.sql("SELECT DISTINCT not_evaluated FROM validations").to_pylist()
    assert [row["not_evaluated"] for row in rows] == [2]


@pytest.mark.slow
def test_a_newer_program_validates_unchanged_files_again(monkeypatch):
    with monkeypatch.context() as older:
        older.setattr("exr_inspector.policy.rows.__version__", "0.0.1")
        run()
    assert dict(run().validations) == {("passed", True): 2, ("failed", True): 1}
    assert len(stored()) == 6
    assert dict(run().validations) == {("passed", False): 2, ("failed", False): 1}


@pytest.mark.slow
def test_worker_processes_give_the_same_verdicts():
    policy = compiled_policy("render")
    for number in range(MIN_ITEMS_FOR_WORKERS):
        Path(f"show/c.{number:04}.exr").write_bytes(w.build(w.part(compression=number % 10)).data)
    with open_catalog(CATALOG) as catalog:
        ingest("show", catalog, IngestOptions(workers=2, policy=policy))
        rows = catalog.sql(
            "SELECT file_path_normalized AS uri, list(rule_id ORDER BY rule_id) AS rules FROM validation_results "
            "JOIN files USING (file_id) GROUP BY ALL"
        ).to_pylist()
    expected = {
        path.absolute().as_uri(): sorted(finding.rule_id for finding in evaluate(policy, inspect(path)).findings)
        for path in Path("show").iterdir()
    }
    assert {row["uri"]: row["rules"] for row in rows} == {uri: rules for uri, rules in expected.items() if rules}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("severity", "codes"),
    [("error", (1, 1, 0, 0)), ("warning", (0, 1, 0, 0)), ("info", (0, 0, 0, 0))],
)
def test_findings_decide_the_exit_code(capfd, severity, codes):
    """By the next run too, apart from `new`, which is about files that were not validated by these rules."""
    write_policy("NONE", severity)
    words = ["ingest", "show", "--catalog", CATALOG, "--policy", "small.yaml", "--fail-on"]
    assert main([*words, "new"]) == (severity == "error")
    assert tuple(main([*words, fail_on]) for fail_on in ("error", "warning", "new", "never")) == codes
    status = {"error": "1 failed small.yaml, 2 passed small.yaml", "warning": "1 warned small.yaml"}
    captured = capfd.readouterr()
    assert status.get(severity, "3 passed small.yaml") in captured.out
    assert ("report validation-by-policy" in captured.err) == (severity != "info")
    Path("small.yaml").write_text("policy: [")
    assert main([*words, "error"]) == 2
    assert "small.yaml:" in capfd.readouterr().err


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """The names of the files that are decoded."""
    names, statistics = [], PixelWorker.statistics

    def recorded(worker, source, options):
        names.append(Path(source).name)
        return statistics(worker, source, options)

    monkeypatch.setattr(PixelWorker, "statistics", recorded)
    return names


@pytest.mark.slow
@pytest.mark.parametrize("first", [{"stats": StatsOptions()}, {"policy": None, "stats": StatsOptions()}, {}])
def test_rules_about_pixels_are_judged_with_statistics(first, decoded):
    """A result without them does not count; one with them does, also for runs that do not decode."""
    Path("small.yaml").write_text('policy: small\nversion: "1"\ntitle: "Not black"\nselect: [black-frame, gap]\n')
    run(**first)
    if first:
        assert sorted(decoded) == ["a.1001.exr", "a.1002.exr", "b.1001.exr"]
        decoded.clear()
        summary = run()
        assert ({status for status, _ in summary.validations}, summary.pixels_not_judged) == ({"warned"}, 0)
    assert {status for status, _ in run(stats=StatsOptions()).validations} == {"warned"}
    assert decoded == ([] if first else ["a.1001.exr", "a.1002.exr", "b.1001.exr"])
    decoded.clear()
    for options in ({"stats": StatsOptions()}, {}, {"rescan": True}, {"stats": StatsOptions()}):
        assert dict(run(**options).validations) == {("warned", False): 3}
    assert decoded == []
    assert {row[1] for row in stored()} <= {"passed", "warned"}
    assert {row[-1] for row in stored()} == {"warned"}


@pytest.mark.slow
def test_files_that_are_inspected_again_are_judged_with_stored_statistics(decoded):
    """Those that are not complete, and with --rescan all; the statistics of another content do not count."""
    Path("small.yaml").write_text('policy: small\nversion: "1"\ntitle: "Not black"\nselect: [black-frame]\n')
    damaged(cut := Path("show/cut.1001.exr"))
    cut.write_bytes(cut.read_bytes()[:-10])
    run(policy=None, stats=StatsOptions())
    decoded.clear()
    summary = run(rescan=True)
    assert (summary.validations["warned", False], summary.pixels_not_judged) == (3, 0)
    assert summary.validations["passed", False] == 1
    Path("show/a.1001.exr").write_bytes(w.build(w.part(compression=4)).data)
    assert (run().pixels_not_judged, run().pixels_not_judged, decoded) == (1, 1, [])


@pytest.mark.slow
@pytest.mark.parametrize("is_read", [False, True])
def test_the_stored_status_is_that_of_validate_from_catalog(capfd, is_read):
    """Also of files that were judged before the statistics were stored."""
    Path("small.yaml").write_text(
        'policy: small\nversion: "1"\ntitle: "Not black"\n'
        "select: [black-frame, nan]\nrules: {black-frame: {severity: error}}\n"
    )
    words = ["ingest", "show", "--catalog", CATALOG, "--policy", "small.yaml"]
    if not is_read:
        assert main(["ingest", "show", "--catalog", CATALOG, "--stats"]) == 0
    else:
        for _ in range(2):
            assert main(words) == 0
            captured = capfd.readouterr()
            assert "3 passed small.yaml, 3 judged without pixels" in captured.out
            assert "2 rules about pixels were not evaluated in 3 files: use --stats" in captured.err
        assert main(["ingest", "show", "--catalog", CATALOG, "--stats"]) == 0
    capfd.readouterr()
    assert main(words) == 1
    captured = capfd.readouterr()
    assert "3 failed small.yaml →" in captured.out
    assert "not evaluated" not in captured.err
    assert main(["validate", "--from-catalog", "--catalog", CATALOG, "--policy", "small.yaml"]) == 1
    assert {row[-1] for row in stored()} == {"failed"}


@pytest.fixture
def inspected(monkeypatch) -> list[str]:
    """The names of the files that are inspected."""
    names = []

    def recorded(path, **options):
        names.append(Path(path).name)
        return inspect(path, **options)

    monkeypatch.setattr("exr_inspector.ingestion.inspect_file.inspect", recorded)
    return names


HEADER = "policy: small\nversion: '1'\ntitle: 'Pixels'\n"
OF_SOME = """select: [EXR102]
overrides: [{when: {path: 'a.*.exr'}, select: [nan]}, {when: {path: 'b.*.exr'}, select: [gap, infinity]}]
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rules", "counts", "judged"),
    [
        ("select: [nan, fps-allowed]\n", (1, 3), 3),  # no value for fps-allowed, and no rate in the files
        ("select: [nan]\nrules: {fps-allowed: {allowed: ['24']}}\n", (1, 3), 3),
        (OF_SOME, (2, 3), 3),
        ("select: [nan, infinity, gap]\noverrides: [{when: {path: 'b.*.exr'}, ignore: [EXR8]}]\n", (2, 2), 2),
        ("select: [nan, EXR102]\nignore: [EXR8]\n", None, 0),
    ],
)
def test_runs_say_what_was_judged_without_pixels_as_often_as_needed(capfd, inspected, rules, counts, judged):
    """The first run, later ones, and `validate`; statistics lead to one more judgement, of files that rules need."""
    Path("small.yaml").write_text(HEADER + rules)
    words = ["--catalog", CATALOG, "--policy", "small.yaml"]
    line, count = "", ""
    if counts is not None:
        subject = ("1 rule about pixels was", "2 rules about pixels were")[counts[0] - 1]
        line = f"{subject} not evaluated in {counts[1]} files: "
        count = f"{counts[1]} judged without pixels"
    for run_number in range(2):
        assert main(["ingest", "show", *words]) == 0
        out, err = capfd.readouterr()
        assert (line in err, "about pixels" in err) == (True, bool(line))
        assert (count in out, "without pixels" in out) == (True, bool(line))
        assert len(inspected) == (0 if run_number else 3)
        inspected.clear()
    for given in (["show"], ["--from-catalog", "--catalog", CATALOG]):
        assert main(["validate", *given, "--policy", "small.yaml"]) == 0
        _, err = capfd.readouterr()
        assert (line in err, "about pixels" in err) == (True, bool(line))
    inspected.clear()
    assert main(["ingest", "show", "--catalog", CATALOG, "--stats"]) == 0
    for expected in (judged, 0):
        inspected.clear()
        assert main(["ingest", "show", *words]) == 0
        assert "pixels" not in "".join(capfd.readouterr()).replace("small.yaml", "")
        assert len(inspected) == expected


@pytest.mark.slow
def test_statistics_of_a_part_of_the_pixels_are_judged_once(capfd, inspected):
    """Decoding that always exceeds a limit leads to no other judgement; that of all pixels to one more."""
    Path("small.yaml").write_text(HEADER + "select: [nan, fps-allowed]\n")
    limited = StatsOptions(limits=PixelLimits(chunk_bytes=1))
    assert (run().pixels_not_judged, len(stored())) == (3, 3)
    for stats, is_new in ((limited, True), (StatsOptions(), True)):
        for _ in range(2):
            run(policy=None, stats=stats)
            inspected.clear()
            summary = run()
            assert (summary.pixels_not_judged, dict(summary.validations)) == (0, {("passed", is_new): 3})
            assert len(inspected) == (3 if is_new else 0)
            is_new = False
        main(["validate", "--from-catalog", "--catalog", CATALOG, "--policy", "small.yaml"])
        assert ("not all pixels were decoded" in capfd.readouterr().err) == (stats is limited)
    assert len(stored()) == 9
    assert run(stats=limited).validations == {("passed", False): 3}


@pytest.mark.slow
def test_results_of_the_former_table_version_are_judged_once(inspected):
    """They do not say which statistics they had."""
    Path("small.yaml").write_text(HEADER + "select: [nan, fps-allowed]\n")
    run(policy=None, stats=StatsOptions())
    run()
    with duckdb.connect("catalog.duckdb") as catalog:
        catalog.execute("UPDATE validations SET without_statistics = NULL, partly_decoded = NULL")
    for expected in (3, 0):
        inspected.clear()
        assert run().pixels_not_judged == 0
        assert len(inspected) == expected


@pytest.mark.slow
def test_statistics_are_held_by_numbers_of_channels(monkeypatch):
    """Not by files: those of many channels are looked up, and sent to workers, in smaller groups."""
    Path("small.yaml").write_text(HEADER + "select: [black-frame]\n")
    for number in range(1, 7):
        write(Path(f"show/c.{number:04}.exr"), size=(20, 40))
    run(policy=None, stats=StatsOptions())
    monkeypatch.setattr("exr_inspector.ingestion.stored_statistics._ROWS_PER_LOOKUP", 12)
    monkeypatch.setattr(run_module, "_FILES_PER_TASK", 5)
    monkeypatch.setattr(tasks, "_CHANNELS_PER_FILE", 3)
    lookups, ran_tasks = [], []
    statistics, run_task = DuckDBCatalog.statistics, tasks.run_task

    def looked_up(catalog, batches):
        lookups.append(len(batches))
        return statistics(catalog, batches)

    def ran(task, *arguments, **options):
        ran_tasks.append(len(task))
        return run_task(task, *arguments, **options)

    monkeypatch.setattr(DuckDBCatalog, "statistics", looked_up)
    monkeypatch.setattr(run_module, "run_task", ran)
    assert run().pixels_not_judged == 0
    assert lookups == [4, 2, 2, 1]  # three files of three channels, and six of six
    assert ran_tasks == [4, 3, 2]


@pytest.mark.slow
@pytest.mark.parametrize("overrides", ["", "overrides: [{when: {path: 'a.*.exr'}, ignore: [EXR102], select: [drift]}]"])
def test_files_are_inspected_once_for_rules_about_pixels_and_sequences(inspected, decoded, overrides):
    """Also if the verdict is stored later than the statistics, and a chunk cannot be decoded."""
    Path("small.yaml").write_text(
        'policy: small\nversion: "1"\ntitle: "Pixels"\nselect: [black-frame, nan, gap, EXR102, EXR606]\n' + overrides
    )
    damaged(Path("show/bad.1001.exr"))
    run(policy=None, stats=StatsOptions())
    run(stats=StatsOptions())
    inspected.clear(), decoded.clear()
    assert {is_new for _, is_new in run(stats=StatsOptions()).validations} == {False}
    assert (inspected, decoded) == ([], [])


def damaged(path: Path) -> Path:
    """A file whose second chunk cannot be decoded."""
    write(path, size=(20, 40))
    data = bytearray(path.read_bytes())
    (chunks,) = located(bytes(data))
    begin = chunks.leaders.offsets[1] + chunks.leaders.leader.size
    data[begin : begin + 60] = b"\xff" * 60
    path.write_bytes(data)
    return path


@pytest.mark.slow
def test_unchanged_files_are_not_decoded_for_rules_about_headers(decoded):
    run(policy=None, stats=StatsOptions())
    decoded.clear()
    assert dict(run(stats=StatsOptions()).validations) == {("passed", True): 2, ("failed", True): 1}
    assert decoded == []


@pytest.mark.slow
def test_damaged_pixels_are_reported_with_the_result_of_a_policy(capfd):
    path = damaged(Path("show/bad.1001.exr"))
    words = ["ingest", str(path), "--catalog", CATALOG, "--stats"]
    write_policy("ZIP")
    assert [main(words), main([*words, "--policy", "small.yaml"]), main([*words, "--policy", "small.yaml"])] == [
        1,
        1,
        1,
    ]
    assert capfd.readouterr().out.count("1 undecodable") == 3
