"""Rules: every problem of the reader has one, and identifiers are stable."""

from exr_inspector.exr.codes import PROBLEMS
from exr_inspector.findings.rules import RULE_OF_PROBLEM, RULES, rule_of_problem


def test_every_problem_code_has_a_rule():
    """All but a few rules of headers are those of several codes."""
    assert set(RULE_OF_PROBLEM) == set(PROBLEMS)
    rules = {code: rule_of_problem(code) for code in PROBLEMS}
    assert {rule.rule_id for rule in rules.values()} <= set(RULES)
    assert rules["missing_attribute"].rule_id == rules["attribute_type"].rule_id == "EXR104"


def test_identifiers_do_not_change():
    """Policies, waivers and alerts of users name them."""
    assert {rule.rule_id: rule.name for rule in RULES.values()} == {
        "EXR100": "not-read",
        "EXR101": "unreadable",
        "EXR102": "not-whole",
        "EXR103": "wholeness-unknown",
        "EXR104": "required-attribute",
        "EXR105": "undecodable-attribute",
        "EXR106": "unknown-type",
        "EXR107": "name-twice",
        "EXR108": "flags-contradict",
        "EXR109": "long-name",
        "EXR110": "text-not-utf8",
        "EXR111": "pixel-aspect-range",
        "EXR112": "screen-window-width",
        "EXR113": "sampling",
        "EXR115": "deep-compression",
        "EXR116": "no-channels",
        "EXR117": "line-order",
        "EXR118": "window-range",
        "EXR119": "chunk-count",
        "EXR120": "shared-attributes",
        "EXR121": "bad-chunks",
        "EXR125": "channel-order",
        "EXR127": "bad-tiles",
        "EXR129": "more-problems",
        "EXR130": "invalid-header",
        "EXR801": "nan",
        "EXR802": "infinity",
        "EXR804": "black-frame",
        "EXR805": "constant-frame",
        "EXR809": "undecodable-chunks",
        "EXR810": "empty-region",
        "EXR901": "gap",
        "EXR902": "range",
        "EXR904": "drift",
        "EXR905": "padding-changes",
        "EXR906": "frozen-frame",
        "EXR912": "layers-same-range",
        "EXR914": "repeated-frame",
        "EXR918": "pixel-outlier",
        "EXR919": "duplicate-frame",
    }
    assert len(RULES) == len({rule.name for rule in RULES.values()})
