"""Each fault of a connection is found, whether it is conclusive, and no key is shown."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from exr_inspector.catalog.schema import TABLES
from exr_inspector.catalog.vast import VastCatalog
from exr_inspector.catalog.vast.tables import ROW_ID
from exr_inspector.doctor import Stage, Status
from exr_inspector.doctor.configuration import masked
from exr_inspector.doctor.network import Endpoint, reachability, s3_endpoint, vast_endpoint
from exr_inspector.settings import S3Access, vast_connection
from tests.catalog.conftest import BUCKET
from tests.support.programs import free_port
from tests.support.s3_server import ACCESS_KEY, SECRET_KEY
from tests.vastdb_emulator import Emulator
from tests.vastdb_emulator.server import _Handler

from .conftest import checks, fill, wrong

KEY = "AKIADATABASE00000001"


@pytest.fixture(scope="module")
def database() -> Iterator[Emulator]:
    with Emulator(access_key=KEY, secret_key="not-a-real-secret", buckets=[BUCKET]) as running:
        yield running


@pytest.fixture
def uri(database, monkeypatch):
    """A catalog that does not exist yet."""
    monkeypatch.setenv("VAST_DB_ENDPOINT", database.url)
    monkeypatch.setenv("VAST_DB_ACCESS_KEY", KEY)
    monkeypatch.setenv("VAST_DB_SECRET_KEY", "not-a-real-secret")
    monkeypatch.setenv("VAST_DB_DEADLINE_S", "10")
    monkeypatch.setenv("VAST_DB_REQUEST_TIMEOUT_S", "2")
    yield f"vast://{BUCKET}/doctor"
    database.clear_faults()


def test_a_new_database_is_ready_for_a_deployment(uri):
    by_name = checks(uri, Stage.BEFORE)
    assert {name for name, check in by_name.items() if check.status is not Status.OK} == {"rights"}
    assert by_name["rights"].status is Status.SKIP
    assert by_name["vast dns"].what == "127.0.0.1 is 127.0.0.1"
    assert by_name["bucket"].what == "is a database bucket, of VAST 5.4.0.0"
    assert by_name["rights"].remedy == f"exr-inspector db verify --catalog {uri}"
    assert by_name["schema"].remedy == f"create it with: exr-inspector db create-schema --catalog {uri}"
    assert set(wrong(uri, Stage.AFTER)) == {"schema"}


def test_a_snapshot_that_is_missing_or_has_no_tables(uri, database):
    """Neither can be created, so that is not advised."""
    check = wrong(f"{uri}?snapshot=none", Stage.BEFORE)["catalog"]
    assert f"no snapshot none of the bucket {BUCKET}" in check.what
    assert check.remedy == "check both names"
    database.take_snapshot(BUCKET, "early")
    check = wrong(f"{uri}?snapshot=early", Stage.BEFORE)["schema"]
    assert "has no catalog tables" in check.what
    assert check.remedy == "give a later snapshot, or check the name of the schema"


@pytest.mark.slow
def test_rows_of_a_vast_catalog_are_checked_by_the_same_queries(uri):
    uri = f"{uri}_rows"
    fill(uri)
    assert wrong(uri, deep=True) == {}
    with VastCatalog(uri, connection=vast_connection()) as catalog, catalog.tables.transaction() as rows:
        files = rows.select("files", ["file_id", "file_path_normalized", "is_current"], row_ids=True)
        paths = files["file_path_normalized"]
        first, second = (files.filter(pc.ends_with(paths, name)) for name in ("1001.exr", "1002.exr"))
        rows.delete("files", first[ROW_ID])
        channels, parts = (rows.select(table, TABLES[table].names, row_ids=True) for table in ("channels", "parts"))
        of_second = pc.equal(channels["file_id"], second["file_id"][0])
        rows.delete("channels", channels.filter(of_second)[ROW_ID].slice(0, 1))
        rows.insert("parts", parts.filter(pc.equal(parts["file_id"], second["file_id"][0])))
        older = files.filter(pc.invert(files["is_current"])).select([ROW_ID])
        rows.update("files", older.append_column(TABLES["files"].field("is_current"), pa.array([True])))
    found = wrong(uri)
    assert set(found) == {"orphans", "channel counts", "part counts", "duplicates", "current versions"}
    assert "keys with several rows: 1, such as parts: " in found["duplicates"].what
    assert "such as s3://renders/b.exr" in found["current versions"].what
    assert all("such as s3://renders/a.1002.exr" in found[name].what for name in ("channel counts", "part counts"))


FAULTS = {
    "wrong name": ({"VAST_DB_ENDPOINT": "http://no-such-host.invalid"}, "vast dns", "has no address", False),
    "refused port": ({"VAST_DB_ENDPOINT": "http://127.0.0.1:{port}"}, "vast tcp", "Connection refused", False),
    "wrong secret key": ({"VAST_DB_SECRET_KEY": "another-secret-0000000000"}, "catalog", "403", True),
    "wrong access key": ({"VAST_DB_ACCESS_KEY": "AKIAWRONG00000000000"}, "catalog", "403", True),
    "no keys": ({"VAST_DB_ACCESS_KEY": ""}, "vast keys", "missing: VAST_DB_ACCESS_KEY", True),
    "password in the endpoint": ({"VAST_DB_ENDPOINT": "http://me:bearer-hidden@127.0.0.1"}, "catalog", "URL", True),
    "port out of range": ({"VAST_DB_ENDPOINT": "http://127.0.0.1:99999"}, "vast dns", "out of range", True),
    "invalid setting": ({"VAST_DB_DEADLINE_S": "soon"}, "vast keys", "VAST_DB_DEADLINE_S", True),
    "half a pair of S3 keys": ({"S3_ACCESS_KEY": ACCESS_KEY}, "s3 keys", "belong together", True),
    "half a pair of AWS keys": ({"AWS_SECRET_ACCESS_KEY": SECRET_KEY}, "s3 keys", "belong together", True),
    "refused store": ({"S3_ENDPOINT": "http://127.0.0.1:{port}"}, "s3 tcp", "Connection refused", False),
    "not a store": ({"S3_ENDPOINT": "http://127.0.0.1:{silent}"}, "s3 http", "does not respond", False),
    "not TLS": ({"S3_ENDPOINT": "https://127.0.0.1:{vast}"}, "s3 tls", "does not speak TLS", True),
    "missing certificates": (
        {"S3_ENDPOINT": "https://127.0.0.1:{vast}", "S3_VERIFY": "missing.pem"},
        "s3 tls",
        "missing.pem is not usable: No such file",
        True,
    ),
}


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_connection_is_found(uri, database, monkeypatch, fault):
    variables, name, what, is_conclusive = FAULTS[fault]
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        ports = {"port": free_port(), "silent": silent.getsockname()[1], "vast": database.url.rpartition(":")[2]}
        monkeypatch.setenv("S3_REQUEST_TIMEOUT_S", "0.2")
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value.format(**ports))
        found = wrong(uri, Stage.BEFORE)
    assert what in found[name].what
    assert found[name].remedy
    assert {check.status for check in found.values()} == {Status.FAIL}
    assert all(check.is_conclusive for check in found.values()) is is_conclusive
    shown = repr(checks(uri, Stage.BEFORE) if "silent" not in str(variables) else found)
    for secret in ("not-a-real-secret", "another-secret", "bearer-hidden", SECRET_KEY, KEY[:5], ACCESS_KEY[:5]):
        assert secret not in shown


def test_a_bucket_for_objects_is_no_database_bucket(uri, database):
    database.fail(400, method="GET", command="schema", path=f"/{BUCKET}", times=0)
    found = wrong(uri)
    assert found["catalog"].what == f"the bucket {BUCKET} exists, and is not a database bucket"
    assert found["catalog"].is_conclusive


def test_a_missing_bucket(uri):
    found = wrong(uri.replace(BUCKET, "nothing"))
    assert "no bucket nothing" in found["catalog"].what


@pytest.mark.slow
def test_a_store_is_no_vast_database(uri, store, monkeypatch):
    monkeypatch.setenv("VAST_DB_ENDPOINT", store.url)
    found = wrong(uri)
    assert "not a VAST Database" in found["catalog"].what


@pytest.mark.parametrize(
    ("date", "status", "what"),
    [
        ("Thu, 01 Jan 2026 00:00:00 GMT", Status.FAIL, "the server's clock differs from this one by"),
        ("yesterday", Status.OK, "the server does not send its time"),
        ("Thu, 01 Jan 99999999999 00:00:00 GMT", Status.OK, "the server does not send its time"),
    ],
)
def test_another_time_of_the_server(uri, monkeypatch, date, status, what):
    monkeypatch.setattr(_Handler, "date_time_string", lambda *_: date)
    by_name = checks(uri, Stage.BEFORE)
    assert by_name["vast clock"].status is status
    assert what in by_name["vast clock"].what
    assert by_name["schema"].status is Status.OK  # the checks after it go on


@pytest.mark.slow
def test_a_store_with_keys(uri, store, monkeypatch):
    monkeypatch.setenv("S3_ENDPOINT", store.url)
    monkeypatch.setenv("S3_ACCESS_KEY", ACCESS_KEY)
    monkeypatch.setenv("S3_SECRET_KEY", SECRET_KEY)
    by_name = checks(uri, Stage.BEFORE)
    assert wrong(uri, Stage.BEFORE) == {}
    keys = f"endpoint {store.url}, access key AKIA…(20), secret key set (environment, S3_…)"
    assert by_name["s3 keys"].what == keys
    assert "access key AKIA…(20), secret key set, deadline s 10.0" in by_name["vast keys"].what
    assert [name for name in by_name if name.startswith("s3 ")] == ["s3 keys", "s3 dns", "s3 tcp", "s3 clock"]
    assert {(request.method, request.headers.get("authorization")) for request in store.requests} == {("HEAD", None)}


def test_the_certificates_of_the_sdk(uri, monkeypatch):
    """Its HTTP client prefers those of a variable to those of the system."""
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "studio.pem")
    assert vast_endpoint(vast_connection()).verify == "studio.pem"
    monkeypatch.setenv("VAST_DB_VERIFY", "false")
    assert vast_endpoint(vast_connection()).verify is False


def test_short_keys_are_not_shown():
    assert [masked(key) for key in ("", "key", "AKIA56789012345", "AKIA567890123456")] == [
        "…(0)", "…(3)", "…(15)", "AKIA…(16)"
    ]  # fmt: skip


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """A server with a self-signed certificate for localhost that expires in two days."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-addext", "basicConstraints=critical,CA:FALSE"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(403)
            self.end_headers()

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_):
            """Clients that do not trust the certificate end the connection."""

    with Server(("127.0.0.1", 0), Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, folder / "cert.pem"
        server.shutdown()


@pytest.mark.parametrize(
    ("host", "verify", "last", "status", "what"),
    [
        ("localhost", True, "tls", Status.FAIL, "is not trusted: self-signed certificate"),
        ("127.0.0.1", "file", "tls", Status.FAIL, "is not trusted: IP address mismatch"),
        ("localhost", "file", "clock", Status.WARN, "the certificate is trusted and valid for 1 days"),
        ("localhost", False, "clock", Status.WARN, "the certificate is not verified: S3_VERIFY is false"),
    ],
)
def test_certificates(certified, host, verify, last, status, what):
    port, file = certified
    endpoint = Endpoint(
        name="s3",
        url=f"https://{host}:{port}",
        verify=str(file) if verify == "file" else verify,
        timeout_s=5,
        variables="S3_",
    )
    found = list(reachability(endpoint))
    assert found[-1].name == f"s3 {last}"
    (tls,) = (check for check in found if check.name == "s3 tls")
    assert (tls.status, tls.is_conclusive, bool(tls.remedy)) == (status, True, True)
    assert what in tls.what


def test_a_proxy_is_not_passed_by(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://me:bearer-hidden@127.0.0.1:9")
    access = S3Access(endpoint="https://store.example")
    (check,) = reachability(s3_endpoint(access))
    assert (check.status, "through a proxy" in check.what) == (Status.WARN, True)
    assert "bearer-hidden" not in repr(check)
