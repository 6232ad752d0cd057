"""Generate TROUBLESHOOTING.md: every error with its messages from the code, its cause and its remedy."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import exr_inspector
from exr_inspector import errors
from exr_inspector.cli.exit_codes import code_of
from exr_inspector.errors import ExrFormatError, ExrInspectorError
from exr_inspector.exr.codes import FORMAT_ERRORS, PROBLEMS
from exr_inspector.findings.rules import rule_of_problem
from exr_inspector.function.errors import concerns_configuration
from exr_inspector.pixels.model import DECODE_ERRORS

SOURCE = Path(exr_inspector.__file__).parent
TROUBLESHOOTING = Path(__file__).parent.parent / "docs" / "TROUBLESHOOTING.md"
_MIN_LENGTH = 8  # of a message; shorter ones are values
# Functions that compose the text of an error, and the class that it gets.
_COMPOSED = {
    ("frames/ranges.py", "parse_long_range"): "SettingsError",
    ("policy/load.py", "unknown"): "PolicyError",
    ("policy/load.py", "_unknown"): "PolicyError",
    ("policy/yaml_models.py", "_error"): "PolicyError",
    ("sources/local.py", "not_a_file_reason"): "NotAFileError",
}


class Advice(NamedTuple):
    """Why an error occurs, and what to do."""

    cause: str
    remedy: str


# By the name of the class in errors.py.
ADVICE = {
    "ExrInspectorError": Advice(
        "A worker process or an output failed; the message names it.",
        "Follow the message; with `--debug`, the command shows a traceback.",
    ),
    "ExrFormatError": Advice(
        "The header cannot be read: the file is damaged, is not finished, or is not an EXR file.",
        "See [files that cannot be read](#files-that-cannot-be-read). Render or copy the file again.",
    ),
    "SourceError": Advice(
        "A path or URI is malformed, or the bytes behind it cannot be read.",
        "Correct the path. Of a damaged archive, get another copy.",
    ),
    "SourceSystemError": Advice(
        "The operating system cannot read the file: no permission, a failing disk, a mount that is gone.",
        "Check permissions (`ls -l`) and the mount; then run the same command again. Nothing is recorded for the file.",
    ),
    "SourceNotFoundError": Advice(
        "The file does not exist: a wrong path, or it was removed or renamed after it was listed.",
        "Check the path. For an event of a removed object, nothing: the next `ingest --prune` marks it as deleted.",
    ),
    "SourceNameError": Advice(
        "An object store cannot have this name, or its client cannot request it.",
        "Rename the object.",
    ),
    "NotAFileError": Advice(
        "The path is a folder, FIFO, socket or device.",
        "Give a file; a folder only to commands that accept one, or with `-r`.",
    ),
    "NoMatchError": Advice(
        "No file matches a pattern, or the shell has expanded it.",
        "Quote the pattern, and check folder and padding (`####`, `%04d`).",
    ),
    "SourceChangedError": Advice(
        "The file was being written while it was read, in every attempt.",
        "Run the command again when the render has ended; `ingest --min-age 60s` leaves such files alone.",
    ),
    "SourceConnectionError": Advice(
        "The object store is down, overloaded, or not reachable from here.",
        "`exr-inspector doctor` checks name, port, certificate and clock. Events are delivered again by themselves.",
    ),
    "SourceStoreError": Advice(
        "The endpoint is not an S3 store, or has the bucket in another region.",
        "Correct `S3_ENDPOINT` and `S3_REGION`; `exr-inspector doctor` shows what the server answers.",
    ),
    "SourceDeniedError": Advice(
        "The keys are wrong or lack rights, or the clock of this machine is wrong.",
        "Check the keys, their policy ([Operations](OPERATIONS.md#keys)) and the clock (`exr-inspector doctor`).",
    ),
    "SourceNotAllowedError": Advice(
        "A delivered event names a local file that the configuration does not allow.",
        "Add its folder to `EXR_INSPECTOR_ROOTS`, if events may name files there.",
    ),
    "EventError": Advice(
        "The event is not of a format that is known, or names a database that it may not name.",
        "Compare it with the events in [Serverless](SERVERLESS_INTEGRATION.md#events). It is not delivered again: "
        "store its files with `exr-inspector ingest`.",
    ),
    "RedeliveryError": Advice(
        "A transient error, or one of the configuration; the function raises it, so that the event is delivered again.",
        "The message has the cause. If it lasts longer than the retries: [dead letters](OPERATIONS.md#dead-letters).",
    ),
    "CatalogError": Advice(
        "The catalog does not exist, or the database rejected an operation.",
        "Check the name of the catalog; `exr-inspector doctor` checks everything else.",
    ),
    "CatalogLockedError": Advice(
        "Another process has the DuckDB file open. One at a time may write.",
        "Wait for it (`--wait 60`), or use a VAST Database for concurrent writers.",
    ),
    "CatalogSchemaError": Advice(
        "The tables are missing, of another version, or of another program.",
        "Run the command that the message names: `db create-schema`, `db migrate`, or an upgrade of the program.",
    ),
    "CatalogConnectionError": Advice(
        "The database is down, overloaded, or not reachable from here; or the time limit is too short.",
        "`exr-inspector doctor` checks name, port, certificate and clock. Events are delivered again by themselves.",
    ),
    "CatalogAuthenticationError": Advice(
        "The keys are wrong or lack rights, or the clock of this machine is wrong.",
        "Check the keys, their policy ([Operations](OPERATIONS.md#keys)) and the clock; `exr-inspector db verify`.",
    ),
    "CatalogTransactionError": Advice(
        "Other processes changed the same rows in every attempt, or the server ended the transaction.",
        "Run the command again; nothing was stored. If it recurs, write with fewer processes at once.",
    ),
    "CatalogTooLargeError": Advice(
        "A row or request exceeds a limit of the database.",
        "Lower `EXR_INSPECTOR_CELL_LIMIT` or `EXR_INSPECTOR_BATCH_FILES`.",
    ),
    "QueryError": Advice(
        "The SQL or a condition is not valid, is not a query, or needs more memory than it may have.",
        "Correct it as the message says; [Database](DATABASE.md) lists tables and functions.",
    ),
    "BackupError": Advice(
        "A backup is incomplete, damaged, or does not fit the catalog.",
        "`exr-inspector db backup --check FOLDER` says what; use another backup.",
    ),
    "EmbeddingError": Advice(
        "The vectors of a file cannot be computed: an error of this program.",
        "Report it with the header (`inspect --json`). After an upgrade: `exr-inspector db reembed`.",
    ),
    "PixelError": Advice(
        "The pixels cannot be decoded, or not with the time and memory that are left.",
        "See [pixels that are not decoded](#pixels-that-are-not-decoded).",
    ),
    "SettingsError": Advice(
        "An option, a setting, a URI or a configuration file is not valid.",
        "Correct it as the message says; [Reference](REFERENCE.md#settings) has all settings.",
    ),
    "PolicyError": Advice(
        "A policy file is not valid; the message begins with file, line and column.",
        "Correct the line; `exr-inspector policy check FILE`, [Policies](POLICIES.md).",
    ),
    "UnusablePolicyError": Advice(
        "The function cannot use the policy of an event; the file is stored without a verdict.",
        "Correct `policy_path`, `EXR_INSPECTOR_POLICY` or `EXR_INSPECTOR_POLICIES`; see "
        "[the integration](SERVERLESS_INTEGRATION.md).",
    ),
    "MissingExtraError": Advice(
        "An optional package is not installed.",
        "Install the extra that the message names, such as `pip install 'exr-inspector[s3]'`.",
    ),
}

# Remedies for the codes of FORMAT_ERRORS.
FORMAT_REMEDIES = {
    "not_exr": "Rename or remove the file, or exclude it: `.exrignore`, `--exclude`.",
    "empty_file": "Render or copy the file again; the writer or the copy was interrupted.",
    "truncated": "Render or copy the file again; the writer or the copy was interrupted.",
    "unsupported_version": "Convert the file with the program that wrote it.",
    "bad_attribute": "Render or copy the file again; its bytes are damaged.",
    "header_too_large": "If the file is sound, raise `EXR_INSPECTOR_MAX_HEADER_BYTES`.",
    "too_many_attributes": "If the file is sound, raise `EXR_INSPECTOR_MAX_ATTRIBUTES`.",
    "too_many_parts": "If the file is sound, raise `EXR_INSPECTOR_MAX_PARTS`.",
}

_AGAIN = "Render or copy the file again."
# Remedies for the codes of DECODE_ERRORS.
DECODE_REMEDIES = dict.fromkeys(DECODE_ERRORS, _AGAIN) | {
    "decoder_crashed": "Report it with the file: a fault in a library. The file is not decoded again until it changes.",
    "decoder_ended": "Decode it again; the system ended the decoder, for example for lack of memory.",
    "not_supported": "Nothing; the header of the file is inspected.",
    "decoder_unusable": "`exr-inspector doctor`; install the extra `pixels` again.",
    "decode_timeout": "Raise `EXR_INSPECTOR_PIXEL_SECONDS`, or decode with `ingest --stats` instead of the function.",
    "out_of_memory": "Decode on a machine with more memory.",
    "chunk_too_large": "Raise `EXR_INSPECTOR_MAX_CHUNK_PIXEL_BYTES`.",
    "pending": "`exr-inspector ingest --stats`.",
    "pending_deep": "`exr-inspector ingest --stats --deep`.",
}

# What is seen, why, and what to do.
SYMPTOMS = (
    (
        "no rows, and no lines in the log of the function",
        "no events arrive: trigger, filter, prefix, or files that were written over NFS or SMB, which raise none",
        "write an object over S3; compare bucket and suffix (`.exr` and `.EXR` are two triggers); `ingest` for the "
        "others",
    ),
    (
        "lines in the log, but no rows",
        "`persistence=skipped`: no catalog is configured, or the file could not be read: the category of its result is "
        "`not_allowed`, `file_not_found`, …; or the event has a form that is not supported: category `event`, "
        "`names no file`",
        "the message of the result says which. Set `VAST_DB_BUCKET` and the secret; with "
        "`EXR_INSPECTOR_REQUIRE_CATALOG=true`, a missing catalog is an error. Otherwise see [errors](#errors) of "
        "the category",
    ),
    (
        "instances do not become ready",
        "`/readiness` answers 503 with a category; the log has the error",
        "[errors](#errors) of this category",
    ),
    (
        "the same event again and again",
        "it is delivered again after each failure",
        "the message says why; afterwards replay dead letters",
    ),
    (
        "HTTP 400",
        "the request is not a CloudEvent",
        "the body of the answer says what is missing",
    ),
    (
        "HTTP 401",
        "the bearer token is missing or wrong",
        "`EXR_INSPECTOR_TOKEN` of the function and the sender",
    ),
    (
        "HTTP 408, 413",
        "the body came too late, or is larger than 1 MiB",
        "check the sender",
    ),
    (
        "HTTP 500",
        "a transient error",
        "nothing, unless it persists",
    ),
    (
        "HTTP 503",
        "too many events wait",
        "more instances (`max_scale`)",
    ),
    (
        "files are missing without any error",
        "events were lost before they arrived",
        "`exr-inspector db coverage`, then `exr-inspector ingest`",
    ),
    (
        "`ingest` ends with 3 every night",
        "the storage shows only some files, or a path cannot be listed",
        "[nightly reconcile](OPERATIONS.md#nightly-reconcile)",
    ),
    (
        "`no file ends in .exr, …`, `nothing was checked`, `nothing was compared`",
        "folders without EXR files, or only files that changed less than `--min-age` ago; an empty catalog",
        "check the path, `--recursive`, `--exclude`, `.exrignore`, and that the disk is mounted",
    ),
    (
        "no traceback",
        "commands print one line",
        "`--debug`; `-vv` for the log",
    ),
    (
        "`internal error: …`",
        "an error of this program",
        "report it with the traceback of `--debug`",
    ),
    (
        "`reading or writing failed: …`",
        "the operating system: a full disk, a closed pipe",
        "free space, or correct the path",
    ),
    (
        "`interrupted`",
        "Ctrl-C",
        "what was committed stays; repeat the command",
    ),
    (
        "`No such option`, `Missing argument`, `Invalid value`",
        "a wrong command line",
        "`--help` of the command",
    ),
)


def troubleshooting() -> str:
    """The page TROUBLESHOOTING.md."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# Troubleshooting"
    yield ""
    yield "Every error that the program prints, with cause and remedy. Generated from the code by `make docs`. In the"
    yield "messages, `…` stands for a name or value; what they say after it takes precedence over the general remedy."
    yield "`exr-inspector doctor` finds most causes by itself."
    yield ""
    yield "## Symptoms"
    yield ""
    yield from _table(("symptom", "cause", "do"), SYMPTOMS)
    yield ""
    yield "## Errors"
    yield ""
    yield "The category is in results, logs and metrics of the function. Events with a transient error are delivered"
    yield "again, and so are those with one of the configuration, unless `EXR_INSPECTOR_ON_MISCONFIGURATION=return`."
    texts = texts_by_class()
    for kind in public_errors():
        yield from _error(kind, texts[kind.__name__])
    yield ""
    yield "## Files that cannot be read"
    yield ""
    yield "Codes of `ExrFormatError`, in `ingest_errors` and in results:"
    yield ""
    yield from _table(("code", "cause", "do"), ((f"`{c}`", m, FORMAT_REMEDIES[c]) for c, m in FORMAT_ERRORS.items()))
    yield ""
    yield "## Problems of files that can be read"
    yield ""
    yield "Codes of `problems`, of `inspect` and in results; `check` reports them as findings:"
    yield ""
    rows = ((f"`{code}`", kind.meaning, _sentence(rule_of_problem(code).remedy)) for code, kind in PROBLEMS.items())
    yield from _table(("code", "cause", "do"), rows)
    yield ""
    yield "## Pixels that are not decoded"
    yield ""
    yield "Codes of `stats_errors` and of `PixelError`:"
    yield ""
    yield from _table(("code", "cause", "do"), ((f"`{c}`", m, DECODE_REMEDIES[c]) for c, m in DECODE_ERRORS.items()))


def _error(kind: type[ExrInspectorError], texts: list[str]) -> Iterator[str]:
    nature = "transient" if kind.retryable else "of the configuration" if concerns_configuration(kind) else ""
    facts = [f"category `{kind.category}`", *([nature] if nature else []), f"exit code {int(code_of(kind))}"]
    stored = getattr(kind, "code", None)
    if isinstance(stored, str):
        facts.insert(1, f"code `{stored}`")
    advice = ADVICE[kind.__name__]
    yield ""
    yield f"### {kind.__name__}"
    yield ""
    yield f"{_sentence(', '.join(facts))} **Cause:** {advice.cause} **Do:** {advice.remedy}"
    if texts:
        yield ""
        yield from (f"- {text}" for text in texts)


def public_errors() -> list[type[ExrInspectorError]]:
    """The classes of errors.py in its order."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ExrInspectorError)]
    return [kind for kind in kinds if kind.__module__ == errors.__name__]


@cache
def all_errors() -> set[type[ExrInspectorError]]:
    """All classes of errors in the package."""
    for module in pkgutil.walk_packages(exr_inspector.__path__, "exr_inspector."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return errors.error_classes()


@cache
def texts_by_class() -> dict[str, list[str]]:
    """The texts that the code gives to errors, by the name of the class in errors.py; sorted."""
    public = {kind.__name__ for kind in public_errors()}
    heading = {kind.__name__: next(k.__name__ for k in kind.__mro__ if k.__name__ in public) for kind in all_errors()}
    texts: dict[str, set[str]] = defaultdict(set)
    for path in SOURCE.rglob("*.py"):
        code = path.read_text("utf-8")
        for node in ast.walk(ast.parse(code)) if "Error(" in code else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in heading:
                if issubclass(getattr(errors, heading[node.func.id]), ExrFormatError):
                    continue  # their codes have a table
                own = [text for argument in node.args if (text := _text(argument))]
                texts[heading[node.func.id]] |= {_escaped(text) for text in own[-1:] if len(text) >= _MIN_LENGTH}
    for (name, function), kind in _COMPOSED.items():
        texts[kind] |= {_escaped(text) for text in _composed(SOURCE / name, function)}
    for path in (SOURCE / "policy").rglob("*.py"):
        texts["PolicyError"] |= {_escaped(text) for text in _of_positions(path)}
    return defaultdict(list, {name: sorted(of_class) for name, of_class in texts.items()})


def _composed(path: Path, function: str) -> Iterator[str]:
    """The texts that a function returns, or assigns to `message`; at least one."""
    (found,) = (
        node
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name == function
    )
    values = [node.value for node in ast.walk(found) if isinstance(node, (ast.Assign, ast.Return)) and node.value]
    texts = [text for value in values if len(text := _text(value)) >= _MIN_LENGTH]
    if not texts:
        raise ValueError(f"{path}: {function} composes no text; correct _COMPOSED")
    yield from texts


def _of_positions(path: Path) -> Iterator[str]:
    """The last arguments of calls such as `document.error(path, text)`, which add the position in the file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("error", "_error")
        ):
            own = [text for argument in node.args if len(text := _text(argument)) >= _MIN_LENGTH]
            yield from own[-1:]


def _text(node: ast.expr) -> str:
    """The text of a literal, with `…` for values; empty for any other expression."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
    return ""


def _escaped(text: str) -> str:
    """The text on one line, without markup."""
    return re.sub(r"([*_<>|\\])", r"\\\1", " ".join(text.split()))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
