"""Many events through several runtimes that are killed, cut off and given other keys: is each file stored once?

    python -m benchmarks.soak [--events 100000] [--files 20000] [--callers 32]

Four `function serve`, moto's S3 server and the callers run in their own processes, the VAST emulator in this one. Each
object has several events, which arrive in any order and at the same time; a caller sends an event to one runtime after
the other until it is answered with 204, as a broker does. Meanwhile runtimes are killed and replaced, database and
store go away for some seconds, and the key of the database is replaced. In the end, each object must have one current
row, and the rows of its parts and channels once.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.compute as pc

from benchmarks.function import get, key_of, processes, request_of, resident_mib
from benchmarks.handler import BUCKET, wait_for
from tests.support.s3_server import ACCESS_KEY, SECRET_KEY
from tests.vastdb_emulator import STRICT, Emulator

ROOT = Path(__file__).parents[1]
PORTS = range(18100, 18104)
OUTAGE_S = 5
WAIT_S = (0.2, 5.0)  # of a caller after an event that was not accepted: at first, and at most
KEYS = [("first", "secret-of-the-first"), ("second", "secret-of-the-second")]
CHILDREN = {"parts": 1, "channels": 3}  # rows of each file


@dataclass
class Farm:
    """The processes of the run."""

    emulator: Emulator
    store: subprocess.Popen[bytes]
    store_url: str
    key: tuple[str, str] = KEYS[0]
    runtimes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)  # by port
    kills: int = 0

    def start_runtime(self, port: int) -> None:
        """Start a runtime with the present key; it is ready some seconds later."""
        environment = os.environ | {
            "PYTHONPATH": str(ROOT / "src"),
            "S3_ENDPOINT": self.store_url,
            "S3_ACCESS_KEY": ACCESS_KEY,
            "S3_SECRET_KEY": SECRET_KEY,
            "VAST_DB_ENDPOINT": self.emulator.url,
            "VAST_DB_ACCESS_KEY": self.key[0],
            "VAST_DB_SECRET_KEY": self.key[1],
            "VAST_DB_BUCKET": "b",
            "VAST_DB_SCHEMA": "soak",
        }
        command = [sys.executable, "-m", "exr_inspector", "function", "serve", "--port", str(port)]
        self.runtimes[port] = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)

    def kill_runtime(self, port: int) -> None:
        """Kill both processes of a runtime in the middle of their events, and start another."""
        for pid in processes(self.runtimes[port].pid):
            os.kill(pid, signal.SIGKILL)
        self.runtimes[port].wait()
        self.kills += 1
        self.start_runtime(port)

    def end_runtime(self, port: int) -> None:
        """End a runtime as a platform does."""
        self.runtimes[port].send_signal(signal.SIGTERM)
        self.runtimes[port].wait()

    def restart_database(self) -> None:
        """The database is gone for some seconds."""
        self.emulator.stop()
        time.sleep(OUTAGE_S)
        self.emulator.start()

    def stop_store(self) -> None:
        """The store does not answer for some seconds."""
        self.store.send_signal(signal.SIGSTOP)
        time.sleep(OUTAGE_S)
        self.store.send_signal(signal.SIGCONT)

    def rotate_key(self) -> None:
        """Replace the key of the database: a second key, other instances, then the first one is deleted."""
        self.key = KEYS[1]
        self.emulator.add_key(*self.key)
        for port in PORTS:
            self.end_runtime(port)
            self.start_runtime(port)
            wait_until_ready(port)
        self.emulator.remove_key(KEYS[0][0])


def wait_until_ready(port: int) -> None:
    """Wait for a runtime."""
    wait_for(port)
    while get("/readiness", port)[0] != 200:
        time.sleep(0.1)


async def deliver(number: int, ports: Iterator[int], files: int, answers: Counter[int]) -> None:
    """Send an event until it is accepted."""
    wait, longest = WAIT_S
    while True:
        status = 0
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", next(ports))
            try:
                writer.write(request_of(number, files))
                status = int((await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60))[9:12])
            finally:
                writer.close()
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            pass
        answers[status] += 1
        if status == 204:
            return
        await asyncio.sleep(wait)
        wait = min(2 * wait, longest)


def run_callers(events: int, files: int, callers: int) -> None:
    """Deliver all events in any order. Prints the number of accepted ones on the way, and the answers."""
    numbers = list(range(events))
    random.Random(7).shuffle(numbers)
    answers: Counter[int] = Counter()
    waiting, ports = iter(numbers), itertools.cycle(PORTS)

    async def call() -> None:
        for number in waiting:
            await deliver(number, ports, files, answers)
            if answers[204] % 100 == 0:
                print(answers[204], flush=True)

    async def run() -> None:
        await asyncio.gather(*(call() for _ in range(callers)))

    asyncio.run(run())
    print(dict(answers), flush=True)


def disturbances(farm: Farm) -> Iterator[tuple[float, Callable[[], None]]]:
    """What happens, after which share of the events."""
    happens = [(0.02 + n / 30, lambda port=PORTS[n % 3]: farm.kill_runtime(port)) for n in range(28)]
    happens += [(share, farm.restart_database) for share in (0.15, 0.35, 0.75)]
    happens += [(share, farm.stop_store) for share in (0.25, 0.85)]
    happens.append((0.5, farm.rotate_key))
    yield from sorted(happens, key=lambda each: each[0])


@contextmanager
def store(files: int) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """moto's S3 server with the objects, and its URL."""
    program = f"from benchmarks.soak import serve_store; serve_store({files})"
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().decode().strip()
        finally:
            process.kill()


def serve_store(files: int) -> None:
    """Serve the objects until the process is killed."""
    from tests.support.exr_bytes import exr_bytes, text
    from tests.support.s3_server import S3Server

    server = S3Server()
    for number in range(files):
        server.put(key_of(number), exr_bytes(text("note", str(number))))
    print(server.url, flush=True)
    signal.pause()


def faults(emulator: Emulator, files: int) -> list[str]:
    """What is wrong with the rows."""
    tables = emulator.committed_tables("b", "soak")
    current = tables["files"].filter(pc.field("is_current"))
    paths = Counter(current["file_path_normalized"].to_pylist())
    wanted = {f"s3://{BUCKET}/{key_of(number)}" for number in range(files)}
    found = [f"{len(wanted - paths.keys())} objects without a row"] if wanted - paths.keys() else []
    found += [f"{path} has {count} rows" for path, count in paths.items() if count > 1]
    found += [f"{path} is no object" for path in paths.keys() - wanted]
    if tables["files"].num_rows != files:
        found.append(f"{tables['files'].num_rows} rows of files")
    ids = set(current["file_id"].to_pylist())
    for table, rows in CHILDREN.items():
        counts = Counter(tables[table]["file_id"].to_pylist())
        if counts != dict.fromkeys(ids, rows):
            found.append(f"{table}: {sum(counts.values())} rows of {len(counts)} files")
    return found


def main() -> None:
    """Run, and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--callers", type=int, default=32)
    options = parser.parse_args()
    access_key, secret_key = KEYS[0]
    with ExitStack() as stack:
        emulator = stack.enter_context(
            Emulator(access_key=access_key, secret_key=secret_key, buckets=["b"], assumptions=STRICT, log_limit=0)
        )
        farm = Farm(emulator, *stack.enter_context(store(options.files)))
        for port in PORTS:
            farm.start_runtime(port)
        stack.callback(lambda: [process.kill() for process in farm.runtimes.values()])
        for port in PORTS:
            wait_until_ready(port)
        arguments = options.events, options.files, options.callers
        program = f"from benchmarks.soak import run_callers; run_callers{arguments}"
        callers = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        stack.callback(callers.kill)
        began, due, line = time.monotonic(), disturbances(farm), ""
        share, happen = next(due)
        assert callers.stdout is not None
        for line in callers.stdout:
            if not line.strip().isdecimal():
                break
            done = int(line)
            while done >= share * options.events:
                happen()
                share, happen = next(due, (2.0, farm.restart_database))
            if done % (options.events // 10) == 0:
                memory = sum(resident_mib(farm.runtimes[PORTS[3]].pid))
                print(f"{done:>8} events {time.monotonic() - began:7.0f} s {memory:8.1f} MiB", flush=True)
        seconds = time.monotonic() - began
        for port in PORTS:
            farm.end_runtime(port)
        found = faults(emulator, options.files)
        print(f"{options.events / seconds:.1f} events/s; {farm.kills} processes killed; answers {line.strip()}")
        print("\n".join(found) or f"each of {options.files} files exactly once")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
