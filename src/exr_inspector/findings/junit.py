"""Findings as JUnit XML, which build servers read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from xml.etree import ElementTree

from ..inspection.value_text import plural
from .model import Finding
from .report import NotEvaluatedRule
from .text import one_line

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(
    title: str,
    patterns: Iterable[str],
    findings: Iterable[Finding],
    path_of: Callable[[str], str],
    text_of: Callable[[str], str],
    not_evaluated: Sequence[NotEvaluatedRule] = (),
    command: str = "",
) -> bytes:
    """The document, with a test case for each of `patterns`, and for each other file or sequence with findings.

    Those without findings pass. Findings of severity `error` are failures; others, and those with a waiver, are the
    output of their case. Rules that were not evaluated are cases that are skipped. Characters that XML does not allow
    are replaced. `path_of` gives the path of a pattern or URI, and `text_of` a text, without control characters;
    `command`, the command line, is a property.
    """
    cases: dict[str, list[Finding]] = {pattern: [] for pattern in patterns}
    for finding in findings:
        cases.setdefault(finding.pattern, []).append(finding)
    counts = {"tests": len(cases) + len(not_evaluated), "errors": 0, "skipped": len(not_evaluated)}
    suite = ElementTree.Element("testsuite", {"name": title, **{name: str(count) for name, count in counts.items()}})
    suite.set("failures", str(sum(bool(_errors(case)) for case in cases.values())))
    if command:
        properties = ElementTree.SubElement(suite, "properties")
        ElementTree.SubElement(properties, "property", name="command", value=_xml(text_of(command)))
    for pattern, case in cases.items():
        element = ElementTree.SubElement(suite, "testcase", name=_xml(path_of(pattern)), classname=title)
        if errors := _errors(case):
            failure = ElementTree.SubElement(element, "failure", type=errors[0].rule_id)
            message = text_of(one_line(errors[0])) if len(errors) == 1 else f"{len(errors)} errors"
            failure.set("message", _xml(message))
            failure.text = _lines(errors, text_of)
        if others := [finding for finding in case if not _is_failure(finding)]:
            ElementTree.SubElement(element, "system-out").text = _lines(others, text_of)
    for rule in not_evaluated:
        name = f"{rule.rule_id} {rule.rule_name}".strip()
        element = ElementTree.SubElement(suite, "testcase", name=_xml(name), classname=f"{title}: not evaluated")
        message = f"{rule.file_count:,} {plural(rule.file_count, 'file')}: {rule.why}"
        ElementTree.SubElement(element, "skipped", message=_xml(text_of(message)))
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    document: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _errors(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if _is_failure(finding)]


def _is_failure(finding: Finding) -> bool:
    return finding.severity == "error" and finding.waived_by is None


def _lines(findings: Iterable[Finding], text_of: Callable[[str], str]) -> str:
    return _xml("\n".join(f"{text_of(one_line(each))}\n  {text_of(each.remedy)}" for each in findings))


def _xml(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
