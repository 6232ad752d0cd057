"""Channels: the value of a `chlist` attribute, and the layer and view in a channel's name.

Sources: "OpenEXR File Layout", section Attribute Values (chlist); "Technical Introduction to OpenEXR",
sections Layers and Multi-View OpenEXR.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple

PIXEL_TYPES = ("UINT", "HALF", "FLOAT")
SAMPLE_BYTES = {"UINT": 4, "HALF": 2, "FLOAT": 4}

_FIXED = Struct("<iB3xii")  # pixel type, pLinear, reserved, x and y sampling


class Channel(NamedTuple):
    """One entry of a channel list, in file order. `channel_type` is None for an unknown pixel type code."""

    channel_name: str
    channel_type: str | None
    x_sampling: int
    y_sampling: int
    p_linear: int


MAX_CHANNELS = 65_536  # more than any renderer writes; bounds time and memory


def decode_channels(raw: bytes, encoding: str = "utf-8") -> tuple[Channel, ...]:
    """The channels of a `chlist` value. Raises ValueError for invalid bytes."""
    channels: list[Channel] = []
    at, end = 0, len(raw)
    while True:
        stop = raw.find(b"\0", at)
        if stop < 0:
            raise ValueError("the channel list does not end with a zero byte")
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
    if at + 1 != end:
        raise ValueError(f"{end - at - 1} bytes follow the end of the channel list")
    return tuple(channels)


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


def samples_along(first: int, last: int, sampling: int) -> int:
    """Number of samples of a channel between two inclusive pixel positions on one axis."""
    if sampling <= 1:
        return max(last - first + 1, 0)
    return max(last // sampling - (first - 1) // sampling, 0)
