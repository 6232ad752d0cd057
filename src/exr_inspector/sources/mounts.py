"""Types of mounted file systems, from /proc/self/mountinfo."""

from __future__ import annotations

import os
import time
from functools import lru_cache
from pathlib import Path

_MOUNTINFO = Path("/proc/self/mountinfo")
# Each read can be a round trip to a server. FUSE mounts have the type fuse or fuse.NAME; fuseblk is a local disk.
_NETWORK_TYPES = frozenset(
    "nfs nfs4 cifs smb3 smbfs afs ceph lustre beegfs gpfs panfs wekafs orangefs pvfs2 coda ncpfs 9p "
    "virtiofs vboxsf prl_fs fuse".split()
)


def is_network_device(device: int) -> bool:
    """Whether a device (`st_dev`) is a network file system; False where the system does not list its mounts."""
    return _is_network_device(device, int(time.monotonic()))


@lru_cache(maxsize=256)
def _is_network_device(device: int, _second: int) -> bool:
    """As is_network_device; results are kept for a second, as another mount may get the number after an unmount."""
    try:
        mountinfo = _MOUNTINFO.read_text("utf-8", "surrogateescape")
    except OSError:
        return False
    return is_network_type(file_system_type(mountinfo, device))


def file_system_type(mountinfo: str, device: int) -> str:
    """The type of the file system with this device number; empty if it is not listed."""
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in mountinfo.split("\n"):
        mount, _, file_system = line.partition(" - ")  # before it, a varying number of fields
        if mount.split(" ")[2:3] == [number]:
            return file_system.split(" ")[0]
    return ""


def is_network_type(file_system: str) -> bool:
    """Whether a file system of this type is behind a network, or behind a program that may use one."""
    return file_system in _NETWORK_TYPES or file_system.startswith("fuse.")
