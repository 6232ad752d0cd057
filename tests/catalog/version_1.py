"""Catalogs with version 1 of the tables, written by the program of commit 480c423.

`data/exr_inspector-480c423.zip` has its modules: `git archive 480c423 src`, without its commands and its function.
`data/version_1.duckdb.gz` is a catalog that it made: `python -m tests.catalog.version_1`.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb

from tests.support.exr_bytes import exr_bytes, text

DATA = Path(__file__).parent / "data"
PROGRAM = DATA / "exr_inspector-480c423.zip"
CATALOG = DATA / "version_1.duckdb.gz"

FILES = {
    "s3://renders/a.1001.exr": exr_bytes(text("note", "first")),
    "s3://renders/a.1002.exr": exr_bytes(text("note", "ü")),
    "s3://renders/b.exr": exr_bytes(channels="AZ"),
    "s3://renders/gone.exr": exr_bytes(),
}


class Version1:
    """A running program of version 1 that has a catalog open."""

    def __init__(self, uri: str, **environment: str) -> None:
        command = [sys.executable, str(Path(__file__).parent / "version_1_program.py"), uri]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        variables = os.environ | environment | {"PYTHONPATH": str(PROGRAM / "src")}
        self._process = subprocess.Popen(command, env=variables, text=True, **pipes)
        self._answer()

    def persist(self, *uris: str, data: bytes | None = None) -> list[bool]:
        """Whether each file is new."""
        inserted: list[bool] = self.send(persist=[[uri, (data or FILES.get(uri) or exr_bytes()).hex()] for uri in uris])
        return inserted

    def send(self, **command: Any) -> Any:
        """The answer to a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End the program."""
        _, error = self._process.communicate(timeout=120)
        assert (self._process.returncode, error) == (0, "")

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _, error = self._process.communicate(timeout=120)
            raise RuntimeError(error)
        return json.loads(line)

    def __enter__(self) -> Version1:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._process.kill()
            self._process.communicate()


def fill(program: Version1) -> None:
    """Versions, counts, a deleted file and an error, in several transactions."""
    program.persist(*FILES)
    program.persist("s3://renders/a.1001.exr", data=exr_bytes(text("note", "second")))
    program.persist("s3://renders/b.exr")
    program.send(fail="s3://renders/cut.exr")
    program.send(delete="s3://renders/gone.exr")


def copy_catalog(path: Path) -> None:
    """Write the kept catalog to a path."""
    path.write_bytes(gzip.decompress(CATALOG.read_bytes()))


def main() -> None:
    """Make the kept catalog again, in a format that older DuckDB can read."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/version_1.duckdb"
        with duckdb.connect() as connection:
            connection.execute(f"ATTACH '{path}' AS made (STORAGE_VERSION 'v1.2.0', BLOCK_SIZE 16384)").fetchall()
        with Version1(path) as program:
            fill(program)
        CATALOG.write_bytes(gzip.compress(Path(path).read_bytes(), mtime=0))


if __name__ == "__main__":
    main()
