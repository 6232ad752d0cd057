"""The rules whose violations are reported. An identifier is stable, and never used again for another rule."""

from __future__ import annotations

from typing import NamedTuple

from .policy_rules import POLICY_RULES, RENDER_FRAMES, RENDER_IF_WRONG


class Rule(NamedTuple):
    """A rule: its identifier, its name, what a finding of it means, and what to do about it."""

    rule_id: str
    name: str
    meaning: str
    remedy: str


_RENDER_AGAIN = "render the frame again, or copy the file again"
_WRITE_AGAIN = "write the file again with a current version of its software"

NOT_READ = Rule(
    "EXR100",
    "not-read",
    "A file could not be read, so it was not checked.",
    "restore the file, its permissions or the connection, and check again",
)
UNREADABLE = Rule(
    "EXR101",
    "unreadable",
    "The header of a file cannot be read, or it is not an EXR file.",
    "replace it with a complete EXR file",
)
NOT_WHOLE = Rule("EXR102", "not-whole", "A file is incomplete, truncated or corrupt.", _RENDER_AGAIN)
WHOLENESS_UNKNOWN = Rule(
    "EXR103",
    "wholeness-unknown",
    "Whether a file is complete cannot be determined; it does not count as complete.",
    "see the problems of its header: `exr-inspector inspect`",
)
NAN = Rule("EXR801", "nan", "A channel has values that are NaN.", _RENDER_AGAIN)
INFINITY = Rule(
    "EXR802", "infinity", "A channel has infinite values; those of depth channels may be positive.", _RENDER_AGAIN
)
BLACK = Rule("EXR804", "black-frame", "The color channels R, G and B, or Y, are zero.", RENDER_IF_WRONG)
CONSTANT = Rule(
    "EXR805", "constant-frame", "The color channels R, G and B, or Y, have one value each.", RENDER_IF_WRONG
)
UNDECODABLE = Rule(
    "EXR809",
    "undecodable-chunks",
    "The file has chunks whose pixels cannot be decoded.",
    "`exr-inspector stats` names their lines and the reason; if they are damaged, render the frame again",
)
EMPTY_REGION = Rule(
    "EXR810",
    "empty-region",
    "The pixels that are not zero fill less of the data window than those of the frames around it.",
    "check whether parts of the image are missing; if so, render the frame again",
)
UNRENDERED = Rule(
    "EXR811",
    "unrendered-region",
    "Lines or tiles inside the image are zero in all channels, between others that are filled.",
    "check whether buckets are missing; if so, render the frame again",
)
GAP = Rule(
    "EXR901", "gap", "Frames of a sequence are missing, or it cannot be checked for gaps.", "render the missing frames"
)
RANGE = Rule(
    "EXR902", "range", "Expected frames of a sequence are missing, or it has other frames.", "render the missing frames"
)
INVALID_HEADER = Rule(
    "EXR130",
    "invalid-header",
    "The header of a file has errors; the catalog does not list them.",
    "`exr-inspector inspect` lists the errors; ingest the file again with --rescan",
)
DRIFT = Rule(
    "EXR904",
    "drift",
    "The header of some frames of a sequence differs from that of the others in a value that should not change.",
    RENDER_FRAMES,
)
PADDING = Rule(
    "EXR905",
    "padding-changes",
    "The frame numbers of a sequence have different paddings.",
    "rename the files to one padding: software reads them as several sequences",
)
LAYERS_RANGE = Rule(
    "EXR912",
    "layers-same-range",
    "Sequences of the same folder and version have different first or last frames.",
    "render the frames that one of the sequences is missing, or give the frames with --range",
)
REPEATED = Rule(
    "EXR914",
    "repeated-frame",
    "Several files of a sequence have the same frame.",
    "remove the files that are not the last render of the frame",
)
FROZEN = Rule(
    "EXR906",
    "frozen-frame",
    "The pixels of a frame equal those of the frame before, though few frames of the sequence repeat.",
    RENDER_IF_WRONG,
)
PIXEL_OUTLIER = Rule(
    "EXR918",
    "pixel-outlier",
    "The mean, median or standard deviation of a channel differs strongly from those of the frames around it.",
    RENDER_IF_WRONG,
)
DUPLICATE_FRAME = Rule(
    "EXR919",
    "duplicate-frame",
    "The pixels of a frame equal those of another frame, though few frames of the sequence repeat.",
    "check whether a file has the name of another frame; if so, rename it or render the frame again",
)

WAIVER_UNUSED = Rule(
    "EXR990",
    "waiver-unused",
    "A waiver covers none of the findings.",
    "remove the waiver, or correct its rule, path, frames, part or channel",
)
WAIVER_EXPIRED = Rule(
    "EXR991",
    "waiver-expired",
    "The waiver has expired and covers nothing.",
    "fix what it waived and remove it, or renew it with a later date",
)

OF_WAIVERS = (WAIVER_UNUSED, WAIVER_EXPIRED)
_OF_PIXELS = (NAN, INFINITY, BLACK, CONSTANT, UNDECODABLE, EMPTY_REGION, UNRENDERED)
_OF_SEQUENCES = (GAP, RANGE, DRIFT, PADDING, FROZEN, LAYERS_RANGE, REPEATED, PIXEL_OUTLIER, DUPLICATE_FRAME)
_UNREPAIRABLE = frozenset({116, 118, 121, 125})  # pixels are lost or in the wrong place
_OF_HEADERS = tuple(
    Rule(f"EXR{number}", name, meaning, _RENDER_AGAIN if number in _UNREPAIRABLE else _WRITE_AGAIN)
    for number, name, meaning in (
        (104, "required-attribute", "A required attribute is missing or has another type than the format requires."),
        (105, "undecodable-attribute", "A value in the header is not one of its type."),
        (106, "unknown-type", "The type of an attribute is unknown."),
        (107, "name-twice", "An attribute, channel or part has the name of another."),
        (
            108,
            "flags-contradict",
            "The version field, types and versions of parts are unknown or contradict each other.",
        ),
        (109, "long-name", "A name has more than 31 bytes, but the file does not declare long names."),
        (110, "text-not-utf8", "A text or name is not UTF-8."),
        (111, "pixel-aspect-range", "The pixel aspect ratio is out of range."),
        (112, "screen-window-width", "The width of the screen window is negative."),
        (113, "sampling", "The sampling of a channel is not allowed in its part."),
        (115, "deep-compression", "The compression is not one for deep parts."),
        (116, "no-channels", "A part has no channels."),
        (117, "line-order", "The line order is not one for scan lines."),
        (118, "window-range", "A data or display window is empty or out of range."),
        (119, "chunk-count", "The number of chunks is missing, or contradicts windows and compression."),
        (120, "shared-attributes", "Parts differ in attributes that all parts share."),
        (121, "bad-chunks", "The offset table or chunks are damaged."),
        (125, "channel-order", "The channel list is not sorted, or does not end where it should."),
        (127, "bad-tiles", "The tile description is invalid."),
        (129, "more-problems", "A file has more problems than are listed."),
    )
)
_OF_POLICIES = tuple(Rule(f"EXR{number}", *texts) for number, *texts in POLICY_RULES)
CHECKED = (
    *(NOT_READ, UNREADABLE, NOT_WHOLE, WHOLENESS_UNKNOWN, INVALID_HEADER),
    *(*_OF_HEADERS, *_OF_PIXELS, *_OF_SEQUENCES),
)
RULES = {rule.rule_id: rule for rule in (*CHECKED, *_OF_POLICIES, *OF_WAIVERS)}

RULE_OF_PROBLEM = {
    "attribute_size": 105,
    "attribute_type": 104,
    "attribute_value": 105,
    "bad_chunk": 121,
    "bad_line_order": 117,
    "bad_linear_flag": 105,
    "bad_pixel_aspect_ratio": 111,
    "bad_sampling": 113,
    "bad_screen_window": 112,
    "bad_tiles": 127,
    "channel_list_end": 125,
    "chunk_count_mismatch": 119,
    "conflicting_attribute": 107,
    "contradicting_flags": 108,
    "deep_compression": 115,
    "duplicate_attribute": 107,
    "duplicate_channel": 107,
    "duplicate_part_name": 107,
    "empty_value": 105,
    "empty_window": 118,
    "flags_type_mismatch": 108,
    "flat_type_in_deep_file": 108,
    "long_name": 109,
    "misplaced_chunk": 121,
    "missing_attribute": 104,
    "more_problems": 129,
    "no_channels": 116,
    "no_version_or_count": 119,
    "offset_table_cut": 121,
    "offset_table_unwritten": 121,
    "parts_disagree": 120,
    "skipped_value": 105,
    "text_encoding": 110,
    "too_many_chunks": 103,
    "unknown_flags": 108,
    "unknown_part_type": 108,
    "unknown_part_version": 108,
    "unknown_pixel_type": 105,
    "unknown_type": 106,
    "unsorted_channels": 125,
    "value_too_large": 105,
    "window_range": 118,
}


def rule_of_problem(code: str) -> Rule:
    """The rule that a problem of the header or the chunks violates."""
    return RULES[f"EXR{RULE_OF_PROBLEM[code]}"]
