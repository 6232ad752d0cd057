"""Findings as SARIF 2.1.0, the exchange format of static analysis.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from .model import Finding
from .rules import RULES, Rule
from .text import one_line

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_MOST_LOCATIONS = 100  # of one result; GitHub shows no more


def sarif(
    version: str, findings: Sequence[Finding], path_of: Callable[[str], str], uri_of: Callable[[str], str]
) -> bytes:
    """The document, with one run of this version.

    `path_of` gives the path of a pattern or URI as it is printed, `uri_of` its URI reference, encoded after RFC 3986.
    """
    rules = {finding.rule_id: _rule(finding) for finding in findings}
    rule_ids = sorted(rules)
    driver = {
        "name": "exr-inspector",
        "semanticVersion": version,
        "rules": [rules[rule_id] for rule_id in rule_ids],
    }
    results = [_result(finding, rule_ids.index(finding.rule_id), path_of, uri_of) for finding in findings]
    _add_fingerprints(results, findings, path_of)
    if any(finding.waived_by for finding in findings):  # then the standard asks for suppressions of all results
        for result, finding in zip(results, findings, strict=True):
            result["suppressions"] = list(_suppressions(finding))
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=1).encode() + b"\n"


def _rule(finding: Finding) -> dict[str, Any]:
    """The rule of a finding; one of a policy's own expects what it says."""
    rule = RULES.get(finding.rule_id) or Rule(finding.rule_id, finding.rule_name, finding.expected, finding.remedy)
    return {
        "id": rule.rule_id,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.meaning},
        "help": {"text": rule.remedy},
    }


def _result(
    finding: Finding, rule_index: int, path_of: Callable[[str], str], uri_of: Callable[[str], str]
) -> dict[str, Any]:
    uris = finding.files[:_MOST_LOCATIONS] or (finding.pattern,)
    return {
        "ruleId": finding.rule_id,
        "ruleIndex": rule_index,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{path_of(finding.pattern)}  {one_line(finding)}; {finding.remedy}"},
        "locations": [_location(finding, uri_of(uri)) for uri in uris],
        "properties": {"pattern": finding.pattern, "frames": finding.frames},
    }


def _suppressions(finding: Finding) -> Iterator[dict[str, str]]:
    if waiver := finding.waived_by:
        justification = f"{waiver.reason} ({waiver.owner}, {waiver.waiver_id})"
        yield {"kind": "external", "status": "accepted", "justification": justification}


def _location(finding: Finding, uri: str) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": uri},
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
