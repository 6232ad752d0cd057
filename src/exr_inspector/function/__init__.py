"""Serverless: an event comes in, the files that it names are inspected and persisted, a result goes out.

    event → events → handler (look → persist) → results

`events` knows what events look like and nothing of files; `handler` knows files and nothing of events; `runtime` is a
host that calls the handler as the platform does. No event library is needed for any of it.
"""

from .handler import close_catalogs, handle, prepare

__all__ = ["close_catalogs", "handle", "prepare"]
