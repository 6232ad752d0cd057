"""The catalog and the object store of an event, with their keys: from the event, the secrets, or the environment.

Endpoint and keys always come from the same one of these: an endpoint is never combined with the keys of another.
Bucket and schema are not secret; the environment may supply them. Only the entry points call this module, with the
settings of the function, which they read once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import SecretStr

from ..catalog import is_vast
from ..errors import EventError, SettingsError
from ..settings import (
    FunctionSettings,
    S3Access,
    S3Settings,
    VastConnection,
    VastSettings,
    resolved,
    s3_access,
    s3_access_to,
    vast_connection,
    vast_connection_to,
)

# Accepted names of a secret's entries, lower case, without - and _.
_DATABASE = {
    "endpoint": ("vastdbendpoint", "vdbendpoint"),
    "access_key": ("vastdbaccesskey", "vdbaccesskey"),
    "secret_key": ("vastdbsecretkey", "vdbsecretkey"),
    "region": ("vastdbregion", "vdbregion"),
    "bucket": ("vastdbbucket", "vdbbucket"),
    "schema": ("vastdbschema", "vdbschema"),
}
_STORE = {
    "endpoint": ("s3endpoint", "s3endpointurl", "awsendpointurls3"),
    "access_key": ("s3accesskey", "awsaccesskeyid"),
    "secret_key": ("s3secretkey", "awssecretaccesskey"),
    "region": ("s3region", "awsregion"),
}

Secrets = dict[str, dict[str, str]]  # name of a secret → its entries


@dataclass(frozen=True, slots=True)
class Target:
    """A catalog to persist in; `connection` is None for DuckDB."""

    uri: str
    connection: VastConnection | None = None


def target(ctx: Any, fields: Mapping[str, str], values: FunctionSettings, *, is_delivered: bool) -> Target | None:
    """The catalog for an event with these database fields; None if no catalog is configured.

    Raises SettingsError for an incomplete configuration, or if a required catalog is missing, and EventError for a
    database that the event may not name.
    """
    if fields.keys() - {"region"}:
        return _target_of_event(fields, values, is_delivered=is_delivered)
    secret = _from_secrets(secrets_of(ctx), values.secret, _DATABASE, "a database")
    if secret:
        return _vast(secret, values, ", or vdbbucket in the secret")
    return _target_of_environment(values)


def store(ctx: Any, values: FunctionSettings) -> S3Access:
    """The object store of the secrets, else of the environment. Raises SettingsError."""
    fields = _from_secrets(secrets_of(ctx), values.secret, _STORE, "an object store")
    if fields:
        keys = SecretStr(fields["access_key"]), SecretStr(fields["secret_key"])
        access = s3_access_to(fields.get("endpoint", ""), *keys, fields.get("region", ""))
    else:
        access = s3_access()
    return replace(access, request_timeout_s=min(access.request_timeout_s, values.deadline_s / 5))


def secrets_of(ctx: Any) -> Secrets:
    """The secrets attached to the function; those that cannot be read are omitted."""
    try:
        attached = dict(ctx.secrets.items())
    except Exception:  # no secrets, or an undocumented kind of mapping
        return {}
    flat = {name: value for name, value in attached.items() if isinstance(value, str)}
    nested = {str(name): _entries(entries) for name, entries in attached.items()} | {"": _entries(flat)}
    return {name: entries for name, entries in nested.items() if entries}


def _entries(secret: Any) -> dict[str, str]:
    try:
        return {str(name): str(value).strip() for name, value in secret.items() if value is not None}
    except Exception:
        return {}


def _target_of_event(fields: Mapping[str, str], values: FunctionSettings, *, is_delivered: bool) -> Target:
    missing = [f"vastdb_{name}" for name in ("endpoint", "access_key", "secret_key") if name not in fields]
    if missing:
        raise EventError(f"the event names a database without {', '.join(missing)}; give all three or none")
    if is_delivered:
        allowed = values.event_endpoints.split(",")
        if fields["endpoint"].rstrip("/") not in [endpoint.strip().rstrip("/") for endpoint in allowed]:
            raise EventError("the database endpoint of a delivered event must be in EXR_INSPECTOR_EVENT_ENDPOINTS")
    return _vast(fields, values, ", or vastdb_bucket in the event")


def _target_of_environment(values: FunctionSettings) -> Target | None:
    if values.catalog and not is_vast(values.catalog):
        return Target(values.catalog)
    vast = resolved(VastSettings)
    keys = vast.access_key.get_secret_value(), vast.secret_key.get_secret_value()
    if not (values.catalog or vast.endpoint or any(keys)):
        if values.require_catalog:
            raise SettingsError(
                "no catalog is configured, but EXR_INSPECTOR_REQUIRE_CATALOG is set: attach a secret of the database, "
                "or set EXR_INSPECTOR_CATALOG or VAST_DB_ENDPOINT, VAST_DB_ACCESS_KEY, VAST_DB_SECRET_KEY"
            )
        return None
    connection = vast_connection()
    return Target(_uri({}, values), _with_deadline(connection, values))


def _from_secrets(
    secrets: Secrets, selected: str, names: Mapping[str, tuple[str, ...]], service: str
) -> dict[str, str]:
    """The fields of the secret for a service; empty without a secret. Raises SettingsError if it is ambiguous."""
    if selected and selected not in secrets:
        raise SettingsError(
            f"EXR_INSPECTOR_SECRET names a secret that is not among the {len(secrets)} attached to the function"
        )
    candidates: dict[str, dict[str, str]] = {}
    for name, entries in secrets.items():
        if selected and name != selected:
            continue
        normalized = {key.lower().replace("-", "").replace("_", ""): value for key, value in entries.items()}
        fields = {
            field: normalized[spelling]
            for field, spellings in names.items()
            for spelling in spellings
            if normalized.get(spelling)
        }
        if fields.keys() & {"endpoint", "access_key", "secret_key"}:
            candidates[name] = fields
    if not candidates:
        return {}
    if len(candidates) > 1:
        raise SettingsError(f"{len(candidates)} secrets name {service}; select one with EXR_INSPECTOR_SECRET")
    ((name, fields),) = candidates.items()
    needed = ["access_key", "secret_key"]
    if names is not _STORE or resolved(S3Settings).endpoint:  # an object store without endpoint is AWS
        needed.insert(0, "endpoint")
    if missing := [field.replace("_", " ") for field in needed if field not in fields]:
        raise SettingsError(f"the secret {name!r} names {service} without {' and '.join(missing)}; add what is missing")
    return fields


def _vast(fields: Mapping[str, str], values: FunctionSettings, alternative: str) -> Target:
    keys = SecretStr(fields["access_key"]), SecretStr(fields["secret_key"])
    connection = vast_connection_to(fields["endpoint"], *keys, fields.get("region", ""))
    return Target(_uri(fields, values, alternative), _with_deadline(connection, values))


def _uri(fields: Mapping[str, str], values: FunctionSettings, alternative: str = "") -> str:
    """The URI of the catalog: bucket and schema of the fields, else of the environment."""
    if is_vast(values.catalog) and not fields.get("bucket"):
        return values.catalog
    vast = resolved(VastSettings)
    bucket, schema = fields.get("bucket") or vast.bucket, fields.get("schema") or vast.schema_name
    if not bucket:
        raise SettingsError(f"the bucket of the catalog is missing: set VAST_DB_BUCKET{alternative}")
    return f"vast://{bucket}/{schema}"


def _with_deadline(connection: VastConnection, values: FunctionSettings) -> VastConnection:
    """The connection, with the deadline of the function if that is shorter."""
    return replace(connection, deadline_s=min(connection.deadline_s, values.deadline_s))
