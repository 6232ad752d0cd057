"""Rules of a policy that were not evaluated, as reports and stderr list them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..inspection.value_text import plural

if TYPE_CHECKING:
    from ..findings.report import NotEvaluatedRule
    from ..policy.evaluate import NotEvaluated


USE_STATS = "use --stats"


def not_evaluated_rules(counts: Mapping[NotEvaluated, int], *, from_catalog: bool) -> list[NotEvaluatedRule]:
    """The rules with the numbers of their files; one entry for all rules in files whose header cannot be read."""
    from ..findings.report import NotEvaluatedRule
    from ..policy.evaluate import NO_HEADER
    from ..policy.rule import NO_STATISTICS

    remedies = {NO_STATISTICS.reason: "`ingest --stats` stores them" if from_catalog else USE_STATS}
    rules = [
        NotEvaluatedRule(*rule, count, remedies.get(rule.reason, ""))
        for rule, count in sorted(counts.items())
        if rule.reason != NO_HEADER
    ]
    if unreadable := max((count for rule, count in counts.items() if rule.reason == NO_HEADER), default=0):
        rules.append(NotEvaluatedRule("", "all other rules", NO_HEADER, unreadable))
    return rules


def pixels_line(rules: int, files: int, remedy: str) -> str:
    """That rules about pixels were not evaluated in some files, with numbers of both."""
    subject = f"{rules} {plural(rules, 'rule')} about pixels {'was' if rules == 1 else 'were'} not evaluated"
    return f"{subject} in {files:,} {plural(files, 'file')}: {remedy}"


def not_evaluated_lines(rules: list[NotEvaluatedRule], without_statistics: int) -> Iterator[str]:
    """Lines for stderr; one for all rules that need statistics of pixels, which so many files do not have."""
    from ..policy.rule import NO_STATISTICS

    about_pixels = [rule for rule in rules if rule.reason == NO_STATISTICS.reason]
    if about_pixels:
        count = len({rule.rule_id for rule in about_pixels})
        yield pixels_line(count, without_statistics, about_pixels[0].remedy)
    for rule in rules:
        if rule not in about_pixels:
            yield rule.text
