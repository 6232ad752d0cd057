"""The frames that the clips of an OpenTimelineIO timeline need of each sequence.

A clip needs the frames of its trimmed range. Effects on time (retimes), transitions and handles are not considered.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from typing import Any
from urllib.parse import unquote

from ..errors import MissingExtraError, SettingsError
from ..frames.names import parse_name
from ..frames.patterns import sequence_pattern
from ..frames.ranges import MAX_SPAN, Number
from ..sources.selection import EXTENSIONS
from ..sources.uris import encode, parse

_MAX_BYTES = 64 << 20
_MAX_DEPTH = 200  # the library recurses without a limit
_MAX_FRAMES = 4 * MAX_SPAN  # of all clips
_MAX_NUMBER = 10**10  # frame numbers have at most ten digits
_MAX_NAME = 4096
_STRING_OR_BRACKET = re.compile(r'"[^"]*"?|[][{}]')
_QUOTED = re.compile(r"(?:%(?!0[0-9]d)[0-9A-Fa-f]{2})+")  # %04d is a frame notation


def frames_in_timeline(path: str) -> dict[str, frozenset[Number]]:
    """The frames of each sequence of EXR files that clips of a timeline name. Raises SettingsError, MissingExtraError.

    Frames of several clips are united. Other media, and clips without media, are left out.
    """
    frames: dict[str, set[Number]] = defaultdict(set)
    count = 0
    for clip in _clips(path):
        sequence = _sequence(clip.media_reference)
        if sequence is None:
            continue
        try:
            needed = _frames(clip)
        except ValueError as error:
            raise SettingsError(f"{path}: clip {clip.name!r}: {error}") from None
        count += len(needed)
        if count > _MAX_FRAMES:
            raise SettingsError(f"{path}: the clips have more than {_MAX_FRAMES:,} frames")
        frames[sequence].update(needed)
    if not frames:
        raise SettingsError(f"{path}: no clip names a sequence of files that end in {', '.join(EXTENSIONS)}")
    return {sequence: frozenset(numbers) for sequence, numbers in frames.items()}


def _clips(path: str) -> list[Any]:
    try:
        from opentimelineio import schema
        from opentimelineio.core import SerializableObject
        from opentimelineio.exceptions import OTIOError
    except ImportError:
        raise MissingExtraError("otio", "reading a timeline") from None
    try:
        with open(path, "rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise SettingsError(f"{path}: has more than {_MAX_BYTES >> 20} MiB, the limit for a timeline")
        text = data.decode()
        _check(text)
        timeline = SerializableObject.from_json_string(text)  # without adapters, hooks and media linkers
        if not isinstance(timeline, (schema.Timeline, schema.SerializableCollection)):
            raise ValueError(f"{timeline.schema_name()}, expected Timeline")
        return list(timeline.find_clips())
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except (ValueError, OTIOError) as error:
        raise SettingsError(f"{path}: not an OpenTimelineIO timeline (.otio): {error}") from None


def _check(text: str) -> None:
    """Raises ValueError for text on which the library would recurse until the process crashes."""
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text.replace("\\\\", "").replace('\\"', "")):
        depth += (match[0] in "[{") - (match[0] in "]}")
        if depth > _MAX_DEPTH:
            raise ValueError(f"nested deeper than {_MAX_DEPTH} levels")
    json.loads(text, object_pairs_hook=_reject_references)


def _reject_references(pairs: list[tuple[str, Any]]) -> None:
    if any(isinstance(value, str) and value.startswith("SerializableObjectRef") for _, value in pairs):
        raise ValueError("references between its objects are not supported")


def _sequence(reference: Any) -> str | None:
    """The sequence of EXR files that a media reference names, with # for the frame."""
    from opentimelineio.schema import ExternalReference, ImageSequenceReference

    if isinstance(reference, ImageSequenceReference):
        base = reference.target_url_base
        slash = "/" if base and not base.endswith("/") else ""
        url = f"{base}{slash}{reference.name_prefix}#{reference.name_suffix}"
    elif isinstance(reference, ExternalReference):
        url = reference.target_url or ""
    else:
        return None
    if len(url) > _MAX_NAME or not url.lower().endswith(EXTENSIONS):
        return None
    if url.lower().startswith("file:"):
        url = _QUOTED.sub(lambda match: unquote(match[0], errors="surrogateescape"), url)
    scheme, name = parse(url.replace("\\", "/"))
    folder, slash, file = name.rpartition("/")
    file = sequence_pattern(file)
    if "#" not in file:
        parsed = parse_name(file)
        if parsed is None:
            return None
        file = parsed.sequence
    return f"{scheme}://{encode(folder + slash + file)}"


def _frames(clip: Any) -> range:
    """The numbers of the frames in the trimmed range of a clip. Raises ValueError."""
    from opentimelineio.schema import ImageSequenceReference

    reference = clip.media_reference
    available = reference.available_range
    used = clip.source_range or available
    if used is None:
        raise ValueError("has neither a source range nor an available range")
    is_sequence = isinstance(reference, ImageSequenceReference)
    rate = reference.rate if is_sequence else (available or used).start_time.rate
    first, count = _in_frames(used.start_time, rate), _in_frames(used.duration, rate)
    if not 0 <= count <= MAX_SPAN:
        raise ValueError(f"has {count:,} frames, expected up to a million")
    if not is_sequence or available is None:
        return range(first, first + count)
    # The media starts with `start_frame`, whatever its time, and has every `frame_step`th frame.
    offset = first - _in_frames(available.start_time, rate)
    start, step = reference.start_frame, reference.frame_step
    if step < 1:
        raise ValueError(f"has frame step {step}, expected 1 or more")
    return range(start - (-offset // step) * step, start + offset + count, step)


def _in_frames(time: Any, rate: float) -> int:
    value = time.value * rate / time.rate if time.rate > 0 and rate > 0 else math.nan
    if not abs(value) < _MAX_NUMBER:
        raise ValueError(f"has time {time.value:g} at rate {time.rate:g}, expected a frame number")
    return round(value)
