"""The OpenEXR file format.

In come bytes, out come a `Header` and a `ChunkReport`, or `ExrFormatError`; `writer.py` turns values into files.
Must not know files, networks, catalogs or settings; imports nothing of the project but its errors.
"""

from .attributes import Attribute, Note, decode
from .channels import Channel, split_name, view_of
from .chunks import CHUNK_OPTIONS, ChunkCheck, ChunkOption, ChunkReport, PartChunks, read_chunks
from .geometry import Level, chunk_counts, levels
from .header import Header, HeaderCutError, Limits, read_header
from .part import Part
from .problems import Problem, worst_severity

__all__ = [
    "CHUNK_OPTIONS",
    "Attribute",
    "Channel",
    "ChunkCheck",
    "ChunkOption",
    "ChunkReport",
    "Header",
    "HeaderCutError",
    "Level",
    "Limits",
    "Note",
    "Part",
    "PartChunks",
    "Problem",
    "chunk_counts",
    "decode",
    "levels",
    "read_chunks",
    "read_header",
    "split_name",
    "view_of",
    "worst_severity",
]
