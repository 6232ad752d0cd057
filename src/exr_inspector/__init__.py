"""exr-inspector reads OpenEXR headers without loss, checks that files are whole, and catalogs them.

>>> from exr_inspector import ingest, inspect, open_catalog, sequences
>>> inspect("plate.1001.exr")
<Inspection 'plate.1001.exr': complete, 1 part, 3 channels>
>>> with open_catalog("duckdb:catalog.duckdb") as catalog:
...     summary = ingest("shows", catalog)
...     broken = [sequence for sequence in sequences(catalog) if sequence.severity == "error"]
>>> summary.inserted, [sequence.missing for sequence in broken]
(4, ['1004'])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from .catalog import Catalog
    from .environment import open_catalog
    from .errors import (
        CatalogAuthenticationError,
        CatalogConnectionError,
        CatalogError,
        CatalogLockedError,
        CatalogSchemaError,
        CatalogTooLargeError,
        CatalogTransactionError,
        EmbeddingError,
        EventError,
        ExrFormatError,
        ExrInspectorError,
        MissingExtraError,
        NoMatchError,
        NotAFileError,
        QueryError,
        RedeliveryError,
        SettingsError,
        SourceChangedError,
        SourceConnectionError,
        SourceDeniedError,
        SourceError,
        SourceNameError,
        SourceNotAllowedError,
        SourceNotFoundError,
        SourceStoreError,
        SourceSystemError,
    )
    from .exr import Attribute, Channel, Limits, Problem
    from .ingestion.run import IngestOptions, IngestSummary, ingest
    from .inspection.diff import diff
    from .inspection.inspector import inspect
    from .inspection.model import FileFacts, Inspection, PartFacts
    from .search.similar import similar
    from .sequence.outliers import Outlier, outliers
    from .sequence.summary import SequenceSummary, sequences

# The modules of the public names that are not errors. A name is imported when it is first used, so that importing the
# package costs nothing.
_HOMES = {
    "Attribute": "exr",
    "Catalog": "catalog",
    "Channel": "exr",
    "FileFacts": "inspection.model",
    "IngestOptions": "ingestion.run",
    "IngestSummary": "ingestion.run",
    "Inspection": "inspection.model",
    "Limits": "exr",
    "Outlier": "sequence.outliers",
    "PartFacts": "inspection.model",
    "Problem": "exr",
    "SequenceSummary": "sequence.summary",
    "diff": "inspection.diff",
    "ingest": "ingestion.run",
    "inspect": "inspection.inspector",
    "open_catalog": "environment",
    "outliers": "sequence.outliers",
    "sequences": "sequence.summary",
    "similar": "search.similar",
}

__all__ = [
    "Attribute",
    "Catalog",
    "CatalogAuthenticationError",
    "CatalogConnectionError",
    "CatalogError",
    "CatalogLockedError",
    "CatalogSchemaError",
    "CatalogTooLargeError",
    "CatalogTransactionError",
    "Channel",
    "EmbeddingError",
    "EventError",
    "ExrFormatError",
    "ExrInspectorError",
    "FileFacts",
    "IngestOptions",
    "IngestSummary",
    "Inspection",
    "Limits",
    "MissingExtraError",
    "NoMatchError",
    "NotAFileError",
    "Outlier",
    "PartFacts",
    "Problem",
    "QueryError",
    "RedeliveryError",
    "SequenceSummary",
    "SettingsError",
    "SourceChangedError",
    "SourceConnectionError",
    "SourceDeniedError",
    "SourceError",
    "SourceNameError",
    "SourceNotAllowedError",
    "SourceNotFoundError",
    "SourceStoreError",
    "SourceSystemError",
    "__version__",
    "diff",
    "ingest",
    "inspect",
    "open_catalog",
    "outliers",
    "sequences",
    "similar",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_HOMES.get(name, 'errors')}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
