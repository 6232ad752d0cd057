"""The cost of persisting to a VAST Database, by number and latency of requests.

    python -m benchmarks.vast [--scale FILES]

Runs against the emulator of the tests in a separate process: the figures show the cost of the client and of the number
of requests, not of a cluster. `--scale` ingests that many files, runs queries on them, and prints the peak of memory.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import vastdb
from pydantic import SecretStr

from benchmarks.memory import peak_mb
from exr_inspector import open_catalog
from exr_inspector.catalog import Catalog
from exr_inspector.catalog.vast import coordination
from exr_inspector.ingestion.run import IngestOptions, ingest
from exr_inspector.sequence.summary import sequences
from exr_inspector.settings import VastConnection
from tests.support.exr_bytes import exr_bytes, inspection, text

KEYS = ("--access-key", "key", "--secret-key", "not-a-real-secret")


@contextmanager
def emulator(latency_ms: float = 0) -> Iterator[str]:
    """The URL of an emulator with this latency per request."""
    command = [sys.executable, "-m", "tests.vastdb_emulator", *KEYS, "--bucket", "b", "--latency-ms", str(latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def connect(url: str, schema: str) -> Catalog:
    """A catalog with tables."""
    secret = SecretStr("not-a-real-secret")
    given = VastConnection(endpoint=url, access_key=SecretStr("key"), secret_key=secret, deadline_s=120)
    return open_catalog(f"vast://b/{schema}", connection=given)


def median_ms(work: Callable[[Any], object], arguments: Iterable[Any]) -> float:
    """The median time of the work with each argument."""
    taken = []
    for argument in arguments:
        began = time.perf_counter()
        work(argument)
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def persist_latency() -> None:
    print("persist on a warm session, ms in the median of 60\n")
    print("| added ms per request | empty transaction (2) | known file (4) | new file (7) |\n|---|---|---|---|")
    for latency in (0, 1, 5):
        with emulator(latency) as url:
            files = [[inspection(f"s3://b/{n}.exr")] for n in range(61)]
            catalog = connect(url, "latency")
            catalog.persist(files[0])
            empty = median_ms(empty_transaction, [vastdb.connect("key", "not-a-real-secret", url)] * 60)
            new = median_ms(catalog.persist, files[1:])
            known = median_ms(catalog.persist, files[1:])
            print(f"| {latency} | {empty:.1f} | {known:.1f} | {new:.1f} |", flush=True)


def empty_transaction(session: vastdb.session.Session) -> None:
    """The least that the SDK can do."""
    with session.transaction():
        pass


def throughput() -> None:
    print("\nnew files per second, by the size of the batch\n")
    print("| added ms per request | 1 | 10 | 100 | 500 |\n|---|---|---|---|---|")
    for latency in (0, 1, 5):
        with emulator(latency) as url:
            rates = []
            for size, batches in ((1, 60), (10, 40), (100, 20), (500, 6)):
                catalog = connect(url, f"batch_{size}")
                made = [[inspection(f"s3://b/{size}/{b}/{n}.exr") for n in range(size)] for b in range(batches)]
                began = time.perf_counter()
                for batch in made:
                    catalog.persist(batch)
                rates.append(size * batches / (time.perf_counter() - began))
            print(f"| {latency} | " + " | ".join(f"{rate:,.0f}" for rate in rates) + " |", flush=True)


def scale(files: int) -> None:
    with tempfile.TemporaryDirectory() as folder, emulator() as url:
        for number in range(files):
            shot = Path(folder) / f"shot{number // 1000:04}"
            shot.mkdir(exist_ok=True)
            data = exr_bytes(text("note", f"frame {number}"), text("owner", "render farm"))
            (shot / f"beauty.{number % 1000:04}.exr").write_bytes(data)
        catalog = connect(url, "scale")
        for name, work in {
            "ingest": lambda: ingest([folder], catalog, IngestOptions(workers=1)),
            "rescan": lambda: ingest([folder], catalog, IngestOptions(workers=1)),
            "db status": catalog.status,
            "sequences": lambda: sequences(catalog),
            "predicate query": lambda: catalog.sql("SELECT * FROM files WHERE file_id = 'none'"),
            "full scan": lambda: catalog.sql("SELECT attr_name, count(*), max(value_text) FROM attributes GROUP BY 1"),
        }.items():
            began = time.perf_counter()
            work()
            seconds = time.perf_counter() - began
            peak = peak_mb()
            rate = f", {files / seconds:,.0f} files/s" if name in ("ingest", "rescan") else ""
            print(f"{name:<16} {seconds:7.1f} s{rate}, peak memory until here {peak:.0f} MB", flush=True)
        catalog.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=int, help="only ingest this many files, and query them")
    options = parser.parse_args()
    coordination.DELAY_S = 3600  # deduplication in the background would disturb the figures
    if options.scale:
        scale(options.scale)
    else:
        persist_latency()
        throughput()


if __name__ == "__main__":
    main()
