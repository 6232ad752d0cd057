"""Events of every known format, as recorded or documented, and their FileEvents."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from hypothesis import example, given
from hypothesis import strategies as st

from exr_inspector.errors import EventError
from exr_inspector.function.envelope import from_http
from exr_inspector.function.events import FileEvent, Kind, event_id, file_events, is_batch, is_plain
from exr_inspector.sources.uris import object_uri
from tests.support.vast_event import VastEvent, VastEventList

RECORDED = {
    path.stem: json.loads(path.read_bytes()) for path in sorted(Path(__file__).with_name("data").glob("*.json"))
}
OVER_HTTP = [name for name, case in RECORDED.items() if "headers" in case]
ON_PLATFORM = [name for name in OVER_HTTP if "foreign" not in name and "function" not in name]
DIRECT = [name for name, case in RECORDED.items() if "event" in case]


def body(case: dict[str, Any]) -> bytes:
    return b"" if case["body"] is None else json.dumps(case["body"]).encode()


def check(files: list[FileEvent], expected: list[dict[str, Any]]) -> None:
    assert len(files) == len(expected)
    for event, wanted in zip(files, expected, strict=True):
        assert event.kind.value == wanted["kind"], event
        if wanted["paths"] or event.kind in (Kind.CREATED, Kind.REMOVED):
            assert list(event.paths) == wanted["paths"]
        for name in ("reason", "options"):
            if name in wanted:
                assert (
                    getattr(event, name) == wanted[name] if name == "reason" else asdict(event.options) == wanted[name]
                )
        assert bool(event.reason) == (event.kind in (Kind.SKIPPED, Kind.INVALID))


@pytest.mark.parametrize("name", DIRECT)
def test_plain_dicts(name):
    """A direct call's dict, S3 notifications, an envelope."""
    check(file_events(RECORDED[name]["event"]), RECORDED[name]["expected"])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ObjectCreated:Put", Kind.CREATED),
        ("s3:ObjectCreated:CompleteMultipartUpload", Kind.CREATED),
        ("ObjectRemoved:Delete", Kind.REMOVED),
        ("LifecycleExpiration:Delete", Kind.REMOVED),
        ("ObjectTagging:Put", Kind.SKIPPED),
        ("Replication:OperationFailedReplication", Kind.SKIPPED),
    ],
)
def test_the_change_that_a_record_reports(name, kind):
    """An object that a lifecycle rule deletes is removed like any other."""
    record = {"eventName": name, "s3": {"bucket": {"name": "b"}, "object": {"key": "a.exr"}}}
    (event,) = file_events({"Records": [record]})
    assert event.kind is kind


@pytest.mark.parametrize("name", OVER_HTTP)
def test_requests(name):
    """Binary and structured CloudEvents, as read from a request."""
    case = RECORDED[name]
    check(file_events(from_http(case["headers"].items(), body(case))), case["expected"])


@pytest.mark.parametrize("name", ON_PLATFORM)
def test_platform_events(name):
    """The same as objects of the platform."""
    case = RECORDED[name]
    check(file_events(VastEvent.from_http(case["headers"], body(case))), case["expected"])


@pytest.mark.parametrize("name", OVER_HTTP)
def test_events_of_the_current_library(name):
    """The same as CloudEvents of the 2.x library, which decodes header values."""
    case = RECORDED[name]
    headers, content = dict(case["headers"]), body(case)
    if name == "element_encoded":
        headers["ce-elementpath"] = headers["ce-elementpath"].replace("%", "%25")
    check(file_events(from_http_event(HTTPMessage(headers, content))), case["expected"])


def test_a_notification_that_a_store_sends_is_an_event():
    """As the webhook of MinIO sends it: without envelope and ce- headers."""
    record = {
        "eventVersion": "2.0", "eventSource": "minio:s3", "eventTime": "2026-04-08T15:41:29.591Z",
        "eventName": "s3:ObjectCreated:Put",
        "s3": {"bucket": {"name": "renders"}, "object": {"key": "shows%2Fab%2Fbeauty.1001.exr", "sequencer": "18A2"}},
    }  # fmt: skip
    sent = {"EventName": "s3:ObjectCreated:Put", "Key": "renders/shows/ab/beauty.1001.exr", "Records": [record]}
    event = from_http([("Content-Type", "application/json")], json.dumps(sent).encode())
    (file,) = file_events(event)
    assert (file.kind, file.paths[0]) == (Kind.CREATED, "s3://renders/shows/ab/beauty.1001.exr")
    assert not is_plain(event)
    assert event_id(event) == event_id(from_http([], json.dumps(sent).encode())) != ""


def test_the_emulated_event_is_as_observed():
    """It prints as in the platform's log, and raises the same errors."""
    case = RECORDED["element_on_cluster"]
    event = VastEvent.from_http(case["headers"], body(case))
    assert str(event).startswith(
        "{'attributes': {'source': 'vastdata.com:exr-landed.b45a6820-410c-457a-ac1b-035a102b5d05', "
        "'id': '1004356627333135', 'type': 'vastdata.com:Element.ElementCreated', 'specversion': '1.0', "
        "'time': '2026-04-08T15:41:29.591955+00:00', 'subject': 'vast-broker-engine-broker.main', "
        "'datacontenttype': 'application/json', 'dataschema': None, 'elementpath': "
    )
    assert (event.type, event.subtype, event.trigger, event.broker) == (
        "Element", "ElementCreated", "exr-landed", "vast-broker-engine-broker",
    )  # fmt: skip
    element = event.as_element_event()
    assert (element.bucket, element.object_key) == ("renders", "shows/ab/sh010/beauty.1001.exr")
    schedule = VastEvent.from_http(RECORDED["schedule"]["headers"], b"")
    with pytest.raises(TypeError):
        schedule.as_element_event()
    with pytest.raises(ValueError, match="invalid literal for int"):
        VastEvent.from_http({**case["headers"], "ce-id": "anything"}, b"")
    with pytest.raises(ValueError, match="malformed vast event"):
        VastEvent.from_http(RECORDED["function_path"]["headers"], b"")


class Bare:
    """An event with bucket and key only, whose other members raise."""

    bucket, object_key = "renders", "a.exr"

    @property
    def extensions(self) -> Any:
        raise ValueError("malformed vast event")

    @property
    def type(self) -> str:
        raise ValueError("malformed vast event")

    def get_data(self) -> Any:
        return None


def test_members_that_raise_are_ignored():
    """Bucket and key suffice; an event without either is invalid."""
    check(file_events(Bare()), [{"kind": "created", "paths": ["s3://renders/a.exr"]}])
    assert file_events(object())[0].kind is Kind.INVALID


@pytest.mark.parametrize(
    "key", ["a b.exr", "a+b.exr", "50%.exr", "ä.exr", "a\u0308.exr", "x" * 1020 + ".exr", "%41.exr"]
)
def test_the_key_is_a_candidate_for_every_encoding_of_it(key):
    """Encoded as by AWS or not at all, in the path of the element or in a record."""
    case = RECORDED["element_on_cluster"]
    for spelling in (key, quote(key), quote_plus(key)):
        headers = {**case["headers"], "ce-elementpath": f"renders/{spelling}"}
        for record in (None, {"Records": [{"eventName": "ObjectCreated:Put", "s3": {"object": {"key": spelling}}}]}):
            (event,) = file_events(VastEvent.from_http(headers, json.dumps(record).encode()))
            assert object_uri("renders", key) in event.paths
            assert len(event.paths) <= 3
        s3 = {"bucket": {"name": "renders"}, "object": {"key": spelling}}
        for source in ("aws:s3", "vast:s3"):
            (event,) = file_events({"Records": [{"eventName": "ObjectCreated:Put", "eventSource": source, "s3": s3}]})
            assert object_uri("renders", key) in event.paths


def test_unicode_is_not_normalized():
    """Two forms of one name are two objects."""
    for form in ("NFC", "NFD"):
        key = unicodedata.normalize(form, "ä.exr")
        (event,) = file_events({"s3_bucket": "b", "s3_key": key})
        assert event.paths == (f"s3://b/{key}",)


def test_batches_and_direct_calls_are_detected():
    """By their members, not by their class."""
    event = VastEvent.from_http(RECORDED["schedule"]["headers"], b"")
    assert [is_batch(each) for each in (VastEventList([event]), [event], [{}], (), event, {}, "x", None, b"")] == [
        True, True, True, True, False, False, False, False, False,
    ]  # fmt: skip
    assert [is_plain(each) for each in ({}, [], "x", 1, None, event, object())] == [True] * 5 + [False] * 2


def test_the_id_of_an_event():
    """Empty if the sender gave it none."""
    case = RECORDED["element_on_cluster"]
    assert event_id(VastEvent.from_http(case["headers"], b"")) == "1004356627333135"
    assert event_id(from_http(case["headers"].items(), b"")) == "1004356627333135"
    assert [event_id(each) for each in ({"id": "x"}, {"id": 5}, {}, None, Bare(), object())] == [
        "x",
        "",
        "",
        "",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("headers", "content", "message"),
    [
        ({}, b"", "neither ce- headers nor a JSON envelope"),
        ({"content-type": "application/json"}, b"{not json", "neither ce- headers nor a JSON envelope"),
        ({"content-type": "application/json"}, b"[1]", "the body is not a JSON object"),
        (
            {"content-type": "application/json"},
            b'{"data": {"path": "/etc/passwd"}}',
            "specversion, id, source, type missing",
        ),
        ({"ce-id": "1"}, b"", "specversion, source, type missing"),
        ({"ce-id": "1", "ce-source": "s", "ce-type": "t", "ce-specversion": "0.3"}, b"", "send version 1.0"),
        ({"content-type": "application/cloudevents-batch+json"}, b"[]", "send one event per request"),
        ({}, b'{"specversion":"1.0","id":{},"source":"s","type":"t"}', "neither a string nor an integer"),
        ({}, b'{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"%"}', "data_base64 is not base64"),
    ],
)
def test_requests_that_are_not_cloud_events_are_rejected(headers, content, message):
    """The message does not repeat their content."""
    with pytest.raises(EventError, match=message) as raised:
        from_http(headers.items(), content)
    assert "passwd" not in str(raised.value)


def test_an_envelope_may_hold_nulls_and_base64():
    """Nulls count as missing; base64 data is decoded as JSON if possible."""
    event = from_http(
        [],
        b'{"specversion":"1.0","id":"1","source":"s","type":"t","dataschema":null,"data_base64":"eyJwYXRoIjoiL2EuZXhyIn0="}',
    )
    assert event.get_attributes() == {"specversion": "1.0", "id": "1", "source": "s", "type": "t"}
    check(file_events(event), [{"kind": "created", "paths": ["/a.exr"]}])


def test_headers_are_decoded_as_utf_8_if_possible():
    """Servers decode them as Latin-1."""
    headers = {
        **RECORDED["element_on_cluster"]["headers"],
        "ce-elementpath": "renders/ä.exr".encode().decode("latin-1"),
    }
    (event,) = file_events(from_http(headers.items(), b""))
    assert event.paths == ("s3://renders/ä.exr",)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["s3://b/a.exr", "1.0"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=5)
            | st.sampled_from(
                ["data", "path", "Records", "s3", "bucket", "object", "key", "name", "eventName", "specversion", "type",
                 "elementpath", "data_base64", "s3_bucket", "s3_key", "id", "meta", "stats", "Event", "eventSource"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)  # fmt: skip


@pytest.mark.slow
@given(JSON)
@example({"specversion": "1.0", "data": {"specversion": "1.0", "data_base64": "%"}})
@example({"specversion": "1.0", "elementpath": "/", "data": "[" * 100_000})
@example(
    {"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "\ud800"}, "object": {"key": "\ud800"}}}]}
)
def test_any_json_gives_events(event):
    """As a dict, as a body, and as the data of an event; each with paths, or with a reason."""
    if isinstance(event, dict) and "specversion" in event:
        attributes = {"id": "1", "source": "s", "type": "vastdata.com:Element.ElementCreated"}
        events = [event, VastLike(event), VastLike({**attributes, **event})]
    else:
        events = [event, VastLike(event)]
    for each in events:
        files = file_events(each)
        assert files
        for file_event in files:
            assert bool(file_event.paths) if file_event.kind in (Kind.CREATED, Kind.REMOVED) else file_event.reason
        assert isinstance(event_id(each), str)


class VastLike:
    def __init__(self, data: Any) -> None:
        self._data = data

    def get_data(self) -> Any:
        return self._data

    def get_attributes(self) -> Any:
        return self._data


@pytest.mark.slow
@given(
    st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()), st.dictionaries(st.text(), st.text())
)
def test_any_request_is_an_event_or_is_rejected(content, headers):
    """With EventError, and no other exception."""
    try:
        event = from_http(headers.items(), content)
    except EventError:
        return
    assert file_events(event)
