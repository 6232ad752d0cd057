"""Runs the emulator by hand: `python -m tests.vastdb_emulator --port 9090 --access-key … --secret-key …`."""

import argparse
import signal
import threading

from .assumptions import Assumptions
from .emulator import Emulator
from .service import VERSIONS


def main() -> None:
    """Print the URL in one line and serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.vastdb_emulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port (default)")
    parser.add_argument("--access-key", required=True)
    parser.add_argument("--secret-key", required=True)
    parser.add_argument("--bucket", action="append", default=[], metavar="NAME", help="may be repeated")
    parser.add_argument("--version", choices=VERSIONS, default=VERSIONS[0], help="server version to report")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="time added to each request")
    parser.add_argument("--log-limit", type=int, default=10_000, help="requests to remember; 0 is none")
    parser.add_argument("--idle-timeout-s", type=float, default=Assumptions.idle_timeout_s)
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with Emulator(
        access_key=options.access_key,
        secret_key=options.secret_key,
        buckets=options.bucket,
        version=options.version,
        host=options.host,
        port=options.port,
        assumptions=Assumptions(idle_timeout_s=options.idle_timeout_s),
        latency_s=options.latency_ms / 1000,
        log_limit=options.log_limit,
    ) as emulator:
        print(emulator.url, flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
