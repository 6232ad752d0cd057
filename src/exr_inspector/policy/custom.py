"""Rules of a policy's own: conditions that files or their parts must meet."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from ..inspection.model import Inspection, PartFacts
from .condition_fields import FIELDS
from .conditions import Condition, predicate, reader, tests_of
from .model import CustomRule
from .rule import OF_FILE, Outcome, Parameters, PolicyRule, Violation

_MAX_VALUES = 5  # of fields, and of each field, that a finding shows


def custom_rule(custom: CustomRule, path_template: str) -> PolicyRule:
    """The rule of a condition: it finds parts, or files, that do not meet it."""
    applies = None if custom.when is None else predicate(custom.when, path_template)
    meets = predicate(custom.require, path_template)

    def check(inspection: Inspection, _: Parameters) -> Iterator[Outcome]:
        for part in inspection.parts if custom.scope == "part" else (None,):
            if (applies is None or applies(inspection, part)) and not meets(inspection, part):
                actual = _values(custom.require, path_template, inspection, part)
                part_index = None if part is None else part.part_index
                yield Violation(custom.rule.meaning, actual, part_index=part_index, is_sentence=True)

    return PolicyRule(
        rule=custom.rule, scope="file", check=check, severity=custom.severity, source="the policy", reads=OF_FILE
    )


def _values(condition: Condition, path_template: str, inspection: Inspection, part: PartFacts | None) -> str:
    """The values that a condition tests, as text."""
    fields = dict.fromkeys(test.field for test in tests_of(condition))
    texts = []
    for name in islice(fields, _MAX_VALUES):
        values = dict.fromkeys(reader(FIELDS[name], path_template)(inspection, part))
        shown = ["missing" if value is None else str(value) for value in islice(values, _MAX_VALUES)]
        texts.append(f"{name} {' / '.join(shown)}{' / …' if len(values) > _MAX_VALUES else ''}")
    return ", ".join(texts)
