"""Exit codes, and the verdicts on files that are findings."""

import pytest

from exr_inspector.cli.exit_codes import MEANINGS, ExitCode, FailOn, Severity, exit_code, file_severity
from exr_inspector.cli.main import main


@pytest.mark.parametrize(
    ("worst", "expected"),
    [
        (Severity.NONE, (0, 0, 0)),
        (Severity.INFO, (0, 0, 0)),
        (Severity.WARNING, (0, 1, 0)),
        (Severity.ERROR, (1, 1, 0)),
    ],
)
def test_fail_on(worst, expected):
    codes = tuple(exit_code(worst, fail_on) for fail_on in (FailOn.ERROR, FailOn.WARNING, FailOn.NEVER))
    assert codes == expected


def test_failed_inputs_take_precedence():
    assert {exit_code(worst, fail_on, failed=True) for worst in Severity for fail_on in FailOn} == {3}


@pytest.mark.parametrize("completeness", ["unknown", "incomplete", "truncated", "corrupt"])
def test_a_file_that_is_not_complete_is_an_error(completeness):
    assert {file_severity(completeness, severity) for severity in ("none", "info", "warning")} == {Severity.ERROR}


def test_a_complete_file_has_the_severity_of_its_worst_problem():
    assert [file_severity("complete", severity) for severity in ("none", "info", "warning", "error")] == list(Severity)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("ingest --files-from none", 3),
        ("inspect --files-from none", 3),
        ("function replay none", 3),
        ("function invoke --event none", 3),
        ("function invoke --path a.exr --config none", 2),
        ("validate . --waivers none", 2),
        ("query @none", 2),
    ],
)
def test_a_missing_file_is_an_input_or_a_setting(tmp_path, monkeypatch, capfd, command, code):
    """Of files, their lists and events, the bytes could not be read; what configures a command is an argument."""
    monkeypatch.chdir(tmp_path)
    assert main(command.split()) == code
    assert "none: no such file" in capfd.readouterr().err.lower()


def test_every_code_is_documented():
    assert set(MEANINGS) == set(ExitCode)
