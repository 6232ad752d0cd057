"""The Parquet files of a backup: written in row groups of bounded size, and hashed on the way; and read."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...errors import BackupError
from ...sources import open_source
from ...sources.output import below, output_file
from ..schema import VECTOR_COLUMNS

if TYPE_CHECKING:
    from ...settings import S3Access
    from ...sources import ByteSource

ROWS = 20_000  # of a row group, and of the tables that are read
_GROUP_BYTES = 64 << 20
_HASHED_BYTES = 4 << 20  # that are read at once


def _stored_schema(schema: pa.Schema) -> pa.Schema:
    """The columns of a table as they are stored: lists for vectors, as Parquet has no nulls of fixed length."""
    return pa.schema([field.with_type(_stored_type(field.type)) for field in schema])


def write_rows(
    folder: str, name: str, schema: pa.Schema, pages: Iterable[pa.Table], s3: S3Access | None
) -> tuple[int, int, str]:
    """Write rows to a new file; the number of rows and bytes, and the SHA-256 of these."""
    stored = _stored_schema(schema)
    vectors = [name for name in VECTOR_COLUMNS if name in schema.names]
    rows = 0
    with output_file(folder, f"{name}.parquet", s3) as file:
        hashed = _Hashing(file)
        with pq.ParquetWriter(
            hashed,
            stored,
            compression="zstd",
            # a dictionary of numbers without order is larger than the numbers
            use_dictionary=[field.name for field in stored if field.name not in vectors],
            use_byte_stream_split=[f"{name}.list.element" for name in vectors],
        ) as writer:
            for group in _groups(pages):
                columns = [_as_stored(column) for column in group.columns]
                writer.write_table(pa.Table.from_arrays(columns, schema=stored), row_group_size=ROWS)
                rows += group.num_rows
    return rows, hashed.bytes, hashed.sha256.hexdigest()


def has_type(field: pa.Field, type_: pa.DataType) -> bool:
    """Whether a column of a file has the type in which a column of a table is stored."""
    if pa.types.is_fixed_size_list(type_):
        return bool(pa.types.is_list(field.type) and field.type.value_type == type_.value_type)
    return bool(field.type == type_)


class Hashed(NamedTuple):
    """The bytes of the file of a table, their SHA-256, and what identifies this version of the file."""

    bytes: int
    sha256: str
    identity: tuple[object, ...]


@contextmanager
def opened_rows(
    folder: str, name: str, s3: S3Access | None, verified: Hashed | None = None
) -> Iterator[pq.ParquetFile]:
    """The file of a table. Raises BackupError if it is not Parquet, or not the one that was verified."""
    with closing(open_source(below(folder, f"{name}.parquet"), s3)) as source, readable(folder, name):
        if verified is not None and verified.identity != _identity(source):
            raise BackupError(folder, f"{name}.parquet was replaced after it had been verified")
        yield pq.ParquetFile(pa.PythonFile(_SourceFile(source), "r"), pre_buffer=False)


def read_rows(
    folder: str,
    name: str,
    s3: S3Access | None,
    columns: Sequence[str] | None = None,
    verified: Hashed | None = None,
) -> Iterator[pa.Table]:
    """The rows of a table in pages, in order; vectors are lists. Raises BackupError as `opened_rows`."""
    with opened_rows(folder, name, s3, verified) as file:
        for batch in file.iter_batches(ROWS, columns=columns):
            yield pa.table(batch)


@contextmanager
def readable(folder: str, name: str) -> Iterator[None]:
    """Raises BackupError for what Arrow cannot read in the file of a table."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise BackupError(folder, f"{name}.parquet cannot be read: {reason}") from error


def hash_of(folder: str, name: str, s3: S3Access | None) -> Hashed:
    """Reads the file of a table."""
    digest = hashlib.sha256()
    with closing(open_source(below(folder, f"{name}.parquet"), s3)) as source:
        for offset in range(0, source.size_bytes, _HASHED_BYTES):
            digest.update(source.read(offset, _HASHED_BYTES))
        return Hashed(source.size_bytes, digest.hexdigest(), _identity(source))


def _identity(source: ByteSource) -> tuple[object, ...]:
    return source.size_bytes, source.mtime, source.etag, source.inode


def _groups(pages: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The rows in tables for one row group each: of ROWS rows, or fewer of many bytes."""
    kept: list[pa.Table] = []
    rows = size = 0
    for page in pages:
        for start in range(0, page.num_rows, ROWS):
            piece = page.slice(start, ROWS)
            if kept and (rows + piece.num_rows > ROWS or size > _GROUP_BYTES):
                yield pa.concat_tables(kept)
                kept, rows, size = [], 0, 0
            kept.append(piece)
            rows += piece.num_rows
            size += piece.nbytes
    if kept:
        yield pa.concat_tables(kept)


def _stored_type(type_: pa.DataType) -> pa.DataType:
    return pa.list_(type_.value_field) if pa.types.is_fixed_size_list(type_) else type_


def _as_stored(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column with lists for vectors; the lists of null have no elements, as Parquet requires."""
    stored = _stored_type(column.type)
    if stored == column.type or not column.null_count:
        return column.cast(stored)
    valid = column.is_valid().combine_chunks()
    lengths = np.asarray(valid.to_numpy(zero_copy_only=False), np.int32) * column.type.list_size
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    elements = column.drop_null().combine_chunks().flatten()
    return pa.chunked_array([pa.ListArray.from_arrays(offsets, elements, type=stored, mask=pc.invert(valid))])


class _Hashing(io.RawIOBase):
    """A file that hashes what is written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.bytes = 0
        self.sha256 = hashlib.sha256()

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def write(self, data: Any) -> int:
        """Write bytes; returns their number."""
        view = memoryview(data).cast("B")
        self._file.write(view)
        self.sha256.update(view)
        self.bytes += len(view)
        return len(view)


class _SourceFile(io.RawIOBase):
    """A byte source as a file that Arrow reads."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._position = 0

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def seekable(self) -> bool:
        """Whether it can be read at any offset."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the offset of the next read."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._source.size_bytes}[whence]
        self._position = start + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes."""
        left = max(self._source.size_bytes - self._position, 0)
        data = self._source.read(self._position, left if size is None or size < 0 else min(size, left))
        self._position += len(data)
        return data
