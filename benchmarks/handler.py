"""The function: cold start, warm invocations per second and peak memory.

    python -m benchmarks.handler

Cold start: a process that calls the handler once, in turn with one that only imports the VAST SDK. Warm: sequential
invocations, beside obstore and the SDK alone with the same requests and prepared rows. The S3 server and the VAST
emulator run in their own processes on this machine.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time

import boto3

from benchmarks.vast import emulator
from tests.support.exr_bytes import exr_bytes, text

BUCKET = "renders"
COLD = """
from types import SimpleNamespace
from functions.exr_inspector.main import handler, init
ctx = SimpleNamespace()
init(ctx)
result = handler(ctx, {"data": {"path": "s3://renders/0.exr"}})
assert result["persistence"]["status"] == "success", result
"""
WARM = """
import time
from types import SimpleNamespace
from benchmarks.memory import peak_mb
from functions.exr_inspector.main import handler, init
from exr_inspector.catalog.vast import coordination
coordination.DELAY_S = 3600
ctx = SimpleNamespace()
init(ctx)
handler(ctx, {"data": {"path": "s3://renders/0.exr"}})
began = time.perf_counter()
for n in range(1, 200):
    assert handler(ctx, {"data": {"path": f"s3://renders/{n}.exr"}})["inserted"]
print(199 / (time.perf_counter() - began), peak_mb())
import os; os._exit(0)
"""

BARE = """
import os, time
import obstore, pyarrow.compute as pc, vastdb
from obstore.store import S3Store
from vastdb.config import QueryConfig
from vastdb.table_metadata import TableMetadata
NAMES = ("files", "parts", "channels", "attributes")
store = S3Store(
    "renders", endpoint=os.environ["S3_ENDPOINT"], access_key_id="k", secret_access_key="s", region="us-east-1",
    client_options={"allow_http": True},
)
session = vastdb.connect("key", "not-a-real-secret", os.environ["VAST_DB_ENDPOINT"])
with session.transaction() as transaction:
    stored = {name: transaction.bucket("b").schema("exr_metadata").table(name).select().read_all() for name in NAMES}
    schema = transaction.bucket("b").create_schema("bare")
    for name, rows in stored.items():
        schema.create_table(name, rows.schema)
kept = {
    name: TableMetadata(vastdb.TableRef("b", "bare", name), rows.schema, vastdb.TableType.Regular)
    for name, rows in stored.items()
}
one_split = QueryConfig(num_splits=1, num_sub_splits=1)
of_file = [
    (row["file_path_normalized"], {
        name: rows.filter(pc.field("file_id") == row["file_id"]).combine_chunks() for name, rows in stored.items()
    })
    for row in stored["files"].to_pylist()
]
def once(path, mine):
    obstore.get(store, path.rpartition("/")[2], options={"range": (0, 65536)}).bytes()
    with session.transaction() as transaction:
        tables = {name: transaction.table_from_metadata(metadata) for name, metadata in kept.items()}
        files = tables["files"]
        wanted = files["file_path_normalized"] == path
        files.select(["file_id"], predicate=wanted, internal_row_id=True, config=one_split).read_all()
        for name, table in tables.items():
            table.insert(mine[name])
once(*of_file.pop())
began = time.perf_counter()
for path, mine in of_file:
    once(path, mine)
print(len(of_file) / (time.perf_counter() - began))
"""


def seconds(program: str) -> float:
    """Run time of a process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return time.perf_counter() - began


def warm(latency_ms: float) -> tuple[float, float, float]:
    """Invocations per second, those of the clients alone, and peak memory in MB."""
    with emulator(latency_ms) as url:
        os.environ["VAST_DB_ENDPOINT"] = url
        mine, alone = (
            subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
            for program in (WARM, BARE)
        )
    rate, peak = map(float, mine.split())
    return rate, float(alone), peak


def wait_for(port: int) -> None:
    """Wait until a server listens on the port."""
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)


def main() -> None:
    """Print the figures."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # installed packages have compiled modules
    store = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", "19000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(19000)
        client = boto3.client(
            "s3", endpoint_url="http://127.0.0.1:19000", region_name="us-east-1",
            aws_access_key_id="k", aws_secret_access_key="s",
        )  # fmt: skip
        client.create_bucket(Bucket=BUCKET)
        for n in range(200):
            client.put_object(Bucket=BUCKET, Key=f"{n}.exr", Body=exr_bytes(text("note", str(n))))
        os.environ |= {"S3_ENDPOINT": "http://127.0.0.1:19000", "S3_ACCESS_KEY": "k", "S3_SECRET_KEY": "s"}
        os.environ |= {"VAST_DB_ACCESS_KEY": "key", "VAST_DB_SECRET_KEY": "not-a-real-secret", "VAST_DB_BUCKET": "b"}
        with emulator() as url:
            os.environ["VAST_DB_ENDPOINT"] = url
            seconds(COLD)  # creates the tables
            pairs = [(seconds(COLD), seconds("import vastdb")) for _ in range(7)]
            cold, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
            print(f"cold start {cold:.2f} s, `import vastdb` {bare:.2f} s: {cold / bare:.2f} times")
        for latency in (0, 2):
            rounds = [warm(latency) for _ in range(5)]
            rate, alone, peak = (statistics.median(column) for column in zip(*rounds, strict=True))
            ratio = statistics.median(mine / theirs for mine, theirs, _ in rounds)
            print(
                f"warm, {latency} ms per request: {rate:.1f} sequential invocations/s, the clients alone "
                f"{alone:.1f}/s: {ratio:.2f} times; peak memory {peak:.0f} MB",
                flush=True,
            )
    finally:
        store.terminate()


if __name__ == "__main__":
    main()
