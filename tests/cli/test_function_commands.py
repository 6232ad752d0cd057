"""The command function invoke --url with servers that do not return results."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from exr_inspector.cli.main import main

TOKEN = "secret\ntoken"


@pytest.mark.parametrize(
    ("status", "body", "code", "result"),
    [
        (404, b'{"error": "not found"}', 3, {"error": "not found"}),
        (401, b'{"message": "denied"}', 3, {"message": "denied"}),
        (503, b"", 3, {"status": "error", "message": "HTTP 503, not JSON: "}),
        (200, b"<html>Welcome", 3, {"status": "error", "message": "HTTP 200, not JSON: <html>Welcome"}),
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
    assert json.loads(capsys.readouterr().out) == result


@pytest.mark.parametrize("url", ["http://[bad/", "http://host:port/", "http://a b/", "http://127.0.0.1:1/"])
def test_urls_that_are_not_valid_are_usage_errors(capsys, url):
    words = ["function", "invoke", "--path", "a.exr", "--url", url]
    assert main([*words, "--token", TOKEN]) == 2
    error = capsys.readouterr().err
    assert f"--url {url}: invalid" in error
    assert "secret" not in error
    assert main(words) == (3 if url.endswith(":1/") else 2)
