"""Policies from files: YAML in, `Policy` out. Every error has file, line and column."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import resources
from typing import Any, TypeVar

from ..errors import SettingsError
from ..findings.rules import Rule
from ..sources.uris import bucket_and_key, has_scheme, object_uri
from .conditions import Condition, parse_condition
from .model import CustomEntry, CustomRule, Layer, Override, Policy, PolicyFile, merged_settings
from .registry import rule_named, selected_rules, suggestion
from .rule import Parameters, PolicyRule
from .rules_metadata import AttributeNeed
from .yaml_marks import Document, Path, read_document
from .yaml_models import read_file, validated

_ENDINGS = (".yaml", ".yml")
_MAX_EXTENDED = 32  # policies that one extends, also through others
_FOLDER = resources.files(__package__) / "builtin"
_NESTED = {
    "overrides": Override,
    "custom": CustomEntry,
    "attributes": AttributeNeed,
}  # dataclasses in a field of this name


def builtin_names() -> list[str]:
    """The names of the built-in policies."""
    return sorted(item.name.removesuffix(".yaml") for item in _FOLDER.iterdir() if item.name.endswith(".yaml"))


def builtin_text(name: str) -> str:
    """The file of a built-in policy."""
    return (_FOLDER / f"{name}.yaml").read_text("utf-8")


ReadFile = Callable[[str], bytes]  # raises SettingsError
_Item = TypeVar("_Item")


def load_policy(given: str | os.PathLike[str], read: ReadFile | None = None) -> Policy:
    """The policy of a file, or a built-in one by its name. Raises SettingsError if it cannot be
    read, PolicyError if it is invalid.

    `read` reads all files that are not built in, this one and those that it extends; by default from disk.
    """
    text = os.fspath(given)
    read = read or _read
    return _policy(text, _data(text, read), (), [], read)


def policy_text(given: str) -> str:
    """The text of a policy file, or of a built-in policy. Raises SettingsError, and PolicyError if it is invalid."""
    data = _data(given, _read)
    _policy(given, data, (), [], _read)
    return data.decode("utf-8-sig")


def _read(path: str) -> bytes:
    return read_file("policy", path)


def _data(given: str, read: ReadFile) -> bytes:
    if _is_path(given):
        return read(given)
    if given in builtin_names():
        return builtin_text(given).encode()
    raise SettingsError(_unknown(given))


def parse_policy(source: str, data: bytes) -> Policy:
    """The policy in the bytes of a file; paths that it extends are relative to `source`. Raises PolicyError."""
    return _policy(source, data, (), [], _read)


def _is_path(text: str) -> bool:
    return "/" in text or os.sep in text or text.endswith(_ENDINGS)


def _unknown(name: str) -> str:
    known = builtin_names()
    return (
        f"no built-in policy is called {name!r}; they are {', '.join(known)}, and the path of a policy ends in .yaml"
        f"{suggestion(name, known)}"
    )


def _policy(source: str, data: bytes, above: tuple[str, ...], extended: list[str], read: ReadFile) -> Policy:
    """A policy; `above` are those that extend it, `extended` all that have been read because of them."""
    document = read_document(source, data)
    file = validated(document, (), document.value, PolicyFile, _NESTED)
    bases: list[Policy] = []
    custom: dict[str, CustomRule] = {}
    for path, name in _items(("extends",), file.extends):
        base = _extended(document, path, name, above, extended, read)
        for rule in base.custom.values():
            _check_distinct(document, path, rule, [other for other in custom.values() if other != rule])
        custom |= base.custom
        bases.append(base)
    own = _custom_rules(document, file)
    for path, rule in _items(("custom",), own.values()):
        _check_distinct(document, path, rule, custom.values())
    custom |= own
    layers = [layer for base in bases for layer in base.layers]
    layers.append(_layer(document, (), None, file, custom, _settings_of_all(layers), own.keys()))
    for_all = _settings_of_all(layers)
    for number, override in enumerate(file.overrides):
        path = ("overrides", number)
        when = parse_condition(document, (*path, "when"), override.when)
        layers.append(_layer(document, path, when, override, custom, for_all))
    layers.sort(key=lambda layer: layer.when is not None)
    waiver_files = [path for base in bases for path in base.waiver_files]
    if file.waivers is not None:
        waiver_files.append(_beside(source, file.waivers))
    return Policy(
        name=file.policy,
        version=file.version,
        title=file.title,
        layers=tuple(layers),
        custom=custom,
        waiver_files=tuple(dict.fromkeys(waiver_files)),
        unused_ignores=tuple(_unused_ignores(file, layers, custom)),
    )


def _settings_of_all(layers: Iterable[Layer]) -> dict[str, Mapping[str, Any]]:
    """The parameters for files to which no override applies."""
    return merged_settings(layer for layer in layers if layer.when is None)


def _beside(source: str, name: str) -> str:
    """The path or URI of a file that is given relative to another one."""
    if has_scheme(name):
        return name
    if not has_scheme(source):
        return os.path.normpath(os.path.join(os.path.dirname(source), name))
    bucket, key = bucket_and_key(source)
    return object_uri(bucket, posixpath.normpath(posixpath.join(posixpath.dirname(key), name)))


def _items(path: Path, items: Iterable[_Item]) -> Iterator[tuple[Path, _Item]]:
    for number, item in enumerate(items):
        yield (*path, number), item


def _extended(
    document: Document, path: Path, name: str, above: tuple[str, ...], extended: list[str], read: ReadFile
) -> Policy:
    """A policy that another one extends."""
    source = document.source
    if not _is_path(name):
        if name not in builtin_names():
            raise document.error(path, _unknown(name))
        target, data = name, builtin_text(name).encode()
    elif not _is_path(source):
        raise document.error(path, "built-in policies extend built-in ones only")
    else:
        target = _beside(source, name)
        try:
            data = read(target)
        except SettingsError as error:
            raise document.error(path, str(error)) from None
    chain = (*above, source)
    if target in chain or _beside(source, os.path.basename(source)) == target:
        raise document.error(path, f"{name} extends itself: {' → '.join((*chain, target))}")
    extended.append(target)
    if len(extended) > _MAX_EXTENDED:
        raise document.error(path, f"more than {_MAX_EXTENDED} policies are extended")
    return _policy(target, data, chain, extended, read)


def _custom_rules(document: Document, file: PolicyFile) -> dict[str, CustomRule]:
    """The rules of a policy's own, by identifier."""
    rules: dict[str, CustomRule] = {}
    for number, entry in enumerate(file.custom):
        path = ("custom", number)
        if entry.id.startswith("EXR"):
            raise document.error((*path, "id"), "identifiers that begin with EXR are those of built-in rules")
        if rule_named(entry.name) is not None:
            raise document.error((*path, "name"), f"a built-in rule is called {entry.name}")
        if entry.id in rules or any(rule.rule.name == entry.name for rule in rules.values()):
            raise document.error(path, f"the identifier {entry.id} or the name {entry.name} is repeated")
        rules[entry.id] = CustomRule(
            rule=Rule(entry.id, entry.name, entry.message, entry.remedy),
            scope=entry.scope,
            when=None if entry.when is None else parse_condition(document, (*path, "when"), entry.when),
            require=parse_condition(document, (*path, "require"), entry.require),
            severity=entry.severity,
        )
    return rules


def _check_distinct(document: Document, path: Path, rule: CustomRule, others: Iterable[CustomRule]) -> None:
    """Raise PolicyError if one of the other rules has the identifier or the name of a rule."""
    rule_id, name = rule.rule[:2]
    if any(other.rule.rule_id == rule_id or other.rule.name == name for other in others):
        raise document.error(path, f"a policy that this one extends has a rule {rule_id} or {name}; rename one")


def _layer(
    document: Document,
    path: Path,
    when: Condition | None,
    given: PolicyFile | Override,
    custom: Mapping[str, CustomRule],
    inherited: Mapping[str, Mapping[str, Any]],
    own: Iterable[str] = (),
) -> Layer:
    """A step of a policy, which selects its `own` rules too; `inherited` are the parameters before it."""
    settings: dict[str, Mapping[str, Any]] = {}
    names = {each.rule.name: rule_id for rule_id, each in custom.items()}
    for name, parameters in given.rules.items():
        at = (*path, "rules", name)
        rule = rule_named(name)
        rule_id = rule.rule_id if rule else names.get(name, name)
        if rule is None and rule_id not in custom:
            raise document.error(at, _no_rule(name, custom), at_key=True)
        if rule_id in settings:
            raise document.error(at, f"the rule is given by its name and by {rule_id}", at_key=True)
        values = validated(document, at, parameters or {}, rule.parameters if rule else Parameters, _NESTED)
        settings[rule_id] = {key: getattr(values, key) for key in parameters or {}}
        if rule:
            _check_limits(document, at, rule, {**inherited.get(rule_id, {}), **settings[rule_id]})
    selected = _rule_ids(document, (*path, "select"), given.select, custom)
    ignored = _rule_ids(document, (*path, "ignore"), given.ignore, custom)
    return Layer(when=when, select=selected.union(settings, own), ignore=ignored, settings=settings)


def _check_limits(document: Document, at: Path, rule: PolicyRule, settings: Mapping[str, Any]) -> None:
    """Raise PolicyError if the least value that a rule allows is more than the greatest."""
    values = rule.parameters(**settings)
    least, most = getattr(values, "min", None), getattr(values, "max", None)
    if least is not None and most is not None and least > most:
        raise document.error(at, f"{'.'.join(map(str, at))}: min {least} is more than max {most}; give both")


def _rule_ids(
    document: Document, path: Path, selectors: Iterable[str], custom: Mapping[str, CustomRule]
) -> frozenset[str]:
    found: set[str] = set()
    for at, selector in _items(path, selectors):
        own = {rule_id for rule_id, each in custom.items() if selector in each.rule[:2]}
        if not (rules := selected_rules(selector) | own):
            raise document.error(at, _no_rule(selector, custom))
        found |= rules
    return frozenset(found)


def _unused_ignores(file: PolicyFile, layers: Iterable[Layer], custom: Mapping[str, CustomRule]) -> Iterator[str]:
    selected = frozenset().union(*(layer.select for layer in layers))
    for selector in (*file.ignore, *(item for override in file.overrides for item in override.ignore)):
        own = {rule_id for rule_id, each in custom.items() if selector in each.rule[:2]}
        if not (selected_rules(selector) | own) & selected:
            yield selector


def _no_rule(name: str, custom: Mapping[str, CustomRule]) -> str:
    return f"no rule is called {name!r}{suggestion(name, also=[each.rule.name for each in custom.values()])}"
