"""`function replay FILE`: dead letters are handled as if they were delivered again."""

from __future__ import annotations

import json
import os

import pytest
import yaml

from exr_inspector.cli.main import main
from exr_inspector.function.local.replay import MAX_EVENT_BYTES

from .conftest import BROKEN, BUCKET, GOOD, OTHER

pytestmark = pytest.mark.parametrize("catalog", ["duckdb"], indirect=True)


def event(key, number=1, **attributes):
    """A dead letter of Knative in structured mode."""
    record = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": BUCKET}, "object": {"key": key}}}
    return {
        "specversion": "1.0", "id": f"{number:x}", "source": "vastdata.com:exr-landed.1",
        "type": "vastdata.com:Element.ElementCreated", "elementpath": f"{BUCKET}/{key}",
        "knativeerrorcode": "500", "data": {"Records": [record]},
    } | attributes  # fmt: skip


@pytest.fixture
def replayed(store, catalog, tmp_path, capfd):
    """Replays a text; returns exit code, stdout and stderr. The store has a good, another and a broken file."""
    for key, data in (("good.exr", GOOD), ("other.exr", OTHER), ("broken.exr", BROKEN)):
        store.put(key, data)

    def run(text: str) -> tuple[int, str, str]:
        path = tmp_path / "dead-letters"
        path.write_text(text, "utf-8")
        code = main(["function", "replay", str(path)])
        captured = capfd.readouterr()
        return code, captured.out, captured.err.replace(str(path), "FILE")

    return run


def stored(catalog):
    with catalog() as opened:
        return opened.sql("SELECT parse_filename(file_path) AS name FROM files ORDER BY 1")["name"].to_pylist()


@pytest.mark.slow
def test_every_event_of_a_file_is_handled(replayed, catalog):
    """Empty lines and events without files are not errors; a notification may lack the envelope."""
    lines = [event("good.exr"), event("other.exr", 2)["data"], event("notes.txt", 3)]
    code, out, err = replayed("\n\n".join(map(json.dumps, lines)) + "\n")
    assert (code, out) == (0, "3 events: 2 success, 1 skipped, 0 gone, 0 error, 0 pending\n")
    assert err.startswith("FILE:5: skipped: not an EXR file")
    assert len(err.splitlines()) == 1
    assert stored(catalog) == ["good.exr", "other.exr"]


@pytest.mark.slow
def test_messages_of_kafka(replayed, catalog):
    """As `kcat -J` prints them: the payload is an event, or its data, with attributes in the headers."""
    structured = {"topic": "dl", "offset": 1, "payload": json.dumps(event("good.exr"))}
    attributes = event("other.exr")
    headers = [text for name in ("specversion", "id", "source", "type", "elementpath") for text in
               (f"ce_{name}", attributes[name])]  # fmt: skip
    binary = {"topic": "dl", "headers": headers, "payload": json.dumps(attributes["data"])}
    assert replayed("\n".join(map(json.dumps, [structured, binary])))[0] == 0
    assert stored(catalog) == ["good.exr", "other.exr"]


@pytest.mark.parametrize(
    "text",
    ['{"data": {"pth": "a.exr"}}', "a: 1", '{"topic": "dl", "payload": "{}"}', '{"topic": "dl", "payload": "x"}'],
)
def test_json_that_is_no_event_is_an_error(replayed, text):
    code, out, err = replayed(text)
    assert (code, out) == (1, "1 event: 0 success, 0 skipped, 0 gone, 1 error, 0 pending\n")
    assert err.startswith("FILE:1: error: ")


@pytest.mark.slow
@pytest.mark.parametrize("events", [event("good.exr"), [event("good.exr"), event("other.exr")]])
def test_a_document_has_one_event_or_a_list(replayed, catalog, events):
    lines = ",\n".join(map(json.dumps, events if isinstance(events, list) else [events]))
    for text in (json.dumps(events, indent=1), json.dumps(events, indent=0), f"[\n{lines}\n]", yaml.safe_dump(events)):
        assert replayed(text)[0] == 0
    assert len(stored(catalog)) == (1 if isinstance(events, dict) else 2)


@pytest.mark.slow
def test_permanent_errors_are_findings(replayed):
    """Each is a line with its number: a damaged file, text that is not an event, an event that is too large."""
    large = json.dumps(event("good.exr", padding="x" * MAX_EVENT_BYTES))
    code, out, err = replayed("\n".join([json.dumps(event("good.exr")), json.dumps(event("broken.exr")), "{", large]))
    assert (code, out) == (1, "4 events: 1 success, 0 skipped, 0 gone, 3 error, 0 pending\n")
    messages = err.splitlines()
    assert [message.partition(": ")[0] for message in messages] == ["FILE:2", "FILE:3", "FILE:4"]
    assert messages[0].endswith("(format)")
    assert "larger than" in messages[2]


@pytest.mark.slow
def test_files_that_no_longer_exist_are_not_findings(replayed):
    """After a long outage, they are told from damaged ones; an event with both is an error."""
    code, out, err = replayed("\n".join([json.dumps(event("good.exr")), json.dumps(event("gone.exr", 2))]))
    assert (code, out) == (0, "2 events: 1 success, 0 skipped, 1 gone, 0 error, 0 pending\n")
    assert err.startswith("FILE:2: gone: ")
    both = {"Records": event("gone.exr")["data"]["Records"] + event("broken.exr")["data"]["Records"]}
    assert replayed(json.dumps(both))[:2] == (1, "1 event: 0 success, 0 skipped, 0 gone, 1 error, 0 pending\n")


@pytest.mark.slow
def test_transient_errors_are_pending(replayed, monkeypatch):
    """Nothing listens at the address of the store; afterwards, the file is replayed again."""
    text = json.dumps(event("good.exr"))
    address = os.environ["S3_ENDPOINT"]
    monkeypatch.setenv("EXR_INSPECTOR_DEADLINE_S", "1")
    monkeypatch.setenv("S3_ENDPOINT", "http://127.0.0.1:9")
    code, out, err = replayed(text)
    assert (code, out) == (3, "1 event: 0 success, 0 skipped, 0 gone, 0 error, 1 pending\n")
    assert err.startswith("FILE:1: pending: ")
    monkeypatch.setenv("S3_ENDPOINT", address)
    monkeypatch.delenv("EXR_INSPECTOR_DEADLINE_S")
    assert replayed(text)[0] == 0


def test_events_are_not_lost_without_a_catalog(replayed, monkeypatch):
    monkeypatch.delenv("EXR_INSPECTOR_CATALOG")
    code, _, err = replayed(json.dumps(event("good.exr")))
    assert code == 3
    assert "pending: inspected; " in err


def test_a_damaged_first_line_is_one_error(replayed, catalog):
    text = json.dumps(event("good.exr"))
    code, out, err = replayed(f"{text[:40]}\n{text}\n")
    assert (code, out) == (1, "2 events: 1 success, 0 skipped, 0 gone, 1 error, 0 pending\n")
    assert err == "FILE:1: error: the line is not JSON (event)\n"
    assert stored(catalog) == ["good.exr"]


@pytest.mark.parametrize("number", [9, 50])
def test_a_damaged_first_line_needs_no_memory_for_the_others(replayed, monkeypatch, number):
    """They are not read as one document."""
    monkeypatch.setattr("exr_inspector.function.local.replay.read_yaml", None)
    code, out, _ = replayed("{\n" + '{"data": 1}\n' * number)
    assert (code, out.partition(": ")[0]) == (1, f"{number + 1} events")


@pytest.mark.parametrize("text", ['[{"data": {"path": "a.exr"}},', "data: [", "[" * 1000])
def test_the_error_of_a_damaged_document_is_reported(replayed, text):
    code, out, err = replayed(text)
    assert (code, out) == (2, "")
    assert "not a readable YAML or JSON file (" in err


def test_an_event_is_pending_if_some_of_its_files_are_only_not_stored(replayed, monkeypatch):
    """Another one is damaged. A line without an error has no category."""
    monkeypatch.delenv("EXR_INSPECTOR_CATALOG")
    both = {"Records": event("good.exr")["data"]["Records"] + event("broken.exr")["data"]["Records"]}
    code, out, err = replayed("\n".join([json.dumps(both), json.dumps(event("good.exr"))]))
    assert (code, out) == (3, "2 events: 0 success, 0 skipped, 0 gone, 0 error, 2 pending\n")
    assert [line.partition(": ")[2][:7] for line in err.splitlines()] == ["pending", "pending"]
    assert "(error)" not in err


def test_a_missing_configuration_is_named(catalog, capfd):
    assert main(["function", "replay", "none.jsonl", "--config", "none.yaml"]) == 2
    assert "none.yaml: No such file or directory" in capfd.readouterr().err


@pytest.mark.parametrize("text", ["", "[]"])
def test_a_file_without_events_has_nothing_to_do(replayed, text):
    assert replayed(text) == (0, "0 events: 0 success, 0 skipped, 0 gone, 0 error, 0 pending\n", "")


@pytest.mark.parametrize("text", ["text", "[1]"])
def test_a_file_with_other_content_is_a_usage_error(replayed, text):
    code, out, err = replayed(text)
    assert (code, out) == (2, "")
    assert "expected events, as JSON lines, or as a JSON or YAML document" in err
