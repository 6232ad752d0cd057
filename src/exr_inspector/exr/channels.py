"""Channels: the value of a `chlist` attribute, and the layer, the view and depth in a channel's name.

Sources: "OpenEXR File Layout", section Attribute Values (chlist); "Technical Introduction to OpenEXR",
sections Layers and Multi-View OpenEXR.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from functools import cached_property, lru_cache
from struct import Struct
from typing import NamedTuple

from .short_repr import short_repr

PIXEL_TYPES = ("UINT", "HALF", "FLOAT")
SHORT_NAME_BYTES = 31  # the longest name without the long-names flag
SAMPLE_BYTES = {"UINT": 4, "HALF": 2, "FLOAT": 4}

_DEPTH = re.compile(r"depth(?![ ._-]*of[ ._-]*field)", re.IGNORECASE)
_DEPTH_AXES = ("z", "zback")
_FIXED = Struct("<iB3xii")  # pixel type, pLinear, reserved, x and y sampling


class Channel(NamedTuple):
    """One entry of a channel list, in file order. `channel_type` is None for an unknown pixel type code."""

    channel_name: str
    channel_type: str | None
    x_sampling: int
    y_sampling: int
    p_linear: int

    def __repr__(self) -> str:
        sampling = "" if self.x_sampling == self.y_sampling == 1 else f" {self.x_sampling}×{self.y_sampling}"
        return f"<Channel {short_repr(self.channel_name)}: {self.channel_type or 'unknown type'}{sampling}>"


class ChannelList(tuple[Channel, ...]):
    """A channel list in file order. What its checks find is kept, as all frames of a sequence share one list."""

    end: str  # the fault at the end of the stored list; "" if it ends with a zero byte

    def __new__(cls, channels: Iterable[Channel] = (), end: str = "") -> ChannelList:
        """A list of channels, and the fault at its end."""
        self = super().__new__(cls, channels)
        self.end = end
        return self

    def __reduce__(self) -> tuple[type, tuple[tuple[Channel, ...], str]]:
        return ChannelList, (tuple(self), self.end)

    @cached_property
    def faults(self) -> tuple[tuple[str, str], ...]:
        """Code and message of the irregularities, except sampling, which depends on the part.

        Of each code at most MAX_FAULTS are listed, and the number of the others.
        """
        found: dict[str, list[str]] = {}
        left_out: Counter[str] = Counter()

        def report(code: str, message: str) -> None:
            if len(messages := found.setdefault(code, [])) < MAX_FAULTS:
                messages.append(message)
            else:
                left_out[code] += 1

        names: set[str] = set()
        previous, is_sorted = "", True
        for name, channel_type, _, _, p_linear in self:
            if channel_type is None:
                report(
                    "unknown_pixel_type",
                    f"channel {name[:MAX_SHOWN]!r} has an unknown pixel type, expected UINT, HALF or FLOAT",
                )
            if p_linear > 1:
                report(
                    "bad_linear_flag", f"channel {name[:MAX_SHOWN]!r} has the pLinear flag {p_linear}, expected 0 or 1"
                )
            if name in names:
                report("duplicate_channel", f"channel {name[:MAX_SHOWN]!r} is repeated")
            if len(name) > SHORT_NAME_BYTES or (not name.isascii() and len(name.encode()) > SHORT_NAME_BYTES):
                message = (
                    f"channel {name[:MAX_SHOWN]!r} has a name of {len(name.encode())} bytes without the long-names flag"
                )
                report("long_name", f"{message}, expected at most {SHORT_NAME_BYTES}")
            is_sorted &= name >= previous
            names.add(name)
            previous = name
        if not self:
            report("no_channels", "the channel list is empty")
        if not is_sorted:
            report(
                "unsorted_channels", "the channels are not sorted by name; libraries assign pixels to wrong channels"
            )
        for code, count in left_out.items():
            found[code].append(f"{count} more channels have this problem")
        return tuple((code, message) for code, messages in found.items() for message in messages)

    @cached_property
    def samplings(self) -> tuple[tuple[str, int, int], ...]:
        """Name and sampling of the channels that are not sampled at every pixel."""
        return tuple((c.channel_name, c.x_sampling, c.y_sampling) for c in self if c[2] != 1 or c[3] != 1)


NO_CHANNELS = ChannelList()
MAX_FAULTS = 100  # listed, of each code
MAX_SHOWN = 255  # characters of a name in a message
MAX_CHANNELS = 65_536  # more than any renderer writes; bounds time and memory


def decode_channels(raw: bytes, encoding: str = "utf-8") -> ChannelList:
    """The channels of a `chlist` value. Raises ValueError for invalid bytes."""
    channels: list[Channel] = []
    at, end = 0, len(raw)
    while True:
        if at == end:
            return ChannelList(channels, "the channel list does not end with a zero byte")
        stop = raw.find(b"\0", at)
        if stop < 0:
            raise ValueError(f"the name of channel {len(channels)} is not terminated")
        if stop == at:
            break
        if stop + 1 + _FIXED.size > end:
            raise ValueError(f"channel {len(channels)} is cut off")
        if len(channels) == MAX_CHANNELS:
            raise ValueError(f"more than {MAX_CHANNELS} channels")
        pixel_type, p_linear, x_sampling, y_sampling = _FIXED.unpack_from(raw, stop + 1)
        channels.append(
            Channel(
                channel_name=raw[at:stop].decode(encoding),
                channel_type=PIXEL_TYPES[pixel_type] if 0 <= pixel_type < 3 else None,
                x_sampling=x_sampling,
                y_sampling=y_sampling,
                p_linear=p_linear,
            )
        )
        at = stop + 1 + _FIXED.size
    return ChannelList(channels, f"{end - at - 1} bytes follow the end of the channel list" if at + 1 != end else "")


def split_name(channel_name: str) -> tuple[str, str]:
    """Layer and component of a channel's name: the text before and after the last dot.

    A name that has no dot, or ends with one, has no layer: ("", name).
    """
    layer, _, component = channel_name.rpartition(".")
    return (layer, component) if component else ("", channel_name)


def view_of(channel_name: str, views: Sequence[str]) -> str:
    """The view of a channel in a part whose `multiView` attribute lists `views`; "" if it has none.

    A name without dots belongs to the first view; in other names the word before the last may be a view.
    """
    words = channel_name.split(".")
    if len(words) == 1:
        return views[0] if views else ""
    return words[-2] if words[-2] in views else ""


def is_depth(channel_name: str, names: Container[str]) -> bool:
    """Whether a channel is depth; `names` are those of all channels of its part. The Z of a vector is not."""
    if not _is_named_depth(channel_name):
        return False
    component = split_name(channel_name)[1]
    prefix = channel_name.removesuffix(component)
    # Y alone is luminance
    return component.lower() != "z" or not any(prefix + axis in names for axis in "Xx")


@lru_cache(maxsize=4096)
def _is_named_depth(channel_name: str) -> bool:
    layer, component = split_name(channel_name)
    if component.lower() in _DEPTH_AXES:
        return not layer.lower().endswith(("normals", "normal"))
    return component.lower().endswith("zback") or _DEPTH.search(channel_name) is not None


def samples_along(first: int, last: int, sampling: int) -> int:
    """Number of samples of a channel between two inclusive pixel positions on one axis."""
    if sampling <= 1:
        return max(last - first + 1, 0)
    return max(last // sampling - (first - 1) // sampling, 0)
