"""Findings as SARIF 2.1.0, the exchange format of static analysis.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ..exr.codes import SEVERITIES
from ..inspection.value_text import shortened
from .model import Finding
from .report import NotEvaluatedRule
from .rules import CHECKED, RULES, Rule
from .text import one_line

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
# Limits of GitHub: 25,000 results, 100 locations shown of each, 10 MB when compressed.
_MOST_RESULTS, _MOST_LOCATIONS, _MOST_LOCATIONS_OF_ALL = 25_000, 100, 200_000
_MOST_CHARACTERS = 2_000  # of a message
_BASE = "%SRCROOT%"
_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*:")
_HELP = "https://github.com/exr-inspector/exr-inspector/blob/main/docs/REFERENCE.md"


def sarif(
    version: str,
    findings: Sequence[Finding],
    path_of: Callable[[str], str],
    uri_of: Callable[[str], str],
    not_evaluated: Sequence[NotEvaluatedRule] = (),
) -> bytes:
    """The document, with one run of this version. Rules that were not evaluated are notifications of the run.

    `path_of` gives the path of a pattern or URI as it is printed, `uri_of` its URI reference, encoded after RFC 3986.
    """
    kept = _most_severe(findings)
    rules = {finding.rule_id: _rule(finding) for finding in kept}
    rule_ids = sorted(rules)
    driver = {
        "name": "exr-inspector",
        "semanticVersion": version,
        "rules": [rules[rule_id] for rule_id in rule_ids],
    }
    locations = max(1, min(_MOST_LOCATIONS, _MOST_LOCATIONS_OF_ALL // max(len(kept), 1)))
    results = [_result(finding, rule_ids.index(finding.rule_id), path_of, uri_of, locations) for finding in kept]
    _add_fingerprints(results, kept, path_of)
    if any(finding.waived_by for finding in kept):  # then the standard asks for suppressions of all results
        for result, finding in zip(results, kept, strict=True):
            result["suppressions"] = list(_suppressions(finding))
    notifications = [*_left_out(findings, kept), *map(_not_evaluated, not_evaluated)]
    run = {
        "tool": {"driver": driver},
        "originalUriBaseIds": {_BASE: {"description": {"text": "The folder in which exr-inspector ran."}}},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notifications}],
        "results": results,
    }
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=1).encode() + b"\n"


def _most_severe(findings: Sequence[Finding]) -> list[Finding]:
    """The findings; of too many, the most severe ones, in the same order."""
    if len(findings) <= _MOST_RESULTS:
        return list(findings)
    order = sorted(range(len(findings)), key=lambda index: -SEVERITIES.index(findings[index].severity))
    return [findings[index] for index in sorted(order[:_MOST_RESULTS])]


def _left_out(findings: Sequence[Finding], kept: Sequence[Finding]) -> Iterator[dict[str, Any]]:
    if more := len(findings) - len(kept):
        yield {"level": "warning", "message": {"text": f"{more:,} more findings are left out; other formats list all"}}


def _not_evaluated(rule: NotEvaluatedRule) -> dict[str, Any]:
    of_rule = {"associatedRule": {"id": rule.rule_id}} if rule.rule_id else {}
    return {"level": "note", "message": {"text": rule.text}, **of_rule}


def _rule(finding: Finding) -> dict[str, Any]:
    """The rule of a finding; one of a policy's own expects what it says."""
    rule = RULES.get(finding.rule_id) or Rule(finding.rule_id, finding.rule_name, finding.expected, finding.remedy)
    described: dict[str, Any] = {
        "id": rule.rule_id,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.meaning},
        "help": {"text": rule.remedy},
    }
    if finding.rule_id in RULES:
        section = "rules" if rule in CHECKED else "rules-of-policies"
        described["helpUri"] = f"{_HELP}#{section}"
    return described


def _result(
    finding: Finding, rule_index: int, path_of: Callable[[str], str], uri_of: Callable[[str], str], locations: int
) -> dict[str, Any]:
    uris = finding.files[:locations] or (finding.pattern,)
    message = f"{path_of(finding.pattern)}  {one_line(finding)}; {finding.remedy}"
    return {
        "ruleId": finding.rule_id,
        "ruleIndex": rule_index,
        "level": _LEVELS[finding.severity],
        "message": {"text": shortened(message, _MOST_CHARACTERS)},
        "locations": [_location(finding, uri_of(uri)) for uri in uris],
        "properties": {"pattern": finding.pattern, "frames": finding.frames},
    }


def _suppressions(finding: Finding) -> Iterator[dict[str, str]]:
    if waiver := finding.waived_by:
        justification = f"{waiver.justification} ({waiver.owner}, {waiver.waiver_id})"
        yield {"kind": "external", "status": "accepted", "justification": justification}


def _location(finding: Finding, uri: str) -> dict[str, Any]:
    is_relative = not uri.startswith("/") and not _SCHEME.match(uri)
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": uri, "uriBaseId": _BASE} if is_relative else {"uri": uri},
            "region": {"startLine": 1},  # GitHub shows no result without a line
        }
    }
    names: Iterable[str] = filter(
        None,
        (None if finding.part_index is None else f"part {finding.part_index}", finding.channel_name, finding.attr_name),
    )
    if name := "/".join(names):
        location["logicalLocations"] = [{"fullyQualifiedName": name}]
    return location


def _add_fingerprints(
    results: list[dict[str, Any]], findings: Sequence[Finding], path_of: Callable[[str], str]
) -> None:
    """Add hashes that tell new findings from old ones: they stay the same when frames and values differ.

    The key is the only one that GitHub reads. Findings of a sequence that differ in their values only are numbered.
    """
    numbers: Counter[tuple[object, ...]] = Counter()
    for result, finding in zip(results, findings, strict=True):
        about = (finding.part_index, finding.channel_name, finding.attr_name)
        identity = (finding.rule_id, path_of(finding.pattern), *about)
        numbers[identity] += 1
        digest = hashlib.sha256(json.dumps([*identity, numbers[identity]]).encode()).hexdigest()
        result["partialFingerprints"] = {"primaryLocationLineHash": digest}
