"""Settings, resolved once: from the environment (`EXR_INSPECTOR_…`, `VAST_DB_…`, `S3_…`), then defaults."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from .errors import SettingsError
from .exr import Limits

# Defaults that hold for callers without settings too.
CELL_LIMIT, QUERY_MEMORY_MB = 64 * 1024, 128
PATH_TEMPLATE = "{show}/{sequence:sq*}/{shot:sh*}/{task}[/{layer}]/**"


class Settings(BaseSettings):
    """What can be set; each field is the environment variable EXR_INSPECTOR_ and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="EXR_INSPECTOR_", extra="ignore")

    catalog: str = Field("duckdb:exr-inspector.duckdb", description="Catalog that commands use without --catalog.")
    workers: int = Field(0, ge=0, description="Processes that inspect files; 0 is one for each core.")
    batch_files: int = Field(2000, ge=1, description="Most files that are persisted in one transaction.")
    cell_limit: int = Field(
        CELL_LIMIT, ge=4096, description="Largest attribute, in bytes, that a catalog cell holds whole."
    )
    path_template: str = Field(
        PATH_TEMPLATE,
        description="Where show, shot and layer stand in a path, for reports.",
    )
    query_memory_mb: int = Field(
        QUERY_MEMORY_MB,
        ge=64,
        description="Memory of a query on a VAST catalog, in MB, above which rows are moved to disk.",
    )
    max_header_bytes: int = Field(256 << 20, ge=1024, description="Largest header that is read.")
    max_parts: int = Field(4096, ge=1, description="Most parts of one file.")
    max_attributes: int = Field(65536, ge=1, description="Most attributes of one file.")
    max_chunks: int = Field(1 << 22, ge=1, description="Most chunks of one file that are checked.")

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
    """What can be set for the function; the environment variables have EXR_INSPECTOR_ before the names here, too."""

    model_config = SettingsConfigDict(env_prefix="EXR_INSPECTOR_", extra="ignore")

    deadline_s: float = Field(30.0, gt=0, description="Seconds in which the function is done with an event, or fails.")
    secret: str = Field("", description="Name of the secret that the function looks into; empty is all of them.")
    roots: str = Field(
        "", description="Folders, with : between, below which the function reads local files; events need one."
    )
    event_endpoints: str = Field(
        "", description="Database endpoints, with commas between, that events may name; direct calls may name any."
    )
    require_catalog: bool = Field(
        False, description="Treat a function without a configured catalog as misconfigured; else it persists nothing."
    )
    on_misconfiguration: Literal["raise", "return"] = Field(
        "raise",
        description="Whether delivered events that fail because of the configuration are raised, to be delivered again,"
        " or returned, which loses them.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least level of the lines that `function serve` logs."
    )
    log_format: Literal["text", "json"] = Field("text", description="Form of the lines that `function serve` logs.")


class VastSettings(BaseSettings):
    """Where the VAST Database is; each field is the environment variable VAST_DB_ and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="VAST_DB_", extra="ignore", str_strip_whitespace=True)

    endpoint: str = Field("", description="URL of the VAST Database, as http://vip-pool.cluster.example.com.")
    access_key: SecretStr = Field(SecretStr(""), description="Access key of the database.")
    secret_key: SecretStr = Field(SecretStr(""), description="Secret key of the database.")
    region: str = Field("us-east-1", description="Region; VAST clusters do not look at it.")
    bucket: str = Field("", description="Bucket of the catalog, for the function.")
    schema_name: str = Field(
        "exr_metadata", validation_alias="VAST_DB_SCHEMA", description="Schema of the catalog, for the function."
    )
    deadline_s: float = Field(30.0, gt=0, description="Seconds after which an operation gives up, retries included.")
    request_timeout_s: float = Field(5.0, gt=0, description="Seconds of silence after which a request has failed.")
    verify: str = Field("true", description="Check certificates: true, false, or a file of CA certificates.")
    use_announced_endpoints: bool = Field(
        False, description="Select from the addresses that the server announces, not from the endpoint."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VastConnection:
    """All that is needed to talk to one VAST Database: a bundle, never mixed from two places."""

    endpoint: str
    access_key: SecretStr
    secret_key: SecretStr
    region: str = "us-east-1"
    deadline_s: float = 30.0
    request_timeout_s: float = 5.0
    verify: bool | str = True  # a text is the path of a file of CA certificates
    use_announced_endpoints: bool = False


def vast_connection() -> VastConnection:
    """The VAST Database of the environment. Raises SettingsError, naming the variables that are missing."""
    values = resolved(VastSettings)
    given = {
        "ENDPOINT": values.endpoint,
        "ACCESS_KEY": values.access_key.get_secret_value(),
        "SECRET_KEY": values.secret_key.get_secret_value(),
    }
    missing = [f"VAST_DB_{name}" for name, value in given.items() if not value]
    if missing:
        raise SettingsError(f"a VAST catalog needs {', '.join(missing)} in the environment")
    return vast_connection_to(values.endpoint, values.access_key, values.secret_key)


def vast_connection_to(endpoint: str, access_key: SecretStr, secret_key: SecretStr, region: str = "") -> VastConnection:
    """A VAST Database that is named elsewhere; how one is talked to, the environment says."""
    values = resolved(VastSettings)
    return VastConnection(
        endpoint=endpoint,
        access_key=access_key,
        secret_key=secret_key,
        region=region or values.region,
        deadline_s=values.deadline_s,
        request_timeout_s=values.request_timeout_s,
        verify=_verify(values.verify),
        use_announced_endpoints=values.use_announced_endpoints,
    )


def vast_uri() -> str:
    """The catalog that VAST_DB_BUCKET and VAST_DB_SCHEMA name. Raises SettingsError without a bucket."""
    values = resolved(VastSettings)
    if not values.bucket:
        raise SettingsError("VAST_DB_BUCKET must name the bucket of the catalog")
    return f"vast://{values.bucket}/{values.schema_name}"


def function_settings() -> FunctionSettings:
    """The settings of the function. Raises SettingsError, naming the variable that cannot be used."""
    return resolved(FunctionSettings)


class S3Settings(BaseSettings):
    """Where objects lie; each field is the environment variable S3_ and its name in capitals.

    Without endpoint and keys here, those of AWS_… are taken; those of one family never meet those of the other.
    """

    model_config = SettingsConfigDict(env_prefix="S3_", extra="ignore", str_strip_whitespace=True)

    endpoint: str = Field("", description="URL of the object store, as https://store.example:9000; empty is AWS.")
    access_key: SecretStr = Field(SecretStr(""), description="Access key of the store; without keys nothing is signed.")
    secret_key: SecretStr = Field(SecretStr(""), description="Secret key of the store.")
    region: str = Field("us-east-1", description="Region of the store.")
    path_style: bool = Field(True, description="Address buckets as ENDPOINT/BUCKET, not as BUCKET.ENDPOINT.")
    verify: str = Field("true", description="Check certificates: true, false, or a file of CA certificates.")
    request_timeout_s: float = Field(5.0, gt=0, description="Seconds after which a request has failed.")


_NO_SECRET = SecretStr("")


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """An object store and the keys to it: a bundle, never mixed from two places."""

    endpoint: str = ""  # empty is AWS
    access_key: SecretStr = _NO_SECRET  # without keys requests are not signed
    secret_key: SecretStr = _NO_SECRET
    session_token: SecretStr = _NO_SECRET
    region: str = "us-east-1"
    path_style: bool = True
    verify: bool | str = True  # a text is the path of a file of CA certificates
    request_timeout_s: float = 5.0
    ambient: bool = False  # AWS tells the keys of this machine or pod

    def __post_init__(self) -> None:
        """Raises SettingsError, which repeats neither endpoint nor keys."""
        if self.endpoint and not _is_url(self.endpoint):
            raise SettingsError(
                "the endpoint of an object store is a URL such as https://store.example:9000, without user or password"
            )
        if bool(self.access_key.get_secret_value()) != bool(self.secret_key.get_secret_value()):
            raise SettingsError("access key and secret key of an object store belong together: give both or none")

    @property
    def place(self) -> str:
        """The endpoint, for people."""
        return self.endpoint or f"https://s3.{self.region}.amazonaws.com"


def _is_url(text: str) -> bool:
    """Whether it is a URL of a server, without user, that a client can be made for."""
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
    except ValueError:  # the port, or brackets
        return False


# What tells that AWS gives keys to this process.
_AMBIENT = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


def s3_access() -> S3Access:
    """The object store that S3_… name; without endpoint and keys there, that of AWS_…. Raises SettingsError."""
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
    """An object store that is named elsewhere; how one is talked to, the environment says. Raises SettingsError."""
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


@cache
def settings() -> Settings:
    """The settings of this process. Raises SettingsError, naming the variable that cannot be used."""
    return resolved(Settings)


_AnySettings = TypeVar("_AnySettings", bound=BaseSettings)


def resolved(kind: type[_AnySettings]) -> _AnySettings:
    """Settings of one kind, as the environment has them now. Raises SettingsError, naming the variable."""
    try:
        return kind()
    except ValidationError as problem:
        first = problem.errors()[0]
        name = f"{kind.model_config['env_prefix']}{'_'.join(map(str, first['loc'])).upper()}"
        raise SettingsError(f"{name}: {first['msg']}") from None
