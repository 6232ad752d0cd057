"""Local files below given folders: the opened file must be there, even if links change before or after opening."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from exr_inspector.errors import NotAFileError, SourceError, SourceNotAllowedError, SourceNotFoundError
from exr_inspector.sources import open_source
from tests.support.opening import before_open, point_link

INSIDE, OUTSIDE = b"inside", b"outside"


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    """A root and a folder beside it, each with a file."""
    root, beside = tmp_path / "root", tmp_path / "root2"
    for folder, data in ((root, INSIDE), (beside, OUTSIDE)):
        (folder / "show").mkdir(parents=True)
        (folder / "show" / "a.exr").write_bytes(data)
    return root, beside


def read(path, *roots):
    source = open_source(path, roots=[os.path.realpath(root) for root in roots])
    try:
        return source.read(0, 100)
    finally:
        source.close()


@pytest.mark.parametrize("linked", ["file", "folder"])
def test_a_link_that_changes_between_check_and_open_is_rejected(folders, linked):
    """It leads to a file below the root when it is checked, and to another file when it is opened."""
    root, beside = folders
    link = root / "link"
    target = "show/a.exr" if linked == "file" else "show"
    link.symlink_to(root / target)
    path = link if linked == "file" else link / "a.exr"
    assert read(path, root) == INSIDE

    change = before_open(path, lambda: point_link(link, beside / target))
    with change, pytest.raises(SourceNotAllowedError, match="not below a folder"):
        read(path, root)


@pytest.mark.slow
def test_a_link_that_keeps_changing_never_leads_outside(folders):
    root, beside = folders
    link = root / "link"
    link.symlink_to(root / "show" / "a.exr")
    is_done = threading.Event()

    def keep_changing():
        while not is_done.is_set():
            point_link(link, beside / "show" / "a.exr")
            point_link(link, root / "show" / "a.exr")

    thread = threading.Thread(target=keep_changing)
    thread.start()
    try:
        for _ in range(1000):
            try:
                assert read(link, root) == INSIDE
            except SourceNotAllowedError:
                pass
    finally:
        is_done.set()
        thread.join()


def test_files_below_any_of_the_roots_are_read(folders, tmp_path):
    """Including links that stay below a root; a root may be a link, or /."""
    root, beside = folders
    (root / "link.exr").symlink_to("show/a.exr")
    (root / "other.exr").symlink_to(beside / "show" / "a.exr")
    (tmp_path / "alias").symlink_to(root)
    assert read(root / "link.exr", "/missing", root) == INSIDE
    assert read(root / "other.exr", root, beside) == OUTSIDE
    assert read(tmp_path / "alias" / "link.exr", tmp_path / "alias") == INSIDE
    assert read(root / "other.exr", "/") == OUTSIDE
    assert read(root / "other.exr") == OUTSIDE


def test_errors_do_not_reveal_which_files_exist_elsewhere(folders):
    """Existing and missing files, folders and links are rejected alike; errors below a root have details."""
    root, beside = folders
    (root / "link.exr").symlink_to(beside / "missing.exr")
    for path in (
        beside / "show" / "a.exr",
        beside / "missing.exr",
        beside,
        root / "link.exr",
        root / ".." / "root2" / "show" / "a.exr",
        Path("/proc/self/fd/0"),
    ):
        with pytest.raises(SourceNotAllowedError):
            read(path, root)
    with pytest.raises(SourceNotFoundError):
        read(root / "missing.exr", root)
    with pytest.raises(SourceError):
        read(f"{root}/a\0.exr", root)


def test_opening_a_fifo_or_device_does_not_block(folders):
    """A FIFO without a writer, and a device."""
    root, _ = folders
    os.mkfifo(root / "fifo.exr")
    with pytest.raises(NotAFileError, match="FIFO"):
        read(root / "fifo.exr", root)
    with pytest.raises(NotAFileError, match="device"):
        read("/dev/null", "/dev")


def test_no_descriptor_stays_open(folders):
    root, _ = folders
    os.mkfifo(root / "fifo.exr")
    before = len(os.listdir("/proc/self/fd"))
    for path in (root / "fifo.exr", root, root / "show" / "a.exr"):
        try:
            read(path, root)
        except NotAFileError:
            pass
    assert len(os.listdir("/proc/self/fd")) == before
