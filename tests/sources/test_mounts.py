"""Network file systems are recognized by the type of the mount."""

import os
import sys
import time

import pytest

from exr_inspector import inspect
from exr_inspector.sources import local, mounts
from exr_inspector.sources.local import LocalSource
from exr_inspector.sources.mounts import file_system_type, is_network_device, is_network_type
from tests.support import exr_writer as w

MOUNTINFO = r"""
22 27 0:20 / /proc rw,nosuid,nodev,noexec,relatime shared:14 - proc proc rw
27 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw,errors=remount-ro
44 27 0:52 /shows /mnt/shows\040and\040jobs rw,relatime shared:2 master:7 - nfs4 server:/export/shows rw,vers=4.2
45 27 0:53 / /mnt/-\040nfs - rw - cifs //server/share rw
46 27 0:54 / /mnt/odd rw,relatime - fuse.sshfs user@host:/ rw,user_id=0
47 27 8:17 / /mnt/disk rw,relatime - fuseblk /dev/sdb1 rw
48 27 0:520 / /mnt/other rw,relatime - tmpfs tmpfs rw
""".strip("\n")


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ((259, 2), "ext4"),
        ((0, 52), "nfs4"),
        ((0, 54), "fuse.sshfs"),
        ((8, 17), "fuseblk"),
        ((0, 520), "tmpfs"),
        ((0, 5), ""),
    ],
)
def test_the_type_of_a_device(device, expected):
    """By device number, whatever the mount point and the number of optional fields."""
    assert file_system_type(MOUNTINFO, os.makedev(*device)) == expected


def test_text_that_is_not_a_mount_is_skipped():
    assert file_system_type("", 1) == file_system_type("garbage\n - \n1 2", 1) == ""


def test_network_types():
    network = [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "lustre",
        "beegfs",
        "gpfs",
        "ceph",
        "9p",
        "virtiofs",
        "fuse",
        "fuse.sshfs",
    ]
    assert all(map(is_network_type, network))
    assert not any(map(is_network_type, ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk", "apfs", ""]))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists its mounts in /proc")
def test_the_types_of_this_machine(tmp_path):
    """The mounts of the test machine are read, and /proc itself is a local file system."""
    with open("/proc/self/mountinfo") as file:
        mountinfo = file.read()
    device = os.stat("/proc").st_dev
    assert file_system_type(mountinfo, device) == "proc"
    assert is_network_device(device) is False


def test_a_device_number_can_get_another_file_system(tmp_path, monkeypatch):
    """As after an unmount and a mount, in a process that has used both."""
    mountinfo = tmp_path / "mountinfo"
    monkeypatch.setattr(mounts, "_MOUNTINFO", mountinfo)
    device = os.makedev(0, 52)
    mountinfo.write_text(MOUNTINFO)
    assert is_network_device(device)
    mountinfo.write_text(MOUNTINFO.replace("nfs4", "tmpfs"))
    deadline = time.monotonic() + 30
    while is_network_device(device):
        assert time.monotonic() < deadline, "the type of the earlier mount is still returned"
        time.sleep(0.05)


@pytest.mark.parametrize(("is_network", "checked", "reads"), [(False, 400, 12), (True, 17, 19)])
def test_the_storage_decides_how_many_leaders_are_checked(tmp_path, monkeypatch, is_network, checked, reads):
    """`auto` checks a sample on network file systems; an explicit value always holds."""
    path = tmp_path / "a.exr"
    path.write_bytes(w.build(w.part(width=400, height=400)).data)
    monkeypatch.setattr(local, "is_network_device", lambda device: is_network and device == path.stat().st_dev)
    announced = []
    monkeypatch.setattr(LocalSource, "prefetch", lambda _, at, n: announced.append((at, n)))
    inspection = inspect(path)
    assert (inspection.completeness, inspection.file.chunks_checked) == ("complete", checked)
    assert inspection.reads <= reads
    assert bool(announced) == is_network
    assert inspect(path, chunks="all").file.chunks_checked == 400
    assert inspect(path, chunks="sample").file.chunks_checked == 17
    assert inspect(path, chunks="table").file.chunks_checked == 1


def test_small_files_are_checked_whole(tmp_path, monkeypatch):
    """The first read has all leaders."""
    monkeypatch.setattr(local, "is_network_device", lambda _: True)
    path = tmp_path / "a.exr"
    path.write_bytes(w.build(w.part(width=4, height=400)).data)
    inspection = inspect(path)
    assert (inspection.reads, inspection.file.chunks_checked) == (1, 400)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has posix_fadvise")
def test_announced_reads_reach_the_system(tmp_path, monkeypatch):
    """Ranges beyond the end of the file too, and a system that rejects the hint is no error."""
    path = tmp_path / "a"
    path.write_bytes(b"x" * 10_000)
    announced = []

    def record(_, offset, length, advice):
        announced.append((offset, length, advice))
        raise OSError

    monkeypatch.setattr(os, "posix_fadvise", record)
    source = LocalSource(path)
    source.prefetch(4096, 8)
    source.prefetch(1 << 40, 8)
    assert announced == [(4096, 8, os.POSIX_FADV_WILLNEED), (1 << 40, 8, os.POSIX_FADV_WILLNEED)]
    assert source.read(4096, 8) == b"x" * 8
    source.close()
