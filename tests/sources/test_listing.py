"""Listing of local files: each once, in a fixed order; paths that cannot be listed are errors in their place."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import unicodedata
from datetime import datetime, timezone
from pathlib import Path

import pytest

from exr_inspector.errors import NoMatchError, NotAFileError, SourceError, SourceNotFoundError
from exr_inspector.frames.names import parse_name
from exr_inspector.frames.patterns import compiled
from exr_inspector.frames.ranges import display_pattern
from exr_inspector.sources.listing import ListedFile, list_files
from exr_inspector.sources.patterns import uri_condition
from exr_inspector.sources.selection import select
from exr_inspector.sources.uris import normalize_path

LEFT_OUT = [
    ".hidden.exr", "._a.exr", ".snapshot/a.exr", ".nfs0001.exr", "~a.exr", "a.tmp.exr", "a.part.exr", "a.exr~",
    "a.exr.tmp",
]  # fmt: skip


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*paths: str) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()


def listed_paths(*paths: str, recursive: bool = True) -> list[str]:
    items = list(list_files(paths, recursive=recursive))
    assert all(isinstance(item, ListedFile) for item in items)
    return [item.path for item in items]


def test_a_folder_gives_its_exr_files_sorted_and_depth_first():
    """The extension is compared without case; other, hidden and temporary files are left out."""
    found = ["show/a.EXR", "show/aa/z.exr", "show/b.exr", "show/s.sxr", "show/t.MXR"]
    make(*found, "show/notes.txt", "show/exr", *(f"show/{name}" for name in LEFT_OUT))
    assert listed_paths("show") == found
    assert listed_paths("show", recursive=False) == [path for path in found if "aa" not in path]


def test_a_path_that_is_given_is_listed_whatever_its_name():
    make(*(f".show/{name}" for name in LEFT_OUT))
    for name in LEFT_OUT:
        if name.endswith(".exr"):
            assert listed_paths(f".show/{name}") == [f".show/{name}"]
    assert listed_paths(".show/.snapshot") == [".show/.snapshot/a.exr"]


@pytest.mark.parametrize(
    ("exclude", "include", "left"),
    [
        ([], [], ["a/b.1.exr", "a/b.2.exr", "a/proxy/b.1.exr", "c.exr"]),
        (["proxy"], [], ["a/b.1.exr", "a/b.2.exr", "c.exr"]),
        (["b.#.exr"], [], ["c.exr"]),
        (["a/*.exr"], [], ["a/proxy/b.1.exr", "c.exr"]),
        (["a/**"], [], ["c.exr"]),
        (["*.exr"], ["b.1.exr"], ["a/b.1.exr", "a/proxy/b.1.exr"]),
        ([], [".*"], [".hidden.exr", ".snapshot/a.exr", "a/b.1.exr", "a/b.2.exr", "a/proxy/b.1.exr", "c.exr"]),
    ],
)
def test_patterns_leave_files_out_and_in(exclude, include, left):
    """Below the given path, however that is called."""
    for folder in ("show", "proxy"):
        make(*(f"{folder}/{path}" for path in ("a/b.1.exr", "a/b.2.exr", "a/proxy/b.1.exr", "c.exr")))
        make(f"{folder}/.hidden.exr", f"{folder}/.snapshot/a.exr")
        found = list_files([folder], selection=select(exclude, include))
        assert [item.path for item in found] == [f"{folder}/{path}" for path in left]


def test_an_ignore_file_leaves_out_what_is_below_its_folder():
    make("show/tests/a.exr", "show/a.exr", "show/sub/tests/b.exr", "show/sub/keep/tests/c.exr", "show/sub/x.9.exr")
    Path("show/sub/.exrignore").write_text("# tests of artists\n\ntests/\n!keep\nx.#.exr\n")
    assert listed_paths("show") == ["show/a.exr", "show/tests/a.exr"]
    Path("show/sub/.exrignore").write_text("tests\n!keep/tests\n")
    assert listed_paths("show/sub") == ["show/sub/keep/tests/c.exr", "show/sub/x.9.exr"]


def test_what_cannot_be_an_ignore_file_hides_no_file():
    """A FIFO, a folder, a broken link, too many rules: one error each, with its path."""
    for folder in ("fifo", "folder", "link", "long", "many", "large"):
        make(f"{folder}/a.exr")
    os.mkfifo("fifo/.exrignore")
    Path("folder/.exrignore").mkdir()
    Path("link/.exrignore").symlink_to("missing")
    Path("many/.exrignore").write_text("a.*\n" * 1000)
    Path("large/.exrignore").write_text("#" * (1 << 17))
    Path("long/.exrignore").write_text("b.exr\u2028a.exr\r\n")  # one pattern
    items = list(list_files(["fifo", "folder", "link", "many", "large", "long"]))
    assert [item.path for item in items if isinstance(item, SourceError)] == [
        f"{folder}/.exrignore" for folder in ("fifo", "folder", "link", "many", "large")
    ]
    assert sum(isinstance(item, ListedFile) for item in items) == 6


def test_a_file_that_is_given_is_listed_although_its_folder_leaves_it_out():
    """In any order, and once."""
    make("d/a.exr", "d/tmp_a.exr", "d/s/x.exr")
    Path("d/.exrignore").write_text("tmp_*\n")
    for paths in (["d", "d/tmp_a.exr", "d/s/x.exr"], ["d/tmp_a.exr", "d", "d/s/x.exr"]):
        found = [item.path for item in list_files(paths, selection=select(["s/x.exr"]))]
        assert sorted(found) == ["d/a.exr", "d/s/x.exr", "d/tmp_a.exr"]


def test_wildcards_match_no_hidden_temporary_or_excluded_names():
    make("f/a.1.exr", "f/b_1.exr", "f/._a.1.exr", "f/.snapshot/a.1.exr", "f/a.tmp.exr")
    for pattern in ("f/*.exr", "f/**/*.exr", "f/**"):
        found = [item.path for item in list_files([pattern], selection=select(["b_*"]))]
        assert found == ["f/a.1.exr"]
    assert listed_paths("f/._a.#.exr") == ["f/._a.1.exr"]
    assert listed_paths("f/.snapshot/*.exr") == ["f/.snapshot/a.1.exr"]


def test_folders_whose_names_look_like_patterns_are_those_folders():
    make("proj@v1/a.1.exr", "proj@v1/shot[1]/a.1.exr", "proj@v1/shot1/a.2.exr")
    assert listed_paths("proj@v1/a.#.exr") == ["proj@v1/a.1.exr"]
    assert listed_paths("proj@v1/shot[1]/a.#.exr") == ["proj@v1/shot[1]/a.1.exr"]
    (error,) = list_files(["proj@v1/gone.exr"])
    assert isinstance(error, SourceNotFoundError)


def test_any_number_of_folders_is_searched_once_and_to_any_depth():
    folder = Path("deep")
    for _ in range(300):
        folder = folder / "d"
    folder.mkdir(parents=True)
    (folder / "a.1.exr").touch()
    assert listed_paths("deep/**/**/**/**/**/a.#.exr") == [f"{folder}/a.1.exr"]


@pytest.mark.parametrize(
    ("pattern", "name"), [("*a" * 9 + "b", "a" * 250), ("#@" * 9 + "x", "1" * 250), ("[a--z]*[!x]*.exr", "b" * 250)]
)
def test_hostile_patterns_cost_little(pattern, name):
    """With backtracking, these would take hours."""
    assert compiled(pattern).fullmatch(name) is None


FRAMES = [f"dots/shot.{number:04}.exr" for number in (1, 2, 10)]


@pytest.mark.parametrize(
    "pattern",
    [
        "dots/shot.####.exr", "dots/shot.#.exr", "dots/shot.%04d.exr", "dots/shot.%d.exr", "dots/shot.@@@@.exr",
        "dots/shot.$F4.exr", "dots/shot.$F.exr", "dots/shot.*.exr", "./dots/shot.????.exr", "d*s/shot.####.exr",
        "**/shot.####.exr", "{folder}/dots/shot.####.exr", "file://{folder}/dots/shot.####.exr",
        "dots/shot.[0]*.exr", "do*",
    ],
)  # fmt: skip
def test_patterns_of_studio_software_stand_for_the_files_that_match(pattern, working_folder):
    make(*FRAMES, "dots/other.exr.txt", "dots/.shot.0001.exr", "dots/shots.0001.tif")
    found = listed_paths(pattern.format(folder=working_folder))
    assert [os.path.relpath(path) for path in found] == FRAMES


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("dots/shto.####.exr", "dots/ has, for example, shot.0001.exr, shot.0002.exr, shot.0010.exr"),
        ("dots/shot.#####.exr", "dots/ has, for example, shot.0001.exr"),
        ("empty/*.exr", "empty/ has no EXR files"),
        ("dosts/shot.####.exr", "the folder dosts/ does not exist"),
    ],
)
def test_a_pattern_that_matches_nothing_says_what_there_is(pattern, hint):
    make(*FRAMES, "empty/notes.txt")
    (error,) = list_files([pattern])
    assert isinstance(error, NoMatchError)
    assert hint in error.reason


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("x_%V.####.exr", "give `*` for the view; the working folder has no EXR files"),
        ("x.%v.%04d.exr", "give `*` for the view"),
        ("x.1001-1004#.exr", "give `#`, and the frames with `--range`"),
        ("x.1001-1099x2%04d.exr", "give `#`, and the frames with `--range`"),
        ("x.%4d.exr", "give `%04d`"),
        ("x.<F4>.exr", "give `$F4`"),
        ("x.<udim>.exr", "give `<UDIM>`"),
        ("x.<UVTILE>.exr", "give `*`"),
        ("{left,right}/x.####.exr", "give `*` or several paths"),
    ],
)
def test_a_notation_that_is_not_supported_is_named(path, hint):
    """Unless files have such names."""
    (error,) = list_files([path])
    assert isinstance(error, (NoMatchError, SourceNotFoundError))
    assert hint in error.reason
    make(path)
    assert listed_paths(path) == [path]


def test_a_link_without_a_target_is_named_as_one():
    """It is there, unlike a path that does not exist."""
    Path("broken.exr").symlink_to("nowhere")
    (error,) = list_files(["broken.exr"])
    assert str(error) == "broken.exr: no such file: the target of this symbolic link does not exist"


def test_a_file_whose_name_looks_like_a_pattern_is_that_file():
    make("a.####.exr", "a.0001.exr", "shot[1].0001.exr", "shot1.0001.exr")
    assert listed_paths("a.####.exr") == ["a.####.exr"]
    assert listed_paths("shot[1].0001.exr") == ["shot[1].0001.exr"]
    assert listed_paths("shot[1].####.exr") == ["shot1.0001.exr", "shot[1].0001.exr"]


@pytest.mark.parametrize(
    "name", ["x[{}].exr", "x%04d.{}.exr", "p@v1.{}.exr", "a#1.{}.exr", "x[@].{}.exr", "x*$F_{}_b.exr"]
)
def test_the_pattern_of_a_sequence_names_its_files(name):
    """As it is printed: what looks like a notation or wildcard in the names stands for itself."""
    files = [name.format(frame) for frame in (1001, 1002)]
    make(*files)
    frames = [parse_name(file) for file in files]
    assert len({frame.sequence for frame in frames}) == 1
    pattern = display_pattern(frames[0].sequence, [frame.frame for frame in frames])
    assert pattern == name.format("####")
    assert listed_paths(pattern) == files
    for uris in (uri_condition([pattern]), uri_condition([f"./{pattern}"])):
        for uri in map(normalize_path, (*files, frames[0].sequence)):
            assert uri.startswith(uris.prefix)
            assert re.search(uris.regex, uri)


def test_a_named_file_needs_no_extension():
    make("render.tmp")
    assert listed_paths("render.tmp") == ["render.tmp"]
    assert listed_paths(f"file://{Path.cwd()}/render.tmp") == [f"{Path.cwd()}/render.tmp"]


def test_size_and_modification_time_are_those_of_the_file():
    """In UTC, truncated to microseconds."""
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
def test_a_file_is_listed_once(paths):
    """Also if a path is given twice, or contains another path."""
    make("show/sh01/a.exr", "show/sh01/b.exr")
    assert sorted(map(os.path.normpath, listed_paths(*paths))) == ["show/sh01/a.exr", "show/sh01/b.exr"]


def test_a_named_file_of_another_extension_is_listed_in_addition_to_its_folder():
    """It is not part of the folder's listing."""
    make("show/a.exr", "show/render.tmp")
    assert listed_paths("show", "show/render.tmp") == ["show/a.exr", "show/render.tmp"]


def test_links_to_files_are_followed_and_links_to_folders_are_not():
    """Loops of links are not followed."""
    make("show/a.exr", "elsewhere/b.exr")
    Path("show/link.exr").symlink_to("a.exr")
    Path("show/up").symlink_to("..")
    Path("show/elsewhere").symlink_to("../elsewhere")
    assert listed_paths("show") == ["show/a.exr", "show/link.exr"]


def test_a_named_folder_may_be_a_link():
    """Its files are listed below the given path."""
    make("elsewhere/b.exr")
    Path("link").symlink_to("elsewhere")
    assert listed_paths("link") == ["link/b.exr"]


def test_a_path_that_is_not_a_file_is_an_error_in_its_place():
    """FIFOs, broken and looping links; the other files are listed."""
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
    """The files in x.exr/ are listed."""
    make("show/x.exr/a.exr")
    assert listed_paths("show") == ["show/x.exr/a.exr"]


def test_a_missing_file_and_an_unsupported_scheme_are_errors():
    missing, remote = list_files(["missing.exr", "gs://bucket/key.exr"])
    assert isinstance(missing, SourceNotFoundError)
    assert str(remote) == "gs://bucket/key.exr: gs:// is not supported; give a path, file:// or s3:// URI"


def test_a_missing_path_that_is_given_twice_is_one_error():
    (error,) = list_files(["missing.exr", "missing.exr"])
    assert isinstance(error, SourceNotFoundError)


def test_an_unreadable_folder_is_an_error_in_its_place():
    """Also where a pattern needs its names. Runs as another user, because root may read everything."""
    make("show/a/secret.1.exr", "show/b/b.1.exr")
    Path("show/link").symlink_to("a")
    Path("show/a").chmod(0)
    Path.cwd().chmod(0o755)
    code = """if True:
        import os
        from exr_inspector.sources.listing import ListedFile, list_files
        if os.getuid() == 0:
            os.setuid(65534)
        for path in ("", "/a/secret.#.exr", "/a/in/*.exr", "/**/*.exr", "/*/b.#.exr", "/?/in/#.exr"):
            items = list_files([f"show{path}"])
            print(*(item.path if isinstance(item, ListedFile) else item for item in items), sep=", ")
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    Path("show/a").chmod(0o755)
    assert done.stdout.splitlines() == [
        "show/a: Permission denied, show/b/b.1.exr",
        "show/a: Permission denied",
        "show/a/in: Permission denied",
        "show/a: Permission denied, show/b/b.1.exr",
        "show/a: Permission denied, show/b/b.1.exr, show/link: Permission denied",
        "show/a: Permission denied",
    ], done.stderr


def test_a_pattern_ignores_what_is_not_a_folder():
    """Files, broken and looping links in the place of folders."""
    make("show/a/x.1.exr", "show/file")
    Path("show/broken").symlink_to("nowhere")
    Path("show/loop").symlink_to("loop")
    for pattern in ("show/*/x.#.exr", "show/*/../a/x.#.exr"):
        assert [os.path.normpath(path) for path in listed_paths(pattern)] == ["show/a/x.1.exr"]


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
def test_a_file_of_any_name_has_the_same_uri_in_a_folder_and_by_itself(name):
    """Quotes, spaces, line breaks, Unicode forms, bytes that are not UTF-8."""
    make(f"show/{name}")
    (in_folder,) = list_files(["show"])
    (by_itself,) = list_files([f"show/{name}"])
    assert in_folder == by_itself
    assert in_folder.path == f"show/{name}"
    assert in_folder.uri.encode()


def test_a_folder_that_vanishes_during_the_listing_is_an_error_in_its_place():
    """It was listed in its parent folder, and does not exist when it is listed itself."""
    make("show/a/a.exr", "show/b/b.exr", "show/c/c.exr")
    items = list_files(["show"])
    first = next(items)
    Path("show/b/b.exr").unlink()
    Path("show/b").rmdir()
    error, last = items
    assert (first.path, str(error), last.path) == ("show/a/a.exr", "show/b: No such file or directory", "show/c/c.exr")


def test_the_root_folder_gives_uris_with_three_slashes(monkeypatch):
    """Not four."""
    make("a.exr")
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: real(Path.cwd() if path == "/" else path))
    (item,) = list_files(["/"])
    assert item.uri == "file:///a.exr"
