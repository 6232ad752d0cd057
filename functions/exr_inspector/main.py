"""What VAST DataEngine calls: `init` once for each container, `handler` for each event.

The two lines that define them stand in the form in which the platform's builder looks for them.
"""

import sys
from pathlib import Path

try:
    from exr_inspector import function
except ModuleNotFoundError as missing:  # in a checkout, where nothing is installed
    if missing.name not in ("exr_inspector", "exr_inspector.function"):
        raise
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
    from exr_inspector import function


def init(ctx):
    """Open what is kept between events."""
    function.prepare(ctx)


def handler(ctx, event):
    """Inspect and persist what an event names."""
    return function.handle(ctx, event)
