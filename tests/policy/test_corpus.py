"""The built-in policies on files with known answers, and on valid files of many programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exr_inspector import validate
from exr_inspector.findings.model import Finding, grouped
from exr_inspector.policy.compile import CompiledPolicy
from exr_inspector.policy.evaluate import evaluate
from exr_inspector.policy.sequence_files import sequence_file
from exr_inspector.policy.sequences import evaluate_sequences
from exr_inspector.policy.validate import compiled_policy
from exr_inspector.sources.uris import display_path
from tests.support.corpus import POLICY_SIDECARS, VALID_FILES, inspected, name_of, need_corpus, sidecar

# By path in the corpus, the rules that find an error under `render` in a file that others read, and why that is right.
EXPECTED_ERRORS: dict[str, dict[str, str]] = {
    "valid/deep/##.deep.exr": {"EXR901": "two unrelated images of a documentation, whose names begin with numbers"},
}


@pytest.mark.parametrize("path", POLICY_SIDECARS)
def test_sidecars_hold_exactly(path):
    """Under the built-in policies, and under those that the corpus has."""
    expected = sidecar(path)
    folder = path.parents[path.parent.name in ("delivery", "sequence")]
    of_corpus = folder / f"policies/{expected['policy']}.yaml"
    for policy in (expected["policy"], of_corpus) if of_corpus.exists() else (expected["policy"],):
        findings = _findings(compiled_policy(policy), [path.parent / name for name in expected["files"]])
        found = [(f.rule_id, f.severity, f.part_index, f.channel_name, f.actual) for f in findings]
        wanted = [_answer(finding) for finding in expected["expect"]["findings"]]
        assert sorted(map(repr, found)) == sorted(map(repr, wanted)), policy
        is_failed = any(finding.severity == "error" for finding in findings)
        assert is_failed == (expected["expect"]["verdict"] == "fail")


def _findings(policy: CompiledPolicy, paths: list[Path]) -> list[Finding]:
    """Those about files, grouped by sequence, and about the sequences."""
    projected = [sequence_file(inspected(path)) for path in paths]
    judged = zip(projected, (validate(path, policy) for path in paths), strict=True)
    of_files = grouped((found, file) for file, verdict in judged for found in verdict.findings)
    return [*of_files, *evaluate_sequences(policy, projected).findings]


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
    for found in evaluate_sequences(policy, [sequence_file(inspected(path)) for path in VALID_FILES]).findings:
        if found.severity == "error":
            errors.setdefault(name_of(Path(display_path(found.pattern))), set()).add(found.rule_id)
    assert {name: ids for name, ids in errors.items() if ids} == {
        name: set(reasons) for name, reasons in EXPECTED_ERRORS.items()
    }
