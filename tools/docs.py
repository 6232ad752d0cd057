"""Generate REFERENCE.md, VAST_ANALYTICS_QUERIES.md, TROUBLESHOOTING.md, tables of VECTOR_STRATEGY.md: `make docs`."""

from __future__ import annotations

import dataclasses
import inspect
import io
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from enum import Enum, EnumMeta
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, get_args, get_origin, get_type_hints

import duckdb
import pyarrow as pa
import typer
from rich.console import Console

import exr_inspector
from exr_inspector import open_catalog
from exr_inspector.catalog import Catalog, schema
from exr_inspector.catalog.derived import DERIVED
from exr_inspector.catalog.queries.named import NamedQuery, named_queries
from exr_inspector.catalog.queries.path_template import FIELDS
from exr_inspector.cli import config_file
from exr_inspector.cli.exit_codes import MEANINGS as EXIT_CODE_MEANINGS
from exr_inspector.cli.main import app
from exr_inspector.cli.tables import SEQUENCE_ROWS, report_table
from exr_inspector.deployment.keys import KEYS
from exr_inspector.deployment.render import Target, keys_of
from exr_inspector.exr import CHUNK_OPTIONS
from exr_inspector.exr.attributes import DECODERS
from exr_inspector.exr.codes import FORMAT_ERRORS, PROBLEMS
from exr_inspector.findings.rules import CHECKED, OF_WAIVERS, rule_of_problem
from exr_inspector.frames.patterns import UNSUPPORTED
from exr_inspector.policy.registry import RULES
from exr_inspector.policy.rule import Parameters, PolicyRule
from exr_inspector.settings import FunctionSettings, S3Settings, Settings, VastSettings
from tests.support.demo_catalog import PARAMETERS, WRITTEN, fill
from tools.columns import COLUMNS, COMPLETENESS, DERIVED_COLUMNS
from tools.troubleshooting import TROUBLESHOOTING, troubleshooting
from tools.vector_docs import VECTOR_STRATEGY, vector_strategy

DOCS = Path(__file__).parent.parent / "docs"
_WIDTH = 240  # of the output of reports; no text is cut
REFERENCE, ANALYTICS = DOCS / "REFERENCE.md", DOCS / "VAST_ANALYTICS_QUERIES.md"


COMMON_OPTIONS = {
    "--help`, `-h": "Show the arguments and options.",
    "--quiet`, `-q": "Print nothing that is only information: progress, summaries, hints. Errors and data remain.",
    "--verbose`, `-v": "Print the log on stderr; `-vv`: in detail.",
    "--debug": "Show a traceback when the command fails.",
}
OUTPUT = """## Output

On a terminal, text is for people: it fits the width, long values are cut, and its layout may change. On a pipe and in a
file of `--output`, text is stable: rows are not indented, nothing is cut, and every column is there. `--wide` shows the
whole table on a terminal, too. Tables of reports show times to the minute, and shares as bars with rounded percentages,
everywhere; the other formats have the exact values. Control characters, line separators, marks of direction and
invisible characters in names and values are escaped as in Python (`\\x1b`, `\\u2028`).

`--format json` and `jsonl` have all fields: NaN and infinities are strings, bytes are in base64, times in ISO 8601. In
CSV, text that a spreadsheet would read as a formula has an apostrophe before it, unless `--raw-csv` is given; rows end
with LF.

The page of `inspect` is for people everywhere: `--full` prints whole values on it, `--attribute NAME` whole values for
programs: lists of text, ID manifests and channel lists as JSON, other bytes in base64. There, a backslash is written as
`\\\\`, so that a line feed (`\\x0a`) and the four characters `\\x0a` (`\\\\x0a`) differ. The JSON of `inspect` is an
object for the path of a file, and an array for a folder, a pattern or several paths, also of one file. In it, a file
that could not be inspected is an object with one key:

    {"error": {"path": "a.exr", "code": "not_exr", "message": "not an EXR file: PNG signature", "byte_offset": 0}}

The JSON of `stats` has the same form, with the keys `file`, `stats`, `part_stats` and `stats_errors` of an inspection.
On a terminal that is not UTF-8, on a pipe and in a file, its histograms are in ASCII.

`exr-inspector --install-completion` installs completion of commands, options and their values for the current shell;
`--show-completion` prints the script instead.

`sequences` prints a block for each sequence, and for each view. Its first line begins with the pattern; then follow two
spaces and the frames. The other lines begin with a word, which is only there where it applies:

    exr-inspector sequences | grep -E '^(missing|truncated) '
    exr-inspector sequences | awk '$1 ~ /[.]/ {pattern = $1} $1 == "missing" {print pattern, $2}'
"""

PATTERNS = {
    "####`, `@@@@`, `%04d`, `$F4": "a frame of at least four digits; likewise for other numbers of signs or digits",
    "#`, `@`, `%d`, `$F": "any frame",
    "<UDIM>`, `%(UDIM)d": "the four digits of a texture's tile",
    "*`, `?": "any characters of one name; one character",
    "[ab0-9]`, `[!ab]": "one of these characters; another character",
    "**/": "any number of folders, also none",
}
PATTERNS_TEXT = """Quote a pattern, or the shell expands it. Frames may be negative (`-0004`) or sub-frames
(`1001.25`); the first two notations of frames count, further ones stand for themselves. A pattern that is the path of a
file or folder names that one. A pattern as it is printed names the files of its sequence: wildcards also stand for
themselves, and so does all but the last run of `#`. Thus `x[####].exr` also matches `x[1001].exr`, and `x%04d.####.exr`
also `x%04d.1001.exr`.

Notations of other programs that have no meaning:

"""


def reference() -> str:
    """The page REFERENCE.md."""
    return "\n".join(_reference_lines()) + "\n"


def _reference_lines() -> Iterator[str]:
    yield "# Reference"
    yield ""
    yield "Generated from the code by `make docs`; a test compares it."
    yield ""
    yield "## Commands"
    yield ""
    yield "Data goes to stdout, messages to stderr. Every command has these options:"
    yield ""
    yield from _table("option", COMMON_OPTIONS)
    yield ""
    yield "### Exit codes"
    yield ""
    yield from _table("exit code", {str(code.value): meaning for code, meaning in EXIT_CODE_MEANINGS.items()})
    yield from _commands(app(), "exr-inspector")
    yield ""
    yield "## Patterns"
    yield ""
    yield "Paths and URIs of files that are read may be patterns:"
    yield ""
    yield from _table("in a pattern", PATTERNS)
    yield ""
    yield from PATTERNS_TEXT.splitlines()
    yield "| not supported | instead |"
    yield "|---|---|"
    for notation, (_, instead) in UNSUPPORTED.items():
        yield f"| `{notation}` | {instead} |"
    yield ""
    yield from OUTPUT.splitlines()
    yield ""
    words = {
        meaning: [word for word in SEQUENCE_ROWS if SEQUENCE_ROWS[word] == meaning]
        for meaning in SEQUENCE_ROWS.values()
    }
    yield from _table("word", {"`, `".join(same): meaning for meaning, same in words.items()})
    yield ""
    yield from _python_api()
    yield ""
    yield "## Settings"
    yield ""
    yield "Options of commands take precedence over environment variables, and these over a configuration file. An"
    yield "empty variable counts as one that is not set, but for `EXR_INSPECTOR_TOKEN`: an empty token is an error."
    yield ""
    yield "| variable | default | meaning |"
    yield "|---|---|---|"
    for kind in (Settings, FunctionSettings, VastSettings, S3Settings):
        for name, field in kind.model_fields.items():
            default = str(field.default).lower() if isinstance(field.default, bool) else field.default
            variable = field.validation_alias or f"{kind.model_config['env_prefix']}{name.upper()}"
            yield f"| `{variable}` | {f'`{default}`' if str(default) else ''} | {field.description} |"
    yield ""
    yield "### Values of manifests"
    yield ""
    yield "For `deploy render --set KEY=VALUE`. Those without a default must be given."
    yield ""
    yield "| key | targets | default | meaning |"
    yield "|---|---|---|---|"
    for name, key in KEYS.items():
        targets = ", ".join(target.value for target in Target if name in keys_of(target))
        default = "" if key.default is None else f"`{key.default}`"
        yield f"| `{name}` | {targets} | {default} | {key.meaning} |"
    yield ""
    yield "### Configuration file"
    yield ""
    yield f"`{config_file.NAME}`, or the table `[tool.{config_file.TABLE}]` in `{config_file.SHARED_NAME}`, in the"
    yield "working folder or in the nearest folder above that has one of them, up to the root of the file system. Only"
    yield "the commands read it, not the Python API and not the function. Files whose owner is neither the user nor"
    yield f"root are ignored, and so is a `{config_file.SHARED_NAME}` that is not valid. A command that writes to the"
    yield "catalog of a configuration file names the file on stderr."
    yield ""
    yield from _table("key", config_file.KEYS)
    yield ""
    yield "```toml"
    yield 'catalog = "duckdb:shows.duckdb"'
    yield 'exclude = ["*_proxy*", "wip/**"]'
    yield 'path_template = "{show}/{sequence}/{shot}/{task}/**"'
    yield "```"
    yield ""
    yield "The file has no endpoints and no keys: those of a VAST Database and of an object store are read from the"
    yield "environment alone, so that a file in a folder of other people cannot send them elsewhere. It does choose the"
    yield "bucket and schema, or the DuckDB file, that commands read and write; `--catalog` overrides it."
    yield ""
    yield "## Completeness"
    yield ""
    yield "Values of `completeness` in the JSON and in the table `files`:"
    yield ""
    yield from _table("value", COMPLETENESS)
    yield ""
    yield "What is read, by `--chunks` or `EXR_INSPECTOR_CHUNKS`; `chunks_checked` is the number of leaders:"
    yield ""
    yield from _table("chunks", CHUNK_OPTIONS)
    yield ""
    yield (
        "`auto` checks all leaders of files and objects of up to 64 KiB, which the first read returns whole; `sample` "
        "checks all of up to 16 chunks. Network file systems (NFS, SMB, FUSE, Lustre and others) are recognized by the "
        "type of the mount, on Linux."
    )
    yield ""
    yield (
        "No check decodes data: zeros and changed bytes inside that of a chunk, and at the end of any but the last "
        "one, are not detected; `stats` decodes it. Nor are zeros in chunks without compression, or a leader with a "
        "size that is too small but possible: files may have gaps between chunks. "
        "`table` and `sample` do not detect all damage in front of the last chunk; [Benchmarks](BENCHMARKS.md) has the "
        "shares by kind of damage. Where they find damage, `missing` lists only the chunks that were checked or that "
        "the offset table shows; `--chunks all` gives the whole list. `packed_bytes` is then computed from the offsets."
    )
    yield ""
    yield "## Codes"
    yield ""
    yield "Errors: the file cannot be read (`ExrFormatError.code`, `ingest_errors.code`):"
    yield ""
    yield from _table("code", FORMAT_ERRORS)
    yield ""
    yield "Problems of a header or of chunks; exr-inspector reads on (`problems` in the JSON). The severity says what"
    yield "OpenEXR and OpenImageIO do: `error`, one of them rejects or misreads the file; `warning`, they tolerate what"
    yield "the format forbids; `info`, the format allows it. `problem_severity` of a file is that of its worst problem,"
    yield "or `none`."
    yield ""
    yield "Limits that programs set themselves are not judged: OpenImageIO, for example, rejects windows that are"
    yield "wider or higher than its `limits:resolution`, 1,048,576 pixels, which the format allows. The rules `EXR701`"
    yield "and `EXR704` of a policy judge sizes. Whether the bytes of the chunks fill the data window shows only when"
    yield "they are decoded, by `stats`."
    yield ""
    yield "A file is sound if it is complete and has no problem of severity `error`. Exit codes, `ingest`, `sequences`"
    yield "and reports use this definition; a complete file with such a problem has the status `invalid` there."
    yield ""
    yield "| code | severity | rule | meaning |"
    yield "|---|---|---|---|"
    for code, kind in PROBLEMS.items():
        yield f"| `{code}` | {kind.severity} | `{rule_of_problem(code).rule_id}` | {kind.meaning} |"
    yield ""
    yield "## Rules"
    yield ""
    yield "What `check` reports, and `validate` if a [policy](POLICIES.md) selects the rule, apart from those of pixels"
    yield "and sequences. Identifiers do not change, and are not used again for another rule. Findings of rules"
    yield "about headers have the severity of the [problem](#codes), but in policies `EXR109` is an error, as is"
    yield "`EXR904`, of which `check` warns; `check` does not report those of severity `info`."
    yield ""
    yield "| rule | name | a finding means | what to do |"
    yield "|---|---|---|---|"
    for rule in CHECKED:
        yield f"| `{rule.rule_id}` | {rule.name} | {rule.meaning} | {rule.remedy} |"
    yield ""
    yield "### Rules of policies"
    yield ""
    yield "What `validate` also reports. Parameters are those of `rules` in a policy, with their defaults; those"
    yield "without one must be given. Every rule also has `severity`."
    yield ""
    yield "| rule | name | severity | parameters | a finding means | source |"
    yield "|---|---|---|---|---|---|"
    for policy_rule in RULES.values():
        if policy_rule.scope != "problem":
            rule = policy_rule.rule
            texts = (policy_rule.severity, _rule_parameters(policy_rule), rule.meaning, policy_rule.source)
            yield f"| `{rule.rule_id}` | {rule.name} | {' | '.join(map(str, texts))} |"
    yield ""
    yield "### Rules of waivers"
    yield ""
    yield "What `validate` reports about [waivers](POLICIES.md#waivers), as warnings."
    yield ""
    yield "| rule | name | a finding means | what to do |"
    yield "|---|---|---|---|"
    for rule in OF_WAIVERS:
        yield f"| `{rule.rule_id}` | {rule.name} | {rule.meaning} | {rule.remedy} |"
    yield ""
    yield "## Attribute types"
    yield ""
    yield f"Decoded: {', '.join(f'`{name}`' for name in DECODERS)}. The bytes of other types are kept."
    yield ""
    yield "## Tables"
    yield ""
    yield "Times are in UTC without a time zone. `null` marks columns that may be null."
    for name, columns in schema.TABLES.items():
        yield from _columns(name, columns, COLUMNS[name])
    yield ""
    yield "## Derived tables"
    yield ""
    yield "Lists over all current files; [the catalog database](DATABASE.md#derived-tables) says when they are right."
    for name, columns in DERIVED.items():
        yield from _columns(name, columns, DERIVED_COLUMNS[name])


def _rule_parameters(rule: PolicyRule) -> str:
    """The parameters of a rule of policies, with their defaults."""
    common = {field.name for field in dataclasses.fields(Parameters)}
    texts = []
    for field in dataclasses.fields(rule.parameters):
        if field.name not in common:
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            is_needed = field.name in rule.needs and not field.default
            texts.append(f"`{field.name}`" if is_needed else f"`{field.name}: {json.dumps(default)}`")
    return ", ".join(texts)


def _columns(table: str, columns: pa.Schema, meanings: dict[str, str]) -> Iterator[str]:
    yield ""
    yield f"### {table}"
    yield ""
    yield "| column | type | | meaning |"
    yield "|---|---|---|---|"
    for column in columns:
        null = "null" if column.nullable else ""
        yield f"| `{column.name}` | {_type_name(column.type)} | {null} | {meanings[column.name]} |"


def _python_api() -> Iterator[str]:
    """The functions with their docstrings, whose examples a test runs, and the classes."""
    yield "## Python"
    yield ""
    yield "Everything public is in `exr_inspector` itself, typed, and imported on first use."
    public = [getattr(exr_inspector, name) for name in exr_inspector.__all__ if name != "__version__"]
    for function in (each for each in public if not isinstance(each, type)):
        yield ""
        yield f"### `{function.__name__}({', '.join(_short_parameters(function))})`"
        yield ""
        yield from _with_fenced_examples(inspect.getdoc(function) or "")
    for title, is_error in (("class", False), ("error", True)):
        yield from [""] if is_error else []
        kinds = [each for each in public if isinstance(each, type) and issubclass(each, Exception) == is_error]
        yield from _table(title, {each.__name__: _first_line(each) for each in kinds})


def _short_parameters(function: Callable[..., object]) -> Iterator[str]:
    """Each parameter; a default that is not a plain value is shown as `…`."""
    parameters = inspect.signature(function).parameters.values()
    kinds = [parameter.kind for parameter in parameters]
    for index, parameter in enumerate(parameters):
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.KEYWORD_ONLY not in kinds[:index]:
            yield "*"
        name, equals, default = str(parameter.replace(annotation=parameter.empty)).partition("=")
        yield f"{name}=…" if equals and not re.fullmatch(r"\w+|'\w*'", default) else f"{name}{equals}{default}"


def _with_fenced_examples(docstring: str) -> Iterator[str]:
    for paragraph in docstring.split("\n\n"):
        is_example = paragraph.startswith(">>>")
        yield from ["```python", *paragraph.splitlines(), "```", ""] if is_example else [*paragraph.splitlines(), ""]


def _first_line(kind: type) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0]


def _type_name(type_: pa.DataType) -> str:
    if pa.types.is_fixed_size_list(type_):
        return f"{type_.value_type}[{type_.list_size}]"
    return "timestamp" if pa.types.is_timestamp(type_) else str(type_)


def _commands(app: typer.Typer, path: str) -> Iterator[str]:
    """From the declarations of the commands: the layout of --help depends on the version of typer and the terminal."""
    for command in app.registered_commands:
        if command.callback is None or command.hidden:
            continue
        parameters = list(_parameters(command.callback))
        usage = [path, command.name or command.callback.__name__, *(p.usage for p in parameters if p.usage)]
        yield ""
        yield f"### `{' '.join(usage)}`"
        yield ""
        yield " ".join((command.help or command.callback.__doc__ or "").split())
        if parameters:
            yield ""
            yield "| argument or option | default | meaning |"
            yield "|---|---|---|"
            yield from (p.row for p in parameters)
    for group in app.registered_groups:
        yield from _commands(group.typer_instance, f"{path} {group.name}")


class _Parameter(NamedTuple):
    usage: str  # of an argument; "" for an option
    row: str


def _parameters(command: Callable[..., object]) -> Iterator[_Parameter]:
    """Usage, default and help of each parameter."""
    hints = get_type_hints(command, include_extras=True)
    for name, parameter in inspect.signature(command).parameters.items():
        hint = hints[name]  # Python 3.10 makes it optional where the default is None
        if hint is typer.Context:
            continue
        annotation, info = get_args(hint if get_origin(hint) is Annotated else get_args(hint)[0])
        if info.hidden:
            continue
        kinds = get_args(annotation) or (annotation,)
        choices = "\\|".join(chain.from_iterable(map(_choices, kinds)))
        value = info.metavar or choices or name.upper()
        if isinstance(info, typer.models.ArgumentInfo):
            usage = f"{value}..." if get_origin(annotation) is list else value
            usage = usage if parameter.default is inspect.Parameter.empty else f"[{usage}]"
            given = f"`{usage}`"
        else:
            usage = ""
            # Inside Annotated, typer.Option takes the first name as the default.
            names = [each for each in (info.default, *(info.param_decls or ())) if isinstance(each, str)]
            names = names or [f"--{name.replace('_', '-')}"]
            given = ", ".join(f"`{each}`" if bool in kinds else f"`{each} {value}`" for each in names)
        default = parameter.default.value if isinstance(parameter.default, Enum) else parameter.default
        shown = "" if default in (inspect.Parameter.empty, None, False, "") else f"`{default}`"
        meaning = (info.help or "").replace("|", "\\|")
        yield _Parameter(usage, f"| {given} | {shown} | {meaning} |")


def _choices(kind: object) -> list[str]:
    """The values of an enumeration or a Literal."""
    if isinstance(kind, EnumMeta):
        return [each.value for each in kind]
    return list(get_args(kind)) if get_origin(kind) is Literal else []


def _table(key: str, meanings: dict[str, str]) -> Iterator[str]:
    yield f"| {key} | meaning |"
    yield "|---|---|"
    for name, meaning in meanings.items():
        yield f"| `{name}` | {meaning} |"


ANALYTICS_HEAD = f"""# Analytics queries

Named reports: SQL files with parameters, for `exr-inspector report`. They run unchanged on DuckDB and on a VAST
Database, where each query is executed by an embedded DuckDB that reads only the columns and rows it needs (see
[VAST Database](VAST_DATABASE.md)).

    exr-inspector report                                   # list all reports with their parameters
    exr-inspector report storage                           # run one
    exr-inspector report shots --param level=sequence --param path='s3://studio/shows/harbor/*' --format csv
    exr-inspector report storage shows/harbor              # only these files
    exr-inspector report storage --sql > storage.sql       # print the SQL, as a start for your own query
    exr-inspector query @storage.sql --param path='s3://studio/shows/harbor'

`query @FILE` gives the rows of the report, but for `cryptomattes`: the program completes its rows, as its section says.

**Your own reports** are the `.sql` files in the folder that `EXR_INSPECTOR_REPORTS` names. They have the form that
`report NAME --sql` prints: comments with `title`, `question`, `empty` (the message for no rows) and parameters, then
one query. `report` lists and runs them like the others; a file that has another form is named on stderr.

The table output draws shares as bars. On a terminal, it fits the width, omits columns without values, and prints the
common folder of all paths once; `--format json`, `jsonl`, `csv` and `parquet` have all columns with plain values. A
`share` is a number between 0 and 1.

Reports count current, not deleted files, except for those about history. A *render* is an image sequence, or a file
that does not belong to one; `#` stands for the frame number, in `iterations` also for the version. Bytes are file
sizes; in reports about parts, they are the sizes of the compressed pixels.

**Parameters** are bound, never inserted into the SQL text. A *list* is separated by commas, a *timestamp* is ISO 8601
in UTC. Reports have a parameter `path`, which is also given as arguments after the name of the report. A URI, an
absolute path, or one that begins with `./` selects this file or what is below it; a pattern (`shot.####.exr`,
`shot.%04d.exr`, `*/fx/*`) the files that it matches, with `*` for slashes, too; other text the files whose path
contains it.

**Path templates** give the position of show, sequence, shot and layer in a path. The template is the setting
`EXR_INSPECTOR_PATH_TEMPLATE`, or `--param template=…`. The default is

    {Settings.model_fields["path_template"].default}

A template matches the end of a path, from the start of any folder:

| in a template | matches |
|---|---|
| `{{shot}}` | text without a slash; fields: {", ".join(f"`{field}`" for field in FIELDS)} |
| `{{shot:sh*}}` | text that matches a shell pattern |
| `*` | any text without a slash |
| `**` | any text |
| `[/{{layer}}]` | an optional part |
| anything else | itself |

Files that the template does not match are counted under an empty show.

The outputs below are those of the demo show (`exr-inspector demo`) with statistics of pixels and another version of its
texture: {"{count}"} files, as objects in a bucket.
They are generated by `make docs`; a test compares them.
"""


def analytics() -> str:
    """The page VAST_ANALYTICS_QUERIES.md: every report with its output for the demo show."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/demo.duckdb"
        with open_catalog(path) as catalog:
            fill(catalog)
        with duckdb.connect(path) as database:
            times = "inspection_timestamp = $at, last_inspected = $at"
            database.execute(f"UPDATE files SET {times}", {"at": WRITTEN.replace(tzinfo=None)}).fetchall()
        with open_catalog(path, read_only=True) as catalog:
            (row,) = catalog.sql("SELECT (SELECT count(*) FROM files) + count(*) AS n FROM ingest_errors").to_pylist()
            pages = [_query_page(query, catalog) for query in named_queries().values()]
    return "\n".join([ANALYTICS_HEAD.replace("{count}", str(row["n"])), *pages])


def _query_page(query: NamedQuery, catalog: Catalog) -> str:
    given = PARAMETERS.get(query.name, {})
    options = "".join(f" --param {name}='{value}'" for name, value in given.items())
    lines = [
        f"## {query.title}",
        "",
        " ".join(filter(None, (query.question, query.note))),
        "",
        "| parameter | type | default | meaning |",
        "|---|---|---|---|",
    ]
    for p in query.parameters:
        default = "required" if p.default is None else f"`{p.default}`" if p.default else ""
        kind = p.kind.replace("|", " or ")
        lines.append(f"| `{p.name}` | {kind} | {default} | {p.meaning.replace('|', ' or ')} |")
    path = f"src/exr_inspector/catalog/queries/{query.name}.sql"
    lines += ["", f"[{query.name}.sql](../{path})", "", *([query.completed, ""] if query.completed else [])]
    lines += ["```", f"$ exr-inspector report {query.name}{options}"]
    return "\n".join([*lines, _output(query, catalog, given), "```", ""])


def _output(query: NamedQuery, catalog: Catalog, given: dict[str, str]) -> str:
    rows = query.run(catalog, given)
    if not rows.num_rows:
        return query.empty
    console = Console(file=io.StringIO(), width=_WIDTH, legacy_windows=False)
    console.print(report_table(rows))
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


PAGES = {
    REFERENCE: reference,
    ANALYTICS: analytics,
    VECTOR_STRATEGY: vector_strategy,
    TROUBLESHOOTING: troubleshooting,
}

if __name__ == "__main__":
    for path, page in PAGES.items():
        path.write_text(page(), "utf-8")
