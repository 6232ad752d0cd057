"""The module with the names that users of the function know, imported and run from its folder as they do."""

import os
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from exr_inspector import open_catalog, vectors
from exr_inspector.catalog.schema import VERSION
from exr_inspector.deadline import seconds_left
from exr_inspector.errors import EmbeddingError
from tests.catalog.conftest import BUCKET, emulator, vast_settings  # noqa: F401 (fixtures)
from tests.catalog.test_contract import A, B

FOLDER = Path(__file__).parents[2] / "functions" / "exr_inspector"
SECRET = "not-a-real-secret"


@pytest.fixture
def module(monkeypatch, vast_settings, tmp_path):  # noqa: F811
    """The module, imported from its folder, with the settings of a catalog that does not exist yet."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("VAST_DB_BUCKET", BUCKET)
    monkeypatch.setenv("VAST_DB_SCHEMA", tmp_path.name)
    monkeypatch.setenv("EXR_INSPECTOR_DEADLINE_S", "120")  # of a busy machine
    monkeypatch.delenv("EXR_INSPECTOR_CATALOG", raising=False)
    monkeypatch.delitem(sys.modules, "vast_db_persistence", raising=False)
    import vast_db_persistence

    return vast_db_persistence


@pytest.fixture
def unconfigured(monkeypatch, module):
    """The module without the settings of a database."""
    for name in [name for name in os.environ if name.startswith("VAST_DB_")]:
        monkeypatch.delenv(name)
    return module


def database(endpoint, **fields):
    """The fields of an event that name a database."""
    values = {"endpoint": endpoint, "access_key": "key", "secret_key": SECRET} | fields
    return {f"vastdb_{name}": value for name, value in values.items()}


@contextmanager
def tls_proxy(folder, upstream):
    """The https:// URL of a proxy whose certificate is `folder`/cert.pem."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "key.pem", "-out",
         "cert.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-addext", "basicConstraints=critical,CA:FALSE"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    parts = urlsplit(upstream)

    def copy(source, destination):
        try:
            while data := source.recv(1 << 16):
                destination.sendall(data)
            destination.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    class Relay(socketserver.BaseRequestHandler):
        def handle(self):
            with socket.create_connection((parts.hostname, parts.port)) as server:
                threading.Thread(target=copy, args=(server, self.request), daemon=True).start()
                copy(self.request, server)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as proxy:
        proxy.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        proxy.socket = context.wrap_socket(proxy.socket, server_side=True)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"https://localhost:{proxy.server_address[1]}"
        proxy.shutdown()


@pytest.mark.slow
def test_the_schema_is_created_from_the_folder_of_the_function(module, tmp_path):
    command = [sys.executable, "-m", "vast_db_persistence", "create-schema"]
    for _ in range(2):
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"vast://{BUCKET}/{tmp_path.name}: schema version {VERSION}\n"


def test_without_settings_the_command_names_the_missing_ones(unconfigured, capsys):
    assert unconfigured.main(["create-schema"]) == 3
    message = capsys.readouterr().err
    assert all(name in message for name in ("EXR_INSPECTOR_CATALOG", "VAST_DB_BUCKET"))


def test_create_schema_keeps_the_deadline_of_the_function(unconfigured, monkeypatch, tmp_path):
    """For the catalog of EXR_INSPECTOR_CATALOG, too."""
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", f"duckdb:{tmp_path}/c.duckdb")
    limits, use = [], unconfigured._catalogs.use

    def record(target):
        limits.append(seconds_left())
        return use(target)

    monkeypatch.setattr(unconfigured._catalogs, "use", record)
    assert unconfigured.main(["create-schema"]) == 0
    assert [left <= 120 for left in limits] == [True]


@pytest.mark.slow
def test_an_inspection_is_persisted_once(module, tmp_path):
    first = module.persist_to_vast_database({}, A)
    again = module.persist_to_vast_database({}, A)
    assert (first["status"], first["inserted"], first["file_id"]) == ("success", True, A.file.file_id)
    assert (again["status"], again["inserted"]) == ("success", False)
    with open_catalog(f"vast://{BUCKET}/{tmp_path.name}") as catalog:
        (row,) = catalog.sql("SELECT * FROM files").to_pylist()
    assert row["inspection_count"] == 2
    assert row["metadata_embedding"] == pytest.approx(module.compute_metadata_embedding(A))
    assert row["channel_fingerprint"] == pytest.approx(module.compute_channel_fingerprint(A))
    assert module.compute_channel_fingerprint(A) != module.compute_channel_fingerprint(B)


def test_without_a_catalog_persistence_is_skipped(unconfigured, monkeypatch):
    """As the handler does, unless a catalog is required."""
    assert unconfigured.persist_to_vast_database({}, A) == {
        "status": "skipped", "file_id": A.file.file_id, "inserted": False,
        "message": "no catalog is configured", "error": None,
    }  # fmt: skip
    monkeypatch.setenv("EXR_INSPECTOR_REQUIRE_CATALOG", "true")
    result = unconfigured.persist_to_vast_database({}, A)
    assert (result["status"], result["category"]) == ("error", "settings")


@pytest.mark.slow
def test_a_file_without_vectors_is_an_error_that_the_catalog_records(module, tmp_path, monkeypatch):
    """As the handler does."""

    def fail(inspection):
        raise EmbeddingError(inspection.file.file_path_normalized, "not finite")

    monkeypatch.setattr(vectors, "embed", fail)
    result = module.persist_to_vast_database({}, A)
    assert (result["status"], result["category"], result["inserted"]) == ("error", "embedding", False)
    with open_catalog(f"vast://{BUCKET}/{tmp_path.name}") as catalog:
        (row,) = catalog.sql("SELECT code, size_bytes FROM ingest_errors").to_pylist()
    assert row == {"code": "embedding", "size_bytes": A.file.size_bytes}


@pytest.mark.slow
def test_an_event_names_its_whole_database_or_nothing(module, emulator, monkeypatch):  # noqa: F811
    """Keys of the environment never go to the endpoint of an event."""
    emulator.reset_requests()
    result = module.persist_to_vast_database({"vastdb_endpoint": emulator.url}, A)
    assert (result["status"], result["retryable"]) == ("error", False)
    assert "vastdb_access_key, vastdb_secret_key" in result["error"]
    assert emulator.requests == []
    monkeypatch.setenv("VAST_DB_ENDPOINT", "http://127.0.0.1:9")
    assert module.persist_to_vast_database(database(emulator.url), B)["status"] == "success"


@pytest.mark.slow
def test_an_event_names_bucket_and_schema(unconfigured, emulator, tmp_path, monkeypatch):  # noqa: F811
    """At the top level or in its data, as for the handler."""
    monkeypatch.setenv("VAST_DB_BUCKET", "missing")
    schema = f"{tmp_path.name}_event"
    fields = database(emulator.url, bucket=BUCKET, schema=schema)
    assert unconfigured.persist_to_vast_database(fields, A)["inserted"]
    assert unconfigured.persist_to_vast_database({"data": fields}, B)["inserted"]
    assert emulator.read_table(BUCKET, schema, "files").num_rows == 2


@pytest.mark.slow
def test_region_and_deadlines_are_those_of_the_settings(module, emulator, monkeypatch):  # noqa: F811
    """For the database of an event, too; the region may be that of the event."""
    monkeypatch.setenv("VAST_DB_REGION", "eu-1")
    monkeypatch.setenv("VAST_DB_REQUEST_TIMEOUT_S", "17")
    monkeypatch.setenv("EXR_INSPECTOR_DEADLINE_S", "90")
    targets, use = [], module._catalogs.use

    def record(target):
        targets.append(target)
        return use(target)

    monkeypatch.setattr(module._catalogs, "use", record)
    for event in ({}, database(emulator.url), database(emulator.url, region="us-2")):
        assert module.persist_to_vast_database(event, A)["status"] == "success"
    connections = [target.connection for target in targets]
    assert [connection.region for connection in connections] == ["eu-1", "eu-1", "us-2"]
    assert {(connection.deadline_s, connection.request_timeout_s) for connection in connections} == {(90, 17)}


@pytest.mark.slow
def test_certificates_are_checked_as_configured(module, emulator, monkeypatch, tmp_path):  # noqa: F811
    """With the file of VAST_DB_VERIFY, for the database of an event."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # with these, requests ignores the setting
        monkeypatch.delenv(name, raising=False)
    with tls_proxy(tmp_path, emulator.url) as endpoint:
        result = module.persist_to_vast_database(database(endpoint), A)
        assert (result["status"], result["category"]) == ("error", "connection")
        monkeypatch.setenv("VAST_DB_VERIFY", str(tmp_path / "cert.pem"))
        assert module.persist_to_vast_database(database(endpoint), A)["status"] == "success"


def test_an_error_is_in_the_result_without_a_secret(module, emulator):  # noqa: F811
    result = module.persist_to_vast_database(database(emulator.url, secret_key="wrong-secret"), A)
    assert (result["status"], result["category"], result["retryable"]) == ("error", "authentication", False)
    assert "wrong-secret" not in str(result)
