"""Settings from the environment (`EXR_INSPECTOR_…`, `VAST_DB_…`, `S3_…`), with defaults, also for empty variables.

Only entry points read settings (commands, the function, `open_source` without a store); they pass the values on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeVar, cast
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from .defaults import CELL_LIMIT, PATH_TEMPLATE, QUERY_MEMORY_MB
from .errors import SettingsError
from .exr import ChunkOption, Limits

_SHOWN = 40  # characters of an invalid value
# Defaults of the connections to a VAST Database and to an object store.
_REGION, _REQUEST_TIMEOUT_S, _VAST_DEADLINE_S = "us-east-1", 5.0, 30.0


class CatalogSettings(BaseSettings):
    """The catalog of the commands, which is known whatever the other settings are."""

    model_config = SettingsConfigDict(env_prefix="EXR_INSPECTOR_", extra="ignore", env_ignore_empty=True)

    catalog: str = Field("duckdb:exr-inspector.duckdb", description="Catalog of commands without --catalog.")


class Settings(CatalogSettings):
    """Settings of the commands; the environment variable of a field is EXR_INSPECTOR_ and its name in upper case."""

    workers: int = Field(0, ge=0, description="Worker processes of `ingest`, `inspect` and `stats`; 0: one per core.")
    batch_files: int | None = Field(
        None, ge=1, description="Maximum number of files per transaction; by default 20000 on DuckDB, 2000 on VAST."
    )
    cell_limit: int = Field(
        CELL_LIMIT,
        ge=4096,
        description="Maximum size of a catalog cell in bytes, on VAST at most 65536; larger attribute values are cut.",
    )
    path_template: str = Field(
        PATH_TEMPLATE,
        description="Position of show, sequence, shot, task and layer in a path, for reports.",
    )
    reports: str = Field("", description="Folder with reports of your own, `*.sql` files, for `report`.")
    query_memory_mb: int = Field(
        QUERY_MEMORY_MB,
        ge=64,
        description="Memory limit of a query on a VAST catalog in MB; above it, rows are spilled to disk.",
    )
    chunks: ChunkOption = Field(
        "auto",
        description="Chunk leaders that `inspect`, `ingest` and the function check: all, sample, table, or auto, see"
        " [Completeness](#completeness).",
    )
    max_header_bytes: int = Field(256 << 20, ge=1024, description="Maximum size of a header in bytes.")
    max_parts: int = Field(4096, ge=1, description="Maximum number of parts per file.")
    max_attributes: int = Field(65536, ge=1, description="Maximum number of attributes per file.")
    max_chunks: int = Field(1 << 22, ge=1, description="Maximum number of chunks per file that are checked.")
    max_chunk_pixel_bytes: int = Field(
        64 << 20,
        ge=1 << 16,
        lt=1 << 31,
        description="Maximum size of a chunk's pixels in bytes, before compression; larger chunks are not decoded. A"
        " process that decodes may take six times as much memory.",
    )
    pixel_seconds: float = Field(
        300.0, gt=0, le=1_000_000, description="Time limit for decoding the pixels of a file in seconds."
    )

    @property
    def limits(self) -> Limits:
        """The limits of the header parser."""
        return Limits(
            header_bytes=self.max_header_bytes,
            parts=self.max_parts,
            attributes=self.max_attributes,
            chunks=self.max_chunks,
        )


class FunctionSettings(BaseSettings):
    """Settings of the function; the environment variable of a field is EXR_INSPECTOR_ and its name in upper case."""

    model_config = SettingsConfigDict(env_prefix="EXR_INSPECTOR_", extra="ignore", env_ignore_empty=True, frozen=True)

    catalog: str = Field("", description="Catalog of the function; empty: the one of the `VAST_DB_` settings, if any.")
    deadline_s: float = Field(30.0, gt=0, description="Time limit for an event in seconds.")
    secret: str = Field("", description="Name of the secret with keys and endpoints; empty: search all secrets.")
    roots: str = Field(
        "",
        description="Folders below which the function may read local files, separated by colons; required for delivered"
        " events.",
    )
    event_endpoints: str = Field(
        "",
        description="Database endpoints that delivered events may name, separated by commas; direct calls may name"
        " any.",
    )
    policies: str = Field(
        "",
        description="Folders and s3:// prefixes below which policies may be read, separated by commas; built-in ones"
        " need none.",
    )
    policy: str = Field(
        "",
        description="Policy of the files of delivered events, and of events with `validate` but without `policy_path`:"
        " the name of a built-in one, a path or an s3:// URI. Or several, separated by semicolons, each with a pattern"
        " of paths, of which the first that matches counts: `**/plates/**=plate;**=render`.",
    )
    require_catalog: bool = Field(
        False, description="Report an error if no catalog is configured; otherwise nothing is persisted then."
    )
    on_misconfiguration: Literal["raise", "return"] = Field(
        "raise",
        description="Delivered events that fail because of the configuration: raise the error, so that they are"
        " delivered again, or return it, which loses them.",
    )
    max_chunk_pixel_bytes: int = Field(
        32 << 20,
        ge=1 << 16,
        lt=1 << 31,
        description="Maximum size of a chunk's pixels in bytes, before compression; the statistics of files with larger"
        " chunks are pending. The process that decodes may use 400 MB of address space and 6 times this size.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Minimum log level of `function serve`."
    )
    log_format: Literal["text", "json"] = Field("text", description="Log format of `function serve`.")


class VastSettings(BaseSettings):
    """Settings of the VAST Database; the environment variable of a field is VAST_DB_ and its name in upper case."""

    model_config = SettingsConfigDict(
        env_prefix="VAST_DB_", extra="ignore", env_ignore_empty=True, str_strip_whitespace=True
    )

    endpoint: str = Field("", description="URL of the VAST Database, such as http://vip-pool.cluster.example.com.")
    access_key: SecretStr = Field(SecretStr(""), description="Access key of the database.")
    secret_key: SecretStr = Field(SecretStr(""), description="Secret key of the database.")
    region: str = Field(_REGION, description="Region for request signatures; VAST clusters ignore it.")
    bucket: str = Field("", description="Bucket of the function's catalog.")
    schema_name: str = Field(
        "exr_metadata", validation_alias="VAST_DB_SCHEMA", description="Schema of the function's catalog."
    )
    deadline_s: float = Field(
        _VAST_DEADLINE_S, gt=0, description="Time limit for an operation in seconds, including retries."
    )
    request_timeout_s: float = Field(
        _REQUEST_TIMEOUT_S, gt=0, description="Timeout of a request in seconds without a response."
    )
    verify: str = Field(
        "true", description="Verify TLS certificates: true, false, or the path of a CA certificate file."
    )
    use_announced_endpoints: bool = Field(
        False, description="Send queries to the addresses that the server announces instead of the endpoint."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VastConnection:
    """Endpoint, keys and options of a VAST Database, all from the same source."""

    endpoint: str
    access_key: SecretStr
    secret_key: SecretStr
    region: str = _REGION
    deadline_s: float = _VAST_DEADLINE_S
    request_timeout_s: float = _REQUEST_TIMEOUT_S
    verify: bool | str = True  # a string is the path of a CA certificate file
    use_announced_endpoints: bool = False


def vast_connection() -> VastConnection:
    """The VAST Database of the environment. Raises SettingsError with the names of missing variables."""
    values = resolved(VastSettings)
    given = {
        "ENDPOINT": values.endpoint,
        "ACCESS_KEY": values.access_key.get_secret_value(),
        "SECRET_KEY": values.secret_key.get_secret_value(),
    }
    missing = [f"VAST_DB_{name}" for name, value in given.items() if not value]
    if missing:
        raise SettingsError(f"a VAST catalog needs settings that are missing: {', '.join(missing)}")
    return vast_connection_to(values.endpoint, values.access_key, values.secret_key)


def vast_connection_to(endpoint: str, access_key: SecretStr, secret_key: SecretStr, region: str = "") -> VastConnection:
    """The VAST Database with this endpoint and keys; other options are from the environment."""
    values = resolved(VastSettings)
    verify = _verify(values.verify)
    if endpoint.lower().startswith("https:"):
        _check_ca_bundle(verify)
    return VastConnection(
        endpoint=endpoint,
        access_key=access_key,
        secret_key=secret_key,
        region=region or values.region,
        deadline_s=values.deadline_s,
        request_timeout_s=values.request_timeout_s,
        verify=verify,
        use_announced_endpoints=values.use_announced_endpoints,
    )


def _check_ca_bundle(verify: bool | str) -> None:
    """Raises SettingsError if a variable of the SDK's HTTP client takes precedence over VAST_DB_VERIFY."""
    name = next(filter(_variable, ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")), None)
    if name and verify not in (True, _variable(name)):
        raise SettingsError(
            f"VAST_DB_VERIFY has no effect while {name} is set, which the VAST SDK prefers; unset {name}, "
            "or add the certificate authority to its file and unset VAST_DB_VERIFY"
        )


def function_settings() -> FunctionSettings:
    """The settings of the function. Raises SettingsError with the name of an invalid variable."""
    return resolved(FunctionSettings)


class S3Settings(BaseSettings):
    """Settings of the object store; the environment variable of a field is S3_ and its name in upper case.

    Without endpoint and keys here, those of the AWS_ variables are used; the two are never mixed.
    """

    model_config = SettingsConfigDict(
        env_prefix="S3_", extra="ignore", env_ignore_empty=True, str_strip_whitespace=True
    )

    endpoint: str = Field("", description="URL of the object store, such as https://store.example:9000; empty: AWS.")
    access_key: SecretStr = Field(
        SecretStr(""), description="Access key of the store; without keys, requests are not signed."
    )
    secret_key: SecretStr = Field(SecretStr(""), description="Secret key of the store.")
    region: str = Field(_REGION, description="Region of the store.")
    path_style: bool = Field(True, description="URL style of buckets: true is ENDPOINT/BUCKET, false BUCKET.ENDPOINT.")
    verify: str = Field(
        "true", description="Verify TLS certificates: true, false, or the path of a CA certificate file."
    )
    request_timeout_s: float = Field(_REQUEST_TIMEOUT_S, gt=0, description="Timeout of a request in seconds.")


_NO_SECRET = SecretStr("")


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """Endpoint, keys and options of an object store, all from the same source."""

    endpoint: str = ""  # empty: AWS
    access_key: SecretStr = _NO_SECRET  # without keys requests are not signed
    secret_key: SecretStr = _NO_SECRET
    session_token: SecretStr = _NO_SECRET
    region: str = _REGION
    path_style: bool = True
    verify: bool | str = True  # a string is the path of a CA certificate file
    request_timeout_s: float = _REQUEST_TIMEOUT_S
    ambient: bool = False  # the keys are those that AWS provides to this machine or pod

    def __post_init__(self) -> None:
        """Raises SettingsError, whose message contains neither endpoint nor keys."""
        if self.endpoint and not _is_url(self.endpoint):
            raise SettingsError(
                "the endpoint of the object store is invalid; expected a URL such as https://store.example:9000, "
                "without user or password"
            )
        if bool(self.access_key.get_secret_value()) != bool(self.secret_key.get_secret_value()):
            raise SettingsError("access key and secret key of the object store belong together: set both or none")

    @property
    def url(self) -> str:
        """The URL of the endpoint, also for AWS."""
        return self.endpoint or f"https://s3.{self.region}.amazonaws.com"

    def bucket_url(self, bucket: str) -> str:
        """The URL of a bucket: a path of the endpoint, or a host below it."""
        url = self.url.rstrip("/")
        if self.path_style:
            return f"{url}/{bucket}"
        parts = urlsplit(url)
        return parts._replace(netloc=f"{bucket}.{parts.netloc}").geturl()


def _is_url(text: str) -> bool:
    """Whether the text is the URL of a server, without user and password, that the client accepts."""
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
            and "@" not in text
            and text.isascii()
            and text.isprintable()
            and " " not in text
        )
    except ValueError:  # invalid port or brackets
        return False


# Each is set if AWS provides keys to this process.
_AMBIENT = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


def s3_access() -> S3Access:
    """The object store of the S3_ variables; without endpoint and keys, of the AWS_ variables. Raises SettingsError."""
    values = resolved(S3Settings)
    if values.endpoint or values.access_key.get_secret_value() or values.secret_key.get_secret_value():
        return s3_access_to(values.endpoint, values.access_key, values.secret_key, values.region)
    store = s3_access_to(
        _variable("AWS_ENDPOINT_URL_S3") or _variable("AWS_ENDPOINT_URL"),
        SecretStr(_variable("AWS_ACCESS_KEY_ID")),
        SecretStr(_variable("AWS_SECRET_ACCESS_KEY")),
        _variable("AWS_REGION") or _variable("AWS_DEFAULT_REGION"),
    )
    return replace(
        store,
        session_token=SecretStr(_variable("AWS_SESSION_TOKEN")),
        ambient=not _variable("AWS_ACCESS_KEY_ID") and any(map(_variable, _AMBIENT)),
    )


def _variable(name: str) -> str:
    return os.environ.get(name, "").strip()


def s3_access_to(endpoint: str, access_key: SecretStr, secret_key: SecretStr, region: str = "") -> S3Access:
    """The object store with this endpoint and keys; other options are from the environment. Raises SettingsError."""
    values = resolved(S3Settings)
    return S3Access(
        endpoint=endpoint,
        access_key=access_key,
        secret_key=secret_key,
        region=region or values.region,
        path_style=values.path_style,
        verify=_verify(values.verify),
        request_timeout_s=values.request_timeout_s,
    )


def _verify(text: str) -> bool | str:
    return {"true": True, "false": False}.get(text.lower(), text)


def settings() -> Settings:
    """The settings of the commands. Raises SettingsError with the name of an invalid variable."""
    return resolved(Settings)


def chosen_path_template(values: Settings, of_file: str | None) -> str:
    """The path template of the environment, else of the configuration file, or the default."""
    return (None if "path_template" in values.model_fields_set else of_file) or values.path_template


_AnySettings = TypeVar("_AnySettings", bound=BaseSettings)
_environment: ContextVar[frozenset[tuple[str, str]] | None] = ContextVar("environment", default=None)


def resolved(kind: type[_AnySettings]) -> _AnySettings:
    """The settings of a class, as the environment is now. Raises SettingsError, naming an invalid variable."""
    return cast("_AnySettings", _resolved(kind, _environment.get() or frozenset(os.environ.items())))


@contextmanager
def one_environment() -> Iterator[None]:
    """Read the environment once for all settings in this block; decoding it takes longer than looking settings up."""
    token = _environment.set(frozenset(os.environ.items()))
    try:
        yield
    finally:
        _environment.reset(token)


@lru_cache(maxsize=16)  # validation takes milliseconds, and the function reads eight for each event
def _resolved(kind: type[BaseSettings], _environment: frozenset[tuple[str, str]]) -> BaseSettings:
    try:
        return kind()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"{kind.model_config['env_prefix']}{'_'.join(map(str, first['loc'])).upper()}"
        given = f", given {str(first['input'])[:_SHOWN]!r}" if name.startswith("EXR_INSPECTOR_") else ""
        raise SettingsError(f"{name}: {first['msg']}{given}") from None
