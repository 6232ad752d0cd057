"""Which files are found below paths: each once, in a fixed order, and what cannot be looked at in its place."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from datetime import datetime, timezone
from pathlib import Path

import pytest

from exr_inspector.errors import NotAFileError, SourceError, SourceNotFoundError
from exr_inspector.sources.listing import ListedFile, list_files


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*paths: str) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()


def found(*paths: str, recursive: bool = True) -> list[str]:
    items = list(list_files(paths, recursive=recursive))
    assert all(isinstance(item, ListedFile) for item in items)
    return [item.path for item in items]


def test_a_folder_gives_its_exr_files_sorted_and_depth_first():
    """Of any case; other files are not looked at."""
    make(
        "show/b.exr", "show/a.EXR", "show/aa/z.exr", "show/notes.txt", "show/a.exr.tmp", "show/.hidden.exr", "show/exr"
    )
    assert found("show") == ["show/.hidden.exr", "show/a.EXR", "show/aa/z.exr", "show/b.exr"]
    assert found("show", recursive=False) == ["show/.hidden.exr", "show/a.EXR", "show/b.exr"]


def test_a_file_that_is_named_needs_no_extension():
    """Whoever names it knows."""
    make("render.tmp")
    assert found("render.tmp") == ["render.tmp"]
    assert found(f"file://{Path.cwd()}/render.tmp") == [f"{Path.cwd()}/render.tmp"]


def test_a_stamp_is_size_and_time_of_the_file():
    """To the microsecond, in UTC."""
    Path("a.exr").write_bytes(b"12345")
    os.utime("a.exr", ns=(0, 1_700_000_000_123_456_789))
    (item,) = list_files(["a.exr"])
    assert item == ListedFile(
        path="a.exr",
        uri=f"file://{Path.cwd()}/a.exr",
        size_bytes=5,
        mtime=datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=timezone.utc),
    )


@pytest.mark.parametrize(
    "paths",
    [
        ("show", "show"),
        ("show", "show/"),
        ("show", "./show/../show"),
        ("show", "show/sh01"),
        ("show/sh01", "show"),
        ("show/sh01/a.exr", "show"),
        ("show", "show/sh01/a.exr"),
        ("show/sh01/a.exr", "show/sh01/../sh01/a.exr", "show/sh01/b.exr"),
    ],
)
def test_each_file_comes_once(paths):
    """However often a path is given, and whether others are inside it."""
    make("show/sh01/a.exr", "show/sh01/b.exr")
    assert sorted(map(os.path.normpath, found(*paths))) == ["show/sh01/a.exr", "show/sh01/b.exr"]


def test_a_named_file_of_another_extension_comes_beside_its_folder():
    """The folder alone does not give it."""
    make("show/a.exr", "show/render.tmp")
    assert found("show", "show/render.tmp") == ["show/a.exr", "show/render.tmp"]


def test_links_to_files_are_followed_and_links_to_folders_are_not():
    """So a loop ends nothing."""
    make("show/a.exr", "elsewhere/b.exr")
    Path("show/link.exr").symlink_to("a.exr")
    Path("show/up").symlink_to("..")
    Path("show/elsewhere").symlink_to("../elsewhere")
    assert found("show") == ["show/a.exr", "show/link.exr"]


def test_a_folder_that_is_named_may_be_a_link():
    """Its files are found below the name that was given."""
    make("elsewhere/b.exr")
    Path("link").symlink_to("elsewhere")
    assert found("link") == ["link/b.exr"]


def test_what_is_no_file_is_an_error_in_its_place():
    """FIFOs, broken and looping links; the others come all the same."""
    make("show/a.exr", "show/z.exr")
    os.mkfifo("show/fifo.exr")
    Path("show/broken.exr").symlink_to("nowhere")
    Path("show/loop.exr").symlink_to("loop.exr")
    items = list(list_files(["show"]))
    assert [type(item) for item in items] == [ListedFile, SourceNotFoundError, NotAFileError, SourceError, ListedFile]
    assert [item.path for item in items if isinstance(item, SourceError)] == [
        "show/broken.exr", "show/fifo.exr", "show/loop.exr"
    ]  # fmt: skip


def test_a_folder_named_like_a_file_is_a_folder():
    """x.exr/ is entered."""
    make("show/x.exr/a.exr")
    assert found("show") == ["show/x.exr/a.exr"]


def test_what_is_not_there_says_so():
    """And so does a scheme that nobody reads."""
    missing, remote = list_files(["missing.exr", "gs://bucket/key.exr"])
    assert isinstance(missing, SourceNotFoundError)
    assert str(remote) == "gs://bucket/key.exr: gs:// is not supported; give a path, file:// or s3:// URI"


def test_an_unreadable_folder_is_an_error_in_its_place():
    """Run as nobody, whom modes bind, unlike root."""
    make("show/a/secret.exr", "show/b/b.exr")
    Path("show/a").chmod(0)
    Path.cwd().chmod(0o755)
    code = """if True:
        import os
        from exr_inspector.sources.listing import ListedFile, list_files
        if os.getuid() == 0:
            os.setuid(65534)
        for item in list_files(["show"]):
            print(item.path if isinstance(item, ListedFile) else item)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    Path("show/a").chmod(0o755)
    assert done.stdout.splitlines() == ["show/a: Permission denied", "show/b/b.exr"], done.stderr


@pytest.mark.parametrize(
    "name",
    [
        'it\'s "quoted".exr',
        " space .exr",
        "new\nline.exr",
        "[brackets]*?.exr",
        "-r.exr",
        "%41.exr",
        unicodedata.normalize("NFC", "é.exr"),
        unicodedata.normalize("NFD", "é.exr"),
        os.fsdecode(b"latin-\xe9.exr"),
    ],
)
def test_any_name_is_found_under_the_uri_that_its_path_has(name):
    """In a folder and by itself: quotes, spaces, line breaks, Unicode forms, bytes that are no text."""
    make(f"show/{name}")
    (in_folder,) = list_files(["show"])
    (by_itself,) = list_files([f"show/{name}"])
    assert in_folder == by_itself
    assert in_folder.path == f"show/{name}"
    assert in_folder.uri.encode()


def test_a_folder_that_vanishes_meanwhile_is_an_error_in_its_place():
    """It was listed in its parent, and is not there when it is entered."""
    make("show/a/a.exr", "show/b/b.exr", "show/c/c.exr")
    items = list_files(["show"])
    first = next(items)
    Path("show/b/b.exr").unlink()
    Path("show/b").rmdir()
    gone, last = items
    assert (first.path, str(gone), last.path) == ("show/a/a.exr", "show/b: No such file or directory", "show/c/c.exr")


def test_the_root_folder_gives_uris_with_three_slashes(monkeypatch):
    """Not four."""
    make("a.exr")
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: real(Path.cwd() if path == "/" else path))
    (item,) = list_files(["/"])
    assert item.uri == "file:///a.exr"
