"""The catalog and the object store: endpoint and keys from one place, and no key in any message."""

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
from exr_inspector.settings import function_settings
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


def resolved(ctx: Any, fields: Mapping[str, str] = {}, delivered: bool = False) -> tuple[str, ...]:
    """URI, endpoint, keys and region."""
    target_ = target(ctx, fields, function_settings(), is_delivered=delivered)
    assert target_ is not None
    connection = target_.connection
    if connection is None:
        return (target_.uri,)
    keys = (connection.access_key.get_secret_value(), connection.secret_key.get_secret_value())
    assert not any(key in repr(target_) for key in keys)
    return (target_.uri, connection.endpoint, *keys, connection.region)


def test_event_then_secrets_then_environment_then_nothing(environment):
    """Never a mixture of them; only the bucket may come from the environment."""
    assert target(object(), {}, function_settings(), is_delivered=False) is None
    environment(ENVIRONMENT)
    assert resolved(object()) == (
        "vast://environment-bucket/exr_metadata", "http://environment", "environment-key", "environment-hidden",
        "us-east-1",
    )  # fmt: skip
    assert resolved(ctx(db=SECRET)) == (
        "vast://b/exr_metadata",
        "http://secret",
        "secret-key",
        "secret-hidden",
        "us-east-1",
    )
    assert resolved(ctx(db=SECRET), EVENT | {"region": "eu"}) == (
        "vast://environment-bucket/exr_metadata", "http://event", "event-key", "event-hidden", "eu",
    )  # fmt: skip
    assert resolved(object(), EVENT | {"bucket": "c", "schema": "d"})[0] == "vast://c/d"


@pytest.mark.parametrize(
    "given", [{"endpoint": "http://event"}, {"access_key": "the-key", "secret_key": "s"}, {"secret_key": "s"}]
)
def test_an_incomplete_database_of_an_event_is_not_completed(environment, given):
    """In particular, its endpoint never gets our keys."""
    environment(ENVIRONMENT)
    with pytest.raises(EventError, match="the event names a database without vastdb_"):
        target(ctx(db=SECRET), given, function_settings(), is_delivered=False)


def test_an_incomplete_secret_is_not_completed(environment):
    """The message names the missing entries."""
    environment(ENVIRONMENT | {"S3_ENDPOINT": "http://x", "S3_ACCESS_KEY": "a", "S3_SECRET_KEY": "b"})
    with pytest.raises(SettingsError, match="the secret 'db' names a database without secret key"):
        target(
            ctx(db={"vdbendpoint": "http://secret", "vdbaccesskey": "secret-key"}),
            {},
            function_settings(),
            is_delivered=False,
        )
    keys = ctx(s3={"s3accesskey": "store-key", "s3secretkey": "store-hidden"})
    with pytest.raises(SettingsError, match="the secret 's3' names an object store without endpoint"):
        store(keys, function_settings())
    environment({"S3_ENDPOINT": ""})
    assert store(keys, function_settings()).url == "https://s3.us-east-1.amazonaws.com"


def test_an_incomplete_environment_names_the_missing_variables(environment):
    """Instead of silently persisting nothing."""
    environment({"VAST_DB_ENDPOINT": "http://environment", "VAST_DB_BUCKET": "b"})
    with pytest.raises(SettingsError, match="VAST_DB_ACCESS_KEY, VAST_DB_SECRET_KEY"):
        target(object(), {}, function_settings(), is_delivered=False)
    environment({name: value for name, value in ENVIRONMENT.items() if "BUCKET" not in name} | {"VAST_DB_BUCKET": ""})
    with pytest.raises(SettingsError, match="VAST_DB_BUCKET"):
        target(object(), {}, function_settings(), is_delivered=False)


def test_the_precedence_of_the_catalog_setting(environment):
    """A DuckDB file precedes the VAST Database of the environment, and follows that of an event or a secret."""
    environment({"EXR_INSPECTOR_CATALOG": "duckdb:/x.duckdb"})
    assert resolved(object()) == ("duckdb:/x.duckdb",)
    environment(ENVIRONMENT)
    assert resolved(object()) == ("duckdb:/x.duckdb",)
    assert resolved(ctx(db=SECRET))[1] == "http://secret"
    assert resolved(object(), EVENT)[1] == "http://event"
    environment({"EXR_INSPECTOR_CATALOG": "vast://other/place"})
    assert resolved(object())[:2] == ("vast://other/place", "http://environment")
    assert resolved(ctx(db=SECRET))[0] == "vast://b/exr_metadata"


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
    """Those of this function and of others; nested or flat."""
    assert resolved(ctx(any=spelling))[1:4] == ("http://s", "the-key", "hidden")
    flat = SimpleNamespace(secrets=spelling)
    assert resolved(flat)[1:4] == ("http://s", "the-key", "hidden")


def test_a_secret_can_be_selected_by_name(environment):
    """Two secrets of a database are ambiguous; a name without a secret is an error."""
    both = ctx(one=SECRET, two=SECRET | {"vdbendpoint": "http://two"})
    with pytest.raises(SettingsError, match="2 secrets name a database; select one with EXR_INSPECTOR_SECRET"):
        target(both, {}, function_settings(), is_delivered=False)
    environment({"EXR_INSPECTOR_SECRET": "two"})
    assert resolved(both)[1] == "http://two"
    with pytest.raises(SettingsError, match="EXR_INSPECTOR_SECRET"):
        target(ctx(one=SECRET), {}, function_settings(), is_delivered=False)


def test_database_and_store_do_not_share_keys(environment):
    """Each service has its own."""
    environment({"S3_ENDPOINT": "http://from-environment"})
    access = store(ctx(db=SECRET), function_settings())
    assert (access.endpoint, access.access_key.get_secret_value()) == ("http://from-environment", "")
    access = store(ctx(db=SECRET, s3=S3_SECRET), function_settings())
    assert (access.endpoint, access.access_key.get_secret_value()) == ("http://store", "store-key")
    assert "hidden" not in repr(access)
    assert target(ctx(s3=S3_SECRET), {}, function_settings(), is_delivered=False) is None


def test_timeouts_fit_into_the_deadline_of_the_function(environment):
    """Whatever the settings of the database and the store are."""
    environment(ENVIRONMENT | {"EXR_INSPECTOR_DEADLINE_S": "5"})
    target_ = target(object(), {}, function_settings(), is_delivered=False)
    assert target_ is not None
    assert target_.connection is not None
    assert target_.connection.deadline_s == 5
    assert store(object(), function_settings()).request_timeout_s == 1


def test_a_delivered_event_may_name_only_allowed_databases(environment):
    """Senders of events must not choose the hosts that the function connects to; direct callers may."""
    for fields in (EVENT, EVENT | {"endpoint": "http://other"}):
        with pytest.raises(EventError, match="EXR_INSPECTOR_EVENT_ENDPOINTS"):
            target(object(), fields, function_settings(), is_delivered=True)
    environment({"EXR_INSPECTOR_EVENT_ENDPOINTS": "http://a, http://event/", "VAST_DB_BUCKET": "b"})
    assert resolved(object(), EVENT, delivered=True)[1] == "http://event"
    with pytest.raises(EventError):
        target(object(), EVENT | {"endpoint": "http://other"}, function_settings(), is_delivered=True)


class Raising(Mapping[str, Any]):
    def __getitem__(self, name: str) -> Any:
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(["x"])

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize("secrets", [None, {}, [], 5, Raising(), {"x": Raising()}, {"x": None, "y": 5, 1: [2]}])
def test_unreadable_secrets_are_omitted(secrets):
    """Of unknown types, or that raise."""
    assert secrets_of(SimpleNamespace(secrets=secrets)) == {}


def test_the_database_fields_of_an_event():
    """At the top level or in its data, in a dict or in an object; values must be strings."""
    fields = {f"vastdb_{name}": value for name, value in EVENT.items()}
    assert database_fields({"data": {"path": "x"}} | fields) == EVENT
    assert database_fields({"data": {"path": "x"} | fields}) == EVENT
    assert database_fields({"data": json.dumps(fields)}) == EVENT
    headers = json.loads(Path(__file__).with_name("data").joinpath("element_on_cluster.json").read_bytes())["headers"]
    assert database_fields(VastEvent.from_http(headers, json.dumps(fields).encode())) == EVENT
    assert database_fields({"vastdb_endpoint": "", "vastdb_region": None}) == {}
    assert [database_fields(each) for each in (None, 5, [], "x", object())] == [{}] * 5
    with pytest.raises(EventError, match="vastdb_secret_key must be a string"):
        database_fields({"vastdb_secret_key": 5})


def test_no_error_repeats_a_key(environment, caplog):
    """Nor an endpoint that contains a key."""
    caplog.set_level(logging.DEBUG)
    wrong = [
        (ctx(one=SECRET, two=SECRET), {}),
        (ctx(one={"vdbsecretkey": "event-hidden"}), {}),
        (object(), {"secret_key": "event-hidden"}),
    ]
    for context, fields in wrong:
        with pytest.raises((SettingsError, EventError)) as raised:
            target(context, fields, function_settings(), is_delivered=False)
        assert "hidden" not in repr(raised.value)
    assert "hidden" not in caplog.text
