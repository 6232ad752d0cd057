"""All checks, in the order in which a person would make them."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from ..catalog import is_vast
from ..settings import VastConnection, s3_access, vast_connection
from .configuration import configuration
from .installation import installation
from .model import Check, Stage, Status, Target, guarded, skipped
from .network import reachability, s3_endpoint, vast_endpoint
from .tables import catalog_checks


def diagnose(target: Target) -> Iterator[Check]:
    """The checks of a stage, one after the other. Raises nothing: an error is the result of its check."""
    if target.stage is not Stage.AFTER:
        extras = frozenset({"vast"} if is_vast(target.uri) else ())
        yield from guarded("installation", lambda: installation(needed_extras=extras))
        yield from guarded("settings", lambda: configuration(target))
    yield from guarded("s3", _object_store)
    if target.uri:
        yield from guarded("catalog", lambda: _catalog(target))
    if target.uri and target.stage is Stage.AFTER:
        yield skipped("coverage", "not checked here", f"exr-inspector db coverage PREFIX --catalog {quote(target.uri)}")


def _object_store() -> Iterator[Check]:
    access = s3_access()
    if access.endpoint or access.access_key.get_secret_value() or access.ambient:
        yield from reachability(s3_endpoint(access))


def _catalog(target: Target) -> Iterator[Check]:
    """The checks of the catalog, and before of its server: if that cannot be reached, of nothing else."""
    connection: VastConnection | None = None
    if is_vast(target.uri):
        from ..catalog.vast.tables import tables_at

        connection = vast_connection()
        tables_at(target.uri, connection, read_only=True)  # raises SettingsError
        for check in reachability(vast_endpoint(connection)):
            yield check
            if check.status is Status.FAIL and not check.name.endswith("clock"):
                return
    yield from catalog_checks(target, connection)
