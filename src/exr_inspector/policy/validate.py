"""`validate`: the verdict of a policy on one file that is read now."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..errors import ExrFormatError
from ..exr import ChunkOption, Limits
from ..inspection.inspector import inspect
from ..sources.uris import normalize_path
from .compile import CompiledPolicy, compile_policy
from .evaluate import Verdict, evaluate, unreadable
from .load import load_policy

if TYPE_CHECKING:
    from ..settings import S3Access


def compiled(policy: str | os.PathLike[str]) -> CompiledPolicy:
    """The policy of a file, or a built-in one by its name, ready to be evaluated. Raises SettingsError."""
    return compile_policy(load_policy(policy))


def validate(
    path: str | os.PathLike[str],
    policy: str | os.PathLike[str] | CompiledPolicy,
    *,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    chunks: ChunkOption = "auto",
    s3: S3Access | None = None,
) -> Verdict:
    """The verdict of a policy on the file of a path or URI.

    >>> from exr_inspector import validate
    >>> verdict = validate("plate.1001.exr", "base")
    >>> verdict.severity, [finding.rule_id for finding in verdict.findings]
    ('none', [])

    `policy` is the path of a policy, which ends in .yaml, the name of a built-in one, or what `compiled()` returns:
    compile a policy once for many files. Rules that could not be decided are in `not_evaluated`; they have not passed.
    A file whose header is invalid has a finding of the rule EXR101. Other arguments are those of `inspect`.
    Raises SourceError if the file cannot be read, SettingsError if the policy cannot, PolicyError if it is invalid.
    """
    ready = policy if isinstance(policy, CompiledPolicy) else compiled(policy)
    try:
        inspection = inspect(path, limits=limits, chunks=chunks, s3=s3)
    except ExrFormatError as error:
        return unreadable(ready, normalize_path(path), str(error))
    return evaluate(ready, inspection)
