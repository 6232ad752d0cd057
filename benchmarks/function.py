"""The function over HTTP under load: events per second, latencies, and the memory of the runtime.

    python -m benchmarks.function [OTHER_CHECKOUT] [--callers 20] [--seconds 20] [--rounds 2]

`function serve`, moto's S3 server, the VAST emulator and the callers run in their own processes on this machine. Each
caller sends the next event as soon as the last one is answered, after the wait that a 503 asks for with --polite; a
probe of /liveness runs meanwhile. The runtime of OTHER_CHECKOUT is measured in turn with that of this one.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import boto3

from benchmarks.handler import BUCKET, wait_for
from benchmarks.vast import emulator
from tests.support.exr_bytes import exr_bytes, text

ROOT = Path(__file__).parents[1]
STORE, PORT = 19000, 18080
PERCENTILES = (50, 95, 99, 100)
Answers = list[tuple[int, float]]  # status and seconds


def key_of(number: int) -> str:
    """The key of an object: each is a frame of a sequence of its own."""
    return f"sh{number}/beauty.{number}.exr"


def request_of(number: int, files: int) -> bytes:
    """The HTTP request with the event of an object, as a broker sends it."""
    key = key_of(number % files)
    record = {"eventName": "ObjectCreated:Put", "eventSource": "vast:s3"}
    body = json.dumps({"Records": [record | {"s3": {"bucket": {"name": BUCKET}, "object": {"key": key}}}]}).encode()
    headers = {
        "host": "127.0.0.1", "content-type": "application/json", "content-length": str(len(body)),
        "ce-specversion": "1.0", "ce-id": str(number), "ce-source": "vastdata.com:landed.0", "ce-subject": "b.t",
        "ce-type": "vastdata.com:Element.ElementCreated", "ce-elementpath": f"{BUCKET}/{key}",
    }  # fmt: skip
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST / HTTP/1.1\r\n{head}\r\n".encode() + body


async def call(end: float, numbers: Iterator[int], files: int, polite: bool, answers: Answers) -> None:
    """Send events over one connection, one after another."""
    reader = writer = None
    while time.monotonic() < end and (number := next(numbers, None)) is not None:
        began = time.monotonic()
        try:
            if reader is None or writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
            writer.write(request_of(number, files))
            head = await reader.readuntil(b"\r\n\r\n")
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
            await reader.readexactly(int(fields.get(b"content-length", b"0")))
            status = int(head[9:12])
        except (OSError, asyncio.IncompleteReadError):
            status, fields = 0, {b"connection": b"close"}
        answers.append((status, time.monotonic() - began))
        if fields.get(b"connection") == b"close":
            reader = writer = None
        if polite and status == 503:
            await asyncio.sleep(int(fields[b"retry-after"]))


def run_callers(callers: int, seconds: float, first: int, events: int, files: int, polite: bool) -> Answers:
    """The answers of all callers."""
    answers: Answers = []

    async def run() -> None:
        end, numbers = time.monotonic() + seconds, iter(range(first, first + events))
        await asyncio.gather(*(call(end, numbers, files, polite, answers) for _ in range(callers)))

    asyncio.run(run())
    return answers


@contextmanager
def callers_process(*arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Callers in a process of their own; their answers are its output."""
    program = (
        "import pickle, sys; from benchmarks.function import run_callers; "
        f"sys.stdout.buffer.write(pickle.dumps(run_callers{arguments!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE) as process:
        yield process


@contextmanager
def runtime(checkout: Path, schema: str) -> Iterator[subprocess.Popen[bytes]]:
    """`function serve` of a checkout, as soon as it is ready."""
    environment = os.environ | {"PYTHONPATH": str(checkout / "src"), "VAST_DB_SCHEMA": schema}
    command = [sys.executable, "-m", "exr_inspector", "function", "serve", "--port", str(PORT)]
    environment["EXR_INSPECTOR_LOG_LEVEL"] = "ERROR"
    with subprocess.Popen(command, env=environment) as process:
        wait_for(PORT)
        while get("/readiness")[0] != 200:
            time.sleep(0.1)
        yield process
        process.send_signal(signal.SIGTERM)


def get(path: str, port: int = PORT) -> tuple[int, float]:
    """Status and seconds of a GET over a new connection, as a kubelet sends it."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status, time.monotonic() - began


def percentiles(seconds: list[float]) -> str:
    """Some percentiles, in ms."""
    ordered = sorted(seconds)
    values = (ordered[min(len(ordered) * p // 100, len(ordered) - 1)] for p in PERCENTILES) if ordered else ()
    return " / ".join(f"{1000 * value:,.0f}" for value in values)


def measure(checkout: Path, schema: str, options: argparse.Namespace, files: int) -> None:
    """One run, and its line of figures."""
    with runtime(checkout, schema) as process:
        run_callers(20, 3, 0, 100, files, polite=False)  # warm
        arguments = (options.callers, options.seconds, 100, 10**9, files, options.polite)
        cpu = cpu_seconds(process.pid)
        with callers_process(*arguments) as callers:
            probes = []
            while callers.poll() is None and len(probes) < options.seconds * 8:
                time.sleep(0.1)
                probes.append(get("/liveness")[1])
            assert callers.stdout is not None
            answers: Answers = pickle.loads(callers.stdout.read())
        cpu = cpu_seconds(process.pid) - cpu
    counts = Counter(status for status, _ in answers)
    done = [seconds for status, seconds in answers if status == 204]
    rejected = [seconds for status, seconds in answers if status == 503]
    print(f"{checkout.name}, {options.callers} callers: {len(done) / options.seconds:.1f} events/s, {dict(counts)}")
    for name, seconds in (("204", done), ("503", rejected), ("liveness", probes)):
        print(f"  {name}: ms at {PERCENTILES} %: {percentiles(seconds)}")
    print(f"  {1000 * cpu / max(len(done), 1):.1f} ms of processor time per event", flush=True)


def processes(pid: int) -> list[int]:
    """A process and its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(descendant for child in children for descendant in processes(int(child)))]


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and its descendants."""
    ticks = 0
    for one in processes(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(") ")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> list[float]:
    """Resident memory of a process and each of its descendants, without shared pages."""
    status = "\n".join(Path(f"/proc/{one}/status").read_text() for one in processes(pid))
    return [int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("RssAnon")]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("other", type=Path, nargs="?", metavar="OTHER_CHECKOUT")
    parser.add_argument("--callers", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--polite", action="store_true")
    options = parser.parse_args()
    files = 6000  # more than there are events, as those of known files take less time
    store = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(STORE)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(STORE)
        keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": "us-east-1"}
        client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{STORE}", **keys)
        client.create_bucket(Bucket=BUCKET)

        def put(number: int) -> None:
            client.put_object(Bucket=BUCKET, Key=key_of(number), Body=exr_bytes(text("note", str(number))))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(put, range(files)))
        os.environ |= {"S3_ENDPOINT": f"http://127.0.0.1:{STORE}", "S3_ACCESS_KEY": "k", "S3_SECRET_KEY": "s"}
        os.environ |= {"VAST_DB_ACCESS_KEY": "key", "VAST_DB_SECRET_KEY": "not-a-real-secret", "VAST_DB_BUCKET": "b"}
        with emulator() as url:
            os.environ["VAST_DB_ENDPOINT"] = url
            for turn in range(options.rounds):
                for checkout in filter(None, (options.other, ROOT)):
                    measure(checkout, f"{checkout.name}_{turn}", options, files)
    finally:
        store.terminate()


if __name__ == "__main__":
    main()
