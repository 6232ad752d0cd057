"""inspect and schema: text, JSON and exit codes."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import jsonschema
import pytest

from exr_inspector.cli.main import main
from tests.support import exr_writer as w
from tests.support.terminal import COMMAND, on_terminal

GOOD = w.build(w.part(extra=[w.text("owner", "someone")])).data
CUT = GOOD[:-5]
# Escape sequences (also as a C1 character), a line break, reversed text, and rich markup.
HOSTILE = "\x1b]0;owned\x07 \x9b31m\r\nall is well\u202egnp.exe\u2066\u200f[bold]x[/]"
UNWANTED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Good and bad files in the working folder, and one in a subfolder."""
    monkeypatch.chdir(tmp_path)
    Path("good.exr").write_bytes(GOOD)
    Path("cut.exr").write_bytes(CUT)
    Path("png.exr").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(60))
    Path("below").mkdir()
    Path("below", "deeper.exr").write_bytes(GOOD)
    return tmp_path


def hostile_file(path: Path) -> None:
    channels = [(f"{HOSTILE}.R", w.HALF, 1, 1, 0)]
    part = w.part(name=HOSTILE, channels=channels, extra=[w.text("owner", HOSTILE), w.text(HOSTILE, "x")])
    path.write_bytes(w.build([part, w.part(name="b", replace={"type": w.text("type", HOSTILE)})]).data)


def test_one_file_is_printed_in_full(folder, capfd, monkeypatch):
    """Completeness, windows, channels and attributes in at most 80 columns; nothing on stderr."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["inspect", "good.exr"]) == 0
    shown = capfd.readouterr()
    assert shown.err == ""
    assert shown.out.startswith("good.exr  complete\n")
    for words in ("8 of 8 chunks", "16×8, data and display window [0,0,15,7]", "HALF   R G B", "owner  someone"):
        assert words in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80


def test_several_files_are_one_line_each(folder, capfd):
    """A table; with --table also for a single file."""
    assert main(["inspect", "good.exr", "cut.exr"]) == 1
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["file", "status"],
        ["good.exr", "complete"],
        ["cut.exr", "truncated"],
    ]
    assert "line 7 (7 in part)" in lines[2]
    assert main(["inspect", "good.exr", "--table"]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 2


@pytest.mark.slow
def test_a_terminal_of_80_columns_is_enough(folder):
    """Even for a long name."""
    name = f"{'harbor_' * 8}beauty.1001.exr"
    Path(name).write_bytes(GOOD)
    code, shown = on_terminal("inspect", name, "good.exr", "png.exr", cwd=folder)
    assert code == 1
    assert max(len(COLOURS.sub("", line)) for line in shown.split("\r\n")) <= 80


def test_one_bad_file_never_stops_the_others(folder, capfd):
    """Each has a line on stderr, the others are on stdout; the exit code is 3."""
    Path("empty.exr").touch()
    os.mkfifo("fifo.exr")
    given = ["png.exr", "missing.exr", "good.exr", "empty.exr", "fifo.exr", "s3://bucket/key.exr", "cut.exr"]
    assert main(["inspect", *given, "--jsonl"]) == 3
    shown = capfd.readouterr()
    objects = [json.loads(line) for line in shown.out.splitlines()]
    assert [each["file"]["file_path"] for each in objects if "file" in each] == ["good.exr", "cut.exr"]
    errors = [each["error"] for each in objects if "error" in each]
    assert [(error["path"], error["code"]) for error in errors] == [
        ("png.exr", "not_exr"), ("missing.exr", "not_found"), ("empty.exr", "empty_file"), ("fifo.exr", "not_a_file"),
        ("s3://bucket/key.exr", "unreachable"),
    ]  # fmt: skip
    assert [error["byte_offset"] for error in errors] == [0, None, 0, None, None]
    assert "PNG signature" in errors[0]["message"]
    assert [line.partition(":")[0] for line in shown.err.splitlines()] == [
        "png.exr", "missing.exr", "empty.exr", "fifo.exr", "s3"
    ]  # fmt: skip


@pytest.mark.fast_cases(5)
@pytest.mark.parametrize(
    ("file", "options", "code"),
    [
        ("good.exr", [], 0),
        ("cut.exr", [], 1),
        ("cut.exr", ["--fail-on", "warning"], 1),
        ("cut.exr", ["--fail-on", "never"], 0),
        ("cut.exr", ["--json"], 1),
        ("duplicate.exr", [], 0),
        ("duplicate.exr", ["--fail-on", "warning"], 1),
        ("conflict.exr", [], 1),
        ("conflict.exr", ["--fail-on", "never"], 0),
        ("png.exr", [], 1),
        ("png.exr", ["--fail-on", "never"], 0),
        ("missing.exr", [], 3),
    ],
)
def test_the_exit_code_distinguishes_findings_and_failures(folder, file, options, code):
    """1 is an incomplete file or an error in its header, or with `warning` a header problem; 3 a missing file."""
    for name, second in (("duplicate.exr", 100), ("conflict.exr", 200)):
        twice = [w.fixed("isoSpeed", "float", speed) for speed in (100, second)]
        Path(name).write_bytes(w.build(w.part(extra=twice)).data)
    assert main(["inspect", file, *options]) == code


@pytest.mark.slow
def test_json_follows_the_schema(folder, capfd):
    """An object for one file, an array for several; --raw adds bytes; messages are on stderr."""
    assert main(["schema"]) == 0
    schema = json.loads(capfd.readouterr().out)
    assert main(["inspect", "good.exr", "--json", "--raw"]) == 0
    one = json.loads(capfd.readouterr().out)
    jsonschema.validate(one, schema)
    assert all(attribute["raw"] is not None for attribute in one["attributes"])
    assert main(["inspect", "good.exr", "cut.exr", "png.exr", "--json"]) == 1
    several = json.loads(capfd.readouterr().out)
    assert [item["file"]["completeness"] for item in several[:2]] == ["complete", "truncated"]
    assert several[2]["error"]["path"] == "png.exr"
    assert main(["inspect", "missing.exr", "--json"]) == 3
    alone = json.loads(capfd.readouterr().out)
    assert alone == {
        "error": {"path": "missing.exr", "code": "not_found", "message": "no such file", "byte_offset": None}
    }
    for item in (*several, alone):
        jsonschema.validate(item, schema)


def test_json_is_an_object_only_for_the_path_of_a_file(folder, capfd):
    """A pattern gives an array, also for one match; the name of a file that looks like a pattern gives an object."""
    for frame in (1001, 1002):
        Path(f"shot.{frame}.exr").write_bytes(GOOD)
    Path("odd[1].exr").write_bytes(GOOD)

    def printed(path):
        main(["inspect", path, "--json"])
        return json.loads(capfd.readouterr().out)

    assert [len(printed(path)) for path in ("shot.####.exr", "shot.*1.exr", "none.####.exr")] == [2, 1, 1]
    for path in ("shot.1001.exr", "./shot.1001.exr", "odd[1].exr"):
        assert printed(path)["file"]["file_path"] == path


def test_no_files_are_valid_json(folder, capfd):
    """A folder gives an array, also of no or one file."""
    Path("nothing").mkdir()
    assert main(["inspect", "nothing", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == []
    assert main(["inspect", "below", "--json"]) == 0
    assert len(json.loads(capfd.readouterr().out)) == 1
    assert main(["inspect", "nothing", "--jsonl"]) == 0
    assert capfd.readouterr().out == ""


def test_subfolders_are_included_on_request(folder, capfd):
    """--recursive."""
    main(["inspect", ".", "--jsonl"])
    assert "deeper" not in capfd.readouterr().out
    main(["inspect", ".", "--jsonl", "--recursive"])
    assert "./below/deeper.exr" in capfd.readouterr().out


def test_output_goes_to_a_file(folder, capfd):
    """Nothing on stdout, no partial file."""
    assert main(["inspect", "good.exr", "--json", "--output", "out.json"]) == 0
    assert capfd.readouterr().out == ""
    assert json.loads(Path("out.json").read_text())["file"]["completeness"] == "complete"
    assert not list(folder.glob("*.part"))


def test_a_special_file_is_written_to_and_not_replaced(folder):
    """--output /dev/null must not replace the device."""
    os.mkfifo("pipe")
    reader = subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE)
    assert main(["inspect", "good.exr", "--json", "--output", "pipe"]) == 0
    assert json.loads(reader.communicate()[0])["file"]["file_path"] == "good.exr"
    assert Path("pipe").is_fifo()


def test_an_invalid_output_is_a_usage_error(folder, capfd):
    """One line with its path."""
    assert main(["inspect", "good.exr", "--output", "no/such/folder.json"]) == 2
    err = capfd.readouterr().err
    assert (
        err == "exr-inspector: no/such/folder.json: cannot be written: No such file or directory; give another path\n"
    )


@pytest.mark.parametrize("options", [[], ["--table"], ["--json"], ["--jsonl"]])
@pytest.mark.slow
def test_hostile_text_does_not_control_a_terminal(folder, options):
    """Names of files, parts, channels and attributes, values and types, also in errors."""
    name = f"{HOSTILE.replace('/', '')}.exr"
    hostile_file(folder / name)
    hostile_file(folder / "plain.exr")
    code, shown = on_terminal("inspect", "plain.exr", name, f"missing{name}", *options, cwd=folder)
    assert code == 2  # the missing one looks like a pattern
    without_colours = COLOURS.sub("", shown).replace("\r\n", "\n")
    assert not UNWANTED.findall(without_colours)
    assert "[bold]x[" in without_colours.replace("\n", "")
    _, shown = on_terminal("inspect", "plain.exr", *options, cwd=folder)
    assert not UNWANTED.findall(COLOURS.sub("", shown).replace("\r\n", "\n"))


@pytest.mark.slow
def test_json_on_a_terminal_is_the_same_json(folder):
    """Control characters are escaped, which changes no value."""
    hostile_file(folder / "plain.exr")
    _, shown = on_terminal("inspect", "plain.exr", "--json", cwd=folder)
    piped = subprocess.run([*COMMAND, "inspect", "plain.exr", "--json"], cwd=folder, stdout=subprocess.PIPE).stdout
    assert json.loads(shown) == json.loads(piped)


@pytest.mark.parametrize("words", [["inspect", HOSTILE], [HOSTILE], ["query", HOSTILE, "--catalog", HOSTILE]])
def test_bad_arguments_are_escaped(folder, capfd, words):
    """In one line."""
    assert main(words) in (2, 3)
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert not UNWANTED.search(err)


def test_a_file_name_that_is_not_utf8(folder, capfd):
    """Its URI is printed instead, in JSON and in text, and can be given back."""
    path = os.fsdecode(b"caf\xe9.exr")
    Path(path).write_bytes(GOOD)
    for options in ([], ["--table"]):
        assert main(["inspect", path, *options]) == 0
        assert "caf%E9.exr" in capfd.readouterr().out
    assert main(["inspect", path, "--json"]) == 0
    printed = json.loads(capfd.readouterr().out)["file"]["file_path"]
    assert printed == f"file://{folder}/caf%E9.exr"
    assert main(["inspect", printed, "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["file"]["file_path_normalized"] == printed
    Path(path).write_bytes(b"")
    assert main(["inspect", path]) == 1
    assert capfd.readouterr().err.startswith("caf\\xe9.exr: ")


@pytest.mark.parametrize(
    "words", [["inspekt"], ["inspect"], ["inspect", "x", "--json", "--table"], ["inspect", "x", "--fail-on", "x"],
              ["query"], ["diff", "a"], ["--colour"]]
)  # fmt: skip
def test_a_usage_error_is_one_line(folder, words, capfd):
    """On stderr; exit code 2."""
    assert main(words) == 2
    shown = capfd.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1


def test_no_arguments_print_the_help(capfd):
    """On stderr; exit code 2."""
    assert main([]) == 2
    shown = capfd.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) > 10


def test_a_traceback_only_with_debug(folder, capfd, monkeypatch):
    """Also for an internal error."""
    monkeypatch.setattr("exr_inspector.cli.inspected_files.inspect", lambda *_, **__: 1 / 0)
    assert main(["inspect", "good.exr"]) == 3
    err = capfd.readouterr().err
    assert err == "exr-inspector: internal error: ZeroDivisionError: division by zero (--debug shows the traceback)\n"
    assert main(["inspect", "good.exr", "--debug"]) == 3
    traceback, end = capfd.readouterr().err.split("\nexr-inspector: ")
    assert traceback.endswith("\nZeroDivisionError: division by zero")
    assert end.startswith("internal error: ")


def test_what_follows_two_hyphens_is_a_path(folder, capfd):
    assert main(["inspect", "--", "--debug"]) == 3
    assert capfd.readouterr().err == "--debug: no such file\n"


@pytest.mark.slow
def test_an_error_has_a_traceback_with_debug(folder):
    """In a real process."""
    done = subprocess.run([*COMMAND, "--debug", "diff", "good.exr", "missing.exr"], capture_output=True, text=True)
    assert done.returncode == 3
    assert "Traceback" in done.stderr


def test_an_interrupt_during_an_import_is_one(folder, capfd, monkeypatch):
    """Python before 3.12 raises a RuntimeError where a class is being created."""

    def interrupted(*_, **__):
        raise RuntimeError("Error calling __set_name__") from KeyboardInterrupt()

    monkeypatch.setattr("exr_inspector.cli.inspected_files.inspect", interrupted)
    assert main(["inspect", "good.exr"]) == 130
    assert capfd.readouterr().err == "exr-inspector: interrupted\n"


def test_the_page_and_errors_read_well(folder, capfd):
    """One channel, and no words of libraries."""
    Path("one.exr").write_bytes(w.build(w.part(channels=[("Y", w.HALF, 1, 1, 0)])).data)
    assert main(["inspect", "one.exr"]) == 0
    assert "1 part, 1 channel\n" in capfd.readouterr().out
    assert main(["inspect", "one.exr", "--format", "csv"]) == 2
    assert "Invalid value for '--format': 'csv' is not one of 'page'" in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    ["--jsonl", pytest.param("--json", marks=pytest.mark.slow), pytest.param("--table", marks=pytest.mark.slow)],
)
def test_a_closed_pipe_is_not_an_error(folder, options):
    """`… | head` prints nothing on stderr."""
    for number in range(300):
        Path(f"{number}.exr").write_bytes(GOOD)
    command = f"{shlex.join(COMMAND)} inspect [0-9]*.exr {options} | head -c 10; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout[10:].strip() == "0"


def test_chunks_selects_the_leaders_that_are_checked(folder, capfd, monkeypatch):
    """The option takes precedence over the setting; the page and the JSON have the number."""
    Path("large.exr").write_bytes(w.build(w.part(width=400, height=400)).data)

    def checked(*options: str) -> int:
        assert main(["inspect", "large.exr", "--json", *options]) == 0
        return json.loads(capfd.readouterr().out)["file"]["chunks_checked"]

    numbers = [checked(), checked("--chunks", "all"), checked("--chunks", "sample"), checked("--chunks", "table")]
    assert numbers == [400, 400, 17, 1]
    monkeypatch.setenv("EXR_INSPECTOR_CHUNKS", "sample")
    assert [checked(), checked("--chunks", "all")] == [17, 400]
    assert main(["inspect", "large.exr"]) == 0
    assert "400 of 400 chunks (leaders of 17 checked)" in capfd.readouterr().out
    assert main(["inspect", "large.exr", "--chunks", "all"]) == 0
    assert "checked" not in capfd.readouterr().out
    monkeypatch.setenv("EXR_INSPECTOR_CHUNKS", "some")
    assert main(["inspect", "large.exr"]) == 2
    assert "EXR_INSPECTOR_CHUNKS" in capfd.readouterr().err


def test_cryptomattes_are_listed_with_layers_and_manifest(folder, capfd, monkeypatch):
    """Valid, invalid and sidecar manifests; layers may be in another part."""
    monkeypatch.setenv("COLUMNS", "120")
    names = {"CryptoObject": "manifest", "CryptoAsset": "manifest", "CryptoMaterial": "manif_file"}
    values = ['{"buoy":"00000001","rope":"00000002"}', '{"buoy":', "materials.json"]
    extra = []
    for (name, field), value in zip(names.items(), values, strict=True):
        extra += [w.text(f"cryptomatte/{name}/name", name), w.text(f"cryptomatte/{name}/{field}", value)]
    ranks = [(f"CryptoObject{layer}.{c}", w.FLOAT, 1, 1, 0) for layer in ("00", "01") for c in "abgr"]
    parts = [w.part(name="beauty", extra=extra), w.part(name="ids", channels=ranks)]
    Path("matte.exr").write_bytes(w.build(parts).data)
    assert main(["inspect", "matte.exr"]) == 0
    lines = [line.strip() for line in capfd.readouterr().out.splitlines()]
    assert lines[lines.index("cryptomattes (3)") :][1:4] == [
        "CryptoObject  2 layers, 4 ranks, 2 objects",
        "CryptoAsset  0 layers, 0 ranks, invalid manifest: not JSON: Expecting value: line 1 column 9 (char 8)",
        "CryptoMaterial  0 layers, 0 ranks, manifest in materials.json",
    ]


def test_the_error_in_the_reference_is_real(folder, capfd):
    """Of this file, under its name there."""
    reference = Path(__file__).parents[2].joinpath("docs", "REFERENCE.md").read_text("utf-8")
    (shown,) = re.findall(r'^    (\{"error": .*)$', reference, re.MULTILINE)
    Path("png.exr").rename("a.exr")
    assert main(["inspect", "a.exr", "--jsonl"]) == 1
    assert capfd.readouterr().out == f"{shown}\n"
