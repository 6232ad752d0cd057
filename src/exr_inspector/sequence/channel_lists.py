"""What differs between two channel lists, in words."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

_MOST_NAMES = 20


def differing_channels(value: str | None, usual: str | None, where: str = "usually") -> str:
    """As `R FLOAT, usually HALF; Z missing; id extra`, from the JSON of two lists; empty if they agree.

    `where` are the words for the other list.
    """
    if not (value and usual and _parsed(value) and _parsed(usual)):
        return ""
    types, usual_types = _types(value), _types(usual)
    changed: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in sorted(types.keys() & usual_types.keys()):
        if types[name] != usual_types[name]:
            changed[types[name], usual_types[name]].append(name)
    return "; ".join(
        (
            *(f"{listed_names(names)} {now}, {where} {before}" for (now, before), names in changed.items()),
            *_listed(usual_types.keys() - types.keys(), "missing"),
            *_listed(types.keys() - usual_types.keys(), "extra"),
        )
    )


def changed_types(value: str, usual: str) -> list[tuple[str, str]] | None:
    """The channels of a list with other pixel types, and these; None if the lists differ in anything else."""
    channels, usual_channels = _parsed(value), _parsed(usual)
    if len(channels) != len(usual_channels):
        return None
    changed = []
    for channel, before in zip(channels, usual_channels, strict=True):
        if {**channel, "channel_type": ""} != {**before, "channel_type": ""}:
            return None
        if channel != before:
            changed.append((channel["channel_name"], channel["channel_type"]))
    return changed


def _parsed(text: str) -> list[dict[str, Any]]:
    """The channels; none of a text that is not a list, such as the size of one that was not stored."""
    try:
        parsed = json.loads(text)
    except ValueError:
        return []
    return parsed if isinstance(parsed, list) else []


def _types(text: str) -> dict[str, str]:
    return {channel["channel_name"]: str(channel["channel_type"]) for channel in _parsed(text)}


def _listed(names: set[str], status: str) -> Iterator[str]:
    if names:
        yield f"{listed_names(names)} {status}"


def listed_names(names: Iterable[str]) -> str:
    """Names in one line, sorted; of many, the first ones."""
    ordered = sorted(names)
    more = len(ordered) - _MOST_NAMES
    return ", ".join([*ordered[:_MOST_NAMES], *([f"{more} more"] if more > 0 else [])])
