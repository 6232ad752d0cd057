"""exr-inspector reads OpenEXR headers without loss, checks that files are whole, and catalogs them.

from exr_inspector import inspect, open_catalog

inspection = inspect("plate.1001.exr")
with open_catalog("duckdb:shows.duckdb") as catalog:
    catalog.persist([inspection])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from .catalog import Catalog
    from .environment import open_catalog
    from .errors import CatalogError, ExrFormatError, ExrInspectorError, SourceError
    from .exr import Limits
    from .inspection.inspector import inspect
    from .inspection.model import Inspection

# Where each public name lives; imported when it is first used, so that the import of the package costs nothing.
_HOMES = {
    "Catalog": "catalog",
    "CatalogError": "errors",
    "ExrFormatError": "errors",
    "ExrInspectorError": "errors",
    "Inspection": "inspection.model",
    "Limits": "exr",
    "SourceError": "errors",
    "inspect": "inspection.inspector",
    "open_catalog": "environment",
}

__all__ = [
    "Catalog",
    "CatalogError",
    "ExrFormatError",
    "ExrInspectorError",
    "Inspection",
    "Limits",
    "SourceError",
    "__version__",
    "inspect",
    "open_catalog",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)
