"""The JSON Schemas of policies and waivers, with which editors complete and check them."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from .condition_fields import FIELDS, Field
from .conditions import OPERATORS
from .model import CUSTOM_ID, PolicyFile
from .registry import RULES
from .rule import Parameters
from .waivers import WaiversFile

_TYPES = {"path": "string", "text": "string", "integer": "integer", "number": "number", "flag": "boolean"}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def policy_schema() -> dict[str, Any]:
    """The schema of a policy file, with all rules and their parameters."""
    schema = TypeAdapter(PolicyFile).json_schema()
    definitions = schema.setdefault("$defs", {})
    rules: dict[str, Any] = {}
    for rule in RULES.values():
        parameters = TypeAdapter(rule.parameters).json_schema()
        definitions |= parameters.pop("$defs", {})
        parameters["description"] = rule.rule.meaning
        definitions[rule.rule_id] = {"anyOf": [parameters, {"type": "null"}], "title": rule.name}
        rules[rule.name] = rules[rule.rule_id] = {"$ref": f"#/$defs/{rule.rule_id}"}
    custom = {f"^(?!EXR){CUSTOM_ID.pattern}$": {"$ref": "#/$defs/Parameters"}}
    of_rules = {"type": "object", "properties": rules, "patternProperties": custom, "additionalProperties": False}
    definitions["Parameters"] = TypeAdapter(Parameters).json_schema()
    definitions["Condition"] = _condition_schema()
    for owner in (schema, definitions["Override"]):
        owner["properties"]["rules"] = of_rules
    for owner, name in (("Override", "when"), ("CustomEntry", "when"), ("CustomEntry", "require")):
        definitions[owner]["properties"][name] = {"$ref": "#/$defs/Condition"}
    return {"$schema": _DIALECT, "title": "Policy of exr-inspector", **schema}


def _condition_schema() -> dict[str, Any]:
    condition = {"$ref": "#/$defs/Condition"}
    several = {"type": "array", "items": condition, "minItems": 1}
    tests = {field.name: _test_schema(field) for field in FIELDS.values()}
    properties = {"all": several, "any": several, "not": condition, **tests}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _test_schema(field: Field) -> dict[str, Any]:
    value = {"type": _TYPES[field.kind]}
    one = {"type": [_TYPES[field.kind], "null"]}
    several = [one, {"type": "array", "items": one, "minItems": 1}]
    checks = {name: {"anyOf": several} if name == "ne" else value for name in OPERATORS[field.kind]}
    checked = {"type": "object", "properties": checks, "additionalProperties": False, "minProperties": 1}
    return {"anyOf": [*several, checked]}


def waivers_schema() -> dict[str, Any]:
    """The schema of a file of waivers."""
    return {"$schema": _DIALECT, "title": "Waivers of exr-inspector", **TypeAdapter(WaiversFile).json_schema()}
