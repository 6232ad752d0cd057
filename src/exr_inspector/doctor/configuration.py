"""The settings: which are set, where their values come from, and whether keys are complete. Keys are masked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from difflib import get_close_matches

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from ..catalog import duckdb_path, is_vast
from ..catalog.queries.named import own_queries
from ..catalog.queries.path_template import field_patterns
from ..errors import SettingsError
from ..function.local import INSECURE, TOKEN
from ..function.policies import assignments
from ..inspection.value_text import plural
from ..settings import (
    FunctionSettings,
    S3Settings,
    Settings,
    VastSettings,
    chosen_path_template,
    resolved,
    s3_access,
)
from .model import Check, Target, failed_by, failure, guarded, ok, warning

_SHOWN_CHARACTERS, _SHORTEST_SHOWN = 4, 16


def configuration(target: Target) -> Iterator[Check]:
    """The catalog, the settings that are not defaults, and the two pairs of keys."""
    yield _catalog(target)
    yield from _settings(target)
    yield from _unknown_variables()
    yield from _vast_keys(is_needed=is_vast(target.uri))
    yield _s3_keys()


def masked(key: str) -> str:
    """A key that can be recognised: its first characters, and its length. Of short keys only the length."""
    shown = key[:_SHOWN_CHARACTERS] if len(key) >= _SHORTEST_SHOWN else ""
    return f"{shown}…({len(key)})"


def _catalog(target: Target) -> Check:
    if not target.uri:
        return failure("catalog setting", target.uri_source, "correct the setting")
    try:
        uri = target.uri if is_vast(target.uri) else f"duckdb:{duckdb_path(target.uri)}"
    except SettingsError as error:
        return failed_by("catalog setting", error)
    return ok("catalog setting", f"{_without_password(uri)} ({target.uri_source})")


def _settings(target: Target) -> Iterator[Check]:
    """The values that are not defaults, but for endpoints and keys; and those that a command rejects when it runs."""
    shown = []
    for kind in (Settings, FunctionSettings):
        try:
            values = resolved(kind)
        except SettingsError as error:
            yield failed_by("settings", error)
            return
        prefix = kind.model_config["env_prefix"]
        shown += [
            f"{prefix}{name.upper()}={_without_password(str(getattr(values, name)))} (environment)"
            for name in sorted(values.model_fields_set)
            if name != "catalog"
        ]
    shown += [f"{name}={value} ({target.file})" for name, value in target.from_file.items() if name != "catalog"]
    yield ok("settings", ", ".join(dict.fromkeys(shown)) or "defaults")
    yield from guarded("path template", lambda: _path_template(target))
    yield from guarded("reports", _reports)
    yield from guarded("policy", _policy)
    if os.environ.get(TOKEN) == "":
        yield failure(TOKEN, "is empty, so `function serve` does not start", "set a token, or unset it")


def _path_template(target: Target) -> Iterator[Check]:
    template = chosen_path_template(resolved(Settings), target.from_file.get("path_template"))
    field_patterns(template)
    yield ok("path template", template)


def _reports() -> Iterator[Check]:
    folder = resolved(Settings).reports
    if not folder:
        return
    queries, errors = own_queries(folder)
    if errors:
        yield failure("reports", f"invalid reports: {'; '.join(map(str, errors.values()))}", "correct these files")
    else:
        yield ok("reports", f"{folder} has {len(queries)} {plural(len(queries), 'report')}")


def _policy() -> Iterator[Check]:
    assigned = resolved(FunctionSettings).policy
    if assigned:
        assignments(assigned)
        yield ok("policy", f"of delivered events, not read here: {assigned}")


def _unknown_variables() -> Iterator[Check]:
    """Variables with the prefix of the settings that are not settings: they may be mistyped."""
    prefix = "EXR_INSPECTOR_"
    known = {f"{prefix}{name}".upper() for kind in (Settings, FunctionSettings) for name in kind.model_fields}
    known |= {TOKEN, INSECURE}
    for variable in sorted(os.environ):
        if variable.upper().startswith(prefix) and variable.upper() not in known:
            names = {name.removeprefix(prefix): name for name in known}  # the prefix is alike in all of them
            close = [
                names[name]
                for name in get_close_matches(variable.upper().removeprefix(prefix), names, n=1, cutoff=0.75)
            ]
            yield warning(
                variable, "is not a setting and has no effect", f"set {close[0]} instead" if close else "unset it"
            )


def _vast_keys(*, is_needed: bool) -> Iterator[Check]:
    try:
        values = resolved(VastSettings)
    except SettingsError as error:
        yield failed_by("vast keys", error)
        return
    given = {
        "VAST_DB_ENDPOINT": values.endpoint,
        "VAST_DB_ACCESS_KEY": values.access_key.get_secret_value(),
        "VAST_DB_SECRET_KEY": values.secret_key.get_secret_value(),
    }
    missing = [name for name, value in given.items() if not value]
    if len(missing) == len(given) and not is_needed:
        return
    if missing:
        yield failure(
            "vast keys",
            f"missing: {', '.join(missing)}; endpoint and keys are only used together",
            f"set {', '.join(missing)}",
        )
        return
    yield ok("vast keys", _bundle(values, "VAST_DB_"))


def _s3_keys() -> Check:
    try:
        access = s3_access()
        values = resolved(S3Settings)
    except SettingsError as error:
        return failed_by("s3 keys", error)
    if values.endpoint or values.access_key.get_secret_value():
        return ok("s3 keys", _bundle(values, "S3_"))
    key = access.access_key.get_secret_value()
    if not (access.endpoint or key or access.ambient):
        return ok("s3 keys", "none are set; requests to s3:// are not signed")
    held = masked(key) if key else "of this machine or pod" if access.ambient else "none, requests are not signed"
    return ok("s3 keys", f"endpoint {_without_password(access.url)}, access key {held} (environment, AWS_…)")


def _bundle(values: BaseSettings, prefix: str) -> str:
    """Endpoint, masked key and other options that are set."""
    texts = []
    for name in type(values).model_fields:
        value = getattr(values, name)
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        if name not in values.model_fields_set or not text:
            continue
        shown = masked(text) if name == "access_key" else "set" if isinstance(value, SecretStr) else text
        texts.append(f"{name.replace('_', ' ')} {_without_password(shown)}")
    return f"{', '.join(texts)} (environment, {prefix}…)"


def _without_password(text: str) -> str:
    """The text, unless it may contain a user and a password."""
    return "(not shown: contains @)" if "@" in text else text
