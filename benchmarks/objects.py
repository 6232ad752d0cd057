"""Objects of an S3 store: processor time for each object, and elapsed time; the best of five passes.

    python -m benchmarks.objects [OTHER_CHECKOUT] [--objects 500]

Small files in moto's server, which runs in this process, and whose time does not count; another process inspects them.
"Client alone" only requests them, with obstore; "named" gives each object as an argument.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUCKET = "renders"
PASSES = 5
CASES = ("client alone", "inspect", "ingest: all new", "ingest: unchanged", "ingest: named, unchanged")


def serve(folder: str, count: int) -> None:
    """Run the cases that arrive on stdin; answer with the µs of processor time and of elapsed time per object."""
    import obstore
    from obstore.store import S3Store

    from exr_inspector.catalog import open_catalog
    from exr_inspector.ingestion.run import IngestOptions, ingest
    from exr_inspector.inspection.inspector import inspect
    from exr_inspector.sources import environment_store
    from exr_inspector.sources.listing import list_files

    client = S3Store(
        BUCKET,
        client_options={"allow_http": True},
        aws_endpoint_url_s3=os.environ["S3_ENDPOINT"],
        access_key_id=os.environ["S3_ACCESS_KEY"],
        secret_access_key=os.environ["S3_SECRET_KEY"],
    )

    def run(case: str, paths: list[str], catalog: str) -> int:
        if case == "client alone":
            keys = [f"many/a.{i}.exr" for i in range(count)]
            return sum(len(obstore.get(client, key, options={"range": (0, 65536)}).bytes()) > 0 for key in keys)
        if case == "inspect":
            s3 = environment_store()
            return sum(inspect(file.path, s3=s3).to_json() != "" for file in list_files(paths, s3=s3))
        with open_catalog(f"duckdb:{folder}/{catalog}.duckdb") as opened:
            return ingest(paths, opened, IngestOptions(workers=1)).done

    run("inspect", [f"s3://{BUCKET}/few/"], "")  # imports everything
    run("ingest", [f"s3://{BUCKET}/few/"], "few")
    for line in sys.stdin:
        case, catalog = line.split("\t")
        is_named = "named" in case
        paths = [f"s3://{BUCKET}/many/a.{i}.exr" for i in range(count)] if is_named else [f"s3://{BUCKET}/many/"]
        started, processor = time.perf_counter(), time.process_time()
        assert run(case, paths, catalog.strip()) == count
        processor, elapsed = time.process_time() - processor, time.perf_counter() - started
        print(processor / count * 1e6, elapsed / count * 1e6, sep="\t", flush=True)


class Checkout:
    """A process that runs the code of a checkout."""

    def __init__(self, code: Path, url: str, folder: Path, count: int) -> None:
        from tests.support.s3_server import ACCESS_KEY, SECRET_KEY

        folder.mkdir()
        environment = {**os.environ, "PYTHONPATH": str(code / "src"), "S3_ENDPOINT": url}
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve", folder, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment | {"S3_ACCESS_KEY": ACCESS_KEY, "S3_SECRET_KEY": SECRET_KEY},
        )

    def run(self, case: str, catalog: str) -> tuple[float, float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{case}\t{catalog}\n")
        self._process.stdin.flush()
        processor, elapsed = map(float, self._process.stdout.readline().split("\t"))
        return processor, elapsed

    def close(self) -> None:
        self._process.communicate()


def main() -> None:
    """Print the table; in a child process, serve."""
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], int(sys.argv[3]))
        return
    from tests.support.s3_server import S3Server
    from tests.support.small_exr import small_file

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("other", type=Path, nargs="?", help="another checkout, to compare with")
    parser.add_argument("--objects", type=int, default=500)
    given = parser.parse_args()
    server = S3Server()
    for folder, count in (("few", 10), ("many", given.objects)):
        for i in range(count):
            server.put(f"{folder}/a.{i}.exr", small_file(i, i % 3 == 0, 11 + i % 30))
    code = [Path(__file__).parents[1], *([given.other.absolute()] if given.other else [])]
    print(f"{'':<26}{'CPU µs':>8}{'µs':>8}" + f"{'other':>10}{'µs':>8}{'CPU ratio':>11}" * bool(given.other))
    with tempfile.TemporaryDirectory() as root:
        checkouts = [Checkout(path, server.url, Path(root, str(i)), given.objects) for i, path in enumerate(code)]
        results = [
            [[checkout.run(case, f"{number}") for checkout in checkouts] for case in CASES] for number in range(PASSES)
        ]
        for checkout in checkouts:
            checkout.close()
    server.stop()
    for case, passes in zip(CASES, zip(*results, strict=True), strict=True):
        best = [tuple(map(min, zip(*of, strict=True))) for of in zip(*passes, strict=True)]
        row = f"{case:<26}{best[0][0]:8.0f}{best[0][1]:8.0f}"
        if given.other:
            row += f"{best[1][0]:10.0f}{best[1][1]:8.0f}{best[0][0] / best[1][0]:11.2f}"
        print(row)


if __name__ == "__main__":
    main()
