"""`validate`: the verdict of a policy on one file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..defaults import PATH_TEMPLATE
from ..errors import ExrFormatError
from ..exr import ChunkOption, Limits
from ..inspection.inspector import inspect
from ..inspection.model import Inspection
from ..sources.uris import normalize_path
from .compile import CompiledPolicy, compile_policy, expect_rules
from .evaluate import Verdict, evaluate, unreadable
from .load import load_policy

if TYPE_CHECKING:
    from ..settings import S3Access


def compiled_policy(policy: str | os.PathLike[str], *, path_template: str = PATH_TEMPLATE) -> CompiledPolicy:
    """The policy of a file, or a built-in one by its name, ready to validate many files.

    >>> from exr_inspector import compiled_policy, inspect, validate
    >>> policy = compiled_policy("render")
    >>> validate(inspect("plate.1001.exr"), policy).severity
    'none'

    `path_template` finds the show, shot and task that conditions test. Raises SettingsError if it is invalid or the
    policy cannot be read, PolicyError if the policy is invalid or selects no rule.
    """
    return expect_rules(os.fspath(policy), compile_policy(load_policy(policy), path_template))


def validate(
    source: str | os.PathLike[str] | Inspection,
    policy: str | os.PathLike[str] | CompiledPolicy,
    *,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    chunks: ChunkOption = "auto",
    s3: S3Access | None = None,
) -> Verdict:
    """The verdict of a policy on a file: its path, its URI, or its inspection.

    >>> from exr_inspector import validate
    >>> verdict = validate("plate.1001.exr", "base")
    >>> verdict.severity, [finding.rule_id for finding in verdict.findings]
    ('none', [])

    `policy` is the path of a policy, which ends in .yaml, the name of a built-in one, or what `compiled_policy()`
    returns. Rules that could not be decided are in `not_evaluated`; they have not passed. A file whose header cannot be
    read has a finding of the rule EXR101. Rules about sequences need all files of one, and are not evaluated. Other
    arguments are those of `inspect`.
    Raises SourceError if the file cannot be read, SettingsError if the policy cannot, PolicyError if it is invalid.
    """
    ready = policy if isinstance(policy, CompiledPolicy) else compiled_policy(policy)
    try:
        inspection = source if isinstance(source, Inspection) else inspect(source, limits=limits, chunks=chunks, s3=s3)
    except ExrFormatError as error:
        assert not isinstance(source, Inspection)
        return unreadable(ready, normalize_path(source), str(error))
    return evaluate(ready, inspection)
