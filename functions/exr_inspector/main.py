"""The function as VAST DataEngine runs it: looks at the OpenEXR files that an event names, and catalogs them."""

from exr_inspector.function import handle, prepare


def init(ctx):
    """Called once, before the first event."""
    prepare(ctx)


def handler(ctx, event):
    """Called for each event, on up to twenty threads at a time."""
    return handle(ctx, event)
