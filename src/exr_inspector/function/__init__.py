"""The serverless function: events in; files inspected and persisted; results out.

    event → events → handler (inspect_files → measure_files → persist_files) → results

`events` must not read files, the stages must not know event formats or read the environment, and no event library is
needed. `local` is a host that calls the handler as the platform does.
"""

from .handler import close_catalogs, handle, prepare

__all__ = ["close_catalogs", "handle", "prepare"]
