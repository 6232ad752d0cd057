"""Policies from files: YAML in, `Policy` out. Every error has file, line and column."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from importlib import resources
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..errors import PolicyError, SettingsError
from .model import Layer, Override, Policy, PolicyFile, When
from .registry import rule_named, selected_rules, suggestion
from .rule import Parameters
from .rules_metadata import AttributeNeed
from .yaml_marks import MAX_BYTES, Document, Path, read_document

_ENDINGS = (".yaml", ".yml")
_MAX_EXTENDED = 32  # policies that one extends, also through others
_FOLDER = resources.files(__package__) / "builtin"
_UNKNOWN_KEY = ("unexpected_keyword_argument", "extra_forbidden")
_NESTED = {"overrides": Override, "when": When, "attributes": AttributeNeed}  # dataclasses in a field of this name


def builtin_names() -> list[str]:
    """The names of the built-in policies."""
    return sorted(item.name.removesuffix(".yaml") for item in _FOLDER.iterdir() if item.name.endswith(".yaml"))


def builtin_text(name: str) -> str:
    """The file of a built-in policy."""
    return (_FOLDER / f"{name}.yaml").read_text("utf-8")


def load_policy(given: str | os.PathLike[str]) -> Policy:
    """The policy of a file, or a built-in one by its name. Raises SettingsError, and PolicyError for what is in it."""
    text = os.fspath(given)
    return _policy(text, _data(text), (), [])


def policy_text(given: str) -> str:
    """The text of a policy file, or of a built-in policy. Raises SettingsError, and PolicyError if it is invalid."""
    data = _data(given)
    _policy(given, data, (), [])
    return data.decode("utf-8-sig")


def _data(given: str) -> bytes:
    if _is_path(given):
        return _read(given)
    if given in builtin_names():
        return builtin_text(given).encode()
    raise SettingsError(_unknown(given))


def parse_policy(source: str, data: bytes) -> Policy:
    """The policy in the bytes of a file; paths that it extends are relative to `source`. Raises PolicyError."""
    return _policy(source, data, (), [])


def _is_path(text: str) -> bool:
    return "/" in text or os.sep in text or text.endswith(_ENDINGS)


def _unknown(name: str) -> str:
    known = builtin_names()
    return (
        f"no built-in policy is called {name!r}; they are {', '.join(known)}, and the path of a policy ends in .yaml"
        f"{suggestion(name, known)}"
    )


def _read(path: str) -> bytes:
    try:
        # O_NONBLOCK: opening a FIFO would otherwise wait for a writer
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SettingsError(f"policy {path}: not a file")
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise SettingsError(f"policy {path}: {getattr(error, 'strerror', None) or error}") from error


def _policy(source: str, data: bytes, above: tuple[str, ...], extended: list[str]) -> Policy:
    """A policy; `above` are those that extend it, `extended` all that have been read because of them."""
    document = read_document(source, data)
    file = _validated(document, (), document.value, _adapter(PolicyFile))
    layers = [
        layer
        for path, name in _items(("extends",), file.extends)
        for layer in _extended(document, path, name, above, extended)
    ]
    layers.append(_layer(document, (), None, file))
    layers += [
        _layer(document, ("overrides", number), override.when, override)
        for number, override in enumerate(file.overrides)
    ]
    layers.sort(key=lambda layer: layer.when is not None)
    return Policy(name=file.policy, version=file.version, title=file.title, layers=tuple(layers))


def _items(path: Path, items: Iterable[str]) -> Iterator[tuple[Path, str]]:
    for number, item in enumerate(items):
        yield (*path, number), item


def _extended(
    document: Document, path: Path, name: str, above: tuple[str, ...], extended: list[str]
) -> tuple[Layer, ...]:
    """The layers of a policy that another one extends."""
    source = document.source
    if not _is_path(name):
        if name not in builtin_names():
            raise document.error(path, _unknown(name))
        target, data = name, builtin_text(name).encode()
    elif not _is_path(source):
        raise document.error(path, "built-in policies extend built-in ones only")
    else:
        target = os.path.normpath(os.path.join(os.path.dirname(source), name))
        try:
            data = _read(target)
        except SettingsError as error:
            raise document.error(path, str(error)) from None
    chain = (*above, source)
    if target in chain or os.path.normpath(source) == target:
        raise document.error(path, f"{name} extends itself: {' → '.join((*chain, target))}")
    extended.append(target)
    if len(extended) > _MAX_EXTENDED:
        raise document.error(path, f"more than {_MAX_EXTENDED} policies are extended")
    return _policy(target, data, chain, extended).layers


def _layer(document: Document, path: Path, when: When | None, given: PolicyFile | Override) -> Layer:
    settings: dict[str, Mapping[str, Any]] = {}
    for name, parameters in given.rules.items():
        at = (*path, "rules", name)
        rule = rule_named(name)
        if rule is None:
            raise document.error(at, f"no rule is called {name!r}{suggestion(name)}", at_key=True)
        if rule.rule_id in settings:
            raise document.error(at, f"the rule {rule.name} is given by its name and by {rule.rule_id}", at_key=True)
        values = _validated(document, at, parameters or {}, _adapter(rule.parameters), rule.parameters)
        settings[rule.rule_id] = {key: getattr(values, key) for key in parameters or {}}
    selected = _rule_ids(document, (*path, "select"), given.select)
    ignored = _rule_ids(document, (*path, "ignore"), given.ignore)
    return Layer(when=when, select=selected | settings.keys(), ignore=ignored, settings=settings)


def _rule_ids(document: Document, path: Path, selectors: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    for at, selector in _items(path, selectors):
        rules = selected_rules(selector)
        if not rules:
            raise document.error(at, f"no rule is called {selector!r}{suggestion(selector)}")
        found |= rules
    return frozenset(found)


_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    """What validates a dataclass; it takes milliseconds to make."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _validated(
    document: Document, path: Path, value: Any, adapter: TypeAdapter[Any], kind: type[Parameters] | None = None
) -> Any:
    """A value as dataclasses. JSON in between: there a list is a tuple, but a text is not a number."""
    try:
        return adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
    unknown = (each for each in errors if each["type"] in _UNKNOWN_KEY)  # which is also why another one is missing
    raise _error(document, path, next(unknown, errors[0]), kind)


def _error(document: Document, path: Path, first: Any, kind: type[Parameters] | None) -> PolicyError:
    loc = tuple(first["loc"])
    at = _existing(document, (*path, *loc))
    name = ".".join(map(str, (*path, *loc)))
    prefix = f"{name}: " if name else ""
    if first["type"] in _UNKNOWN_KEY:
        known = [each.name for each in fields(_owner(kind or PolicyFile, loc))]
        unknown = str(loc[-1])
        message = f"{prefix}unknown; expected {', '.join(known)}{suggestion(unknown, known)}"
        return document.error(at, message, at_key=True)
    if first["type"] in ("missing", "missing_argument"):
        return document.error(at, f"{prefix}missing")
    if first["type"] in ("dataclass_type", "dict_type"):
        return document.error(at, f"{prefix}expected keys with values")
    return document.error(at, f"{prefix}{first['msg']}")


def _owner(kind: Any, loc: tuple[Any, ...]) -> Any:
    """The dataclass whose field the last name of a location would be."""
    names = [name for name in loc[:-1] if name in _NESTED]
    return _NESTED[names[-1]] if names else kind


def _existing(document: Document, path: Path) -> Path:
    """A path without what is not in the document: the ends of unions, and missing keys."""
    while path and path not in document.keys and path not in document.values:
        path = path[:-1]
    return path
