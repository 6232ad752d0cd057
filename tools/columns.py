"""Meanings of the catalog's columns and of the values of `completeness`, for docs/REFERENCE.md."""

from __future__ import annotations

# In the order of severity; the values of `files.completeness` and of the JSON field `completeness`.
COMPLETENESS = {
    "complete": "Every chunk is present, and no problem was found in the offset table or the checked chunk leaders.",
    "incomplete": "Some chunks were never written: their offsets are zero, or their bytes or the end of their bytes are zero, as after an "
    "interrupted render.",
    "truncated": "The file ends before its last chunk does, as after an interrupted copy or on a full disk.",
    "corrupt": "Offsets or chunk leaders contradict the header or each other: chunks that overlap, are "
    "misplaced, or have invalid coordinates or sizes; or the chunks cannot be counted from the header.",
    "unknown": "The chunks cannot be checked: the compression or part type is unknown, or there are more chunks than "
    "`EXR_INSPECTOR_MAX_CHUNKS`.",
}
# Meanings of the values of --chunks.
CHUNK_CHECKS = {
    "all": "The leader of every chunk.",
    "sample": "The offset table, the leader of the last chunk, 16 others at equal distances, and up to 12 beside gaps "
    "between chunks: at most 32 reads. All leaders if the file has at most 16 chunks.",
    "table": "The offset table and the leader of the last chunk.",
    "auto": "`all` on local disks; `sample` on network file systems (NFS, SMB, FUSE, Lustre and others, by the type of "
    "the mount on Linux); `table` on object stores. `all` for files and objects of up to 64 KiB, which the first read "
    "returns whole.",
}

_FILE_ID = "The file version this row belongs to, see `files`."
_FILE_PATH = "As in `files`."
_PART_INDEX = "Index of the part in the file, from 0."

COLUMNS: dict[str, dict[str, str]] = {
    "files": {
        "file_id": "Identity of a version of a file: 32 hex digits of a hash of URI, size, etag or modification time, "
        "and header.",
        "file_path": "The path as given; bytes that are not UTF-8 are written as %XX.",
        "file_path_normalized": "The URI: `file:///absolute/path` or `s3://bucket/key`.",
        "is_current": "Whether this is the newest version of the path. False for replaced versions, and while the "
        "path is unreadable.",
        "deleted_at": "When the file was marked as deleted, in UTC; null if it exists.",
        "size_bytes": "Size of the file.",
        "mtime": "Modification time, in UTC.",
        "etag": "Entity tag of an object; null for local files.",
        "header_hash": "SHA-256 of the header's bytes.",
        "structure_hash": "SHA-256 of the header without values that change per frame; equal for all frames of a "
        "sequence that were written alike.",
        "header_bytes": "Size of the header, up to the offset table.",
        "multipart_count": "Number of parts.",
        "is_deep": "Whether any part is deep.",
        "is_tiled": "Whether any part is tiled.",
        "channel_count": "Number of channels of all parts.",
        "sequence": "The URI with `#` for the frame number; null if the name has no frame number.",
        "frame_number": "The frame as a number, without a fraction.",
        "frame": "The frame as written in the name: `1001`, `-0005`, `1001.5`.",
        "completeness": "Result of the chunk check, see [Completeness](#completeness).",
        "chunk_count": "Number of chunks that the header requires; null if unknown.",
        "chunks_present": "Number of those that are present and complete; null if unknown.",
        "chunks_checked": "Number of chunks whose leader was read, see [Completeness](#completeness).",
        "metadata_embedding": "Vector of the whole header, of unit length.",
        "channel_fingerprint": "Vector of the channels, of unit length.",
        "embedding_version": "Version of the two vectors; only vectors of equal versions can be compared.",
        "validation_status": "Result of the last policy validation; null if the file was not validated.",
        "schema_version": "Version of the inspection's JSON form.",
        "inspector_version": "Version of exr-inspector that inspected the file.",
        "inspection_timestamp": "When this version was first stored, in UTC.",
        "last_inspected": "When this version was last inspected, in UTC.",
        "inspection_count": "How often this version was inspected.",
    },
    "parts": {
        "file_id": _FILE_ID,
        "file_path": _FILE_PATH,
        "part_index": _PART_INDEX,
        "part_name": "Attribute `name`.",
        "part_type": "`scanlineimage`, `tiledimage`, `deepscanline` or `deeptile`, from the version flags and the "
        "attribute `type`.",
        "view_name": "Attribute `view`.",
        "width": "Width of the data window, in pixels.",
        "height": "Height of the data window, in pixels.",
        "display_width": "Width of the display window, in pixels.",
        "display_height": "Height of the display window, in pixels.",
        "data_x_offset": "Left edge of the data window.",
        "data_y_offset": "Top edge of the data window.",
        "data_window": "Attribute `dataWindow` as `[xMin,yMin,xMax,yMax]`, both ends inclusive.",
        "display_window": "Attribute `displayWindow`, likewise.",
        "pixel_aspect_ratio": "Attribute `pixelAspectRatio`.",
        "line_order": "`INCREASING_Y`, `DECREASING_Y` or `RANDOM_Y`.",
        "compression": "`NONE`, `RLE`, `ZIPS`, `ZIP`, `PIZ`, `PXR24`, `B44`, `B44A`, `DWAA`, `DWAB`, …",
        "is_tiled": "Whether the part is tiled.",
        "tile_width": "Width of a tile, in pixels.",
        "tile_height": "Height of a tile, in pixels.",
        "level_mode": "`ONE_LEVEL`, `MIPMAP_LEVELS` or `RIPMAP_LEVELS`.",
        "rounding_mode": "`ROUND_DOWN` or `ROUND_UP`.",
        "is_deep": "Whether the part is deep.",
        "multi_view": "Whether the attribute `multiView` lists views.",
        "color_space": "The first of the attributes that name a color space: `colorInteropID`, `oiio:ColorSpace`, …",
        "chromaticities": "Attribute `chromaticities` as `[redX,redY,greenX,greenY,blueX,blueY,whiteX,whiteY]`.",
        "render_software": "The first of the attributes that name the software: `arnold/version`, `software`, …, "
        "as written.",
        "renderer": "Name of the renderer, compositor or camera that the attributes identify: `Arnold`, `Nuke`, …",
        "frames_per_second": "Attribute `framesPerSecond`.",
        "timecode": "Attribute `timeCode` as `HH:MM:SS:FF`.",
        "chunk_count": "Number of chunks that the header requires; null if unknown.",
        "chunks_present": "Number of those that are present and complete; null if unknown.",
        "missing": "The missing lines, tiles or chunks, as text; null if none are missing.",
        "packed_bytes": "Size of the compressed pixels; null if unknown. Of chunks whose leader was not read, it is "
        "the room up to the next chunk, at most the size of the pixels.",
    },
    "channels": {
        "file_id": _FILE_ID,
        "file_path": _FILE_PATH,
        "part_index": _PART_INDEX,
        "channel_index": "Index of the channel in the part's channel list, from 0.",
        "channel_name": "The full name: `diffuse.R`.",
        "layer_name": "The name up to the last dot: `diffuse`; empty without a dot.",
        "component_name": "The name after the last dot: `R`.",
        "channel_type": "Pixel type: `HALF`, `FLOAT` or `UINT`; null if unknown.",
        "x_sampling": "Horizontal sampling distance in pixels; 1: every pixel has a sample.",
        "y_sampling": "Vertical sampling distance, likewise.",
        "p_linear": "The flag `pLinear`, a hint for lossy compression.",
    },
    "attributes": {
        "file_id": _FILE_ID,
        "file_path": _FILE_PATH,
        "part_index": _PART_INDEX,
        "attr_index": "Index of the attribute in the part's header, from 0.",
        "attr_name": "Name of the attribute.",
        "attr_type": "Type of the attribute, as written in the file.",
        "size_bytes": "Size of the value in the file.",
        "value_json": "The value as JSON; null if it is unknown, undecodable or cut.",
        "value_text": "The value of a text, enumeration or time code; the beginning if it is cut.",
        "value_int": "The value of an integer.",
        "value_float": "The value of a finite number.",
        "raw": "The bytes of values that are opaque, unknown or undecodable; the beginning if they are cut.",
        "truncated": "Whether the value is larger than `EXR_INSPECTOR_CELL_LIMIT` and was cut.",
    },
    "channel_stats": {
        "file_id": _FILE_ID,
        "part_index": _PART_INDEX,
        "channel_name": "The full name of the channel.",
        "sample_count": "Number of samples that were read.",
        "stride": "Distance of the samples in x and y; 1: all samples were read.",
        "min": "Smallest finite value.",
        "max": "Largest finite value.",
        "mean": "Mean of the finite values.",
        "stddev": "Standard deviation of the finite values.",
        "nan_count": "Number of NaNs.",
        "pos_inf_count": "Number of values that are +infinity.",
        "neg_inf_count": "Number of values that are -infinity.",
        "negative_count": "Number of negative values.",
        "finite_count": "Number of finite values.",
        "samples_min": "Deep parts: smallest number of samples of a pixel.",
        "samples_max": "Deep parts: largest number of samples of a pixel.",
        "samples_mean": "Deep parts: mean number of samples of a pixel.",
        "samples_total": "Deep parts: number of samples of all pixels.",
        "empty_pixels": "Deep parts: number of pixels without samples.",
    },
    "validation_results": {
        "file_id": _FILE_ID,
        "policy_id": "Name of the policy.",
        "policy_version": "Version of the policy.",
        "rule_id": "Code of the rule that the file fails.",
        "severity": "`error`, `warning` or `info`.",
        "part_index": "Index of the part; null if the finding concerns the file.",
        "channel_name": "The channel; null if the finding concerns a part or the file.",
        "expected": "The value that the rule requires.",
        "actual": "The value in the file.",
        "message": "The finding as text.",
        "evaluated_at": "When the file was validated, in UTC.",
    },
    "ingest_errors": {
        "file_path_normalized": "URI of a file that could not be inspected. The error is open while no row of `files` "
        "with this URI is current.",
        "size_bytes": "Size of the file; null if unknown.",
        "mtime": "Modification time, in UTC; null if unknown.",
        "code": "Code of the error, see [Codes](#codes); for files that cannot be opened, `not_found`, `denied`, …",
        "message": "The error as text.",
        "byte_offset": "Where in the file the error is; null if it has no position.",
        "first_seen": "When the error first occurred, in UTC.",
        "last_seen": "When it last occurred, in UTC.",
        "count": "How often it occurred.",
    },
    "schema_version": {
        "version": "Version of the tables.",
        "applied_at": "When the tables got this version, in UTC.",
        "inspector_version": "Version of exr-inspector that created or changed them.",
    },
}
