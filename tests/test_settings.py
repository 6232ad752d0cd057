"""Settings of the environment."""

from __future__ import annotations

import pytest

from exr_inspector.settings import FunctionSettings, S3Settings, Settings, VastSettings, resolved, s3_access


@pytest.mark.parametrize("kind", [Settings, FunctionSettings, VastSettings, S3Settings])
def test_an_empty_variable_counts_as_one_that_is_not_set(monkeypatch, kind):
    prefix = kind.model_config["env_prefix"]
    names = [field.validation_alias or f"{prefix}{name}".upper() for name, field in kind.model_fields.items()]
    for name in names:
        monkeypatch.delenv(name, raising=False)
    default = resolved(kind)
    for name in names:
        monkeypatch.setenv(name, "")
    assert resolved(kind) == default


def test_an_empty_region_of_the_object_store_is_the_default(monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "S3_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("S3_REGION", "")
    assert s3_access().url == "https://s3.us-east-1.amazonaws.com"
