"""The built-in policies on files with known answers, and on valid files of many programs."""

from __future__ import annotations

from typing import Any

import pytest

from exr_inspector import validate
from exr_inspector.policy.evaluate import evaluate
from exr_inspector.policy.validate import compiled_policy
from tests.support.corpus import POLICY_SIDECARS, VALID_FILES, inspected, name_of, need_corpus, sidecar

# By path in the corpus, the rules that find an error under `render` in a file that others read, and why that is right.
EXPECTED_ERRORS: dict[str, dict[str, str]] = {}


@pytest.mark.parametrize("path", POLICY_SIDECARS)
def test_sidecars_hold_exactly(path):
    """Under the built-in policies, and under those that the corpus has."""
    expected = sidecar(path)
    (name,) = expected["files"]
    folder = path.parents[path.parent.name == "delivery"]
    for policy in (expected["policy"], folder / f"policies/{expected['policy']}.yaml"):
        verdict = validate(path.parent / name, policy)
        found = [(f.rule_id, f.severity, f.part_index, f.channel_name, f.actual) for f in verdict.findings]
        wanted = [_answer(finding) for finding in expected["expect"]["findings"]]
        assert sorted(map(repr, found)) == sorted(map(repr, wanted)), policy
        assert (verdict.severity == "error") == (expected["expect"]["verdict"] == "fail")


def _answer(finding: dict[str, Any]) -> tuple[Any, ...]:
    texts = (finding["channel_name"] or "", finding["actual"] or "")
    return (finding["rule_id"], finding["severity"], finding["part_index"], *texts)


@need_corpus
def test_render_finds_no_errors_in_valid_files():
    """Warnings are about choices of renderers, such as HALF depth."""
    policy = compiled_policy("render")
    errors = {
        name_of(path): {f.rule_id for f in evaluate(policy, inspected(path)).findings if f.severity == "error"}
        for path in VALID_FILES
    }
    assert {name: ids for name, ids in errors.items() if ids} == {
        name: set(reasons) for name, reasons in EXPECTED_ERRORS.items()
    }
