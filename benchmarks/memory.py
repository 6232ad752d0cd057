"""Peak memory of this process."""

from __future__ import annotations

import re
from pathlib import Path


def peak_mb() -> float:
    """Peak resident memory in MB. The value of getrusage would include the parent process before exec."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024
