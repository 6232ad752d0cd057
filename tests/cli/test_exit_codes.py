"""Exit codes, and the completeness values that are findings."""

import pytest

from exr_inspector.cli.exit_codes import MEANINGS, ExitCode, FailOn, Severity, completeness_severity, exit_code


@pytest.mark.parametrize(
    ("worst", "expected"),
    [(Severity.NONE, (0, 0, 0)), (Severity.WARNING, (0, 1, 0)), (Severity.ERROR, (1, 1, 0))],
)
def test_fail_on(worst, expected):
    codes = tuple(exit_code(worst, fail_on) for fail_on in (FailOn.ERROR, FailOn.WARNING, FailOn.NEVER))
    assert codes == expected


def test_failed_inputs_take_precedence():
    assert {exit_code(worst, fail_on, failed=True) for worst in Severity for fail_on in FailOn} == {3}


def test_completeness():
    severities = [completeness_severity(c) for c in ("complete", "unknown", "incomplete", "truncated", "corrupt")]
    assert severities == [Severity.NONE, Severity.WARNING, *[Severity.ERROR] * 3]


def test_every_code_is_documented():
    assert set(MEANINGS) == set(ExitCode)
