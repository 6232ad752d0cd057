"""The entry points of VAST DataEngine: `init` once per container, `handler` once per event.

The platform's builder may require these two definitions in exactly this form, without annotations.
"""

import sys
from pathlib import Path

try:
    from exr_inspector import function
except ModuleNotFoundError as error:  # a checkout in which the package is not installed
    if error.name not in ("exr_inspector", "exr_inspector.function"):
        raise
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
    from exr_inspector import function


def init(ctx):
    """Prepare the function for its first event."""
    function.prepare(ctx)


def handler(ctx, event):
    """Inspect and persist the files that an event names; returns the result."""
    return function.handle(ctx, event)
