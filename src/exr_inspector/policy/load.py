"""Policies from files: YAML in, `Policy` out. Every error has file, line and column; those of a file come together."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, TypeVar

from ..errors import SettingsError
from ..findings.rules import Rule
from ..sources.uris import bucket_and_key, has_scheme, object_uri
from .conditions import Condition, parse_condition
from .model import (
    CustomEntry,
    CustomRule,
    Layer,
    NamedWaivers,
    Override,
    Policy,
    PolicyFile,
    PolicyWarning,
    merged_settings,
)
from .registry import RULES, rule_named, selected_rules, suggestion
from .rule import Parameters, PolicyRule
from .rules_metadata import AttributeNeed
from .yaml_marks import Document, Errors, Mark, Path, read_document
from .yaml_models import Shape, read_file, valid_parts, validated

_ENDINGS = (".yaml", ".yml")
_MAX_EXTENDED = 32  # policies that one extends, also through others
_FOLDER = resources.files(__package__) / "builtin"
_NESTED = {
    "overrides": Override,
    "custom": CustomEntry,
    "attributes": AttributeNeed,
}  # dataclasses in a field of this name
_CUSTOM = {"id": "INVALID0", "name": "invalid", "require": {}, "message": "x", "remedy": "x"}
_OF_ALL_FILES = "the rule is about the shots of all files; name it outside of overrides"
# What stands for invalid values, so that the others are checked too.
_PLACEHOLDERS: dict[Shape, Any] = {
    ("policy",): "x",
    ("version",): "x",
    ("overrides", int): {"when": {}},
    ("overrides", int, "when"): {},
    ("custom", int): _CUSTOM,
    **{("custom", int, key): value for key, value in _CUSTOM.items()},
}


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
    errors = Errors()
    file = valid_parts(document, PolicyFile, _NESTED, _PLACEHOLDERS, errors)
    bases: dict[Path, Policy] = {}
    custom: dict[str, CustomRule] = {}
    for path, name in _items(("extends",), file.extends):
        with errors.caught():
            base = _extended(document, path, name, above, extended, read)
            for rule in base.custom.values():
                _check_distinct(document, path, rule, [other for other in custom.values() if other != rule])
            custom |= base.custom
            bases[path] = base
    own = _custom_rules(document, file, errors)
    for path, rule in own.values():
        with errors.caught():
            _check_distinct(document, path, rule, custom.values())
    custom |= {rule_id: rule for rule_id, (_, rule) in own.items()}
    names = _names(document, bases, custom)
    layers = [layer for base in bases.values() for layer in base.layers]
    of_all_files = _layer(document, (), None, file, names, _settings_of_all(layers), errors, own)
    layers.append(of_all_files)
    for_all = _settings_of_all(layers)
    _check_bases(document, bases, of_all_files, for_all, errors)
    for number, override in enumerate(file.overrides):
        path = ("overrides", number)
        when = None
        with errors.caught():
            when = parse_condition(document, (*path, "when"), override.when)
        layers.append(_layer(document, path, when, override, names, for_all, errors))
    errors.check()
    layers.sort(key=lambda layer: layer.when is not None)
    waiver_files = {each.path: each for base in bases.values() for each in base.waiver_files}
    if file.waivers is not None:
        given = NamedWaivers(_beside(source, file.waivers), source, *document.keys["waivers",])
        waiver_files.setdefault(given.path, given)
    return Policy(
        name=file.policy,
        version=file.version,
        title=file.title,
        layers=tuple(layers),
        custom=custom,
        waiver_files=tuple(waiver_files.values()),
        unused_ignores=tuple(_unused_ignores(document, file, layers, names)),
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


@dataclass(frozen=True, slots=True)
class _Names:
    """The rules that a policy may name: the built-in ones and `custom` ones, its own and those that it extends."""

    custom: Mapping[str, CustomRule]  # by identifier
    by_name: Mapping[str, str]  # the identifiers of these
    broken: frozenset[str]  # identifiers and names of rules that could not be read
    is_partial: bool  # whether a policy that is extended could not be read

    def selected(self, selector: str) -> frozenset[str]:
        """The identifiers of the rules that a selector means."""
        rule_id = self.by_name.get(selector, selector)
        return selected_rules(selector).union((rule_id,) if rule_id in self.custom else ())

    def may_be_broken(self, name: str) -> bool:
        """Whether an unknown name may be that of a rule that could not be read, which has an error of its own."""
        return self.is_partial or name in self.broken

    def unknown(self, name: str) -> str:
        """The message about an unknown name."""
        return f"unknown rule {name!r}{suggestion(name, also=self.by_name)}"


def _names(document: Document, bases: Collection[Any], custom: Mapping[str, CustomRule]) -> _Names:
    given = [rule.get(key) for rule in document.items("custom") if isinstance(rule, dict) for key in ("id", "name")]
    extended = document.value.get("extends")
    return _Names(
        custom=custom,
        by_name={each.rule.name: rule_id for rule_id, each in custom.items()},
        broken=frozenset(name for name in given if isinstance(name, str)),
        is_partial=bool(extended) and (not isinstance(extended, list) or len(extended) > len(bases)),
    )


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


def _custom_rules(document: Document, file: PolicyFile, errors: Errors) -> dict[str, tuple[Path, CustomRule]]:
    """The valid ones of a policy's own rules with their paths, by identifier."""
    rules: dict[str, tuple[Path, CustomRule]] = {}
    for (path, entry), given in zip(_items(("custom",), file.custom), document.items("custom"), strict=False):
        with errors.caught():
            rule = _custom_rule(document, path, entry, [rule for _, rule in rules.values()])
            if isinstance(given, dict) and (given.get("id"), given.get("name")) == (entry.id, entry.name):
                rules[entry.id] = path, rule
    return rules


def _custom_rule(document: Document, path: Path, entry: CustomEntry, before: Collection[CustomRule]) -> CustomRule:
    errors = Errors()
    if entry.id.startswith("EXR"):
        errors.add(document.error((*path, "id"), "identifiers that begin with EXR are those of built-in rules"))
    if rule_named(entry.name) is not None:
        errors.add(document.error((*path, "name"), f"a built-in rule is called {entry.name}"))
    if any(entry.id == rule.rule.rule_id or entry.name == rule.rule.name for rule in before):
        errors.add(document.error(path, f"the identifier {entry.id} or the name {entry.name} is repeated"))
    when = None
    with errors.caught():
        when = None if entry.when is None else parse_condition(document, (*path, "when"), entry.when)
    with errors.caught():
        require = parse_condition(document, (*path, "require"), entry.require)
    errors.check()
    return CustomRule(
        rule=Rule(entry.id, entry.name, entry.message, entry.remedy),
        scope=entry.scope,
        when=when,
        require=require,
        severity=entry.severity,
    )


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
    names: _Names,
    inherited: Mapping[str, Mapping[str, Any]],
    errors: Errors,
    own: Iterable[str] = (),
) -> Layer:
    """A step of a policy, which selects its `own` rules too; `inherited` are the parameters before it."""
    settings: dict[str, Mapping[str, Any]] = {}
    configured: dict[str, Mark] = {}
    for name, parameters in given.rules.items():
        at = (*path, "rules", name)
        rule = rule_named(name)
        rule_id = rule.rule_id if rule else names.by_name.get(name, name)
        if rule is None and rule_id not in names.custom:
            if not names.may_be_broken(name):
                errors.add(document.error(at, names.unknown(name), at_key=True))
            continue
        with errors.caught():
            if rule and path and rule.scope == "shots":
                raise document.error(at, _OF_ALL_FILES, at_key=True)
            if rule_id in settings:
                raise document.error(at, f"the rule is given by its name and by {rule_id}", at_key=True)
            values = validated(document, at, parameters or {}, rule.parameters if rule else Parameters, _NESTED)
            settings[rule_id] = {key: getattr(values, key) for key in parameters or {}}
            configured[rule_id] = document.keys[at]
            if rule:
                _check_limits(document, at, rule, {**inherited.get(rule_id, {}), **settings[rule_id]})
    selected = _rule_ids(document, (*path, "select"), given.select, names, errors)
    for key, selectors in (("select", given.select), ("ignore", given.ignore)):
        for at, selector in _items((*path, key), selectors if path else ()):
            if (rule := rule_named(selector)) and rule.scope == "shots":
                errors.add(document.error(at, _OF_ALL_FILES))
    ignored = _rule_ids(document, (*path, "ignore"), given.ignore, names, errors)
    return Layer(
        when=when,
        select=frozenset((*selected, *settings, *own)),
        ignore=frozenset(ignored),
        settings=settings,
        selected_at={rule_id: (document.source, *mark) for rule_id, mark in (selected | configured).items()},
    )


def _check_bases(
    document: Document,
    bases: Mapping[Path, Policy],
    own: Layer,
    for_all: Mapping[str, Mapping[str, Any]],
    errors: Errors,
) -> None:
    """Add the errors of limits that several policies give together, at the last of those that are extended."""
    last: dict[str, Path] = {}
    for path, base in bases.items():
        for layer in base.layers:
            for rule_id in layer.settings.keys() & RULES:
                if layer.when is None:
                    last[rule_id] = path
                    continue
                with errors.caught():
                    settings = {**for_all.get(rule_id, {}), **layer.settings[rule_id]}
                    _check_limits(document, (*path, RULES[rule_id].name), RULES[rule_id], settings)
    for rule_id in last.keys() - own.settings:
        with errors.caught():
            _check_limits(document, (*last[rule_id], RULES[rule_id].name), RULES[rule_id], for_all[rule_id])


def _check_limits(document: Document, at: Path, rule: PolicyRule, settings: Mapping[str, Any]) -> None:
    """Raise PolicyError if the least value that a rule allows is more than the greatest."""
    values = rule.parameters(**settings)
    least, most = getattr(values, "min", None), getattr(values, "max", None)
    if least is not None and most is not None and least > most:
        raise document.error(at, f"{'.'.join(map(str, at))}: min {least} is more than max {most}; give both")


def _rule_ids(
    document: Document, path: Path, selectors: Iterable[str], names: _Names, errors: Errors
) -> dict[str, Mark]:
    """The identifiers of the rules that selectors mean, with the position of the last one."""
    found: dict[str, Mark] = {}
    for at, selector in _items(path, selectors):
        rules = names.selected(selector)
        if not rules and not names.may_be_broken(selector):
            errors.add(document.error(at, names.unknown(selector)))
        found |= dict.fromkeys(rules, document.values[at])
    return found


def _unused_ignores(
    document: Document, file: PolicyFile, layers: Iterable[Layer], names: _Names
) -> Iterator[PolicyWarning]:
    selected = frozenset().union(*(layer.select for layer in layers))
    of_overrides = [(("overrides", number, "ignore"), each.ignore) for number, each in enumerate(file.overrides)]
    for path, selectors in ((("ignore",), file.ignore), *of_overrides):
        for at, selector in _items(path, selectors):
            if not names.selected(selector) & selected:
                text = f"ignore: no rule that is selected matches {selector}"
                yield PolicyWarning(document.source, *document.values[at], text)
