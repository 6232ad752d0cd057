"""The differences between the headers of two files: parts, channels, attributes, and what of the pixels is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..exr import Attribute, Channel
from .inspector import inspect
from .model import Inspection, PartFacts
from .value_text import differing_texts, plural, sampled_type
from .volatility import Volatility, value_of, volatility

if TYPE_CHECKING:
    from ..sources import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A difference between two headers; `a` and `b` are the two values as text, None for a value that is absent."""

    kind: str  # file, part (only one file has it), pixels, channel or attribute
    name: str
    a: str | None
    b: str | None
    type_a: str | None = None  # of an attribute that the file has
    type_b: str | None = None
    part_index: int | None = None  # of the part in the first file, or else in the second one
    part_name: str | None = None
    is_volatile: bool = False  # both have the attribute, with the same type, and it changes from frame to frame

    @property
    def is_of_values(self) -> bool:
        """Whether both files have the attribute, with the same type."""
        return self.type_a is not None and self.type_a == self.type_b


def diff(a: Source | Inspection, b: Source | Inspection) -> list[Difference]:
    """The differences between two headers, in the order of the parts; paths, sizes, times and pixels are ignored.

    >>> from exr_inspector import diff
    >>> [(each.name, each.a, each.b) for each in diff("plate.1001.exr", "plate.1002.exr")]
    [('owner', 'someone', 'another')]

    `a` and `b` are inspections, or what `inspect` takes. Parts are compared with those of the same name, others with
    those at the same position if one has no name of its own or the channels are equal. Of a value of more than 200
    characters, its size and the first difference are shown. Raises the errors of `inspect`.
    """
    return differences(*(each if isinstance(each, Inspection) else inspect(each) for each in (a, b)))


def differences(a: Inspection, b: Inspection, *, whole: bool = False, whole_volatile: bool = False) -> list[Difference]:
    """The differences of `diff`; with `whole`, texts of any length are whole, those of volatile ones if asked for."""
    found = [
        Difference(kind="file", name=name, a=left, b=right)
        for name, left, right in (("flags", _flags(a), _flags(b)), ("completeness", a.completeness, b.completeness))
        if left != right
    ]
    for left_part, right_part in _pairs(a.parts, b.parts):
        part = right_part if left_part is None else left_part
        if part is None:
            continue
        of_part = (
            _between(left_part, right_part, whole, whole_volatile)
            if left_part is not None and right_part is not None
            else [Difference(kind="part", name=_name(part), a=_summary(left_part), b=_summary(right_part))]
        )
        found += [replace(each, part_index=part.part_index, part_name=part.part_name) for each in of_part]
    return found


def _pairs(a: Sequence[PartFacts], b: Sequence[PartFacts]) -> list[tuple[PartFacts | None, PartFacts | None]]:
    """Parts of the same name, then alike ones of the others with the same index; in the order of the first file."""
    named_a, named_b = _unique_names(a), _unique_names(b)
    partners = {part.part_index: named_b[name] for name, part in named_a.items() if name in named_b}
    taken = {part.part_index for part in partners.values()}
    for part, other in zip(a, b, strict=False):
        is_free = part.part_index not in partners and other.part_index not in taken
        have_names = part.part_name in named_a and other.part_name in named_b
        if is_free and (not have_names or part.channels == other.channels):
            partners[part.part_index] = other
    taken = {part.part_index for part in partners.values()}
    pairs: list[tuple[PartFacts | None, PartFacts | None]] = [(part, partners.get(part.part_index)) for part in a]
    return [*pairs, *((None, part) for part in b if part.part_index not in taken)]


def _unique_names(parts: Sequence[PartFacts]) -> dict[str, PartFacts]:
    counts = Counter(part.part_name for part in parts)
    return {part.part_name: part for part in parts if part.part_name is not None and counts[part.part_name] == 1}


def _between(a: PartFacts, b: PartFacts, whole: bool, whole_volatile: bool) -> Iterator[Difference]:
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
            is_volatile = _is_volatile(left, right)
            texts = differing_texts(left, right, whole=whole_volatile if is_volatile else whole)
            types = left and left.attr_type, right and right.attr_type
            yield Difference(
                kind="attribute",
                name=_label(key),
                a=texts[0],
                b=texts[1],
                type_a=types[0],
                type_b=types[1],
                is_volatile=is_volatile,
            )


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


def _is_volatile(a: Attribute | None, b: Attribute | None) -> bool:
    if a is None or b is None or a.attr_type != b.attr_type:
        return False
    return any(volatility(a.attr_name, a.attr_type, partial(value_of, each)) is Volatility.VOLATILE for each in (a, b))


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
    return f"{part.part_type or 'unknown type'}, {len(part.channels)} {plural(len(part.channels), 'channel')}"
