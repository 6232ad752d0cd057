"""How errors are reported, and whether another delivery of the event can fix them."""

from __future__ import annotations

from ..errors import ExrInspectorError, SourceStoreError, error_classes

# Categories of errors that concern the configuration of the function or its environment, not a file.
_MISCONFIGURATION = frozenset({"authentication", "settings", "schema", "catalog", "missing_extra"})


def category(error: Exception) -> str:
    """The category of an error, as in results and metrics; `internal` for errors of other packages."""
    return error.category if isinstance(error, ExrInspectorError) else "internal"


def categories() -> list[str]:
    """All categories."""
    return sorted({kind.category for kind in error_classes()})


def is_retryable(error: Exception) -> bool:
    """Whether the error is transient: the same operation can succeed later."""
    return isinstance(error, MemoryError) or (isinstance(error, ExrInspectorError) and error.retryable)


def is_misconfiguration(error: Exception) -> bool:
    """Whether every event fails with this error until the configuration is corrected."""
    return concerns_configuration(type(error))


def concerns_configuration(kind: type[Exception]) -> bool:
    """Whether errors of a class concern the configuration, not a file or an event."""
    is_misconfigured = issubclass(kind, ExrInspectorError) and kind.category in _MISCONFIGURATION
    return is_misconfigured or issubclass(kind, SourceStoreError)


def message(error: Exception) -> str:
    """The text of an error for results and logs, without secrets; errors of other packages show their type only."""
    if isinstance(error, ExrInspectorError):
        return str(error)
    return f"internal error ({type(error).__name__}); the log has the traceback"
