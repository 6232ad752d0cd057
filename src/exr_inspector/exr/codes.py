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

SEVERITIES = ("info", "warning", "error")  # in ascending order


class Kind(NamedTuple):
    """The severity and the meaning of a problem's code.

    The severity says what OpenEXR and OpenImageIO do with the file. `error`: one of them rejects or misreads it;
    `warning`: they tolerate what the format forbids; `info`: the format allows it.
    """

    severity: str
    meaning: str


# Problems: irregularities of a header or of the chunks; the reader continues.
PROBLEMS = {
    "unknown_type": Kind("info", "An attribute's type is unknown; its bytes are kept."),
    "attribute_size": Kind("error", "An attribute's bytes are too few or too many for its type; its value is null."),
    "attribute_value": Kind("error", "An attribute's bytes are not a value of its type; its value is null."),
    "value_too_large": Kind(
        "info", "A value takes more to decode than the limit for a file; it is null, its bytes are kept."
    ),
    "text_encoding": Kind("info", "A text or name is not UTF-8 and was decoded as Latin-1; the bytes are kept."),
    "attribute_type": Kind("error", "A required attribute has another type than the format requires."),
    "duplicate_attribute": Kind("warning", "An attribute's name is repeated in a part; the first attribute is used."),
    "missing_attribute": Kind("error", "A required attribute is missing. No default is used."),
    "long_name": Kind(
        "warning", "A name has more than 31 bytes, but the version field does not have the long-names flag."
    ),
    "unknown_flags": Kind("error", "The version field has unknown bits."),
    "flags_type_mismatch": Kind(
        "warning", "The version flags and the `type` attribute contradict each other; both are kept."
    ),
    "unknown_part_type": Kind("error", "The `type` attribute is not one of the four part types."),
    "duplicate_part_name": Kind("error", "Two parts have the same name."),
    "empty_window": Kind("error", "A data or display window has no pixels."),
    "unknown_pixel_type": Kind("error", "A channel's pixel type is not UINT, HALF or FLOAT."),
    "bad_sampling": Kind("error", "A channel's sampling is below 1, or the data window is not a multiple of it."),
    "duplicate_channel": Kind("warning", "A channel's name is repeated in a part."),
    "bad_tiles": Kind("error", "A tile size is 0, or a level or rounding mode is unknown."),
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
