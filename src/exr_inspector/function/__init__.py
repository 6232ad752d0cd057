"""The serverless function: events in; files inspected and persisted; results out.

    event → events → handler (inspect_files → measure_files → persist_files) → results

`events` must not read files, the stages must not know event formats or read the environment, and no event library is
needed. `local` is a host that calls the handler as the platform does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .handler import close_catalogs, handle, prepare

__all__ = ["close_catalogs", "handle", "prepare"]


def __getattr__(name: str) -> Any:
    """The function, imported at its first use: the process that serves HTTP does not need it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(".handler", __name__), name)
