"""Which catalog and which object store an invocation uses: each one bundle, from one place.

The event goes first, then the platform's secrets, then the environment. An endpoint is never used with keys that came
from somewhere else: whoever can send events could have our keys sent to them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from ..errors import SettingsError
from ..object_store import S3Access, checked_endpoint, environment_access
from ..settings import VastConnection, vast_connection, vast_uri

_DATABASE = ("VAST_DB_ENDPOINT", "VAST_DB_ACCESS_KEY", "VAST_DB_SECRET_KEY")
_STORE = ("S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY")
_EVENT_FIELDS = ("vastdb_endpoint", "vastdb_access_key", "vastdb_secret_key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A catalog, and for a VAST Database how to reach it."""

    uri: str
    connection: VastConnection | None = None


def target(event: Mapping[str, Any], secrets: Any) -> Target | None:
    """The catalog of an invocation; None where none is configured. Raises SettingsError for half a bundle."""
    given = {name: event[name] for name in (*_EVENT_FIELDS, "vastdb_region") if event.get(name)}
    if any(not isinstance(value, str) for value in given.values()):
        raise SettingsError("vastdb_endpoint and the keys beside it have to be text")
    if given:
        return Target(
            uri=vast_uri(), connection=_bundle([given.get(name, "") for name in _EVENT_FIELDS], _EVENT_FIELDS)
        )
    for secret in _each(secrets):
        if any(secret.get(name) for name in _DATABASE):
            connection = _bundle([str(secret.get(name) or "") for name in _DATABASE], _DATABASE)
            bucket, schema = secret.get("VAST_DB_BUCKET"), secret.get("VAST_DB_SCHEMA")
            uri = f"vast://{bucket}/{schema or 'exr_metadata'}" if bucket else vast_uri()
            return Target(uri=uri, connection=connection)
    if any(os.environ.get(name) for name in _DATABASE):
        return Target(uri=vast_uri(), connection=vast_connection())
    catalog = os.environ.get("EXR_INSPECTOR_CATALOG")
    return Target(uri=catalog) if catalog else None


def store_access(secrets: Any) -> S3Access:
    """The object store of an invocation. Raises SettingsError for half a bundle."""
    for secret in _each(secrets):
        if any(secret.get(name) for name in _STORE):
            endpoint, access_key, secret_key = (str(secret.get(name) or "") for name in _STORE)
            if not access_key or not secret_key:
                raise SettingsError("S3_ACCESS_KEY and S3_SECRET_KEY belong together: set both in one secret")
            return S3Access(
                endpoint=checked_endpoint(endpoint or None, "S3_ENDPOINT"),
                access_key=SecretStr(access_key),
                secret_key=SecretStr(secret_key),
                region=str(secret.get("S3_REGION") or "us-east-1"),
            )
    return environment_access()


def _bundle(values: list[str], names: tuple[str, ...]) -> VastConnection:
    missing = [name for name, value in zip(names, values, strict=True) if not value]
    if missing:
        raise SettingsError(f"a database needs endpoint and keys from one place; here {', '.join(missing)} is missing")
    endpoint = checked_endpoint(values[0], names[0])
    assert endpoint is not None
    return VastConnection(endpoint=endpoint, access_key=SecretStr(values[1]), secret_key=SecretStr(values[2]))


def _each(secrets: Any) -> Iterator[dict[str, Any]]:
    """The secrets, each with its keys in capitals: name to keys as on the platform, or flat as in a config file."""
    if not isinstance(secrets, Mapping):
        return
    for inner in (*secrets.values(), secrets):
        if isinstance(inner, Mapping):
            yield {str(key).upper(): value for key, value in inner.items() if isinstance(value, (str, int, float))}
