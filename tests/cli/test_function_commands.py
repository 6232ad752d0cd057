"""The command function invoke --url with servers that do not return results."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from exr_inspector.cli.main import main

TOKEN = "secret\ntoken"


NOT_A_RESULT = ", which is not a result of the function; expected the URL of `function serve` or of a deployed function"


@pytest.mark.parametrize(
    ("status", "body", "code", "result"),
    [
        (404, b'{"error": "not found"}', 3, {"error": "not found"}),
        (401, b'{"message": "denied"}', 3, {"message": "denied"}),
        (503, b"", 3, {"status": "error", "message": "URL: answered 503" + NOT_A_RESULT}),
        (401, b"no token\n", 3, {"status": "error", "message": "URL: answered 401 (no token)" + NOT_A_RESULT}),
        (200, b"<html>Welcome", 3, {"status": "error", "message": "URL: answered 200" + NOT_A_RESULT}),
        (202, b"", 0, {"status": "accepted", "message": "HTTP 202 without a result"}),
        (200, b'{"status": "success"}', 0, {"status": "success"}),
    ],
)
def test_responses_that_are_not_results_fail(capsys, status, body, code, result):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        assert main(["function", "invoke", "--path", "a.exr", "--url", url]) == code
    out, err = (text.replace(url, "URL") for text in capsys.readouterr())
    assert json.loads(out) == result
    reason = result.get("error") or result.get("message")
    assert err == (f"exr-inspector: {reason}\n" if code else "")


@pytest.mark.parametrize("url", ["http://[bad/", "http://host:port/", "http://a b/", "http://127.0.0.1:1/"])
def test_urls_that_are_not_valid_are_usage_errors(capsys, url):
    words = ["function", "invoke", "--path", "a.exr", "--url", url]
    assert main([*words, "--token", TOKEN]) == 2
    error = capsys.readouterr().err
    assert f"--url {url}: invalid" in error
    assert "secret" not in error
    assert main(words) == (3 if url.endswith(":1/") else 2)


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["-q"]])
def test_an_error_is_one_line_on_stderr(tmp_path, capfd, options):
    """Not also a line of the log."""
    path = tmp_path / "bad.exr"
    path.write_bytes(b"abc")
    assert main(["function", "invoke", "--path", str(path), *options]) == 3
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("exr-inspector: not an EXR file")
    assert line.endswith("(format)")
    events = tmp_path / "events"
    events.write_text(json.dumps({"data": {"path": str(path)}}))
    assert main(["function", "replay", str(events), *options]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"{events}:1: error: ")


def test_an_empty_file_has_no_events(tmp_path, capfd):
    (tmp_path / "events").write_bytes(b" \n")
    assert main(["function", "replay", str(tmp_path / "events")]) == 0
    shown = capfd.readouterr()
    assert (shown.out.startswith("0 events: "), shown.err) == (True, "")
