"""exr-inspector reads OpenEXR headers without loss, checks that files are complete, and catalogs them.

>>> from exr_inspector import check, ingest, inspect, open_catalog
>>> inspect("plate.1001.exr")
<Inspection 'plate.1001.exr': complete, 1 part, 3 channels>
>>> with open_catalog("duckdb:catalog.duckdb") as catalog:
...     summary = ingest("shows", catalog)
...     findings = [finding for finding in check(catalog).findings if finding.severity == "error"]
>>> summary.inserted, [(finding.message, finding.frames) for finding in findings]
(4, [('missing', '1004')])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from .catalog import Catalog
    from .environment import open_catalog
    from .errors import (
        BackupError,
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
        PixelError,
        PolicyError,
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
        UnusablePolicyError,
    )
    from .exr import Attribute, Channel, Limits, Problem
    from .findings.model import Finding
    from .gate import CheckResult, check
    from .ingestion.run import IngestOptions, ingest
    from .ingestion.summary import IngestSummary
    from .inspection.diff import Difference, diff
    from .inspection.inspector import inspect, statistics
    from .inspection.model import FileFacts, Inspection, PartFacts
    from .pixels.model import ChannelStats, PartStats, PixelLimits, PixelReport, StatsOptions
    from .pixels.worker import PixelWorker
    from .policy.compile import CompiledPolicy
    from .policy.evaluate import NotEvaluated, Verdict
    from .policy.validate import compiled_policy, validate
    from .search.similar import similar
    from .sequence.outliers import Outlier, outliers
    from .sequence.summary import SequenceSummary, sequences

# The modules of the public names that are not errors. A name is imported when it is first used, so that importing the
# package costs nothing.
_HOMES = {
    "Attribute": "exr",
    "Catalog": "catalog",
    "Channel": "exr",
    "ChannelStats": "pixels.model",
    "CheckResult": "gate",
    "CompiledPolicy": "policy.compile",
    "Difference": "inspection.diff",
    "FileFacts": "inspection.model",
    "Finding": "findings.model",
    "IngestOptions": "ingestion.run",
    "IngestSummary": "ingestion.summary",
    "Inspection": "inspection.model",
    "Limits": "exr",
    "NotEvaluated": "policy.evaluate",
    "Outlier": "sequence.outliers",
    "PartFacts": "inspection.model",
    "PartStats": "pixels.model",
    "PixelLimits": "pixels.model",
    "PixelReport": "pixels.model",
    "PixelWorker": "pixels.worker",
    "Problem": "exr",
    "SequenceSummary": "sequence.summary",
    "StatsOptions": "pixels.model",
    "Verdict": "policy.evaluate",
    "check": "gate",
    "compiled_policy": "policy.validate",
    "diff": "inspection.diff",
    "ingest": "ingestion.run",
    "inspect": "inspection.inspector",
    "open_catalog": "environment",
    "outliers": "sequence.outliers",
    "sequences": "sequence.summary",
    "similar": "search.similar",
    "statistics": "inspection.inspector",
    "validate": "policy.validate",
}

__all__ = [
    "Attribute",
    "BackupError",
    "Catalog",
    "CatalogAuthenticationError",
    "CatalogConnectionError",
    "CatalogError",
    "CatalogLockedError",
    "CatalogSchemaError",
    "CatalogTooLargeError",
    "CatalogTransactionError",
    "Channel",
    "ChannelStats",
    "CheckResult",
    "CompiledPolicy",
    "Difference",
    "EmbeddingError",
    "EventError",
    "ExrFormatError",
    "ExrInspectorError",
    "FileFacts",
    "Finding",
    "IngestOptions",
    "IngestSummary",
    "Inspection",
    "Limits",
    "MissingExtraError",
    "NoMatchError",
    "NotAFileError",
    "NotEvaluated",
    "Outlier",
    "PartFacts",
    "PartStats",
    "PixelError",
    "PixelLimits",
    "PixelReport",
    "PixelWorker",
    "PolicyError",
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
    "StatsOptions",
    "UnusablePolicyError",
    "Verdict",
    "__version__",
    "check",
    "compiled_policy",
    "diff",
    "ingest",
    "inspect",
    "open_catalog",
    "outliers",
    "sequences",
    "similar",
    "statistics",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_HOMES.get(name, 'errors')}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, "__all__", "__doc__", "__file__", "__name__", "__path__"})
