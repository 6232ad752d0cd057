"""Every exception of the project: what happened, where, and what to do about it.

    ExrInspectorError
      ExrFormatError          the bytes break the OpenEXR file layout
      SourceError             bytes cannot be had
        SourceNotFoundError   … there is nothing at that place
        NotAFileError         … a directory, FIFO, socket or device
        SourceChangedError    … the file changed while it was read
        SourceConnectionError … the object store does not answer, or not in time
        SourceDeniedError     … the object store does not let these credentials in
        SourceRefusedError    … the place is not one that may be read from here
      EventError              an event that names no file in any way that is known
      RedeliveryError         an event has to be delivered again
      CatalogError            the database refused or failed
        CatalogLockedError    … another process writes to the DuckDB file
        CatalogSchemaError    … its tables are not the ones this version knows
        CatalogConnectionError       … it cannot be reached, or did not answer in time
        CatalogAuthenticationError   … it does not take the keys
        CatalogTransactionError      … a transaction failed, or met another one
        CatalogTooLargeError         … a row or request is larger than it takes
        QueryError            … the SQL that was given is wrong
      EmbeddingError          the vectors of a file cannot be computed
      SettingsError           a setting, URI or option that cannot work
      MissingExtraError       an optional dependency is not installed

The class says `category` (one word for reports) and `retryable` (whether doing the same again can help);
nobody parses texts. Every error keeps its constructor's arguments in `args`, so it crosses process borders.
"""

from __future__ import annotations

from typing import ClassVar


class ExrInspectorError(Exception):
    """Base of all errors that this package raises on purpose."""

    category: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False


class ExrFormatError(ExrInspectorError):
    """The bytes break the OpenEXR file layout. `offset` counts from the start of the file."""

    category = "format"

    def __init__(self, code: str, offset: int, message: str) -> None:
        super().__init__(code, offset, message)
        self.code, self.offset, self.message = code, offset, message

    def __str__(self) -> str:
        return f"{self.message} ({self.code} at byte {self.offset})"


class SourceError(ExrInspectorError):
    """The bytes of a source cannot be read."""

    category = "source"
    code: ClassVar[str] = "unreadable"
    lasting: ClassVar[bool] = True  # it tells something of the file itself, which a catalog should remember

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(place, reason)
        self.place, self.reason = place, reason

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


class SourceNotFoundError(SourceError):
    """There is nothing at the place that was named."""

    category = "file_not_found"
    code = "not_found"


class SourceNameError(SourceError):
    """The URI names nothing that an object store could be asked for."""


class NotAFileError(SourceError):
    """The place is a directory, FIFO, socket or device: nothing with a size that can be read."""

    category = "not_a_file"
    code = "not_a_file"


class SourceChangedError(SourceError):
    """The file was replaced or rewritten while it was read, each time it was tried."""

    retryable = True
    code = "changed"
    lasting = False


class SourceConnectionError(SourceError):
    """The object store cannot be reached, fails, or does not answer in time; it was tried more than once."""

    category = "connection"
    retryable = True
    code = "unreachable"
    lasting = False


class SourceStoreError(SourceError):
    """The object store gives an answer that says nothing of the object: its configuration is to be looked at."""

    code = "store"
    lasting = False


class SourceDeniedError(SourceError):
    """The object store does not let these credentials read the object."""

    category = "authentication"
    code = "denied"
    lasting = False

    def __init__(self, place: str, reason: str, *, may_hide: bool = False) -> None:
        super().__init__(place, reason)
        self.may_hide = may_hide  # that nothing is there: some stores tell only those who may list


class SourceRefusedError(SourceError):
    """The place lies outside of what may be read from here."""

    category = "not_allowed"
    code = "not_allowed"
    lasting = False


class EventError(ExrInspectorError):
    """An event that cannot be understood, or that asks for what cannot be. Never says what was in it."""

    category = "event"


class RedeliveryError(ExrInspectorError):
    """An event that another delivery may serve; leaves the handler so that the platform delivers it again.

    `result` is what the handler would have returned.
    """

    category = "redelivery"
    retryable = True

    def __init__(self, message: str, result: object = None) -> None:
        super().__init__(message, result)
        self.message, self.result = message, result

    def __str__(self) -> str:
        return self.message


class CatalogError(ExrInspectorError):
    """The catalog refused or failed."""

    category = "catalog"


class CatalogLockedError(CatalogError):
    """Another process holds the catalog open for writing."""

    category = "locked"
    retryable = True


class CatalogSchemaError(CatalogError):
    """The tables of the catalog are not the ones that this version knows."""

    category = "schema"


class CatalogConnectionError(CatalogError):
    """The database cannot be reached, or did not answer in time."""

    category = "connection"
    retryable = True


class CatalogAuthenticationError(CatalogError):
    """The database does not take the keys, or they may not do this."""

    category = "authentication"


class CatalogTransactionError(CatalogError):
    """A transaction failed or met another one, each time it was tried; nothing of it is stored."""

    category = "transaction"
    retryable = True


class CatalogTooLargeError(CatalogError):
    """A row or a request is larger than the database takes."""

    category = "too_large"


class QueryError(CatalogError):
    """A query that was given cannot be run as it stands."""

    category = "query"


class EmbeddingError(ExrInspectorError):
    """The vectors of a file cannot be computed."""

    category = "embedding"

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(place, reason)
        self.place, self.reason = place, reason

    def __str__(self) -> str:
        return f"{self.place}: no vectors can be computed: {self.reason}"


class SettingsError(ExrInspectorError):
    """A setting, URI or option that cannot work."""

    category = "settings"


class MissingExtraError(ExrInspectorError):
    """An optional dependency is needed and not installed."""

    category = "missing_extra"

    def __init__(self, extra: str, needed_for: str) -> None:
        super().__init__(extra, needed_for)
        self.extra, self.needed_for = extra, needed_for

    def __str__(self) -> str:
        return f"{self.needed_for} needs an optional package: pip install 'exr-inspector[{self.extra}]'"
