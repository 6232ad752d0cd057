"""Where the catalog and the objects are: one place for endpoint and keys together, and nothing of them in any text."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from exr_inspector.errors import EventError, SettingsError
from exr_inspector.function.credentials import secrets_of, store, target
from exr_inspector.function.events import database_fields
from tests.support.vast_event import VastEvent

EVENT = {"endpoint": "http://event", "access_key": "event-key", "secret_key": "event-hidden"}
SECRET = {
    "vdbendpoint": "http://secret",
    "vdbaccesskey": "secret-key",
    "vdbsecretkey": "secret-hidden",
    "vdbbucket": "b",
}
S3_SECRET = {"s3endpoint": "http://store", "s3accesskey": "store-key", "s3secretkey": "store-hidden"}
ENVIRONMENT = {
    "VAST_DB_ENDPOINT": "http://environment",
    "VAST_DB_ACCESS_KEY": "environment-key",
    "VAST_DB_SECRET_KEY": "environment-hidden",
    "VAST_DB_BUCKET": "environment-bucket",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch) -> Any:
    for name in list(os.environ):
        if name.startswith(("EXR_INSPECTOR_", "VAST_DB_", "S3_", "AWS_")):
            monkeypatch.delenv(name)

    def set_(values: Mapping[str, str]) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_


def ctx(**secrets: Any) -> Any:
    return SimpleNamespace(secrets=secrets)


def found(ctx: Any, fields: Mapping[str, str] = {}, delivered: bool = False) -> tuple[str, ...]:
    """URI, endpoint, keys and region."""
    target_ = target(ctx, fields, is_delivered=delivered)
    assert target_ is not None
    connection = target_.connection
    if connection is None:
        return (target_.uri,)
    keys = (connection.access_key.get_secret_value(), connection.secret_key.get_secret_value())
    assert not any(key in repr(target_) for key in keys)
    return (target_.uri, connection.endpoint, *keys, connection.region)


def test_event_then_secrets_then_environment_then_nothing(environment):
    """The whole of each; a bucket alone may come from the environment."""
    assert target(object(), {}, is_delivered=False) is None
    environment(ENVIRONMENT)
    assert found(object()) == (
        "vast://environment-bucket/exr_metadata", "http://environment", "environment-key", "environment-hidden",
        "us-east-1",
    )  # fmt: skip
    assert found(ctx(db=SECRET)) == (
        "vast://b/exr_metadata",
        "http://secret",
        "secret-key",
        "secret-hidden",
        "us-east-1",
    )
    assert found(ctx(db=SECRET), EVENT | {"region": "eu"}) == (
        "vast://environment-bucket/exr_metadata", "http://event", "event-key", "event-hidden", "eu",
    )  # fmt: skip
    assert found(object(), EVENT | {"bucket": "c", "schema": "d"})[0] == "vast://c/d"


@pytest.mark.parametrize(
    "given", [{"endpoint": "http://event"}, {"access_key": "the-key", "secret_key": "s"}, {"secret_key": "s"}]
)
def test_an_event_that_brings_half_of_it_gets_nothing_from_elsewhere(environment, given):
    """Least of all keys for its endpoint."""
    environment(ENVIRONMENT)
    with pytest.raises(EventError, match="the event names a database and lacks vastdb_"):
        target(ctx(db=SECRET), given, is_delivered=False)


def test_a_secret_that_holds_half_of_it_gets_nothing_from_elsewhere(environment):
    """It says which half."""
    environment(ENVIRONMENT | {"S3_ENDPOINT": "http://x", "S3_ACCESS_KEY": "a", "S3_SECRET_KEY": "b"})
    with pytest.raises(SettingsError, match="the secret 'db' names a database and lacks its secret key"):
        target(ctx(db={"vdbendpoint": "http://secret", "vdbaccesskey": "secret-key"}), {}, is_delivered=False)
    keys = ctx(s3={"s3accesskey": "store-key", "s3secretkey": "store-hidden"})
    with pytest.raises(SettingsError, match="the secret 's3' names an object store and lacks its endpoint"):
        store(keys)
    environment({"S3_ENDPOINT": ""})
    assert store(keys).url == "https://s3.us-east-1.amazonaws.com"


def test_half_an_environment_says_what_is_missing(environment):
    """Instead of persisting nowhere, in silence."""
    environment({"VAST_DB_ENDPOINT": "http://environment", "VAST_DB_BUCKET": "b"})
    with pytest.raises(SettingsError, match="VAST_DB_ACCESS_KEY, VAST_DB_SECRET_KEY"):
        target(object(), {}, is_delivered=False)
    environment({name: value for name, value in ENVIRONMENT.items() if "BUCKET" not in name} | {"VAST_DB_BUCKET": ""})
    with pytest.raises(SettingsError, match="VAST_DB_BUCKET"):
        target(object(), {}, is_delivered=False)


def test_the_catalog_that_is_chosen(environment):
    """A DuckDB file goes before the environment's VAST Database, and after what an event or a secret names."""
    environment({"EXR_INSPECTOR_CATALOG": "duckdb:/x.duckdb"})
    assert found(object()) == ("duckdb:/x.duckdb",)
    environment(ENVIRONMENT)
    assert found(object()) == ("duckdb:/x.duckdb",)
    assert found(ctx(db=SECRET))[1] == "http://secret"
    assert found(object(), EVENT)[1] == "http://event"
    environment({"EXR_INSPECTOR_CATALOG": "vast://other/place"})
    assert found(object())[:2] == ("vast://other/place", "http://environment")
    assert found(ctx(db=SECRET))[0] == "vast://b/exr_metadata"


@pytest.mark.parametrize(
    "spelling",
    [
        {
            "VAST_DB_ENDPOINT": "http://s",
            "VAST_DB_ACCESS_KEY": "the-key",
            "VAST_DB_SECRET_KEY": "hidden",
            "VAST_DB_BUCKET": "b",
        },
        {
            "vast_db_endpoint": "http://s",
            "vast-db-access-key": "the-key",
            "VastDbSecretKey": "hidden\n",
            "vastdbbucket": "b",
        },
        {
            "vdbendpoint": "http://s",
            "vdbaccesskey": "the-key",
            "vdbsecretkey": " hidden",
            "vdbbucket": "b",
            "vdbschema": None,
        },
    ],
)
def test_secrets_are_spelled_in_several_ways(spelling):
    """Our own, and those of others' functions; nested as they should be, or flat."""
    assert found(ctx(any=spelling))[1:4] == ("http://s", "the-key", "hidden")
    flat = SimpleNamespace(secrets=spelling)
    assert found(flat)[1:4] == ("http://s", "the-key", "hidden")


def test_the_secret_that_is_meant_can_be_named(environment):
    """Two that name a database are one too many; a name that nobody has is a mistake."""
    both = ctx(one=SECRET, two=SECRET | {"vdbendpoint": "http://two"})
    with pytest.raises(SettingsError, match="2 secrets name a database; EXR_INSPECTOR_SECRET says which"):
        target(both, {}, is_delivered=False)
    environment({"EXR_INSPECTOR_SECRET": "two"})
    assert found(both)[1] == "http://two"
    with pytest.raises(SettingsError, match="EXR_INSPECTOR_SECRET"):
        target(ctx(one=SECRET), {}, is_delivered=False)


def test_database_and_store_do_not_lend_each_other_keys(environment):
    """Each service has its own, from whichever place."""
    environment({"S3_ENDPOINT": "http://from-environment"})
    access = store(ctx(db=SECRET))
    assert (access.endpoint, access.access_key.get_secret_value()) == ("http://from-environment", "")
    access = store(ctx(db=SECRET, s3=S3_SECRET))
    assert (access.endpoint, access.access_key.get_secret_value()) == ("http://store", "store-key")
    assert "hidden" not in repr(access)
    assert target(ctx(s3=S3_SECRET), {}, is_delivered=False) is None


def test_times_fit_into_those_of_an_event(environment):
    """However much the database and the store would be given otherwise."""
    environment(ENVIRONMENT | {"EXR_INSPECTOR_DEADLINE_S": "5"})
    target_ = target(object(), {}, is_delivered=False)
    assert target_ is not None
    assert target_.connection is not None
    assert target_.connection.deadline_s == 5
    assert store(object()).request_timeout_s == 1


def test_a_delivered_event_names_only_databases_that_are_allowed(environment):
    """Who can send events must not get the function to talk to any host; who calls it directly may."""
    for fields in (EVENT, EVENT | {"endpoint": "http://other"}):
        with pytest.raises(EventError, match="EXR_INSPECTOR_EVENT_ENDPOINTS"):
            target(object(), fields, is_delivered=True)
    environment({"EXR_INSPECTOR_EVENT_ENDPOINTS": "http://a, http://event/", "VAST_DB_BUCKET": "b"})
    assert found(object(), EVENT, delivered=True)[1] == "http://event"
    with pytest.raises(EventError):
        target(object(), EVENT | {"endpoint": "http://other"}, is_delivered=True)


class Raising(Mapping[str, Any]):
    def __getitem__(self, name: str) -> Any:
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(["x"])

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize("secrets", [None, {}, [], 5, Raising(), {"x": Raising()}, {"x": None, "y": 5, 1: [2]}])
def test_secrets_of_no_known_shape_are_none(secrets):
    """What cannot be read is left out."""
    assert secrets_of(SimpleNamespace(secrets=secrets)) == ()


def test_what_an_event_says_of_the_database():
    """On the event or in its data, in a dict or in an object; numbers are no keys."""
    fields = {f"vastdb_{name}": value for name, value in EVENT.items()}
    assert database_fields({"data": {"path": "x"}} | fields) == EVENT
    assert database_fields({"data": {"path": "x"} | fields}) == EVENT
    assert database_fields({"data": json.dumps(fields)}) == EVENT
    headers = json.loads(Path(__file__).with_name("data").joinpath("element_on_cluster.json").read_bytes())["headers"]
    assert database_fields(VastEvent.from_http(headers, json.dumps(fields).encode())) == EVENT
    assert database_fields({"vastdb_endpoint": "", "vastdb_region": None}) == {}
    assert [database_fields(each) for each in (None, 5, [], "x", object())] == [{}] * 5
    with pytest.raises(EventError, match="vastdb_secret_key has to be text"):
        database_fields({"vastdb_secret_key": 5})


def test_no_error_repeats_a_key(environment, caplog):
    """Nor an endpoint that has one in it."""
    caplog.set_level(logging.DEBUG)
    wrong = [
        (ctx(one=SECRET, two=SECRET), {}),
        (ctx(one={"vdbsecretkey": "event-hidden"}), {}),
        (object(), {"secret_key": "event-hidden"}),
    ]
    for context, fields in wrong:
        with pytest.raises((SettingsError, EventError)) as raised:
            target(context, fields, is_delivered=False)
        assert "hidden" not in repr(raised.value)
    assert "hidden" not in caplog.text
