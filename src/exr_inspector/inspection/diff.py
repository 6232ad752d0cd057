"""The differences between the headers of two files: parts, channels, attributes, and what of the pixels is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..exr import Attribute, Channel
from .json_form import json_value
from .model import Inspection, PartFacts
from .value_text import differing_texts, sampled_type
from .volatility import LONGEST_VALUE, Volatility, volatility


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A difference between two headers; `a` and `b` are the two values as text, None for a value that is absent."""

    kind: str  # file, part (only one file has it), pixels, channel or attribute
    name: str
    a: str | None
    b: str | None
    part_index: int | None = None  # of the part in the first file, or else in the second one
    part_name: str | None = None
    is_volatile: bool = False  # an attribute that changes from frame to frame


def diff(a: Inspection, b: Inspection) -> list[Difference]:
    """The differences between two headers, in the order of the parts; paths, sizes, times and pixels are ignored.

    Parts are compared with those of the same name, then with those at the same position.

    >>> from exr_inspector import diff, inspect
    >>> [difference.name for difference in diff(inspect("plate.1001.exr"), inspect("plate.1002.exr"))]
    ['owner']
    """
    differences = [
        Difference(kind="file", name=name, a=left, b=right)
        for name, left, right in (("flags", _flags(a), _flags(b)), ("completeness", a.completeness, b.completeness))
        if left != right
    ]
    for left_part, right_part in _pairs(a.parts, b.parts):
        part = right_part if left_part is None else left_part
        if part is None:
            continue
        found = (
            _between(left_part, right_part)
            if left_part is not None and right_part is not None
            else [Difference(kind="part", name=_name(part), a=_summary(left_part), b=_summary(right_part))]
        )
        differences += [replace(each, part_index=part.part_index, part_name=part.part_name) for each in found]
    return differences


def _pairs(a: Sequence[PartFacts], b: Sequence[PartFacts]) -> list[tuple[PartFacts | None, PartFacts | None]]:
    """Parts of the same name, then those of the others with the same index; in the order of the first file."""
    named_a, named_b = _unique_names(a), _unique_names(b)
    partners = {part.part_index: named_b[name] for name, part in named_a.items() if name in named_b}
    taken = {part.part_index for part in partners.values()}
    for part in a:
        if part.part_index not in partners and part.part_index < len(b) and part.part_index not in taken:
            partners[part.part_index] = b[part.part_index]
    taken = {part.part_index for part in partners.values()}
    pairs: list[tuple[PartFacts | None, PartFacts | None]] = [(part, partners.get(part.part_index)) for part in a]
    return [*pairs, *((None, part) for part in b if part.part_index not in taken)]


def _unique_names(parts: Sequence[PartFacts]) -> dict[str, PartFacts]:
    counts = Counter(part.part_name for part in parts)
    return {part.part_name: part for part in parts if part.part_name is not None and counts[part.part_name] == 1}


def _between(a: PartFacts, b: PartFacts) -> Iterator[Difference]:
    """The differences between two parts, without the index and name of the part."""
    if a.missing != b.missing:
        yield Difference(kind="pixels", name="missing", a=a.missing or "nothing", b=b.missing or "nothing")
    channels = _numbered(a.channels), _numbered(b.channels)
    for key in {**channels[0], **channels[1]}:
        texts = _channel_text(channels[0].get(key)), _channel_text(channels[1].get(key))
        if texts[0] != texts[1]:
            yield Difference(kind="channel", name=_label(key), a=texts[0], b=texts[1])
    attributes = _numbered(_compared(a)), _numbered(_compared(b))
    for key in {**attributes[0], **attributes[1]}:
        left, right = attributes[0].get(key), attributes[1].get(key)
        if left != right:
            texts = differing_texts(left, right)
            is_volatile = _is_volatile(left) or _is_volatile(right)
            yield Difference(kind="attribute", name=_label(key), a=texts[0], b=texts[1], is_volatile=is_volatile)


def _numbered(items: Sequence[Any]) -> dict[tuple[str, int], Any]:
    """Channels or attributes by name, and number among those of this name."""
    counts: Counter[str] = Counter()
    named = {}
    for item in items:
        name = item.channel_name if isinstance(item, Channel) else item.attr_name
        counts[name] += 1
        named[name, counts[name]] = item
    return named


def _label(key: tuple[str, int]) -> str:
    name, number = key
    return name if number == 1 else f"{name} (no. {number})"


def _compared(part: PartFacts) -> list[Attribute]:
    """The attributes without the channel list, which is compared channel by channel."""
    return [each for each in part.attributes if (each.attr_name, each.attr_type) != ("channels", "chlist")]


def _is_volatile(attribute: Attribute | None) -> bool:
    if attribute is None:
        return False
    short = attribute.size_bytes <= LONGEST_VALUE
    value = json_value(attribute.attr_type, attribute.value) if short else None
    return volatility(attribute.attr_name, attribute.attr_type, value) is Volatility.VOLATILE


def _channel_text(channel: Channel | None) -> str | None:
    return None if channel is None else f"{sampled_type(channel)}{' linear' if channel.p_linear else ''}"


def _flags(inspection: Inspection) -> str:
    flags = inspection.flags
    return ", ".join(name for name in ("tiled", "long_names", "deep", "multipart") if getattr(flags, name)) or "none"


def _name(part: PartFacts) -> str:
    return part.part_name or f"part {part.part_index}"


def _summary(part: PartFacts | None) -> str | None:
    if part is None:
        return None
    return f"{part.part_type or 'unknown type'}, {len(part.channels)} channel{'s' * (len(part.channels) != 1)}"
