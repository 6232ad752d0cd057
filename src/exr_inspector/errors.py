"""Every exception of the package.

    ExrInspectorError
      ExrFormatError                 the bytes violate the OpenEXR file layout
      SourceError                    the bytes of a file or object cannot be read
        SourceSystemError              the operating system cannot open or read a local file
        SourceNotFoundError            no file or object with this path exists
        SourceNameError                the URI is not valid in an object store
        NotAFileError                  the path is a directory, FIFO, socket or device
        NoMatchError                   a pattern matches no file
        SourceChangedError             the file was replaced while it was read
        SourceConnectionError          the object store does not respond, or not in time
        SourceStoreError               the object store is misconfigured, or not an S3 store
        SourceDeniedError              the object store rejects the credentials
        SourceNotAllowedError          the configuration does not allow reading this path
      EventError                     an event that cannot be understood or is not allowed
      RedeliveryError                an event that must be delivered again
      CatalogError                   a catalog operation failed
        CatalogLockedError             another process writes to the DuckDB file
        CatalogSchemaError             the tables have another schema than this version expects
        CatalogConnectionError         the database cannot be reached, or does not respond in time
        CatalogAuthenticationError     the database rejects the credentials
        CatalogTransactionError        a transaction failed, or conflicts with another
        CatalogTooLargeError           a row or request exceeds a limit of the database
        QueryError                     a query is invalid
      PixelError                     the pixels of a file cannot be decoded
      BackupError                    a backup is incomplete, is damaged, or does not fit
      EmbeddingError                 the vectors of a file cannot be computed
      SettingsError                  a setting, URI or option is invalid
        PolicyError                    a policy is invalid
      UnusablePolicyError            no policy can judge a file, which is stored anyway
      MissingExtraError              an optional dependency is not installed

Callers check the class, `category` (a word for reports) and `retryable` (whether a retry can succeed), not the message.
Every error keeps the arguments of its constructor in `args`, so that it can be pickled.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple


class ExrInspectorError(Exception):
    """Base class of the errors that this package raises."""

    category: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False


class ExrFormatError(ExrInspectorError):
    """The bytes violate the OpenEXR file layout. `offset` counts from the start of the file."""

    category = "format"

    def __init__(self, code: str, offset: int, message: str) -> None:
        super().__init__(code, offset, message)
        self.code, self.offset, self.message = code, offset, message

    def __str__(self) -> str:
        return f"{self.message} ({self.code} at byte {self.offset})"


class SourceError(ExrInspectorError):
    """The bytes of a file or object cannot be read."""

    category = "source"
    code: ClassVar[str] = "unreadable"
    permanent: ClassVar[bool] = True  # caused by the file itself: catalogs record the error until the file changes

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class SourceSystemError(SourceError):
    """The operating system cannot open or read a local file: no permission, or a failing disk or mount."""

    permanent = False


class SourceNotFoundError(SourceError):
    """No file or object with this path exists."""

    category = "file_not_found"
    code = "not_found"
    permanent = False


class SourceNameError(SourceError):
    """The URI has a bucket or key that an object store cannot have, or that the client cannot request."""


class NotAFileError(SourceError):
    """The path is a directory, FIFO, socket or device."""

    category = "not_a_file"
    code = "not_a_file"


class NoMatchError(SourceError):
    """A pattern matches no file."""

    category = "not_found"
    code = "no_match"
    permanent = False


class SourceChangedError(SourceError):
    """The file was replaced or rewritten while it was read, in every attempt."""

    retryable = True
    code = "changed"
    permanent = False


class SourceConnectionError(SourceError):
    """The object store cannot be reached, fails, or does not respond in time; raised after retries."""

    category = "connection"
    retryable = True
    code = "unreachable"
    permanent = False


class SourceStoreError(SourceError):
    """The object store or its settings need a check; the object itself is not the cause."""

    code = "store"
    permanent = False


class SourceDeniedError(SourceError):
    """The object store rejects the credentials, or they have no permission to read the object."""

    category = "authentication"
    code = "denied"
    permanent = False

    def __init__(self, path: str, reason: str, *, may_hide: bool = False) -> None:
        super().__init__(path, reason)
        self.may_hide = may_hide  # stores may deny access to a missing object if the credentials cannot list


class SourceNotAllowedError(SourceError):
    """The configuration does not allow reading this path."""

    category = "not_allowed"
    code = "not_allowed"
    permanent = False


class EventError(ExrInspectorError):
    """An event that cannot be understood or that is not allowed. The message contains nothing of the event."""

    category = "event"


class RedeliveryError(ExrInspectorError):
    """An event that must be delivered again: the handler raises it to the platform.

    `result` is what the handler would otherwise have returned.
    """

    category = "redelivery"
    retryable = True

    def __init__(self, message: str, result: object = None) -> None:
        super().__init__(message, result)
        self.message, self.result = message, result

    def __str__(self) -> str:
        return self.message


class CatalogError(ExrInspectorError):
    """A catalog operation failed."""

    category = "catalog"


class CatalogLockedError(CatalogError):
    """Another process has the DuckDB file open for writing."""

    category = "locked"
    retryable = True


class CatalogSchemaError(CatalogError):
    """The tables of the catalog have another schema than this version expects."""

    category = "schema"


class CatalogConnectionError(CatalogError):
    """The database cannot be reached, or does not respond in time."""

    category = "connection"
    retryable = True


class CatalogAuthenticationError(CatalogError):
    """The database rejects the credentials, or they have no permission for the operation."""

    category = "authentication"


class CatalogTransactionError(CatalogError):
    """A transaction failed or conflicts with another, in every attempt; it stored nothing."""

    category = "transaction"
    retryable = True


class CatalogTooLargeError(CatalogError):
    """A row or request exceeds a limit of the database."""

    category = "too_large"


class QueryError(CatalogError):
    """A query is invalid."""

    category = "query"


class BackupError(ExrInspectorError):
    """A backup is incomplete, is damaged, needs a newer version, or does not fit the catalog."""

    category = "backup"

    def __init__(self, folder: str, reason: str) -> None:
        super().__init__(folder, reason)
        self.folder, self.reason = folder, reason

    def __str__(self) -> str:
        return f"{self.folder}: {self.reason}"


class EmbeddingError(ExrInspectorError):
    """The vectors of a file cannot be computed."""

    category = "embedding"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"{self.path}: the vectors cannot be computed: {self.reason}"


class PixelError(ExrInspectorError):
    """The pixels of a file cannot be decoded.

    `code` is a key of DECODE_ERRORS: `decoder_crashed` for a fault in a native library, `decoder_ended` if the process
    ended otherwise or does not answer, `decoder_unusable` if it cannot run, `decode_timeout`, `out_of_memory`, or
    `decode_failed` for any other error.
    """

    category = "pixels"

    def __init__(self, path: str, code: str, reason: str) -> None:
        super().__init__(path, code, reason)
        self.path, self.code, self.reason = path, code, reason

    @property
    def permanent(self) -> bool:
        """Whether the file is the cause, so that decoding it again fails too; else limits or the system are."""
        return self.code in ("decoder_crashed", "decode_failed")

    def __str__(self) -> str:
        return f"{self.path}: the pixels are not decoded: {self.reason}"


class SettingsError(ExrInspectorError):
    """A setting, URI or option is invalid."""

    category = "settings"


class PolicyError(SettingsError):
    """A policy is invalid. `line` and `column` begin with 1; `others` are its further errors, in their order."""

    def __init__(self, path: str, line: int, column: int, message: str, others: tuple[PolicyError, ...] = ()) -> None:
        super().__init__(path, line, column, message, others)
        self.path, self.line, self.column, self.message, self.others = path, line, column, message, others

    @property
    def lines(self) -> list[str]:
        """This error and the others, each with its position."""
        return [f"{each.path}:{each.line}:{each.column}: {each.message}" for each in (self, *self.others)]

    def __str__(self) -> str:
        return "\n".join(self.lines)


class UnusablePolicyError(ExrInspectorError):
    """No policy can judge a file: it is not configured, may not be read, or is invalid. The file is stored anyway."""

    category = "policy"


class MissingExtraError(ExrInspectorError):
    """An optional dependency is not installed."""

    category = "missing_extra"

    def __init__(self, extra: str, needed_for: str) -> None:
        super().__init__(extra, needed_for)
        self.extra, self.needed_for = extra, needed_for

    def __str__(self) -> str:
        return f"{self.needed_for} needs an optional package: pip install 'exr-inspector[{self.extra}]'"


class Cause(NamedTuple):
    """What catalogs and JSON have of the error of a file."""

    code: str
    message: str
    byte_offset: int | None


def cause_of(error: ExrInspectorError) -> Cause:
    """The code of an error, its message without the path, and the position in the file if it has one."""
    if isinstance(error, ExrFormatError):
        return Cause(error.code, error.message, error.offset)
    return Cause(getattr(error, "code", error.category), getattr(error, "reason", str(error)), None)


def error_classes() -> set[type[ExrInspectorError]]:
    """ExrInspectorError and all classes that derive from it, in the modules that are imported."""
    classes, pending = set(), [ExrInspectorError]
    while pending:
        kind = pending.pop()
        classes.add(kind)
        pending += kind.__subclasses__()
    return classes
