"""Objects of an S3 store: number of requests, objects that change while they are read, errors, listings."""

from __future__ import annotations

import dataclasses
import http.server
import json
import os
import pickle
import re
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from datetime import timedelta

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from exr_inspector import inspect, open_catalog, settings
from exr_inspector.cli.main import main
from exr_inspector.deadline import time_limit
from exr_inspector.errors import (
    ExrFormatError,
    NoMatchError,
    SettingsError,
    SourceChangedError,
    SourceConnectionError,
    SourceDeniedError,
    SourceError,
    SourceNotFoundError,
    SourceStoreError,
)
from exr_inspector.ingestion.run import IngestOptions, ingest
from exr_inspector.settings import S3Access, SecretStr, s3_access
from exr_inspector.sources import s3
from exr_inspector.sources.listing import list_files
from exr_inspector.sources.memory import MemorySource
from exr_inspector.sources.s3 import FIRST_RANGE_BYTES, ObjectSource, list_objects
from exr_inspector.sources.selection import select
from exr_inspector.sources.uris import object_uri
from tests.support import corpus, strategies
from tests.support import exr_writer as w
from tests.support.s3_server import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server, answer, blackhole, stall_in_body, status
from tests.support.strategies import examples

PICTURE = w.build(w.part(width=400, height=200)).data
TINY = w.build(w.part()).data
OTHER = w.build(w.part(width=400, height=200, extra=[w.text("owner", "another")])).data
# The last chunk of each is beyond the first request.
LARGE_KINDS = {
    "uncompressed": w.part(width=400, height=200),
    "compressed": w.part(width=400, height=200, compression=3, pixels=b"\1" * 9000),
    "decreasing": w.part(width=400, height=200, compression=3, line_order=1, pixels=b"\1" * 9000),
    "tiles": w.part(width=400, height=200, tiles=w.Tiles(32, 32)),
    "mipmap": w.part(
        width=400,
        height=200,
        tiles=w.Tiles(32, 32, w.MIPMAP_LEVELS),
        compression=2,
        pixels=lambda size: b"\1" * min(size, 2000),
    ),
    "deep": w.part(width=400, height=200, deep=True),
    "deep tiles": w.part(width=400, height=200, deep=True, tiles=w.Tiles(32, 32)),
    "parts": [
        w.part(name="a", width=400, height=200),
        w.part(name="b", width=400, height=100, deep=True, tiles=w.Tiles(32, 32)),
    ],
}
# A header of half a megabyte, as with a Cryptomatte manifest.
LONG = w.build(w.part(height=2160, extra=[w.text("cryptomatte/0/manifest", "m" * 500_000)])).data


@pytest.fixture
def environment(store, monkeypatch):
    for name, value in (("ENDPOINT", store.url), ("ACCESS_KEY", ACCESS_KEY), ("SECRET_KEY", SECRET_KEY)):
        monkeypatch.setenv(f"S3_{name}", value)


def with_short_timeout(store: S3Server) -> S3Access:
    return dataclasses.replace(store.access, request_timeout_s=0.3)


def test_one_request_for_a_small_file(store, tmp_path):
    """It also returns size, time and etag; apart from the path, an object gives the same inspection as a local file."""
    uri = store.put("shots/a.1001.exr", TINY)
    inspection = inspect(uri, s3=store.access)
    assert [(r.method, r.range) for r in store.requests] == [("GET", "bytes=0-65535")]
    facts = store.client.head_object(Bucket=BUCKET, Key="shots/a.1001.exr")
    assert (inspection.file.size_bytes, inspection.file.mtime) == (len(TINY), facts["LastModified"])
    assert inspection.file.etag == facts["ETag"].strip('"')
    assert inspection.file.file_path_normalized == uri
    assert inspection.completeness == "complete"
    local = tmp_path / "a.1001.exr"
    local.write_bytes(TINY)
    assert inspect(local).parts == inspection.parts


@pytest.mark.slow
@pytest.mark.parametrize("kind", LARGE_KINDS)
def test_one_more_request_for_the_last_chunk_of_a_larger_file(store, kind):
    """For its leader and first bytes, with the etag; so that even one missing byte is detected, as in a local file."""
    written = w.build(LARGE_KINDS[kind])
    _, begin, size = max(written.chunks, key=lambda chunk: chunk[1])
    assert begin > FIRST_RANGE_BYTES
    inspection = inspect(store.put("a.exr", written.data), s3=store.access)
    first, leader = store.requests
    assert (inspection.completeness, first.range) == ("complete", f"bytes=0-{FIRST_RANGE_BYTES - 1}")
    start, end = map(int, leader.range.removeprefix("bytes=").split("-"))
    assert (start, end - start < 44 + 8) == (begin, True)
    assert leader.headers["if-match"].strip('"') == inspection.file.etag
    for cut in (1, size // 2, size - (end - start), size - 1, size):
        data = written.data[:-cut]
        store.requests.clear()
        remote, local = inspect(store.put("a.exr", data), s3=store.access), inspect(data)
        assert (remote.completeness, remote.file.chunks_present) == ("truncated", local.file.chunks_present)
        assert [part.missing for part in remote.parts] == [part.missing for part in local.parts]
        assert len(store.requests) <= 2


@pytest.mark.slow
def test_more_leaders_of_an_object_on_request(store):
    """A request for each, unless chunks are small enough to be read together."""
    uri = store.put("a.exr", w.build(w.part(width=3000, height=40)).data)
    numbers = {}
    for chunks in ("table", "sample", "all"):
        store.requests.clear()
        inspection = inspect(uri, chunks=chunks, s3=store.access)
        assert inspection.completeness == "complete"
        numbers[chunks] = inspection.file.chunks_checked, len(store.requests)
    assert numbers["table"] == (1, 2)
    assert (numbers["sample"][0], numbers["sample"][1] <= 18) == (17, True)
    assert (numbers["all"][0], numbers["all"][1] <= 41) == (40, True)


@pytest.mark.slow
@given(data=st.data())
@examples(40)
def test_no_cut_object_is_complete(s3_server, data):
    """For any valid file and any cut, the result is that of the same bytes in memory."""
    # Without zeros, which would look like a chunk that was never written.
    pixels = st.lists(st.integers(1, 255), min_size=1, max_size=300).map(bytes)
    whole = data.draw(strategies.files(pixels)).data
    last_bytes = st.integers(1, 400).map(lambda missing: max(len(whole) - missing, 1))
    with pytest.MonkeyPatch.context() as patch:  # small files also have chunks beyond the first request
        patch.setattr(s3, "FIRST_RANGE_BYTES", data.draw(st.sampled_from([256, 1024, 4096])))
        assert _completeness_of_object(s3_server, whole)[0] == "complete"
        for size in {data.draw(last_bytes), data.draw(st.integers(1, len(whole) - 1))}:
            result = _completeness_of_object(s3_server, whole[:size])
            assert result == _completeness(whole[:size])
            assert result[0] != "complete"


def _completeness_of_object(server: S3Server, data: bytes) -> tuple[object, ...]:
    return _completeness(server.put("a.exr", data), server.access)


def _completeness(source: str | bytes, access: S3Access | None = None) -> tuple[object, ...]:
    """The completeness of a file with its chunks, or the error of its header."""
    try:
        inspection = inspect(source, s3=access)
    except ExrFormatError as error:
        return error.code, error.offset
    return inspection.completeness, [(part.chunks_present, part.missing) for part in inspection.parts]


def test_a_long_manifest_costs_three_requests_at_most(store):
    """Header and offset table of a file with a 500 KB manifest."""
    inspection = inspect(store.put("a.exr", LONG), s3=store.access)
    assert len(store.requests) <= 3
    assert (inspection.completeness, inspection.file.header_bytes > 500_000) == ("complete", True)
    assert inspection.file.chunk_count == 2160


@pytest.mark.slow
@corpus.need_corpus
def test_real_files_cost_two_requests_and_give_what_local_files_give(store):
    """For every tenth file of the corpus."""
    files = corpus.VALID_FILES[::10]
    for path in files:
        local = inspect(path)
        store.requests.clear()
        remote = inspect(store.put(corpus.name_of(path), path.read_bytes()), s3=store.access)
        assert [part.attributes for part in remote.parts] == [part.attributes for part in local.parts]
        assert (remote.completeness, remote.file.chunks_present) == (local.completeness, local.file.chunks_present)
        needed = local.file.header_bytes + 8 * (local.file.chunk_count or 0)
        last_leader = local.file.size_bytes > FIRST_RANGE_BYTES
        assert len(store.requests) <= (1 if needed <= FIRST_RANGE_BYTES else 3) + last_leader, path


@pytest.mark.fast_cases(4)
@pytest.mark.parametrize(
    "key",
    [
     "a b.exr", "a+b.exr", "a%20b.exr", "50%.exr", "q?x#&=.exr", "ä.exr", "a\u0308.exr", "漢/字.exr",
     "x" * 1020 + ".exr", "a[1]{2}|^`<>\\'\"(~!*;:@$,.exr", "🎬.exr", " a .exr"],
    ids=str.encode,
)  # fmt: skip
def test_keys_are_not_changed(store, key):
    """With any characters, the object that is stored under the key is read."""
    uri = store.put(key, PICTURE)
    inspection = inspect(uri, s3=store.access)
    assert inspection.file.file_path == uri
    assert [uri for uri, _ in list_objects(f"s3://{BUCKET}", access=store.access)] == [uri]


@pytest.mark.parametrize(
    "uri",
    ["s3://", "s3:///key", "s3://bucket", "s3://bucket/", "s3://bucket/a//b", "s3://bucket/../b", "s3://bucket/\n",
     "s3://b\nc/key", "s3://bucket/" + "x" * 1025, "s3://bucket/\udc80"],
    ids=ascii,
)  # fmt: skip
def test_an_invalid_key_is_rejected_without_a_request(store, uri):
    """The message contains the URI."""
    with pytest.raises(SourceError, match="s3:"):
        inspect(uri, s3=store.access)
    assert store.requests == []


def test_an_empty_object_takes_two_requests(store):
    """Every range of an empty object is invalid; its size takes a second request."""
    source = ObjectSource(store.put("a.exr", b""), store.access)
    assert (source.size_bytes, source.requests) == (0, 2)


def test_an_object_that_is_replaced_while_it_is_read_is_read_again(store):
    """Bytes of two versions are never mixed."""
    uri = store.put("a.exr", LONG)
    newer = w.build(w.part(height=2160, extra=[w.text("owner", "o" * 500_000)])).data

    def replace(request):
        if request.range != "bytes=0-65535":
            store.before = None
            store.put("a.exr", newer)

    store.before = replace
    inspection = inspect(uri, s3=store.access)
    assert [a.attr_name for a in inspection.parts[0].attributes if a.size_bytes == 500_000] == ["owner"]
    assert inspection.file.size_bytes == len(newer)


@pytest.mark.slow
@pytest.mark.parametrize("becomes", [LONG[:-1], LONG[:100_000], PICTURE, None], ids=["shorter", "cut", "small", "gone"])
def test_an_object_that_keeps_changing_is_an_error(store, becomes):
    """After three attempts; a later retry can succeed."""
    uri = store.put("a.exr", LONG)
    served = []

    def replace(request):
        if request.range == "bytes=0-65535":
            store.put("a.exr", LONG + bytes(len(served)))
            served.append(request)
        elif becomes is None:
            store.delete("a.exr")
        else:
            store.put("a.exr", becomes)

    store.before = replace
    with pytest.raises(SourceChangedError) as raised:
        inspect(uri, s3=store.access)
    assert (raised.value.retryable, len(served)) == (True, 3)


@pytest.mark.parametrize(
    ("fault", "kind", "category", "requests"),
    [
        (status(500), SourceConnectionError, "connection", 4),
        (status(503, "SlowDown"), SourceConnectionError, "connection", 4),
        (status(429), SourceConnectionError, "connection", 4),
        (blackhole(1), SourceConnectionError, "connection", 4),
        (stall_in_body(1), SourceConnectionError, "connection", 4),
        (status(403, "AccessDenied"), SourceDeniedError, "authentication", 1),
        (status(403, "InvalidAccessKeyId"), SourceDeniedError, "authentication", 1),
        (status(400, "ExpiredToken"), SourceDeniedError, "authentication", 1),
        (status(404, "NoSuchKey"), SourceNotFoundError, "file_not_found", 1),
        (status(404, "NoSuchBucket"), SourceNotFoundError, "file_not_found", 1),
        (status(400, "InvalidArgument"), SourceError, "source", 1),
        (status(301, "PermanentRedirect"), SourceError, "source", 1),
        (status(200), SourceError, "source", 1),
        (status(416, "InvalidRange"), SourceError, "source", 2),
    ],
)
@pytest.mark.slow
def test_every_error_has_its_class(store, fault, kind, category, requests):
    """Transient errors are retried three times, others not; messages contain nothing of the response."""
    uri = store.put("a.exr", PICTURE)
    store.fault = fault
    with pytest.raises(kind) as raised:
        inspect(uri, s3=with_short_timeout(store))
    assert (raised.value.category, raised.value.retryable) == (category, kind is SourceConnectionError)
    assert len(store.requests) == requests
    assert SECRET_KEY not in "".join(traceback.format_exception(raised.value)) + repr(raised.value.__context__)
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


@pytest.mark.slow
def test_a_response_that_breaks_off_is_retried(store):
    uri = store.put("a.exr", TINY)
    store.cut_bodies = 1
    assert inspect(uri, s3=store.access).completeness == "complete"
    assert len(store.requests) == 2
    store.cut_bodies = 9
    with pytest.raises(SourceConnectionError, match="broke off"):
        inspect(uri, s3=store.access)


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://no-such-host.invalid"])
def test_a_store_that_cannot_be_reached_is_named(endpoint):
    """The message contains the endpoint, and no keys."""
    with pytest.raises(SourceConnectionError, match=f"{endpoint} cannot be reached"):
        inspect("s3://b/a.exr", s3=S3Access(endpoint=endpoint))


@pytest.mark.parametrize("fault", [blackhole(3), stall_in_body(3), status(503)])
def test_all_attempts_end_within_the_time_limit(store, fault):
    """No request starts that could exceed it."""
    uri = store.put("a.exr", PICTURE)
    store.fault = fault
    began = time.monotonic()
    with time_limit(1.0), pytest.raises(SourceConnectionError):
        inspect(uri, s3=with_short_timeout(store))
    assert time.monotonic() - began < 1.8  # all four attempts would take at least 1.85 s
    with time_limit(0.2), pytest.raises(SourceConnectionError, match="no time left"):
        inspect(uri, s3=with_short_timeout(store))


def test_given_keys_are_not_mixed_with_the_aws_variables(store, monkeypatch):
    """Requests with given keys, or without keys, contain nothing of the AWS variables."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "aws-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "aws-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "aws-token")
    store.client.put_object(Bucket=BUCKET, Key="a.exr", Body=TINY, ACL="public-read")
    inspect(f"s3://{BUCKET}/a.exr", s3=store.access)
    inspect(f"s3://{BUCKET}/a.exr", s3=S3Access(endpoint=store.url))
    signed, unsigned = (request.headers for request in store.requests)
    assert f"Credential={ACCESS_KEY}/" in signed["authorization"]
    assert "authorization" not in unsigned
    assert "x-amz-security-token" not in {**signed, **unsigned}
    token = dataclasses.replace(store.access, session_token=SecretStr("given-token"))
    inspect(f"s3://{BUCKET}/a.exr", s3=token)
    assert store.requests[-1].headers["x-amz-security-token"] == "given-token"


def test_the_s3_and_aws_variables_are_not_mixed(monkeypatch):
    """The S3_ variables are used if any of endpoint and keys is set, otherwise the AWS_ variables."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "aws-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "aws-secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://aws.example")
    found = s3_access()
    assert (found.endpoint, found.access_key.get_secret_value()) == ("https://aws.example", "aws-key")
    monkeypatch.setenv("S3_ENDPOINT", "http://store.example:9000")
    found = s3_access()
    assert (found.endpoint, found.access_key.get_secret_value()) == ("http://store.example:9000", "")
    monkeypatch.setenv("S3_ACCESS_KEY", "key-that-is-secret")
    with pytest.raises(SettingsError, match="belong together") as raised:
        s3_access()
    assert "key-that-is-secret" not in str(raised.value)
    monkeypatch.setenv("S3_SECRET_KEY", "hidden")
    assert "hidden" not in repr(s3_access())
    for endpoint in ("store.example", "ftp://store", "https://user:word@store", "https://"):
        monkeypatch.setenv("S3_ENDPOINT", endpoint)
        with pytest.raises(SettingsError, match=r"https://store\.example:9000") as raised:
            s3_access()
        assert "word" not in str(raised.value).replace("password", "")


@pytest.mark.slow
def test_certificates_are_verified_by_default(tmp_path):
    """A self-signed certificate is accepted with its CA certificate file, or without verification."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "key.pem", "-out",
         "cert.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-addext", "basicConstraints=critical,CA:FALSE"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(206)
            headers = {"Content-Length": len(TINY), "Content-Range": f"bytes 0-{len(TINY) - 1}/{len(TINY)}"}
            for name, value in (headers | {"ETag": '"e"', "Last-Modified": "Wed, 25 Nov 2026 10:00:00 GMT"}).items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(TINY)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"https://localhost:{server.server_port}"
        for verify in (False, str(tmp_path / "cert.pem")):
            assert inspect("s3://b/a.exr", s3=S3Access(endpoint=endpoint, verify=verify)).completeness == "complete"
        with pytest.raises(SourceConnectionError, match=r"certificate .* is not trusted .* S3_VERIFY"):
            inspect("s3://b/a.exr", s3=S3Access(endpoint=endpoint))
        with pytest.raises(SettingsError, match="S3_VERIFY"):
            inspect("s3://b/a.exr", s3=S3Access(endpoint=endpoint, verify="missing.pem"))
        server.shutdown()


@pytest.mark.slow
def test_objects_are_selected_by_patterns_and_names(store):
    keys = ["show/a.1001.exr", "show/a.1002.exr", "show/.snapshot/a.1001.exr", "show/x/a.1001.exr", "show/x/._a.exr"]
    for key in keys:
        store.put(key, TINY)

    def listed(path, **options):
        return [item.uri.removeprefix(f"s3://{BUCKET}/") for item in list_files([path], s3=store.access, **options)]

    folder = f"s3://{BUCKET}/show"
    assert listed(folder) == ["show/a.1001.exr", "show/a.1002.exr", "show/x/a.1001.exr"]
    assert listed(folder, selection=select(["a.*1.exr"])) == ["show/a.1002.exr"]
    assert listed(f"{folder}/a.####.exr") == keys[:2]
    assert listed(f"{folder}/*/a.%04d.exr") == ["show/x/a.1001.exr"]
    assert listed(f"{folder}/.*/a.%04d.exr") == ["show/.snapshot/a.1001.exr"]
    assert listed(f"{folder}/**") == listed(f"{folder}/*") == listed(folder)
    assert listed(f"s3://{BUCKET}/**/x") == ["show/x/a.1001.exr"]
    assert listed(f"s3://{BUCKET}/*/a.1002.exr") == ["show/a.1002.exr"]
    (error,) = list_files([f"{folder}/b.####.exr"], s3=store.access)
    assert isinstance(error, NoMatchError)


@pytest.mark.slow
def test_prefixes_whose_names_look_like_patterns_are_those_prefixes(store):
    for folder in ("renders@2x", "shot#1", "cam%d", "v[1]"):
        store.put(f"{folder}/a.1.exr", TINY)
        (item,) = list_files([f"s3://{BUCKET}/{folder}"], s3=store.access)
        assert item.uri == f"s3://{BUCKET}/{folder}/a.1.exr"


def test_an_object_that_several_paths_name_is_listed_once(store):
    """Also one that its prefix leaves out."""
    for key in ("p/a.exr", "p/tmp_a.exr"):
        store.put(key, TINY)
    uri = f"s3://{BUCKET}/p"
    for paths in ([f"{uri}/*.exr", f"{uri}/a.exr", f"{uri}/t*.exr", uri], [uri, f"{uri}/tmp_a.exr"]):
        items = list_files(paths, s3=store.access, selection=select(["tmp_*"] if len(paths) == 2 else []))
        assert sorted(item.uri for item in items) == [f"{uri}/a.exr", f"{uri}/tmp_a.exr"]


@pytest.mark.parametrize(
    "paths",
    [
        ["p", "*/a.exr"],
        ["*/a.exr", "p"],
        ["p/", "*"],
        ["p", "p/", "p/q", "p/a.exr"],
        ["p/q", "p/a.exr", "p"],
        ["p/*.exr", "p/**/*.exr", "p/a.exr", "p/q"],
    ],
)
def test_overlapping_paths_list_each_object_once(store, paths):
    for key in ("p/a.exr", "p/q/a.exr"):
        store.put(key, TINY)
    items = list_files([f"s3://{BUCKET}/{path}" for path in paths], s3=store.access)
    assert sorted(item.uri for item in items) == [f"s3://{BUCKET}/p/a.exr", f"s3://{BUCKET}/p/q/a.exr"]


@pytest.mark.fast_cases(3)
@pytest.mark.parametrize(
    ("paths", "listed"),
    [
        (["a.exr", "a.exr/b.exr"], ["a.exr", "a.exr/b.exr"]),
        (["a.exr/b.exr", "a.exr"], ["a.exr", "a.exr/b.exr"]),
        (["a.exr", "a*/b.exr"], ["a.exr", "a.exr/b.exr"]),
        (["a*.exr", "a*.exr/b.exr"], ["a.exr", "a.exr/b.exr"]),
        (["a.exr", "a.exr/"], ["a.exr", "a.exr/b.exr", "a.exr/q/c.exr"]),
        (["a.exr/", "a.exr/b.exr", "a.exr"], ["a.exr", "a.exr/b.exr", "a.exr/q/c.exr"]),
        (["x.exr/q", "x.exr", "x.exr/b.exr"], ["x.exr/b.exr", "x.exr/q/c.exr"]),
    ],
)
def test_below_the_name_of_an_object_others_are_listed(store, paths, listed):
    """A key may continue another one; below `n/x.exr/` the same keys are in a prefix that is no object."""
    for key in ("n/a.exr", *(f"n/{folder}.exr/{key}" for folder in "ax" for key in ("b.exr", "q/c.exr"))):
        store.put(key, TINY)
    items = list_files([f"s3://{BUCKET}/n/{path}" for path in paths], s3=store.access)
    assert sorted(item.uri for item in items) == [f"s3://{BUCKET}/n/{path}" for path in listed]


def test_a_prefix_inside_another_one_is_listed_if_that_is_not_recursive(store):
    for key in ("p/a.exr", "p/q/b.exr"):
        store.put(key, TINY)
    for paths in (["p", "p/q", "p/a.exr"], ["p/a.exr", "p/q", "p"]):
        items = list_files([f"s3://{BUCKET}/{path}" for path in paths], s3=store.access, recursive=False)
        assert sorted(item.uri for item in items) == [f"s3://{BUCKET}/p/a.exr", f"s3://{BUCKET}/p/q/b.exr"]


def test_an_object_whose_uri_is_encoded_is_listed_once(store):
    uri = store.put("p/a%41.exr", TINY)
    assert uri.endswith("/a%2541.exr")
    for paths in ([uri, f"s3://{BUCKET}/p/*.exr"], [f"s3://{BUCKET}/p/a%41.exr", uri, f"s3://{BUCKET}/p"]):
        assert [item.uri for item in list_files(paths, s3=store.access)] == [uri]


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["a%41*", "sub%2f", "sub%2f/*"])
def test_an_excluded_object_whose_uri_is_encoded_does_not_vanish(store, tmp_path, pattern):
    """Patterns are compared with names, as in the listing."""
    for key in ("show/a%41.exr", "show/sub%2f/b.exr", "show/c.exr"):
        store.put(key, PICTURE)
    with open_catalog(f"duckdb:{tmp_path}/c.duckdb") as catalog:
        for exclude in ((), (pattern,)):
            options = IngestOptions(workers=1, s3=store.access, prune=True, selection=select(exclude))
            summary = ingest([f"s3://{BUCKET}/show"], catalog, options)
            assert (summary.listed, summary.vanished) == (3 - len(exclude), [])


@pytest.mark.slow
def test_excluded_objects_do_not_vanish(store, tmp_path):
    for key in ("show/a.exr", "show/sub/b.exr"):
        store.put(key, PICTURE)
    with open_catalog(f"duckdb:{tmp_path}/c.duckdb") as catalog:
        for exclude, listed in (((), 2), (("sub",), 1)):
            options = IngestOptions(s3=store.access, prune=True, selection=select(exclude))
            summary = ingest([f"s3://{BUCKET}/show"], catalog, options)
            assert (summary.listed, summary.vanished) == (listed, [])


@pytest.mark.slow
def test_a_listing_continues_after_the_last_page_it_received(store, monkeypatch):
    """Each object is listed once, in the order of keys, although the store fails between pages."""
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "50")
    keys = [f"many/{number:05}.exr" for number in range(120)]
    for key in keys:
        store.put(key, b"")
    failed = []

    def fail_first(request, start_response):
        if request.path not in failed:
            failed.append(request.path)
            return status(503)(request, start_response)
        return None

    store.fault = fail_first
    listed = [uri for uri, _ in list_objects(f"s3://{BUCKET}/many", access=store.access)]
    assert listed == [object_uri(BUCKET, key) for key in keys]
    assert len(failed) >= 3


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
def test_objects_are_inspected_like_files(store, capfdbinary, tmp_path, monkeypatch):
    """One by its URI, several by a prefix that is treated as a folder; no temporary file is written."""
    store.put("show/a.exr", PICTURE)
    store.put("show/b.EXR", OTHER)
    store.put("show/below/c.exr", PICTURE)
    store.put("show/notes.txt", b"text")
    store.put("showy/d.exr", PICTURE)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert main(["inspect", f"s3://{BUCKET}/show/a.exr", "--json"]) == 0
    assert json.loads(capfdbinary.readouterr().out)["file"]["file_path"] == f"s3://{BUCKET}/show/a.exr"
    assert main(["inspect", f"s3://{BUCKET}/show", "--json"]) == 0
    shown = json.loads(capfdbinary.readouterr().out)
    assert [inspection["file"]["file_path"] for inspection in shown] == [
        f"s3://{BUCKET}/show/{n}" for n in ("a.exr", "b.EXR")
    ]
    assert main(["inspect", "-r", f"s3://{BUCKET}/show/", f"s3://{BUCKET}/show/below/c.exr", "--jsonl"]) == 0
    assert capfdbinary.readouterr().out.count(b"\n") == 3
    assert main(["inspect", f"s3://{BUCKET}/show/missing.exr"]) == 3
    assert b"no object has this name" in capfdbinary.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
def test_objects_are_ingested_like_files(store, tmp_path):
    """Unchanged objects take no request but the listing; vanished and invalid ones are reported."""
    for number in range(1001, 1021):
        store.put(f"show/a.{number}.exr", PICTURE)
    store.put("show/broken.exr", PICTURE[:100])
    uri = f"s3://{BUCKET}/show"
    with open_catalog(f"duckdb:{tmp_path}/c.duckdb") as catalog:
        summary = ingest([uri], catalog)
        assert (summary.inserted, len(summary.failures)) == (20, 1)
        store.requests.clear()
        summary = ingest([uri], catalog)
        assert (summary.unchanged, len(summary.failures), len(store.requests)) == (20, 1, 1)
        store.delete("show/a.1007.exr")
        store.put("show/a.1008.exr", OTHER)
        summary = ingest([uri], catalog, IngestOptions(prune=True))
        assert (summary.replaced, summary.vanished, summary.pruned) == (1, [f"{uri}/a.1007.exr"], 1)


@pytest.mark.slow
def test_an_object_that_is_replaced_within_a_second_is_inspected_again(store, tmp_path):
    """Size and time of the listing are the same."""
    other = PICTURE[:-1] + bytes([PICTURE[-1] ^ 1])
    uri = store.put("a.exr", PICTURE)
    with open_catalog(f"duckdb:{tmp_path}/c.duckdb") as catalog:
        for content in (PICTURE, other, PICTURE):
            store.put("a.exr", content)
            assert ingest([uri], catalog, IngestOptions(s3=store.access)).unchanged == 0
        assert ingest([uri], catalog, IngestOptions(s3=store.access)).unchanged == 1


@pytest.mark.slow
def test_ingest_passes_the_given_store_to_listing_and_inspection(store, tmp_path):
    """No setting of the environment is needed."""
    for number in range(1001, 1006):
        store.put(f"show/a.{number}.exr", PICTURE)
    with open_catalog(f"duckdb:{tmp_path}/c.duckdb") as catalog:
        summary = ingest([f"s3://{BUCKET}/show"], catalog, IngestOptions(s3=store.access))
    assert (summary.inserted, summary.failures) == (5, [])
    listed = list(list_files([f"S3://{BUCKET}/show", f"s3://{BUCKET}/show/a.1001.exr"], s3=store.access))
    assert [file.uri for file in listed] == [f"s3://{BUCKET}/show/a.{number}.exr" for number in range(1001, 1006)]


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
def test_ingest_reads_the_settings_of_the_store_once(store, tmp_path, monkeypatch):
    for number in range(1001, 1006):
        store.put(f"show/a.{number}.exr", PICTURE)
    calls = []
    monkeypatch.setattr(settings, "s3_access", lambda: calls.append(1) or s3_access())
    with open_catalog(f"duckdb:{tmp_path}/c.duckdb") as catalog:
        assert ingest([f"s3://{BUCKET}/show"], catalog, IngestOptions(workers=1)).inserted == 5
    assert len(calls) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("command", ["inspect -r {0} --jsonl", "inspect {0}/1.exr {0}/2.exr", "ingest {0}"])
def test_a_command_reads_the_settings_of_the_store_once(store, monkeypatch, tmp_path, command):
    """Not for each object."""
    for number in range(5):
        store.put(f"show/{number}.exr", TINY)
    monkeypatch.chdir(tmp_path)
    reads = []
    read = settings.s3_access
    monkeypatch.setattr(settings, "s3_access", lambda: reads.append(1) or read())
    assert main(command.format(f"s3://{BUCKET}/show").split()) == 0
    assert len(reads) == 1


@pytest.mark.slow
def test_the_bucket_may_be_in_the_host_name(store, monkeypatch):
    """As BUCKET.ENDPOINT, for reads and both kinds of listing. The store is used as a proxy, so it gets every host."""
    uri = store.put("show/a.exr", PICTURE)
    store.put("show//b.exr", PICTURE)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", store.url)
    access = dataclasses.replace(store.access, endpoint="http://s3.store.test:9000", path_style=False)
    assert inspect(uri, s3=access).completeness == "complete"
    assert len(list(list_objects(f"s3://{BUCKET}/show", access))) == 2
    assert {request.headers["host"] for request in store.requests} == {f"{BUCKET}.s3.store.test:9000"}
    assert [r.path for r in store.requests if f"/{BUCKET}" in r.path.removeprefix(f"http://{BUCKET}.")] == []
    assert any("encoding-type" in request.path for request in store.requests)


def test_thousands_of_objects_are_compared_quickly(store):
    """Objects that a given folder contains are listed with the folder; the comparison takes linear time."""
    uri = store.put("show/a.exr", TINY)
    paths = [uri, *(f"s3://{BUCKET}/show/{number}.exr" for number in range(5000)), f"s3://{BUCKET}/show/"]
    started = time.process_time()
    assert [file.uri for file in list_files(paths, s3=store.access)] == [uri]
    assert time.process_time() - started < 5  # takes 25 s if each path is compared with all others
    assert len(store.requests) == 1


UNREADABLE_KEYS = [
    "show//b.exr",
    "show/../c.exr",
    "show/./d.exr",
    "show/e\tf.exr",
    "show/\x1b[2Jg.exr",
    "show/h\x7f.exr",
]
GOOD_KEYS = ["show/a b+c%2F.exr", "show/a.exr", "show/below/z.exr", "show/z<&>ä.exr"]


@pytest.mark.slow
@pytest.mark.parametrize("unreadable", [[key] for key in UNREADABLE_KEYS] + [UNREADABLE_KEYS], ids=ascii)
def test_an_unreadable_key_does_not_hide_others(store, unreadable):
    """It is listed unchanged with the others, in one folder and recursively."""
    for key in unreadable + GOOD_KEYS:
        store.put(key, TINY)
    listed = dict(list_objects(f"s3://{BUCKET}/show", access=store.access))
    assert list(listed) == [object_uri(BUCKET, key) for key in sorted(unreadable + GOOD_KEYS, key=str.encode)]
    facts = store.client.head_object(Bucket=BUCKET, Key=GOOD_KEYS[0])
    for found in listed.values():
        assert (found["size"], found["e_tag"]) == (len(TINY), facts["ETag"])
        assert abs(found["last_modified"] - facts["LastModified"]) < timedelta(minutes=5)
    direct = [uri for uri, _ in list_objects(f"s3://{BUCKET}/show", recursive=False, access=store.access)]
    assert direct == [uri for uri in listed if uri.count("/") == 4]


@pytest.mark.slow
def test_a_listing_with_unreadable_keys_continues_over_pages(store, monkeypatch):
    """On pages before and after the unreadable key each object is listed once, although the store fails in between."""
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")
    keys = sorted([*(f"many/{number:03}.exr" for number in range(45)), "many/017//odd.exr", "many/033\x01.exr"])
    for key in keys:
        store.put(key, b"")
    failed = []

    def fail_first(request, start_response):
        if request.path not in failed:
            failed.append(request.path)
            return status(503)(request, start_response)
        return None

    store.fault = fail_first
    listed = [uri for uri, _ in list_objects(f"s3://{BUCKET}/many", access=store.access)]
    assert listed == [object_uri(BUCKET, key) for key in keys]
    assert len(failed) >= 5


# A complete listing, apart from its document type.
WITH_ENTITY = "<!DOCTYPE x [<!ENTITY e 'false'>]><ListBucketResult><IsTruncated>&e;</IsTruncated></ListBucketResult>"


@pytest.mark.fast_cases(4)
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (status(403, "AccessDenied"), SourceDeniedError),
        (status(404, "NoSuchBucket"), SourceNotFoundError),
        (status(301, "PermanentRedirect"), SourceStoreError),
        (status(200), SourceStoreError),
        (answer(b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"), SourceStoreError),
        (answer(WITH_ENTITY.encode()), SourceStoreError),
        (answer(WITH_ENTITY.encode("utf-16")), SourceStoreError),
        (answer(WITH_ENTITY.encode("utf-16-le")), SourceStoreError),
        (answer(b"<ListBucketResult><Contents><Key>k</Key></Contents></ListBucketResult>"), SourceStoreError),
        pytest.param(status(503), SourceConnectionError, marks=pytest.mark.slow),
        pytest.param(blackhole(1), SourceConnectionError, marks=pytest.mark.slow),
    ],
)
def test_a_listing_with_unreadable_keys_has_the_errors_of_others(store, fault, kind):
    """With the same classes, and without anything of the response."""
    store.put("show//b.exr", TINY)
    store.fault = lambda request, start: fault(request, start) if "encoding-type" in request.path else None
    with pytest.raises(kind) as raised:
        list(list_objects(f"s3://{BUCKET}/show", access=with_short_timeout(store)))
    assert SECRET_KEY not in "".join(traceback.format_exception(raised.value)) + repr(raised.value.__context__)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_pattern_whose_names_may_not_be_listed_is_denied(store, method):
    """Not a pattern that matches nothing."""
    store.put("show/a.1001.exr", TINY)
    store.fault = lambda request, start: status(403)(request, start) if request.method == method else None
    (error,) = list_files([f"s3://{BUCKET}/show/a.####.exr"], s3=store.access)
    assert isinstance(error, SourceDeniedError)


@pytest.mark.parametrize("token", ["", "session/token+="])
def test_a_listing_with_unreadable_keys_is_signed_like_botocore_does(store, token):
    """botocore computes the same signature for the received request."""
    store.put("a b+ä/x//b.exr", TINY)
    access = dataclasses.replace(store.access, session_token=SecretStr(token))
    assert len(list(list_objects(f"s3://{BUCKET}/a b+ä", access=access))) == 1
    came = next(request for request in store.requests if "encoding-type" in request.path)
    signed = re.fullmatch(r".* SignedHeaders=(.*), Signature=(.*)", came.headers["authorization"])
    names = signed[1].split(";")
    assert ("x-amz-security-token" in names) == bool(token)
    request = AWSRequest("GET", f"{store.url}{came.path}", {name: came.headers[name] for name in names})
    request.context["timestamp"] = came.headers["x-amz-date"]
    auth = S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", access.region)
    assert auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request) == signed[2]


def test_a_listing_with_unreadable_keys_and_credentials_of_the_platform_is_an_error(store, monkeypatch):
    """Only obstore has these credentials, and it cannot list such a page."""
    store.put("show//b.exr", TINY)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    with pytest.raises(SourceError, match="set S3_ACCESS_KEY and S3_SECRET_KEY, or name other folders"):
        list(list_objects(f"s3://{BUCKET}/show", access=S3Access(endpoint=store.url, ambient=True)))


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
def test_an_unreadable_key_is_a_failure_of_inspect_and_ingest(store, capfdbinary, tmp_path):
    """Control characters are escaped, its object does not count as vanished, and the others are inspected."""
    uri = f"s3://{BUCKET}/show"
    for key in (*UNREADABLE_KEYS, *GOOD_KEYS, "show//notes.txt"):
        store.put(key, TINY)
    assert main(["inspect", "-r", uri, "--jsonl"]) == 3
    printed = capfdbinary.readouterr()
    objects = [json.loads(line) for line in printed.out.splitlines()]
    assert [each["file"]["file_path"] for each in objects if "file" in each] == [
        object_uri(BUCKET, key) for key in GOOD_KEYS
    ]
    assert sum("error" in each for each in objects) == len(UNREADABLE_KEYS)
    lines = printed.err.decode().splitlines()
    shown = [rf"show/{name}.exr" for name in (r"\x1b[2Jg", "../c", "./d", "/b", r"e\x09f", r"h\x7f")]
    assert [line.removeprefix(f"s3://{BUCKET}/").partition(": ")[0] for line in lines] == shown
    with open_catalog(f"duckdb:{tmp_path}/c.duckdb") as catalog:
        stored = [inspect(MemorySource(TINY, object_uri(BUCKET, key))) for key in (UNREADABLE_KEYS[0], "show/gone.exr")]
        catalog.persist(stored)
        summary = ingest([uri], catalog, IngestOptions(prune=True))
        assert (summary.inserted, len(summary.failures)) == (len(GOOD_KEYS), len(UNREADABLE_KEYS))
        assert (summary.vanished, summary.pruned) == ([f"{uri}/gone.exr"], 1)


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    "fault", [status(403), pytest.param(status(503), marks=pytest.mark.slow)], ids=["denied", "down"]
)
def test_a_failing_store_does_not_change_the_catalog(store, tmp_path, fault):
    """No object counts as vanished or unreadable."""
    store.put("show/a.exr", PICTURE)
    store.put("show/b.exr", PICTURE)
    uri = f"s3://{BUCKET}/show"
    with open_catalog(f"duckdb:{tmp_path}/c.duckdb") as catalog:
        ingest([uri], catalog)
        store.fault = fault
        summary = ingest([uri], catalog, IngestOptions(prune=True))
        assert (summary.vanished, len(summary.failures)) == ([], 1)
        store.fault = lambda request, start: fault(request, start) if request.range else None
        summary = ingest([uri], catalog, IngestOptions(prune=True, rescan=True))
        assert (summary.vanished, len(summary.failures)) == ([], 2)
        assert catalog.status().row_counts["ingest_errors"] == 0
        assert catalog.sql("SELECT count(*) n FROM files WHERE is_current").to_pylist() == [{"n": 2}]


@pytest.mark.slow
def test_many_threads_share_one_client(store):
    """Sixteen at a time, each with the right object."""
    uris = [store.put(f"{number}.exr", w.build(w.part(width=number)).data) for number in range(1, 33)]
    widths: dict[str, int | None] = {}

    def inspect_all(mine: list[str]) -> None:
        for uri in mine:
            widths[uri] = inspect(uri, s3=store.access).parts[0].width

    threads = [threading.Thread(target=inspect_all, args=(uris[start::16],)) for start in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert widths == {uri: number for number, uri in enumerate(uris, 1)}


@pytest.mark.slow
def test_the_client_is_imported_when_an_object_is_read(tmp_path):
    """Not for local files."""
    path = tmp_path / "a.exr"
    path.write_bytes(PICTURE)
    code = f"import sys, exr_inspector; exr_inspector.inspect({os.fspath(path)!r}); print('obstore' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"])
def test_given_keys_are_not_sent_to_an_endpoint_of_the_environment(store, monkeypatch, name):
    store.put("a.exr", PICTURE)
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert ObjectSource(f"s3://{BUCKET}/a.exr", store.access).size_bytes == len(PICTURE)
