"""inspect: many files in worker processes, whole values of attributes, and combinations of formats."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from exr_inspector.cli import inspected_files
from exr_inspector.cli.inspected_files import InspectOptions
from exr_inspector.cli.main import main
from exr_inspector.exr import Limits
from tests.support import exr_writer as w
from tests.support.terminal import COMMAND, on_terminal

COUNT = 300  # more than are inspected without workers
MANIFEST = '{"buoy":"00000001",' + ",".join(f'"rope{n}":"{n:08x}"' for n in range(2, 2000)) + "}"


@pytest.fixture(scope="module")
def many(made_once) -> Path:
    """Files of which some are damaged."""

    def write() -> None:
        for number in range(COUNT):
            data = w.build(w.part(extra=[w.text("owner", f"artist {number}")])).data
            Path(f"a.{number:04}.exr").write_bytes(data[:-5] if number % 100 == 7 else data)
        Path("a.0050.exr").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(60))

    return made_once(write)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ["--format", "jsonl"],
        pytest.param(["--format", "json"], marks=pytest.mark.slow),
        pytest.param(["--format", "table"], marks=pytest.mark.slow),
        pytest.param(["--attribute", "owner"], marks=pytest.mark.slow),
    ],
)
def test_workers_change_nothing(many, monkeypatch, capfd, options):
    """Output, messages, their order, and the exit code."""
    monkeypatch.chdir(many)
    shown = []
    for workers in ("1", "2"):
        monkeypatch.setenv("EXR_INSPECTOR_WORKERS", workers)
        assert main(["inspect", ".", *options]) == 1
        shown.append(capfd.readouterr())
    assert shown[0] == shown[1]
    assert len(shown[0].out.splitlines()) >= COUNT - 1
    assert shown[0].err == "./a.0050.exr: not an EXR file: PNG signature (not_exr at byte 0)\n"


def test_large_headers_are_left_to_the_parent(many, monkeypatch):
    """A batch holds a limited size of text; the files after it are inspected when they are printed."""
    monkeypatch.setattr(inspected_files, "_MAX_BATCH_BYTES", 5000)
    options = InspectOptions(limits=Limits(), chunks="auto", s3=None, printed=lambda inspection: b"x" * 3000)
    paths = [str(path) for path in sorted(many.glob("*.exr"))[:10]]
    batch = inspected_files._inspect_batch(paths, options)
    assert [file.is_deferred for file in batch] == [False] * 2 + [True] * 8
    printed = list(inspected_files.inspected_files(iter(paths), options, workers=2))
    assert [file.path for file in printed] == paths
    assert all(file.printed and not file.is_deferred for file in printed)


@pytest.mark.slow
def test_ctrl_c_ends_the_workers(many):
    """One line, exit code 130, and no process is left."""
    command = [*COMMAND, "inspect", str(many), "--jsonl"]
    env = os.environ | {"EXR_INSPECTOR_WORKERS": "2"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=env
    )
    assert process.stdout is not None
    process.stdout.readline()  # the rest is more than the pipe takes, so the command waits
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate()
    assert (process.returncode, error.splitlines()[-1]) == (130, "exr-inspector: interrupted")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:  # the process that counts resources ends after its parent
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("a process is left")


@pytest.mark.slow
def test_the_progress_is_on_the_terminal_of_stderr_alone(many, tmp_path):
    """Not in the data, and not if it is written to the same terminal."""
    program = tmp_path / "at_once.py"
    program.write_text(
        "import sys; from exr_inspector.cli import main, progress; progress._SHOW_AFTER_S = 0\n"
        "if __name__ == '__main__': sys.exit(main.main(sys.argv[1:]))\n"
    )
    words = ("inspect", str(many), "--jsonl", "--fail-on", "never")
    with open(tmp_path / "out", "wb") as out:
        _, shown = on_terminal(*words, cwd=tmp_path, stdout=out.fileno(), program=str(program))
    assert "files/s" in shown
    assert all(json.loads(line) for line in (tmp_path / "out").read_text().splitlines())
    _, shown = on_terminal(*words, cwd=tmp_path, program=str(program))
    assert "files/s" not in shown


@pytest.fixture
def values(tmp_path, monkeypatch) -> None:
    """Files with values that the page cuts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    beauty = [w.text("owner", "someone"), w.text("manifest", MANIFEST), w.attribute("odd", "unheard", b"\x00\xff")]
    parts = [w.part(name="beauty", extra=beauty), w.part(name="ids", extra=[w.text("owner", "line 1\nline 2")])]
    Path("two.exr").write_bytes(w.build(parts).data)
    Path("one.exr").write_bytes(w.build(w.part(extra=[w.text("owner", "bo"), w.text("owner", "ana")])).data)


def test_values_of_attributes_are_whole(values, capfd):
    """One line per part that has the attribute; the part and the attribute are named where there are several."""
    assert main(["inspect", "one.exr", "two.exr", "--attribute", "owner"]) == 1  # the repeated attribute
    shown = capfd.readouterr()
    assert shown.out.splitlines() == [
        "one.exr\tbo",
        "two.exr\tbeauty\tsomeone",
        r"two.exr" "\tids\t" r"line 1\x0aline 2",
    ]
    assert main(["inspect", "two.exr", "--attribute", "manifest", "--attribute", "odd"]) == 0
    assert capfd.readouterr().out.splitlines() == [
        f"two.exr\tbeauty\tmanifest\t{MANIFEST}",
        "two.exr\tbeauty\todd\tAP8=",
    ]
    assert (
        main(["inspect", "one.exr", "--attribute", "compression", "--attribute", "nothing", "--fail-on", "never"]) == 0
    )
    assert capfd.readouterr().out == "one.exr\tcompression\tNONE\n"
    assert main(["inspect", "two.exr", "--attribute", "nothing"]) == 0
    assert capfd.readouterr() == ("", "two.exr: no part has the attribute nothing\n")


def test_values_of_attributes_are_unambiguous(tmp_path, monkeypatch, capfd):
    """A line feed and its escape differ, and so do lists of text with the same words."""
    monkeypatch.chdir(tmp_path)
    texts = [w.text("escaped", r"1\x0a2"), w.text("fed", "1\n2")]
    lists = [w.attribute(name, "stringvector", w.stringvector(value)) for name, value in LISTS.items()]
    Path("a.exr").write_bytes(w.build(w.part(extra=[*texts, *lists])).data)
    names = ["escaped", "fed", *LISTS]
    assert main(["inspect", "a.exr", *(word for name in names for word in ("--attribute", name))]) == 0
    values = [line.split("\t")[2] for line in capfd.readouterr().out.splitlines()]
    assert values == [r"1\\x0a2", r"1\x0a2", '["a b", "c[1]"]', '["a", "b", "c[1]"]']
    assert main(["inspect", "a.exr"]) == 0
    assert "  two      a b c[1]\n" in capfd.readouterr().out


LISTS = {"two": ["a b", "c[1]"], "three": ["a", "b", "c[1]"]}


def test_the_page_has_whole_values_on_request(values, capfd):
    """--full; also of bytes, and pages of several files."""
    assert main(["inspect", "two.exr"]) == 0
    assert MANIFEST not in capfd.readouterr().out
    assert main(["inspect", "two.exr", "one.exr", "--full", "--fail-on", "never"]) == 0
    shown = capfd.readouterr().out
    for text in (f"manifest  {MANIFEST}", "AP8=", "one.exr  ", "two.exr  "):
        assert text in shown


def test_formats_have_one_option(values, capfd):
    """--format and its aliases are the same; options of one format are not for another."""
    for name in ("json", "jsonl", "table"):
        assert main(["inspect", "two.exr", "--format", name]) == 0
        long = capfd.readouterr().out
        assert main(["inspect", "two.exr", f"--{name}"]) == 0
        assert capfd.readouterr().out == long
    assert main(["inspect", "two.exr", "one.exr", "--format", "page", "--fail-on", "never"]) == 0
    assert capfd.readouterr().out.count("attributes (") == 3
    assert main(["inspect", "two.exr", "--columns", "status,file"]) == 0
    assert capfd.readouterr().out.split() == ["status", "file", "complete", "two.exr"]
    for words in (
        ["--format", "json", "--table"],
        ["--attribute", "owner", "--json"],
        ["--attribute", "owner", "--full"],
        ["--full", "--format", "table"],
        ["--columns", "file", "--json"],
        ["--columns", "name"],
    ):
        assert main(["inspect", "two.exr", *words]) == 2
        shown = capfd.readouterr()
        assert shown.out == ""
        assert len(shown.err.splitlines()) == 1
