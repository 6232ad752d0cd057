"""Backups in an object store, and in folders that cannot be written."""

import os

import pyarrow as pa
import pytest
import requests

from exr_inspector import open_catalog
from exr_inspector.catalog.backup import backup, check, parquet, restore
from exr_inspector.catalog.vast.errors import translated
from exr_inspector.catalog.vast.tables import Rows
from exr_inspector.errors import (
    BackupError,
    CatalogConnectionError,
    ExrInspectorError,
    SettingsError,
    SourceConnectionError,
    SourceDeniedError,
    SourceNotFoundError,
    SourceSystemError,
)
from exr_inspector.sources import s3_output
from exr_inspector.sources.output import output_file
from tests.support import s3_server
from tests.support.exr_bytes import inspection, text

from .conftest import BACKENDS, BOTH
from .test_backup import content

PREFIX = f"s3://{s3_server.BUCKET}/backups/monday 100%"


@pytest.fixture(params=BOTH)
def filled(request, tmp_path):
    """A catalog whose attributes do not fit into one part of an upload."""
    if request.param == "vast":
        request.getfixturevalue("vast_settings")
    with open_catalog(BACKENDS[request.param](tmp_path, 0)) as catalog:
        catalog.persist(
            [inspection("s3://renders/a.exr", *(text(f"n{n}", os.urandom(20_000).hex()) for n in range(8)))]
        )
        yield catalog


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Of 64 KiB instead of the 5 MiB that stores require."""
    monkeypatch.setattr(s3_output, "_PART_BYTES", 64 << 10)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)


def parts_uploaded(store) -> int:
    """The number of requests with a part of an object."""
    return sum("partNumber" in request.path for request in store.requests)


@pytest.mark.slow
def test_a_backup_and_its_increment_are_restored_from_objects(store, filled, tmp_path):
    backup(filled, PREFIX, s3=store.access)
    assert parts_uploaded(store) >= 3
    filled.persist([inspection("s3://renders/b.exr")])
    backup(filled, f"{PREFIX}/later", since=PREFIX, s3=store.access)
    backup(filled, str(tmp_path / "local"), since=PREFIX, s3=store.access)
    assert check(f"{PREFIX}/later", store.access) == []
    for number, folder in enumerate((f"{PREFIX}/later", str(tmp_path / "local"))):
        uri = f"duckdb:{tmp_path}/copy{number}.duckdb"
        restore(folder, uri, s3=store.access)
        with open_catalog(uri) as copy:
            assert content(copy) == content(filled)
    with pytest.raises(SettingsError, match="has a backup; give a new or empty folder"):
        backup(filled, PREFIX, s3=store.access)


@pytest.mark.slow
def test_parts_of_an_upload_are_repeated(store, filled):
    failed = []

    def fault(request, start_response):
        if request.method == "PUT" and len(failed) < 3:
            failed.append(request.path)
            return s3_server.status(503, "SlowDown")(request, start_response)
        return None

    store.fault = fault
    backup(filled, PREFIX, s3=store.access)
    assert len(failed) == 3
    assert check(PREFIX, store.access) == []


@pytest.mark.slow
@pytest.mark.parametrize(("code", "error"), [("403", SourceDeniedError), ("503", SourceConnectionError)])
def test_an_upload_that_fails_leaves_no_backup(store, filled, code, error):
    def fault(request, start_response):
        if request.method == "PUT" and "attributes" in request.path:
            return s3_server.status(int(code), "AccessDenied" if code == "403" else "SlowDown")(request, start_response)
        return None

    store.fault = fault
    with pytest.raises(error) as caught:
        backup(filled, PREFIX, s3=store.access)
    assert s3_server.SECRET_KEY not in str(caught.value)
    assert "attributes.parquet" in str(caught.value)
    store.fault = None
    assert store.client.list_multipart_uploads(Bucket=s3_server.BUCKET).get("Uploads") is None
    with pytest.raises(BackupError, match=r"manifest.json is missing"):
        check(PREFIX, store.access)


def test_a_prefix_without_objects_is_not_a_backup(store):
    """As a folder that does not exist: nothing is known about a backup."""
    with pytest.raises(SourceNotFoundError, match=f"{PREFIX}/none: no such folder; check its name"):
        check(f"{PREFIX}/none", store.access)


def test_a_full_disk_is_an_error_and_leaves_no_backup(filled, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(SourceSystemError, match=f"{tmp_path}/backup: No space left on device"):
        backup(filled, str(tmp_path / "backup"))
    assert list((tmp_path / "backup").iterdir()) == []


def test_only_errors_of_the_file_are_named_as_such(tmp_path):
    """The errors of an HTTP client are instances of OSError, too."""
    broken = requests.exceptions.ChunkedEncodingError("cut")
    with pytest.raises(requests.exceptions.ChunkedEncodingError), output_file(str(tmp_path), "a", None):
        raise broken
    assert list(tmp_path.iterdir()) == []
    assert translation_of(SourceSystemError("/backups", "full")) == SourceSystemError
    assert translation_of(broken) == CatalogConnectionError


def translation_of(error):
    with pytest.raises(ExrInspectorError) as caught, translated("http://127.0.0.1"):
        raise error
    return caught.type


@pytest.mark.slow
def test_a_page_of_a_vast_database_that_is_cut_is_read_again(vast_settings, tmp_path, monkeypatch):
    """Raised while the file of a table is written."""
    pages, raised = Rows.pages, []

    def cut(self, table, columns):
        yield from pages(self, table, columns)
        if len(raised) < 2:
            raised.append(table)
            raise requests.exceptions.ChunkedEncodingError("cut")

    monkeypatch.setattr(Rows, "pages", cut)
    with open_catalog(BACKENDS["vast"](tmp_path, 0)) as catalog:
        catalog.persist([inspection()])
        backup(catalog, str(tmp_path / "backup"))
    assert raised == ["files", "files"]
    assert check(str(tmp_path / "backup")) == []


def test_pages_of_many_bytes_are_row_groups_of_their_own(tmp_path, monkeypatch):
    """So that memory is bounded when they are read."""
    monkeypatch.setattr(parquet, "_GROUP_BYTES", 50_000)
    schema = pa.schema([pa.field("bytes", pa.binary(), nullable=False)])
    pages = (pa.table([[bytes(20_000)]], schema=schema) for _ in range(5))
    parquet.write_rows(str(tmp_path), "thumbnails", schema, pages, None)
    with parquet.opened_rows(str(tmp_path), "thumbnails", None) as file:
        assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [3, 2]
