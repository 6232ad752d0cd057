"""Settings, resolved once: from the environment (`EXR_INSPECTOR_…`, `VAST_DB_…`), then defaults."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from .errors import SettingsError
from .exr import Limits


class Settings(BaseSettings):
    """What can be set; each field is the environment variable EXR_INSPECTOR_ and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="EXR_INSPECTOR_", extra="ignore")

    catalog: str = Field("duckdb:exr-inspector.duckdb", description="Catalog that commands use without --catalog.")
    workers: int = Field(0, ge=0, description="Processes that inspect files; 0 is one for each core.")
    batch_files: int = Field(2000, ge=1, description="Most files that are persisted in one transaction.")
    cell_limit: int = Field(65536, ge=4096, description="Largest attribute, in bytes, that a catalog cell holds whole.")
    path_template: str = Field(
        "{show}/{sequence:sq*}/{shot:sh*}/{task}[/{layer}]/**",
        description="Where show, shot and layer stand in a path, for reports.",
    )
    query_memory_mb: int = Field(
        128, ge=64, description="Memory of a query on a VAST catalog, in MB, above which rows are moved to disk."
    )
    roots: str = Field("", description="Folders, apart by colons, outside of which the function reads no local file.")
    deadline_s: float = Field(30.0, gt=0, description="Seconds in which an invocation of the function ends.")
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


class VastSettings(BaseSettings):
    """Where the VAST Database is; each field is the environment variable VAST_DB_ and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="VAST_DB_", extra="ignore")

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
    values = _resolved(VastSettings)
    given = {
        "ENDPOINT": values.endpoint,
        "ACCESS_KEY": values.access_key.get_secret_value(),
        "SECRET_KEY": values.secret_key.get_secret_value(),
    }
    missing = [f"VAST_DB_{name}" for name, value in given.items() if not value]
    if missing:
        raise SettingsError(f"a VAST catalog needs {', '.join(missing)} in the environment")
    return VastConnection(
        endpoint=values.endpoint,
        access_key=values.access_key,
        secret_key=values.secret_key,
        region=values.region,
        deadline_s=values.deadline_s,
        request_timeout_s=values.request_timeout_s,
        verify={"true": True, "false": False}.get(values.verify.lower(), values.verify),
        use_announced_endpoints=values.use_announced_endpoints,
    )


def vast_uri() -> str:
    """The catalog that VAST_DB_BUCKET and VAST_DB_SCHEMA name. Raises SettingsError without a bucket."""
    values = _resolved(VastSettings)
    if not values.bucket:
        raise SettingsError("VAST_DB_BUCKET must name the bucket of the catalog")
    return f"vast://{values.bucket}/{values.schema_name}"


@cache
def settings() -> Settings:
    """The settings of this process. Raises SettingsError, naming the variable that cannot be used."""
    return _resolved(Settings)


_AnySettings = TypeVar("_AnySettings", bound=BaseSettings)


def _resolved(kind: type[_AnySettings]) -> _AnySettings:
    try:
        return kind()
    except ValidationError as problem:
        first = problem.errors()[0]
        name = f"{kind.model_config['env_prefix']}{'_'.join(map(str, first['loc'])).upper()}"
        raise SettingsError(f"{name}: {first['msg']}") from None
