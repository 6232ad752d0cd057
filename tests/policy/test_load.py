"""Policies from files: what they mean, and errors with file, line and column."""

from __future__ import annotations

import json
import pickle
import random
import re
from typing import Any

import jsonschema
import pytest
import yaml

from exr_inspector.errors import PolicyError, SettingsError
from exr_inspector.policy import load, yaml_models
from exr_inspector.policy.compile import compile_policy
from exr_inspector.policy.load import builtin_names, builtin_text, load_policy
from exr_inspector.policy.registry import suggestion
from exr_inspector.policy.schema import policy_schema
from exr_inspector.policy.yaml_marks import read_document
from tests.policy.test_rules import flat, named
from tests.support import exr_writer as w
from tests.support.policies import parse_policy

HEAD = 'policy: test\nversion: "1"\n'


def test_a_policy_that_was_used_can_be_sent_to_worker_processes():
    compiled = compile_policy(parse_policy("test.yaml", (HEAD + "select: [EXR102, black-frame]\n").encode()))
    names = [use.rule.name for use in compiled.rules_for().uses()]
    copy = pickle.loads(pickle.dumps(compiled))
    assert copy == compiled
    assert [use.rule.name for use in copy.rules_for().uses()] == names


def rules(text: str, inspection: Any = None) -> dict[str, Any]:
    """The rules of a policy that apply to a file, by name."""
    compiled = compile_policy(parse_policy("test.yaml", (HEAD + text).encode()))
    return {use.rule.name: use for use in compiled.rules_for(inspection).uses()}


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("selct: [EXR1]", (3, 1), "selct: unknown; expected policy, version, title, extends, select, ignore, rules"),
        ("selct: [EXR1]", (3, 1), "did you mean select"),
        ("select: [EXR1, compresion]", (3, 16), "unknown rule 'compresion'; did you mean compression"),
        ("ignore: [EXR77]", (3, 10), "unknown rule 'EXR77'"),
        (
            "rules:\n  frame-padding: {width: four}",
            (4, 26),
            "rules.frame-padding.width: expected an integer",
        ),
        ("rules:\n  frame-pading: {width: 4}", (4, 3), "unknown rule 'frame-pading'; did you mean frame-padding"),
        (
            "rules:\n  frame-padding: {widht: 4}",
            (4, 19),
            "widht: unknown; expected severity, width; did you mean width",
        ),
        ("rules:\n  gamut: {severity: fatal}", (4, 21), "expected 'error', 'warning' or 'info'"),
        ("rules:\n  gamut: {gamuts: AP0}", (4, 19), "rules.gamut.gamuts: expected a list, such as [a, b]"),
        ("rules:\n  gamut: 3", (4, 10), "rules.gamut: expected keys with values"),
        ("rules:\n  gamut: {gamuts: [AP0]}\n  EXR402: {gamuts: [AP1]}", (5, 3), "given by its name and by EXR402"),
        ("rules:\n  attribute-required: {attributes: [{nam: a}]}", (4, 38), "unknown; expected name, type"),
        ("extends: [bas]", (3, 11), "no built-in policy is called 'bas'"),
        ("extends: [./none.yaml]", (3, 11), "No such file or directory"),
        ("overrides:\n  - when: {pth: a}", (4, 12), "overrides.0.when.pth: unknown; did you mean path"),
        ("overrides:\n  - select: [EXR1]", (4, 5), "overrides.0.when: missing"),
        ("overrides:\n  - when: {path: a}\n    ignore: [x]", (5, 14), "unknown rule 'x'"),
        ("rules:\n  display-size: {sizes: [[4096]]}", (4, 26), "rules.display-size.sizes.0.1: missing"),
        ("rules:\n  display-size: {sizes: [[4096]], sises: [7]}", (4, 26), "rules.display-size.sizes.0.1: missing"),
        ("select: [EXR2x]", (3, 10), "unknown rule 'EXR2x'; did you mean EXR2 or EXR201 or EXR202?"),
        ("rules: {EXR2011: {}}", (3, 9), "unknown rule 'EXR2011'; did you mean EXR201?"),
        ("waivers: ' '", (3, 10), "waivers: expected a string that is not empty"),
        (
            "rules: {attribute-required: {attributes: [{name: ''}]}}",
            (3, 50),
            "rules.attribute-required.attributes.0.name: expected a string that is not empty",
        ),
        (
            "overrides:\n  - when: {compression: [ZIP, DWAX]}",
            (4, 31),
            "overrides.0.when.compression.1: expected NONE, RLE,",
        ),
        ("overrides:\n  - when: {compression: {ne: zip}}", (4, 30), "did you mean ZIP or ZIPS?"),
        ("title: 3", (3, 8), 'title: expected a string: write "3"'),
        ("rules:\n  part-count: {min: 2}", (4, 15), "rules.part-count: min 2 is more than max 1; give both"),
        (
            "rules: {part-count: {max: 4}}\noverrides:\n  - when: {path: a}\n    rules: {part-count: {min: 5}}",
            (6, 25),
            "overrides.0.rules.part-count: min 5 is more than max 4",
        ),
        ("rules: {range: {expected: 1-5y1}}", (3, 27), "'1-5y1' has no frames"),
    ],
)
def test_errors_have_file_line_and_column(tmp_path, text, position, message):
    path = tmp_path / "test.yaml"
    path.write_text(HEAD + text)
    with pytest.raises(PolicyError) as raised:
        load_policy(path)
    assert message in str(raised.value)
    assert str(raised.value).startswith(f"{path}:{position[0]}:{position[1]}: "), str(raised.value)


@pytest.mark.parametrize("text", ["", "a", "[]", "policy: a", "policy: a\nversion: 1"])
def test_what_is_not_a_policy(text):
    with pytest.raises(PolicyError, match=r"test\.yaml:\d:\d+: "):
        parse_policy("test.yaml", text.encode())


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in below for found in ((*path, key), *_paths(item, (*path, key)))]


def _misspelt(name: str) -> str:
    """A name without one of its characters."""
    return name[: len(name) // 2] + name[len(name) // 2 + 1 :]


def _changed(value: Any, path: tuple[Any, ...], change: str) -> str:
    """A policy with one key or value of another name or type, or without it."""
    copy = json.loads(json.dumps(value))
    at = copy
    for step in path[:-1]:
        at = at[step]
    if change == "wrong type":
        at[path[-1]] = 7 if isinstance(at[path[-1]], dict) else {"broken": 1}
    elif change == "misspelt value":
        at[path[-1]] = _misspelt(at[path[-1]])
    else:
        item = at.pop(path[-1])
        if change == "misspelt key":
            at[_misspelt(path[-1])] = item
    return json.dumps(copy, indent=1)  # JSON is YAML too


def _error(text: str) -> PolicyError:
    with pytest.raises(PolicyError) as raised:
        parse_policy("broken.yaml", text.encode())
    assert str(raised.value).startswith(f"broken.yaml:{raised.value.line}:{raised.value.column}: ")
    return raised.value


@pytest.mark.parametrize("name", builtin_names())
def test_each_broken_key_and_value_has_a_position(name):
    """Of the built-in policies, one at a time: misspelt, of another type, or removed. Misspelt names are suggested."""
    value = read_document(name, builtin_text(name).encode()).value
    paths = _paths(value)
    assert len(paths) > 3
    for path in paths:
        text = _changed(value, path, "wrong type")
        error, broken = _error(text), read_document("broken.yaml", text.encode())
        assert (error.line, error.column) == broken.values[path], str(error)
        at = path[-1]
        if isinstance(at, str):
            text = _changed(value, path, "misspelt key")
            error, broken = _error(text), read_document("broken.yaml", text.encode())
            assert (error.line, error.column) == broken.keys[(*path[:-1], _misspelt(at))], str(error)
            assert re.search(rf"did you mean .*\b{at}\b", str(error)), str(error)
            removed = _changed(value, path, "removed")
            if at in ("policy", "version"):
                assert str(_error(removed)) == f"broken.yaml:1:1: {at}: missing"
            else:
                parse_policy("broken.yaml", removed.encode())
        elif path[0] in ("select", "ignore", "extends") and not value[path[0]][at].startswith("EXR"):
            text = _changed(value, path, "misspelt value")
            error, broken = _error(text), read_document("broken.yaml", text.encode())
            assert (error.line, error.column) == broken.values[path], str(error)
            assert re.search(rf"did you mean .*\b{value[path[0]][at]}\b", str(error)), str(error)


@pytest.mark.parametrize("name", builtin_names())
def test_damaged_policies_are_valid_or_have_a_position(name):
    """Nothing but PolicyError is raised."""
    pieces = [
        "{",
        "}",
        "[",
        "]",
        ":",
        "- ",
        "\n",
        "\t",
        "&a ",
        "*a",
        "!!int ",
        "|",
        '"',
        "'",
        "null",
        "1.5",
        "\0",
        "<<: ",
    ]
    chosen, text = random.Random(name), builtin_text(name)
    errors: list[tuple[PolicyError, str]] = []
    for _ in range(100):
        at = chosen.randrange(len(text))
        damaged = text[:at] + chosen.choice(pieces) + text[at + chosen.randrange(6) :]
        try:
            parse_policy("a.yaml", damaged.encode())
        except PolicyError as error:
            errors.append((error, damaged))
    assert len(errors) > 20
    assert all(1 <= error.line <= damaged.count("\n") + 1 and error.column >= 1 for error, damaged in errors)


def test_later_layers_have_precedence(tmp_path):
    (tmp_path / "show").mkdir()
    (tmp_path / "studio.yaml").write_text(
        HEAD + "extends: [base]\nselect: [lossy]\nrules:\n  frame-padding: {width: 5, severity: info}\n"
    )
    (tmp_path / "show/show.yaml").write_text(
        HEAD + "extends: [../studio.yaml]\nignore: [EXR12, lossy]\nrules:\n  frame-padding: {severity: warning}\n"
    )
    compiled = compile_policy(load_policy(tmp_path / "show/show.yaml"))
    uses = {use.rule.name: use for use in compiled.rules_for().uses()}
    assert "not-whole" in uses
    assert not {"lossy", "header-size"} & set(uses)
    padding = uses["frame-padding"]
    assert (padding.parameters.width, padding.severity) == (5, "warning")


OVERRIDE = "rules: {part-count: {max: 9}}\noverrides: [{when: {path: a}, rules: {part-count: {min: 5}}}]"


@pytest.mark.parametrize(
    ("first", "second", "own", "position"),
    [
        ("rules: {part-count: {min: 5, max: 9}}", "rules: {part-count: {max: 4}}", "", "21: extends.1"),
        (OVERRIDE, "rules: {part-count: {max: 4}}", "", "11: extends.0"),
        ("title: a", OVERRIDE, "rules: {part-count: {max: 4}}", "21: extends.1"),
    ],
)
def test_limits_of_several_policies_go_together(tmp_path, first, second, own, position):
    """Also where the policy that extends them does not name the rule."""
    for name, text in (("a", first), ("b", second), ("both", f"extends: [./a.yaml, ./b.yaml]\n{own}")):
        (tmp_path / f"{name}.yaml").write_text(HEAD + text)
    expected = f"both.yaml:3:{position}.part-count: min 5 is more than max 4; give both"
    with pytest.raises(PolicyError, match=re.escape(expected)) as raised:
        load_policy(tmp_path / "both.yaml")
    assert raised.value.others == ()
    (tmp_path / "both.yaml").write_text(f"{HEAD}extends: [./a.yaml, ./b.yaml]\nrules: {{part-count: {{max: 9}}}}")
    load_policy(tmp_path / "both.yaml")


def test_policies_do_not_extend_themselves(tmp_path):
    (tmp_path / "a.yaml").write_text(HEAD + "extends: [./b.yaml]\n")
    (tmp_path / "b.yaml").write_text(HEAD + "extends: [./a.yaml]\n")
    with pytest.raises(PolicyError, match=r"b\.yaml:3:11: \./a\.yaml extends itself"):
        load_policy(tmp_path / "a.yaml")


@pytest.mark.parametrize("other", ["id: ST1, name: other", "id: ST2, name: small"])
def test_policies_with_different_rules_of_one_identifier_or_name_do_not_go_together(tmp_path, other):
    """The same rule by two ways is one."""
    rule = "custom:\n  - {{{}, require: {{width: {}}}, message: small, remedy: crop}}\n"
    (tmp_path / "a.yaml").write_text(HEAD + rule.format("id: ST1, name: small", 1))
    (tmp_path / "same.yaml").write_text(HEAD + "extends: [./a.yaml]\n")
    (tmp_path / "b.yaml").write_text(HEAD + rule.format(other, 2))
    (tmp_path / "both.yaml").write_text(HEAD + "extends: [./a.yaml, ./same.yaml]\n")
    assert set(load_policy(tmp_path / "both.yaml").custom) == {"ST1"}
    (tmp_path / "both.yaml").write_text(HEAD + "extends: [./same.yaml, ./b.yaml]\n")
    with pytest.raises(PolicyError, match=r"both\.yaml:3:\d+: a policy that this one extends has a rule"):
        load_policy(tmp_path / "both.yaml")


def test_the_number_of_extended_policies_is_bounded(tmp_path):
    """Also of small files that extend each other several times."""
    for number in range(20):
        (tmp_path / f"{number}.yaml").write_text(HEAD + f"extends: [./{number + 1}.yaml, ./{number + 1}.yaml]\n")
    (tmp_path / "20.yaml").write_text(HEAD)
    with pytest.raises(PolicyError, match="more than 32 policies are extended"):
        load_policy(tmp_path / "0.yaml")


def test_prefixes_leave_rules_out_that_are_choices():
    """The type of parts and their number are selected by name, or by their parameters."""
    assert not {"part-type", "part-count"} & set(rules("select: [EXR1]"))
    assert "part-type" in rules("select: [EXR122]")
    assert "part-type" in rules("rules: {part-type: {types: [tiledimage]}}")


def test_overrides_apply_where_all_their_conditions_hold():
    text = """
select: [lossy]
overrides:
  - when: {path: "**/mattes/**"}
    ignore: [lossy]
    rules: {channels-required: {channels: [A]}}
  - when: {renderer: "Arnold*", is_deep: false}
    select: [EXR612]
"""
    assert set(rules(text, named("/shows/xyz/plates/a.exr"))) == {"lossy"}
    assert set(rules(text, named("/shows/xyz/mattes/sh010/a.exr"))) == {"channels-required"}
    arnold = _arnold()
    assert set(rules(text, arnold)) == {"lossy", "owner"}
    assert set(rules(text, _arnold(deep=True))) == {"lossy"}


def _arnold(**given: Any) -> Any:
    inspection = flat(w.text("arnold/version", "7.4.0"), **given)
    assert inspection.parts[0].renderer
    return inspection


def test_the_hash_changes_with_the_rules_and_not_with_comments():
    def digest(text: str) -> str:
        return compile_policy(parse_policy("test.yaml", (HEAD + text).encode())).hash

    same = [digest(text) for text in ("select: [lossy]", "# lossless\nselect: ['EXR302']", "title: a\nselect: [lossy]")]
    assert len(set(same)) == 1
    assert digest("select: [lossy]\nrules: {lossy: {severity: info}}") not in same


@pytest.mark.parametrize(
    "given",
    [
        "compression: {allowed: []}",
        "pixel-type: {types: []}",
        "part-type: {types: []}",
        'name-characters: {allowed: ""}',
    ],
)
def test_a_rule_that_allows_nothing_is_not_evaluated(given):
    (use,) = rules(f"rules: {{{given}}}").values()
    assert use.missing == (given.split("{")[1].split(":")[0],)


def test_unknown_names_have_a_suggestion():
    with pytest.raises(SettingsError, match=r"no built-in policy is called 'rendr'.*did you mean render"):
        load_policy("rendr")
    with pytest.raises(SettingsError, match=r"policy \./none\.yaml: No such file"):
        load_policy("./none.yaml")


@pytest.mark.slow
def test_the_schema_accepts_every_built_in_policy_and_no_unknown_key():
    schema = policy_schema()
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    for name in builtin_names():
        validator.validate(yaml.safe_load(builtin_text(name)))
    policy = {"policy": "a", "version": "1", "rules": {"frame-padding": {"width": 4}}}
    validator.validate(policy)
    for broken in ({"widht": 4}, {"width": "4"}):
        assert not validator.is_valid({**policy, "rules": {"frame-padding": broken}})
    assert not validator.is_valid({**policy, "rules": {"frame-pading": {}}})
    assert not validator.is_valid({**policy, "selct": []})


def test_every_built_in_policy_decides_all_of_its_rules():
    """None lacks a parameter, and each has a title."""
    for name in builtin_names():
        policy = load_policy(name)
        assert (policy.name, bool(policy.title)) == (name, True)
        assert compile_policy(policy).rules_for().inactive == ()


def test_a_folder_is_not_a_policy(tmp_path):
    (tmp_path / "a.yaml").mkdir()
    with pytest.raises(SettingsError, match=r"a\.yaml: (?:not a file|Is a directory)"):
        load_policy(tmp_path / "a.yaml")


SEVERAL = """\
policy: 7
titel: show
select: [no-rule, EXR1]
rules:
  part-count: {min: x, most: 3}
  frame-padding: {width: 0}
overrides:
  - when: {compresion: ZIP}
  - when: {width: 1}
    ignore: [EXR777]
"""


def test_all_errors_of_a_file_come_together():
    """Sorted by position; a missing key is none beside an unknown one that may be its misspelling."""
    error = _error(SEVERAL)
    positions = [(each.line, each.column) for each in (error, *error.others)]
    assert positions == [(1, 1), (1, 9), (2, 1), (3, 10), (5, 21), (5, 24), (6, 26), (8, 12), (10, 14)], str(error)
    assert len(str(error).splitlines()) == len(positions)
    many = _error(f"policy: a\nversion: b\nselect: [{', '.join(f'no-{n}' for n in range(100))}]\n")
    assert len(many.others) == 50
    assert many.others[-1].message == "more errors; correct these first"


_MANY = [f"framepading{number}: {{}}" for number in range(900)]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (f"rules: {{{', '.join(_MANY)}}}", 51),
        (f"rules: {{range: {{{', '.join(_MANY)}}}}}", 51),
        ("\n".join(_MANY), 51),
        (f"select: [{', '.join(_MANY).replace(': {}', '')}]", 51),
        (f"overrides: [{{when: {{path: a}}, rules: {{{', '.join(_MANY)}}}}}]", 51),
        (f"rules: {{{', '.join(each.replace('g', str(n)) for n in range(2) for each in _MANY)}}}", 0),
    ],
)
def test_work_is_bounded_however_many_errors_there_are(text, count, monkeypatch):
    """Names are suggested only for errors that are reported; the last one stands for the others."""
    suggested: list[str] = []

    def counted(name: str, *known: Any, **also: Any) -> str:
        suggested.append(name)
        return suggestion(name, *known, **also)

    for module in (load, yaml_models):
        monkeypatch.setattr(module, "suggestion", counted)
    error = _error(HEAD + text)
    assert len(suggested) == count
    if count:
        assert [each.message for each in error.others][49:] == ["more errors; correct these first"]
        assert "more errors" not in error.others[48].message
    else:
        assert error.message == "rules: expected at most 1000 items"
        assert error.others == ()


OF_BOTH_KINDS = """\
policy: a
version: 1
select: [compresion, OWN1, 3]
rules:
  gamut: 3
  frame-pading: {}
overrides:
  - selct: [EXR1]
    when: {pth: a, width: x}
    ignore: [no-rule]
  - 7
  - when: {path: [a, 3], any: [{width: {le: x, most: 1}}, {compresion: ZIP}]}
    rules: {part-count: {min: 5, max: 2}}
custom:
  - {id: OWN1, name: Own, require: {compresion: ZIP}, message: "", remedy: a}
  - {id: EXR7, name: gap, require: {compresion: ZIP}, when: {pth: a}, message: a}
"""


def test_errors_of_types_and_of_names_come_together():
    """Also of one override and of one custom rule; the name of a broken rule is not unknown."""
    error = _error(OF_BOTH_KINDS)
    lines = [f"{each.line}: {each.message.split('; ')[0]}" for each in (error, *error.others)]
    assert lines == [
        '2: version: expected a string: write "1"',
        "3: unknown rule 'compresion'",
        '3: select.2: expected a string: write "3"',
        "5: rules.gamut: expected keys with values",
        "6: unknown rule 'frame-pading'",
        "8: overrides.0.selct: unknown",
        "9: overrides.0.when.pth: unknown",
        "9: overrides.0.when.width: expected an integer",
        "10: unknown rule 'no-rule'",
        "11: overrides.1: expected keys with values",
        "12: overrides.2.when.path.1: expected a string",
        "12: overrides.2.when.any.0.width.le: expected an integer",
        "12: overrides.2.when.any.0.width.most: unknown",
        "12: overrides.2.when.any.1.compresion: unknown",
        "13: overrides.2.rules.part-count: min 5 is more than max 2",
        "15: custom.0.name: expected a-z, 0-9 and -, beginning with a letter",
        "15: custom.0.require.compresion: unknown",
        "15: custom.0.message: expected a string that is not empty",
        "16: custom.1.remedy: missing",
        "16: identifiers that begin with EXR are those of built-in rules",
        "16: a built-in rule is called gap",
        "16: custom.1.require.compresion: unknown",
        "16: custom.1.when.pth: unknown",
    ]
    missing = _error("policy: a\nversion: b\ncustom: [{id: OWN1, nam: x}]\n")
    assert [each.message for each in (missing, *missing.others)] == [
        "custom.0.require, message, remedy: missing",
        "custom.0.nam: unknown; expected id, name, require, message, remedy, scope, when, severity; did you mean name?",
    ]


@pytest.mark.parametrize("key", ["version", "overrides", "custom", "id", "when"])
def test_rules_are_not_called_like_keys_of_policies(key):
    """What is at a required key is replaced there only."""
    error = _error(f"{HEAD}rules:\n  {key}: 3\n  frame-pading: {{}}\n")
    assert [f"{each.line}: {each.message.split('; ')[0]}" for each in (error, *error.others)] == [
        f"4: rules.{key}: expected keys with values",
        "5: unknown rule 'frame-pading'",
    ]


def test_names_may_be_those_of_a_policy_that_could_not_be_read(tmp_path):
    error = _error("policy: a\nversion: b\nextends: [./none.yaml]\nselect: [no-rule]\nrules: {gamut: 3}\n")
    assert [each.line for each in (error, *error.others)] == [3, 5]


def test_an_error_of_a_custom_rule_hides_those_of_its_name():
    """Where the rules of a policy could not be read, no unknown name is an error."""
    text = "policy: a\nversion: b\nselect: [OWN1]\ncustom: [{id: OWN1, name: x}]\n"
    error = _error(text)
    assert {each.line for each in (error, *error.others)} == {4}
