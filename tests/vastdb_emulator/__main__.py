"""Serves an empty stand-in for a VAST cluster to the `vastdb` SDK until Ctrl-C or SIGTERM.

The URL to connect to is printed in one line. Everything is in memory and gone at the end.
"""

import argparse
import signal
import threading

from .assumptions import Assumptions
from .emulator import Emulator
from .service import VERSIONS

EXAMPLE = """\
example:
  python -m tests.vastdb_emulator --port 9090 --access-key a --secret-key b --bucket shots

  import vastdb
  session = vastdb.connect(access="a", secret="b", endpoint="http://127.0.0.1:9090")
  with session.transaction() as tx:
      tx.bucket("shots").create_schema("s")

Another process orders faults and reads the log of requests below <URL>/_emulator/; see control.py.
"""


def main() -> None:
    """Print the URL and serve until interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.vastdb_emulator",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=0, help="port to listen on (default: a free one)")
    add("--access-key", required=True, metavar="KEY", help="the only access key that is let in")
    add("--secret-key", required=True, metavar="KEY", help="its secret")
    add("--bucket", action="append", metavar="NAME", help="a bucket that exists; may be repeated (default: vastdb)")
    add("--version", choices=VERSIONS, default=VERSIONS[0], help="server version to report (default: %(default)s)")
    add("--latency-ms", type=float, default=0.0, metavar="MS", help="time added to each request (default: none)")
    add("--log-limit", type=int, default=10_000, metavar="N", help="requests to remember (default: %(default)s)")
    add(
        "--idle-timeout-s",
        type=float,
        default=Assumptions.idle_timeout_s,
        metavar="S",
        help="how long a transaction lives without a request (default: %(default)s)",
    )
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    emulator = Emulator(
        access_key=options.access_key,
        secret_key=options.secret_key,
        buckets=options.bucket or ["vastdb"],
        version=options.version,
        host=options.host,
        port=options.port,
        assumptions=Assumptions(idle_timeout_s=options.idle_timeout_s),
        latency_s=options.latency_ms / 1000,
        log_limit=options.log_limit,
    )
    try:
        emulator.start()
    except (OSError, OverflowError) as error:  # the latter for a port above 65535
        parser.exit(1, f"cannot listen on {options.host}:{options.port}: {error}\n")
    print(emulator.url, flush=True)
    stop.wait()
    emulator.stop()


if __name__ == "__main__":
    main()
