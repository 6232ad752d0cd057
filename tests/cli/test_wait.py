"""A catalog that another process has open: the message, and --wait."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exr_inspector import CatalogLockedError, open_catalog
from exr_inspector.cli.main import main
from tests.support import exr_writer as w

HOLD = """
import sys, duckdb
with duckdb.connect("catalog.duckdb"):
    print(flush=True)
    sys.stdin.readline()
"""


@contextmanager
def held() -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has the catalog open for writing until its stdin ends."""
    with subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()
        try:
            yield holder
        finally:
            holder.stdin.close()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", "duckdb:catalog.duckdb")
    Path("a.1001.exr").write_bytes(w.build(w.part()).data)
    assert main(["ingest", "."]) == 0


@pytest.mark.slow
def test_without_waiting_the_message_says_what_to_do(capfd):
    """The file, the process, the option."""
    with held() as holder:
        capfd.readouterr()
        assert main(["ingest", "."]) == 3
    err = capfd.readouterr().err
    assert re.search(rf"catalog\.duckdb is in use by \S*python\S* \(PID {holder.pid}\); .*--wait SECONDS", err)
    assert len(err.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "ingest .",
        "sequences",
        *(
            pytest.param(each, marks=pytest.mark.slow)
            for each in (
                "outliers", "check --catalog duckdb:catalog.duckdb", "similar a.1001.exr", "report storage",
                "query 'SELECT 1'", "db status", "db create-schema", "db reembed",
                "db drop --no-backup --yes catalog.duckdb",
            )
        ),
    ],
)  # fmt: skip
def test_commands_wait_for_the_other_process(capfd, command):
    """They say so, and go on when it ends."""
    with held() as holder:
        assert holder.stdin is not None
        timer = threading.Timer(0.5, holder.stdin.close)
        timer.start()
        capfd.readouterr()
        assert main([*shlex.split(command), "--wait", "60"]) == 0
        timer.join()
    err = capfd.readouterr().err
    assert f"(PID {holder.pid})" in err
    assert "; waiting up to 60 s\n" in err


@pytest.mark.slow
def test_the_time_is_limited():
    """Then it is the same error; the Python API waits as well."""
    with held():
        assert main(["sequences", "--wait", "0.3"]) == 3
        with pytest.raises(CatalogLockedError, match="is in use by"):
            open_catalog("duckdb:catalog.duckdb", wait_s=0.2)
    with open_catalog("duckdb:catalog.duckdb", wait_s=0.2) as catalog:
        assert os.path.basename(catalog.uri) == "duckdb:catalog.duckdb"
