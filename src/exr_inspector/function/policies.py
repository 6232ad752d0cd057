"""The policies of events: which one applies to a file, read where that is allowed, and kept while they are the same."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from hashlib import sha256
from typing import TYPE_CHECKING

from ..errors import (
    ExrInspectorError,
    SettingsError,
    SourceError,
    SourceNotAllowedError,
    UnusablePolicyError,
)
from ..frames.patterns import is_pattern
from ..settings import settings
from ..sources import open_source
from ..sources.uris import display_path, is_object, local_path, normalize_path, parse
from .error_log import ErrorLog
from .errors import message
from .stages import Inspected

if TYPE_CHECKING:
    from ..policy.compile import CompiledPolicy
    from ..settings import S3Access

log = logging.getLogger(__name__)

_KEPT = 64  # compiled policies
_TRUSTED_S = 60.0  # after which an object is read again; local files are compared at each use
_EVERY_PATH = "**"

_Key = tuple[str, tuple[str, ...], tuple[str, ...], "S3Access | None"]  # policy, folders, prefixes and store


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyAccess:
    """The policies that one delivery may use."""

    assigned: str  # EXR_INSPECTOR_POLICY
    folders: tuple[str, ...]  # real paths
    prefixes: tuple[str, ...]  # URIs of objects
    store: S3Access | ExrInspectorError
    is_delivered: bool  # whether files whose event does not request it are validated too
    error: SettingsError | None = None  # why no policy can be used


def policy_access(
    assigned: str, allowed: str, store: S3Access | ExrInspectorError, *, is_delivered: bool
) -> PolicyAccess:
    """The access of one delivery, from EXR_INSPECTOR_POLICY and EXR_INSPECTOR_POLICIES."""
    error = None
    try:
        assignments(assigned)
    except SettingsError as invalid:
        error = invalid
    entries = [entry.strip() for entry in allowed.split(",") if entry.strip()]
    return PolicyAccess(
        assigned=assigned,
        folders=tuple(os.path.realpath(path) for path in map(local_path, entries) if path is not None),
        prefixes=tuple(normalize_path(entry).rstrip("/") + "/" for entry in entries if parse(entry)[0] == "s3"),
        store=store,
        is_delivered=is_delivered,
        error=error,
    )


def validate_all(
    files: Sequence[Inspected], policies: Policies, access: PolicyAccess, errors: ErrorLog
) -> list[Inspected]:
    """The files, in order, with the verdicts of the policies that apply to them. Raises nothing."""
    return [_validated(file, policies, access, errors) for file in files]


def _validated(file: Inspected, policies: Policies, access: PolicyAccess, errors: ErrorLog) -> Inspected:
    options = file.received.event.options
    if file.inspection is None or not (options.validate or (access.is_delivered and access.assigned)):
        return file
    if access.error is not None:
        return replace(file, verdict=access.error)
    try:
        given = (options.validate and options.policy_path) or assigned_policy(
            access.assigned, file.inspection.file.file_path_normalized
        )
        if given is None and not options.validate:
            return file
        if given is None:
            raise UnusablePolicyError("no policy for this path; set policy_path in the event, or EXR_INSPECTOR_POLICY")
        from ..policy.evaluate import evaluate

        return replace(file, verdict=evaluate(policies.compiled(given, access), file.inspection))
    except (UnusablePolicyError, SourceError) as error:
        return replace(file, verdict=error)
    except Exception as error:  # a fault of a rule: the inspection is persisted all the same
        errors.log(error, file=file.path)
        return replace(file, verdict=UnusablePolicyError(message(error)))


def assigned_policy(assigned: str, uri: str) -> str | None:
    """The policy that EXR_INSPECTOR_POLICY assigns to a file, by the first pattern that its path matches.

    `render` is for all files, `**/plates/**=plate;**=render` has a pattern for each policy.
    """
    path = display_path(uri)
    return next((policy for pattern, policy in assignments(assigned) if pattern.fullmatch(path)), None)


@lru_cache(maxsize=16)
def assignments(assigned: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """What the paths of files match, and their policies, of EXR_INSPECTOR_POLICY. Raises SettingsError.

    Patterns are those of `path` in policies.
    """
    if not assigned:
        return ()
    from ..policy.rule import path_expression

    entries = (_pattern_and_policy(entry) for entry in filter(None, map(str.strip, assigned.split(";"))))
    return tuple((path_expression(pattern), policy) for pattern, policy in entries)


def _pattern_and_policy(entry: str) -> tuple[str, str]:
    """The parts of an entry at the first `=` after a pattern and before a policy, as both may contain others."""
    from ..policy.load import builtin_names

    def is_policy(text: str) -> bool:
        return text.endswith((".yaml", ".yml")) or text in builtin_names()

    for match in re.finditer("=", entry):
        pattern, policy = entry[: match.start()].strip(), entry[match.end() :].strip()
        if is_pattern(pattern) and is_policy(policy) and not is_pattern(policy):
            return pattern, policy
    if not is_policy(entry) or is_pattern(entry):
        raise SettingsError(
            f"EXR_INSPECTOR_POLICY: {entry}: expected a policy, or PATTERN=POLICY; policies are paths that end in "
            f".yaml, or {', '.join(builtin_names())}"
        )
    return _EVERY_PATH, entry


@dataclass(slots=True)
class _Kept:
    """The outcome of compiling a policy, and the files that it was compiled from."""

    outcome: CompiledPolicy | str  # why it is invalid; an exception that is raised again would keep every traceback
    digests: dict[str, bytes]  # of the files, by path
    checked_at: float


class Policies:
    """Compiles policies, and keeps them until one of their files changes. Threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()

    def compiled(self, given: str, access: PolicyAccess) -> CompiledPolicy:
        """A policy by its name, path or URI; while it cannot be read again for a transient reason, as it was.

        Raises UnusablePolicyError, and SourceError for a transient reason.
        """
        given = display_path(given)
        store = None if isinstance(access.store, ExrInspectorError) else access.store
        key = given, access.folders, access.prefixes, store
        with self._lock:
            kept = self._kept.get(key)
        try:
            if kept is None or not _is_current(kept, access):
                kept = _compile(given, access)
        except (SourceError, SettingsError) as error:  # read again for the next event
            if not error.retryable:
                raise UnusablePolicyError(str(error)) from error
            if kept is None:
                raise
            log.warning("policy %s is used as it was read before: %s", given, error)
            kept.checked_at = time.monotonic()
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        if isinstance(kept.outcome, str):
            raise UnusablePolicyError(kept.outcome)
        return kept.outcome

    def clear(self) -> None:
        """Forget all policies."""
        with self._lock:
            self._kept.clear()


def _compile(given: str, access: PolicyAccess) -> _Kept:
    from ..errors import PolicyError
    from ..policy.compile import compile_policy, expect_rules
    from ..policy.load import load_policy

    digests: dict[str, bytes] = {}
    checked_at = time.monotonic()
    try:
        policy = load_policy(given, partial(_read, access=access, digests=digests))
        compiled = compile_policy(policy, settings().path_template)
        outcome: CompiledPolicy | str = expect_rules(given, compiled)
    except PolicyError as error:
        outcome = str(error)
    return _Kept(outcome, digests, checked_at)


def _is_current(kept: _Kept, access: PolicyAccess) -> bool:
    """Whether the files of a policy have not changed. Raises SourceError if one cannot be read any more."""
    has_objects = any(map(is_object, kept.digests))
    if has_objects and time.monotonic() - kept.checked_at < _TRUSTED_S:
        return True
    now: dict[str, bytes] = {}
    for path in kept.digests:
        _read(path, access, now)
    kept.checked_at = time.monotonic()
    return now == kept.digests


def _read(path: str, access: PolicyAccess, digests: dict[str, bytes]) -> bytes:
    """The bytes of a policy; their digest is added to `digests`. Raises SourceError, SettingsError."""
    from ..policy.yaml_marks import MAX_BYTES

    if is_object(path):
        is_allowed = normalize_path(path).startswith(access.prefixes)
        if is_allowed and isinstance(access.store, ExrInspectorError):
            raise UnusablePolicyError(f"{path}: {access.store}")
    else:
        is_allowed = bool(access.folders)
    try:
        if not is_allowed:
            raise SourceNotAllowedError(path, "")
        store = None if isinstance(access.store, ExrInspectorError) else access.store
        source = open_source(path, store, roots=access.folders)
    except SourceNotAllowedError:
        raise UnusablePolicyError(
            f"{path}: policies are read below the folders and s3:// prefixes of EXR_INSPECTOR_POLICIES only"
        ) from None
    try:
        data = source.read(0, min(source.size_bytes, MAX_BYTES + 1))
    finally:
        source.close()
    digests[path] = sha256(data).digest()
    return data
