"""The memory of the function over many events of new files, whose attributes, folders and sequences all differ.

    python -m benchmarks.function_memory [--events 107000] [--step 5000]

`function serve`, an S3 server that makes each object when it is read, the VAST emulator and 20 callers run in their own
processes on this machine. Shows the resident memory of the process that serves HTTP and of the one that handles
events: after 7,000 events, which fill the caches, then after each step; at the end, the growth since the first line.
"""

from __future__ import annotations

import argparse
import os
import pickle
import re
import subprocess
import sys
import time
from collections import Counter
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks.function import ROOT, callers_process, resident_mib, runtime
from benchmarks.handler import wait_for
from benchmarks.vast import emulator
from tests.support.exr_bytes import different_file

STORE = 19000
WARM_UP = 7000
CALLERS = 20


class Objects(BaseHTTPRequestHandler):
    """Answers requests for ranges of objects; the last number of a key is that of the file."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16

    def do_GET(self) -> None:
        """Send the bytes of the range, or the whole object."""
        data = different_file(int(re.findall("[0-9]+", self.path.partition("?")[0])[-1]))
        wanted = re.fullmatch("bytes=([0-9]+)-([0-9]+)", self.headers.get("Range", ""))
        first, last = (int(wanted[1]), min(int(wanted[2]), len(data) - 1)) if wanted else (0, len(data) - 1)
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", f"{last + 1 - first}")
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("ETag", f'"{md5(data, usedforsecurity=False).hexdigest()}"')
        self.send_header("Last-Modified", "Wed, 01 Apr 2026 00:00:00 GMT")
        self.end_headers()
        self.wfile.write(data[first : last + 1])

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def serve_objects() -> None:
    """Serve objects until the process is ended."""
    ThreadingHTTPServer(("127.0.0.1", STORE), Objects).serve_forever()


def send(first: int, count: int) -> Counter[int]:
    """Send events of new files; the number of answers by status."""
    with callers_process(CALLERS, 36_000, first, count, first + count, True) as callers:
        assert callers.stdout is not None
        return Counter(status for status, _ in pickle.loads(callers.stdout.read()))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=WARM_UP + 100_000)
    parser.add_argument("--step", type=int, default=5000)
    options = parser.parse_args()
    os.environ |= {"S3_ENDPOINT": f"http://127.0.0.1:{STORE}", "S3_ACCESS_KEY": "k", "S3_SECRET_KEY": "s"}
    os.environ |= {"VAST_DB_ACCESS_KEY": "key", "VAST_DB_SECRET_KEY": "not-a-real-secret", "VAST_DB_BUCKET": "b"}
    program = "from benchmarks.function_memory import serve_objects; serve_objects()"
    store = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    try:
        wait_for(STORE)
        with emulator() as url:
            os.environ["VAST_DB_ENDPOINT"] = url
            with runtime(ROOT, "memory") as process:
                began, done, warm = time.monotonic(), 0, [0.0]
                while done < options.events:
                    count = min(options.step, options.events - done) if done else WARM_UP
                    answers = send(done, count)
                    done += count
                    mib = resident_mib(process.pid)
                    warm = warm if done > WARM_UP else mib
                    shown = " + ".join(f"{each:.1f}" for each in mib)
                    print(
                        f"{done:>8} events {time.monotonic() - began:7.0f} s   {shown} MiB   {dict(answers)}",
                        flush=True,
                    )
                print(f"growth since {WARM_UP} events: {sum(mib) - sum(warm):.1f} MiB")
    finally:
        store.terminate()


if __name__ == "__main__":
    main()
