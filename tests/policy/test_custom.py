"""Rules of a policy's own: conditions on parts and files, and how other policies change them."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from exr_inspector.errors import PolicyError
from exr_inspector.findings.model import FileFrame, grouped
from exr_inspector.findings.sarif import sarif
from exr_inspector.policy.compile import compile_policy
from exr_inspector.policy.evaluate import evaluate
from exr_inspector.policy.load import load_policy
from exr_inspector.policy.schema import policy_schema
from tests.policy.test_rules import channels, file, named
from tests.support import exr_writer as w
from tests.support.policies import parse_policy

RULE: dict[str, Any] = {
    "id": "XYZ001",
    "name": "proxy-codec",
    "when": {"path": "**/proxy/**"},
    "require": {"compression": ["DWAA", "DWAB"], "width": {"le": 2048}},
    "message": "proxies are DWA, and at most 2048 wide",
    "remedy": "export the proxies again",
}
PROXY = "/show/proxy/a.1001.exr"


def policy(*custom: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"policy": "a", "version": "1", "custom": list(custom), **more}).encode()


def found(data: bytes, inspection: Any) -> list[tuple[Any, ...]]:
    verdict = evaluate(compile_policy(parse_policy("test.yaml", data)), inspection)
    return [(each.rule_id, each.severity, each.part_index, each.message) for each in verdict.findings]


def test_a_finding_says_what_is_expected_and_the_values():
    (finding,) = found(policy(RULE), named(PROXY))
    message = "proxy-codec: proxies are DWA, and at most 2048 wide; compression NONE, width 16"
    assert finding == ("XYZ001", "error", 0, message)
    assert found(policy(RULE), named("/show/a.1001.exr")) == []
    assert found(policy({**RULE, "require": {"compression": "NONE"}}), named(PROXY)) == []
    ((_, severity, *_),) = found(policy({**RULE, "severity": "info"}), named(PROXY))
    assert severity == "info"


def test_messages_are_not_cut_and_long_values_have_a_sign():
    message = "long " * 199
    rule = {**RULE, "message": message, "require": {"sequence": "x"}}
    (finding,) = found(policy(rule), named("/proxy/" + "a" * 400 + "/b.1001.exr"))
    assert f"proxy-codec: {message}; sequence " in finding[3]
    assert finding[3].endswith("a…")


def test_rules_are_about_each_part_or_about_the_file():
    parts = file(w.part(name="a", channels=channels("R")), w.part(name="b", channels=channels("Z")))
    rule = {**RULE, "when": {}, "require": {"channel": "Z"}}
    assert [part for *_, part, _ in found(policy(rule), parts)] == [0]
    assert found(policy({**rule, "scope": "file"}), parts) == []
    ((*_, part, message),) = found(policy({**rule, "scope": "file", "require": {"channel": "X"}}), parts)
    assert part is None
    assert message.endswith("; channel R / Z")


def test_other_policies_select_and_change_them(tmp_path):
    (tmp_path / "studio.yaml").write_bytes(policy(RULE))

    def findings(**more: Any) -> list[tuple[str, str]]:
        data = {"policy": "b", "version": "1", "extends": ["./studio.yaml"], **more}
        (tmp_path / "show.yaml").write_text(json.dumps(data))
        verdict = evaluate(compile_policy(load_policy(tmp_path / "show.yaml")), named(PROXY))
        return [(each.rule_id, each.severity) for each in verdict.findings]

    assert findings() == [("XYZ001", "error")]
    assert findings(ignore=["proxy-codec"]) == findings(ignore=["XYZ001"]) == []
    assert findings(rules={"proxy-codec": {"severity": "warning"}}) == [("XYZ001", "warning")]
    assert findings(overrides=[{"when": {"task": "proxy"}, "ignore": ["XYZ001"]}]) == [("XYZ001", "error")]
    assert findings(overrides=[{"when": {"part_type": "scan*"}, "ignore": ["XYZ001"]}]) == []
    with pytest.raises(PolicyError, match=r"show\.yaml:1:\d+: .*policy that this one extends has a rule XYZ001"):
        findings(custom=[RULE])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "EXR001"}, "identifiers that begin with EXR are those of built-in rules"),
        ({"id": "xyz"}, r"custom\.0\.id: expected A-Z, 0-9 and _, beginning with a letter"),
        ({"name": "lossy"}, "a built-in rule is called lossy"),
        ({"scope": "channel"}, r"custom\.0\.scope: expected 'part' or 'file'"),
        ({"require": {"widht": 1}}, r"custom\.0\.require\.widht: unknown; did you mean width"),
        ({"when": {"width": "a"}}, r"custom\.0\.when\.width: expected an integer"),
        ({"remdy": "a"}, r"custom\.0\.remdy: unknown; expected id, name, .* did you mean remedy"),
        ({"message": ""}, r"custom\.0\.message: "),
    ],
)
def test_errors(change, message):
    with pytest.raises(PolicyError, match=rf"test\.yaml:1:\d+: {message}"):
        parse_policy("test.yaml", policy({**RULE, **change}))


def test_identifiers_and_names_are_not_repeated():
    for second in ({**RULE, "name": "b"}, {**RULE, "id": "XYZ002"}):
        with pytest.raises(PolicyError, match="is repeated"):
            parse_policy("test.yaml", policy(RULE, second))
    with pytest.raises(PolicyError, match="unknown rule 'proxy-code'; did you mean proxy-codec"):
        parse_policy("test.yaml", policy(RULE, ignore=["proxy-code"]))


def test_the_hash_changes_with_the_rule_and_with_the_template_that_it_needs():
    def digest(rule: dict[str, Any], template: str = "{show}/**") -> str:
        return compile_policy(parse_policy("test.yaml", policy(rule)), template).hash

    assert digest(RULE) == digest(RULE, "{show}/{shot}/**")
    assert digest(RULE) != digest({**RULE, "require": {"width": 2048}})
    assert digest({**RULE, "when": {"show": "a"}}) != digest({**RULE, "when": {"show": "a"}}, "{show}/{shot}/**")


@pytest.mark.slow
def test_the_schema_knows_conditions():
    schema = policy_schema()
    jsonschema.Draft202012Validator(schema).validate(json.loads(policy(RULE, rules={"XYZ001": {"severity": "info"}})))
    for owner, name in (("CustomEntry", "require"), ("CustomEntry", "when"), ("Override", "when")):
        assert schema["$defs"][owner]["properties"][name] == {"$ref": "#/$defs/Condition"}
    conditions = jsonschema.Draft202012Validator({"$defs": schema["$defs"], "$ref": "#/$defs/Condition"})
    for right in ({}, {"width": None}, {"any": [{"not": {"path": ["a", None]}}]}, {"width": {"ne": [1], "lt": 2}}):
        assert conditions.is_valid(right), right
    for wrong in ({"widht": 1}, {"width": "a"}, {"width": {"glob": "a"}}, {"any": []}, {"path": {}}):
        assert not conditions.is_valid(wrong), wrong


def test_sarif_describes_them():
    verdict = evaluate(compile_policy(parse_policy("test.yaml", policy(RULE))), named(PROXY))
    findings = grouped((each, FileFrame(uri=PROXY, frame="1001")) for each in verdict.findings)
    (rule,) = json.loads(sarif("1", findings, str, str))["runs"][0]["tool"]["driver"]["rules"]
    assert (rule["id"], rule["shortDescription"]["text"]) == ("XYZ001", RULE["message"])
