"""Every code of `ExrFormatError` and of the `errors` of an inspection. Codes are stable: programs may test them."""

# What ends the reading: no header can be had.
FORMAT_ERRORS = {
    "not_exr": "The file does not begin with the EXR magic number; the message says what it looks like.",
    "empty_file": "The file has no bytes.",
    "truncated": "The file ends inside its header.",
    "unsupported_version": "The version number is not 2.",
    "bad_attribute": "A name or type is not terminated, a type is empty, or a size is negative.",
    "header_too_large": "An attribute ends beyond the largest header that is read (a setting).",
    "too_many_attributes": "More attributes than are read (a setting).",
    "too_many_parts": "More parts than are read (a setting).",
}

# What is odd or wrong in a header or the chunks, and did not stop the reading.
PROBLEMS = {
    "unknown_type": "An attribute's type is not known; its bytes are kept.",
    "attribute_size": "An attribute's bytes are too few or too many for its type; its value is null.",
    "attribute_value": "An attribute's bytes are no value of its type; its value is null.",
    "value_too_large": "A value takes more to decode than all values of a file may; it is null, its bytes are kept.",
    "text_encoding": "Text or a name is not UTF-8 and was read as Latin-1; the bytes are kept.",
    "attribute_type": "A required attribute has another type than the format demands.",
    "duplicate_attribute": "An attribute's name is there more than once in a part; the first one counts.",
    "missing_attribute": "A required attribute is not there. Nothing is put in its place.",
    "long_name": "A name has more than 31 bytes and the version field does not say so.",
    "unknown_flags": "The version field has bits that are not known.",
    "flags_type_mismatch": "The version flags and the `type` attribute contradict each other; both are kept.",
    "unknown_part_type": "The `type` attribute is none of the four known ones.",
    "duplicate_part_name": "Two parts have the same name.",
    "empty_window": "A data or display window has no pixels.",
    "unknown_pixel_type": "A channel's pixel type is none of UINT, HALF and FLOAT.",
    "bad_sampling": "A channel's sampling is below 1.",
    "duplicate_channel": "A channel's name is there more than once in a part.",
    "bad_tiles": "A tile size is 0, or a level or rounding mode is not known.",
    "chunk_count_mismatch": "The `chunkCount` attribute does not fit the windows and the compression.",
    "too_many_chunks": "More chunks than are checked (a setting); completeness is unknown.",
    "more_problems": "More problems than are listed were found; the message says how many.",
    "offset_table_cut": "The file ends inside its offset table.",
    "offset_table_unwritten": "Chunks have no entry in the offset table, for example because the writer was killed.",
    "bad_chunk": "Chunks with an invalid offset, leader or size, or chunks that overlap.",
    "misplaced_chunk": "Entries of the offset table point to the chunk of another entry.",
}
