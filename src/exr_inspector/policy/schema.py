"""The JSON Schemas of policies and waivers, with which editors complete and check them."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from .model import PolicyFile
from .registry import RULES
from .waivers import WaiversFile

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
    of_rules = {"type": "object", "properties": rules, "additionalProperties": False}
    for owner in (schema, definitions["Override"]):
        owner["properties"]["rules"] = of_rules
    return {"$schema": _DIALECT, "title": "Policy of exr-inspector", **schema}


def waivers_schema() -> dict[str, Any]:
    """The schema of a file of waivers."""
    return {"$schema": _DIALECT, "title": "Waivers of exr-inspector", **TypeAdapter(WaiversFile).json_schema()}
