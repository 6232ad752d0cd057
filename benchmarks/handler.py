"""The function: cold start, warm invocations per second, peak memory.

    python -m benchmarks.handler

Cold start is a process that calls the handler once, next to one that only imports the VAST SDK, in turns; against an S3
server and the stand-in for a VAST cluster, both in processes of their own, as on a network of its own machine.
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
from tests.catalog.exr_bytes import exr_bytes, text

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
import resource, sys, time
from types import SimpleNamespace
from functions.exr_inspector.main import handler
from exr_inspector.catalog.vast import pending
pending.SECONDS_BEFORE_LOOK = 3600
ctx = SimpleNamespace()
handler(ctx, {"data": {"path": "s3://renders/0.exr"}})
began = time.perf_counter()
for n in range(1, 200):
    assert handler(ctx, {"data": {"path": f"s3://renders/{n}.exr"}})["inserted"]
print(199 / (time.perf_counter() - began), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
import os; os._exit(0)
"""


def seconds(program: str) -> float:
    """How long a process takes."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return time.perf_counter() - began


def wait_for(port: int) -> None:
    """Until something listens there."""
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)


def main() -> None:
    """Print the figures."""
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
            seconds(COLD)  # makes the tables
            pairs = [(seconds(COLD), seconds("import vastdb")) for _ in range(7)]
            cold, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
            print(f"cold start {cold:.2f} s, `import vastdb` {bare:.2f} s: {cold / bare:.2f} times")
        for latency in (0, 2):
            with emulator(latency) as url:
                os.environ["VAST_DB_ENDPOINT"] = url
                done = subprocess.run([sys.executable, "-c", WARM], check=True, capture_output=True, text=True)
                rate, peak = map(float, done.stdout.split())
                print(f"warm, {latency} ms a request: {rate:.1f} invocations/s one after the other, peak {peak:.0f} MB")
    finally:
        store.terminate()


if __name__ == "__main__":
    main()
