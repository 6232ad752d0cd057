"""Every code of `ExrFormatError` and of `Problem`, with its meaning. Codes are stable: programs may test them."""

from __future__ import annotations

from typing import NamedTuple

# Errors: the header cannot be read.
FORMAT_ERRORS = {
    "not_exr": "The file does not start with the EXR magic number; the message names the detected format.",
    "empty_file": "The file has no bytes.",
    "truncated": "The file ends inside its header.",
    "unsupported_version": "The version number is not 2.",
    "bad_attribute": "A name or type is not terminated, a type is empty, or a size is negative.",
    "header_too_large": "An attribute ends beyond the limit for headers (a setting).",
    "too_many_attributes": "The header has more attributes than the limit (a setting).",
    "too_many_parts": "The file has more parts than the limit (a setting).",
}

COMPLETENESS = ("complete", "incomplete", "truncated", "corrupt", "unknown")
SEVERITIES = ("info", "warning", "error")  # in ascending order


class Kind(NamedTuple):
    """The severity and the meaning of a problem's code.

    The severity says what OpenEXR and OpenImageIO do with the file. `error`: one of them rejects it, misreads it, or
    would not write it; `warning`: they tolerate what the format forbids; `info`: the format allows it.
    """

    severity: str
    meaning: str


# Problems: irregularities of a header or of the chunks; the reader continues.
PROBLEMS = {
    "unknown_type": Kind("info", "An attribute's type is unknown; its bytes are kept."),
    "attribute_size": Kind("error", "An attribute's bytes are too few or too many for its type; its value is null."),
    "attribute_value": Kind(
        "error",
        "An attribute's bytes are not a value of its type, or a required "
        "one is too large to be decoded; its value is null.",
    ),
    "empty_value": Kind("warning", "An attribute that is not required has no bytes; its value is null."),
    "skipped_value": Kind(
        "warning",
        "The bytes of an enumeration or a list of strings that is not required, or of `tiles` in a file of scan lines, "
        "are not a value of its type; it is null.",
    ),
    "value_too_large": Kind(
        "info",
        "A value that is not required takes more to decode than the limit for a file; it is null, its bytes are kept.",
    ),
    "text_encoding": Kind("warning", "A text or name is not UTF-8 and was decoded as Latin-1; the bytes are kept."),
    "attribute_type": Kind("error", "A required attribute has another type than the format requires."),
    "duplicate_attribute": Kind(
        "warning", "An attribute that is not a string is repeated in a part, with the same type and value."
    ),
    "conflicting_attribute": Kind(
        "error",
        "An attribute is repeated in a part, with another type or value, or it is a string. The first one is used; "
        "libraries use the last one of numbers, and lose the attribute after a string.",
    ),
    "missing_attribute": Kind("error", "A required attribute is missing. No default is used."),
    "no_version_or_count": Kind(
        "warning",
        "The attribute `version` of a deep part, or `chunkCount` of a deep or multi-part file, is missing or has no "
        "value.",
    ),
    "long_name": Kind(
        "warning",
        "The name or type of an attribute, or a channel's name, has more than 31 bytes, but the version field does not "
        "have the long-names flag.",
    ),
    "unknown_flags": Kind("error", "The version field has unknown bits."),
    "contradicting_flags": Kind("error", "The version field has the tiled flag together with deep or multi-part."),
    "flags_type_mismatch": Kind(
        "warning", "The version flags and the `type` attribute contradict each other; both are kept."
    ),
    "flat_type_in_deep_file": Kind("error", "The version field has the deep flag, but the `type` of a part is flat."),
    "unknown_part_type": Kind("error", "The `type` attribute is not one of the four part types."),
    "unknown_part_version": Kind("error", "The `version` of a deep part is not 1."),
    "duplicate_part_name": Kind("warning", "Two parts have the same name."),
    "parts_disagree": Kind(
        "error",
        "`displayWindow`, `pixelAspectRatio`, `timeCode` or `chromaticities` of a part differs from that of part 0. "
        "Libraries read a `timeCode` that differs, but OpenEXR does not write one.",
    ),
    "empty_window": Kind("error", "A data or display window has no pixels."),
    "window_range": Kind("error", "A coordinate of a data or display window is beyond ±(2³⁰ - 2)."),
    "bad_pixel_aspect_ratio": Kind("error", "The pixel aspect ratio is not a number from 10⁻⁶ to 10⁶."),
    "bad_screen_window": Kind("error", "The screen window's width is negative."),
    "bad_line_order": Kind("error", "The line order of scan lines is `RANDOM_Y`, which is for tiles."),
    "deep_compression": Kind("error", "The compression of a deep part is not `NONE`, `RLE`, `ZIPS` or `ZSTD`."),
    "no_channels": Kind("error", "The channel list is empty."),
    "unknown_pixel_type": Kind("error", "A channel's pixel type is not UINT, HALF or FLOAT."),
    "bad_linear_flag": Kind("error", "A channel's pLinear flag is not 0 or 1."),
    "bad_sampling": Kind(
        "error",
        "A channel's sampling is below 1, or not 1 in a tiled or deep part, or no divisor of the data window's origin "
        "and size.",
    ),
    "duplicate_channel": Kind("error", "A channel's name is repeated in a part."),
    "unsorted_channels": Kind(
        "error", "The channels are not sorted by name; libraries assign pixels to wrong channels."
    ),
    "channel_list_end": Kind("warning", "Bytes follow the end of the channel list, or the zero byte there is missing."),
    "bad_tiles": Kind("error", "A tile size is 0 or above 2²⁹ - 1, or a level or rounding mode is unknown."),
    "chunk_count_mismatch": Kind("warning", "The `chunkCount` attribute contradicts the windows and the compression."),
    "too_many_chunks": Kind("warning", "The file has more chunks than the limit (a setting); completeness is unknown."),
    "more_problems": Kind("info", "There are more problems than the listed ones; the message has their number."),
    "offset_table_cut": Kind("error", "The file ends inside its offset table."),
    "offset_table_unwritten": Kind(
        "warning", "Chunks have no entry in the offset table, for example because the writer was killed."
    ),
    "bad_chunk": Kind("error", "Chunks have invalid offsets, leaders or sizes, or overlap."),
    "misplaced_chunk": Kind("error", "Entries of the offset table point to the chunk of another entry."),
}
