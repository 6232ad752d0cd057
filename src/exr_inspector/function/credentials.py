"""Where the catalog and the objects of an event are, and the keys to them: event, then secrets, then environment.

What is found comes from one place as a whole: an endpoint never meets keys that came from elsewhere. A bucket and a
schema are names and no secrets, and may be told by the environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from pydantic import SecretStr

from ..errors import EventError, SettingsError
from ..settings import (
    S3Access,
    VastConnection,
    VastSettings,
    function_settings,
    resolved,
    s3_access,
    s3_access_to,
    vast_connection,
    vast_connection_to,
)

# Names of a secret's entries, in small letters without - and _, in the spellings that are about.
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
_PREFIXES = ("EXR_INSPECTOR_", "VAST_DB_", "S3_", "AWS_")

Secrets = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]  # hashable: name of a secret, its entries


@dataclass(frozen=True, slots=True)
class Target:
    """A catalog to persist in."""

    uri: str
    connection: VastConnection | None = None


def target(ctx: Any, fields: Mapping[str, str], *, is_delivered: bool) -> Target | None:
    """The catalog for an event that names the database `fields`; None where none is configured.

    Raises SettingsError for half a configuration, or for none where one is required, and EventError for a database
    that an event may not name.
    """
    if fields.keys() - {"region"}:
        return _target_of_event(fields, is_delivered=is_delivered)
    return _configured_target(environment(), secrets_of(ctx))


def store(ctx: Any) -> S3Access:
    """The object store: that of the secrets, else that of the environment. Raises SettingsError."""
    return _configured_store(environment(), secrets_of(ctx))


def environment() -> tuple[tuple[str, str], ...]:
    """The variables that settings are made of: what was made of them before is good as long as they are equal."""
    return tuple(item for item in os.environ.items() if item[0].startswith(_PREFIXES))


def secrets_of(ctx: Any) -> Secrets:
    """The secrets that are attached to the function. What of them cannot be read is left out."""
    try:
        attached = dict(ctx.secrets.items())
    except Exception:  # there are none, or a kind of mapping that nobody described
        return ()
    flat = {name: text for name, text in attached.items() if isinstance(text, str)}
    nested = {str(name): _entries(entries) for name, entries in attached.items()} | {"": _entries(flat)}
    return tuple(sorted((name, entries) for name, entries in nested.items() if entries))


def _entries(secret: Any) -> tuple[tuple[str, str], ...]:
    try:
        return tuple(sorted((str(name), str(value).strip()) for name, value in secret.items() if value is not None))
    except Exception:
        return ()


def _target_of_event(fields: Mapping[str, str], *, is_delivered: bool) -> Target:
    missing = [f"vastdb_{name}" for name in ("endpoint", "access_key", "secret_key") if name not in fields]
    if missing:
        raise EventError(f"the event names a database and lacks {', '.join(missing)}")
    if is_delivered:
        allowed = function_settings().event_endpoints.split(",")
        if fields["endpoint"].rstrip("/") not in [endpoint.strip().rstrip("/") for endpoint in allowed]:
            raise EventError("a delivered event may name only a database of EXR_INSPECTOR_EVENT_ENDPOINTS")
    return _vast(fields, ", or vastdb_bucket in the event")


@lru_cache(maxsize=64)
def _configured_target(_environment: object, secrets: Secrets) -> Target | None:
    found = _from_secrets(secrets, _DATABASE, "a database")
    if found:
        return _vast(found, ", or vdbbucket in the secret")
    chosen = _chosen_catalog()
    if chosen and not chosen.lower().startswith("vast:"):
        return Target(chosen)
    values = resolved(VastSettings)
    if not (chosen or values.endpoint or values.access_key.get_secret_value() or values.secret_key.get_secret_value()):
        if function_settings().require_catalog:
            raise SettingsError(
                "no catalog is configured, and EXR_INSPECTOR_REQUIRE_CATALOG is set: attach a secret of the database, "
                "or set EXR_INSPECTOR_CATALOG or VAST_DB_ENDPOINT, VAST_DB_ACCESS_KEY, VAST_DB_SECRET_KEY"
            )
        return None
    connection = _hurried(vast_connection())
    return Target(_uri({}), connection)


@lru_cache(maxsize=64)
def _configured_store(_environment: object, secrets: Secrets) -> S3Access:
    found = _from_secrets(secrets, _STORE, "an object store")
    if not found:
        access = s3_access()
    else:
        access_key, secret_key = SecretStr(found.get("access_key", "")), SecretStr(found.get("secret_key", ""))
        access = s3_access_to(found.get("endpoint", ""), access_key, secret_key, found.get("region", ""))
    return replace(access, request_timeout_s=min(access.request_timeout_s, function_settings().deadline_s / 5))


def _from_secrets(secrets: Secrets, names: Mapping[str, tuple[str, ...]], what: str) -> dict[str, str]:
    """The entries of the one secret that has them. Raises SettingsError for several, and for half of one."""
    wanted = function_settings().secret
    if wanted and wanted not in dict(secrets):
        raise SettingsError(f"no secret is attached under the name in EXR_INSPECTOR_SECRET; there are {len(secrets)}")
    candidates: dict[str, dict[str, str]] = {}
    for name, entries in secrets:
        if wanted and name != wanted:
            continue
        plain = {key.lower().replace("-", "").replace("_", ""): value for key, value in entries}
        found = {
            field: plain[spelling]
            for field, spellings in names.items()
            for spelling in spellings
            if plain.get(spelling)
        }
        if found.keys() & {"endpoint", "access_key", "secret_key"}:
            candidates[name] = found
    if not candidates:
        return {}
    if len(candidates) > 1:
        raise SettingsError(f"{len(candidates)} secrets name {what}; EXR_INSPECTOR_SECRET says which one is meant")
    ((name, found),) = candidates.items()
    needed = ["access_key", "secret_key"]
    if names is not _STORE or os.environ.get("S3_ENDPOINT"):  # without any endpoint, the store is that of AWS
        needed.insert(0, "endpoint")
    if missing := [field for field in needed if field not in found]:
        raise SettingsError(f"the secret {name!r} names {what} and lacks its {' and '.join(missing)}".replace("_", " "))
    return found


def _vast(found: Mapping[str, str], where: str) -> Target:
    keys = SecretStr(found["access_key"]), SecretStr(found["secret_key"])
    return Target(_uri(found, where), _hurried(vast_connection_to(found["endpoint"], *keys, found.get("region", ""))))


def _uri(found: Mapping[str, str], where: str = "") -> str:
    """The catalog inside of the database: as it was named, else as the environment has it."""
    chosen = _chosen_catalog()
    if chosen.lower().startswith("vast:") and not found.get("bucket"):
        return chosen
    values = resolved(VastSettings)
    bucket, schema = found.get("bucket") or values.bucket, found.get("schema") or values.schema_name
    if not bucket:
        raise SettingsError(f"no bucket is named for the catalog: set VAST_DB_BUCKET{where}")
    return f"vast://{bucket}/{schema}"


def _chosen_catalog() -> str:
    """The catalog of EXR_INSPECTOR_CATALOG; the default of the commands is none for the function."""
    return os.environ.get("EXR_INSPECTOR_CATALOG", "")


def _hurried(connection: VastConnection) -> VastConnection:
    """The same with no more time than an event has."""
    return replace(connection, deadline_s=min(connection.deadline_s, function_settings().deadline_s))
