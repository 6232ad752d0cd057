"""No header makes a rule raise, whatever its attributes are."""

from __future__ import annotations

import random
from itertools import islice
from struct import pack

import pytest

from exr_inspector import ExrInspectorError, inspect
from exr_inspector.policy.compile import compile_policy
from exr_inspector.policy.evaluate import evaluate
from exr_inspector.policy.registry import RULES
from exr_inspector.policy.sequence_files import sequence_file, unreadable_file
from exr_inspector.policy.sequences import evaluate_sequences
from exr_inspector.policy.standard_attributes import POSITIVE, TYPES
from tests.support import exr_writer as w
from tests.support.changed_headers import changed_headers
from tests.support.policies import parse_policy

POLICY = compile_policy(
    parse_policy(
        "all.yaml",
        b"""
policy: all
version: "1"
select: [EXR, part-type, part-count, lower-case]
rules:
  channels-required: {channels: ["*R*"]}
  channels-forbidden: {channels: ["*.A"]}
  channels-exactly: {sets: [[R]]}
  gamut: {gamuts: [AP0]}
  colour-space-allowed: {allowed: ["a*b*c*"]}
  attribute-required: {attributes: [{name: owner, type: string, glob: "*", min: 1}]}
  attribute-forbidden: {attributes: ["*x*y*"]}
  fps-allowed: {allowed: ["24"]}
  software-allowed: {allowed: ["*"]}
  private-path: {also: ["*@*"]}
  aov-set: {layers: ["*a*b*", "[!a]*"]}
  name-template: {template: "{name}.{frame:4}.exr"}
  display-size: {sizes: [[1, 2]]}
  range: {expected: 1-9}
  shot-complete: {layers: ["*a*b*"]}
""",
    )
)
NAMES = [
    *TYPES,
    *POSITIVE,
    "colorSpace",
    "multiView",
    "keyCode",
    "software",
    "cryptomatte/a/name",
    "cryptomatte/a/manifest",
]
ATTRIBUTE_TYPES = [*w.LAYOUTS, "string", "stringvector", "floatvector", "preview", "timecode", "unknown"]
VALUES = [b"", bytes(4), bytes(32), bytes(64), b"\xff" * 8, pack("<8f", *[float("nan"), float("inf")] * 4)]
PATH = "/film/sq01/sh010/comp/aabb/a.{}.exr"
GOOD = sequence_file(inspect(w.build(w.part()).data, name=PATH.format(1002)))
CUT = unreadable_file(f"file://{PATH.format(1003)}")


def test_every_rule_is_evaluated():
    rules = POLICY.rules_for()
    assert (len(rules.uses()), rules.inactive) == (len(RULES), ())


@pytest.mark.slow
def test_one_changed_value_makes_no_rule_raise():
    """Of thousands of headers with one invalid or unusual value, a sample."""
    for _, data in islice(changed_headers(), 0, None, 17):
        _evaluate(data)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_attributes_of_any_type_make_no_rule_raise(seed):
    """Standard attributes with the types and the bytes of others."""
    choose = random.Random(seed).choice
    for _ in range(100):
        extra = [w.attribute(choose(NAMES), choose(ATTRIBUTE_TYPES), choose(VALUES)) for _ in range(6)]
        _evaluate(w.build(w.part(extra=extra, compression=choose([0, 8]))).data)


def _evaluate(data: bytes) -> None:
    try:
        inspection = inspect(data, name=PATH.format(1001))
    except ExrInspectorError:
        return
    of_sequences = evaluate_sequences(POLICY, [sequence_file(inspection), GOOD, CUT])
    assert "shot-complete" not in {rule.rule_name for rule in of_sequences.not_evaluated}
    found = (*evaluate(POLICY, inspection).findings, *of_sequences.findings)
    assert all(finding.severity in ("error", "warning", "info") and finding.message for finding in found)
