"""All rules by identifier, and the rules that a selector of a policy means."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from . import (  # noqa: F401 (they fill the registry)
    rules_aces,
    rules_channels,
    rules_colour,
    rules_compression,
    rules_geometry,
    rules_metadata,
    rules_names,
    rules_pixels,
    rules_sequence,
    rules_shots,
    rules_structure,
)
from .rule import REGISTRY, PolicyRule

RULES = {rule_id: REGISTRY[rule_id] for rule_id in sorted(REGISTRY)}
_BY_NAME = {rule.name: rule for rule in RULES.values()}
_MOST_CHARACTERS = len("EXR000")
_BEGINNING = re.compile(r"EXR[0-9]{0,2}")


def rule_named(name: str) -> PolicyRule | None:
    """The rule with an identifier or a name."""
    return RULES.get(name) or _BY_NAME.get(name)


def selected_rules(selector: str) -> frozenset[str]:
    """The identifiers that an identifier, its beginning or a name selects; none for an unknown one."""
    rule = rule_named(selector)
    if rule is not None:
        return frozenset((rule.rule_id,))
    if not _BEGINNING.fullmatch(selector):
        return frozenset()
    return frozenset(
        rule.rule_id for rule in RULES.values() if rule.rule_id.startswith(selector) and not rule.by_name_only
    )


def _beginning(text: str) -> str:
    """The longest beginning of a misspelt identifier that selects rules; empty if it has no digits that do."""
    beginnings = (text[:end] for end in range(min(len(text), _MOST_CHARACTERS), len("EXR"), -1))
    return next((each for each in beginnings if selected_rules(each)), "") if text.startswith("EXR") else ""


def suggestion(text: str, known: Iterable[str] | None = None, *, also: Iterable[str] = ()) -> str:
    """The end of a message: the known names, by default those of rules, that are most like an unknown one."""
    if known is None and (beginning := _beginning(text.upper())):
        several = sorted(selected_rules(beginning))[:2]
        return f"; did you mean {' or '.join(dict.fromkeys((beginning, *several)))}?"
    names = [*((*_BY_NAME, *RULES) if known is None else known), *also]
    by_text = {name.casefold(): name for name in names}
    closest = [by_text[match] for match in get_close_matches(text[:100].casefold(), by_text, cutoff=0.5)]
    return f"; did you mean {' or '.join(closest)}?" if closest else ""
