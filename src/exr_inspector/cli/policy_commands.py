"""Commands about policies themselves: policy list, show, rules, schema, check."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Columns, Format, Output, OutputFormat, RawCsv, Wide

if TYPE_CHECKING:
    import pyarrow as pa

    from ..policy.model import RuleUse

policy = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="List, show and check policies of `validate`.")

GivenPolicy = Annotated[str, typer.Argument(metavar="FILE|NAME", help="The path of a policy, or a built-in name.")]


@policy.command("list")
def list_policies() -> None:
    """List the built-in policies: name, version and title."""
    from ..policy.load import builtin_names, load_policy
    from .output import print_result

    for name in builtin_names():
        loaded = load_policy(name)
        print_result("  ".join((f"{name:<18}", loaded.version, loaded.title)))


@policy.command()
def show(given: GivenPolicy) -> None:
    """Print the file of a policy, for example as the start of one of your own."""
    from ..policy.load import policy_text
    from .output import data_stream

    with data_stream(None, escape=True) as stream:
        stream.write(policy_text(given).encode())


@policy.command()
def rules(
    given: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE|NAME]",
            help="Only the rules of this policy, with its severities and parameters. Default: all rules.",
            show_default=False,
        ),
    ] = None,
    output_format: OutputFormat = Format.TABLE,
    output: Output = None,
    columns: Columns = None,
    wide: Wide = False,
    raw_csv: RawCsv = False,
) -> None:
    """List rules: identifier, name, severity and meaning; with --wide or other formats, also parameters and more.

    Rules without a severity are about problems of the header or the chunks, and have that of the problem.
    """
    from ..policy.compile import compile_policy
    from ..policy.load import load_policy
    from ..policy.model import RuleUse
    from ..policy.registry import RULES
    from .output import write_table

    if given is None:
        uses = [RuleUse(rule=rule, parameters=rule.parameters()) for rule in RULES.values()]
    else:
        uses = compile_policy(load_policy(given)).rules_for().uses()
    if output_format is Format.TABLE and columns is None and not wide:
        columns = "rule_id,name,severity,meaning"
    write_table(_table(uses), output_format, output, columns=columns, wide=wide, raw_csv=raw_csv)


def _table(uses: list[RuleUse]) -> pa.Table:
    import pyarrow as pa

    names = ("rule_id", "name", "severity", "parameters", "meaning", "remedy", "source")
    rows = [
        (
            use.rule.rule_id,
            use.rule.name,
            use.severity,
            _parameters_text(use),
            use.rule.rule.meaning,
            use.rule.rule.remedy,
            use.rule.source,
        )
        for use in uses
    ]
    schema = pa.schema([(name, pa.string()) for name in names])
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema)


def _parameters_text(use: RuleUse) -> str | None:
    from dataclasses import asdict

    values: dict[str, Any] = {name: value for name, value in asdict(use.parameters).items() if name != "severity"}
    return json.dumps(values, ensure_ascii=False) if values else None


@policy.command()
def schema(
    waivers: Annotated[bool, typer.Option("--waivers", help="That of files of waivers.")] = False,
) -> None:
    """Print the JSON Schema of policies, with which editors complete and check them."""
    from ..policy.schema import policy_schema, waivers_schema

    typer.echo(json.dumps(waivers_schema() if waivers else policy_schema(), indent=2))


@policy.command()
def check(given: GivenPolicy) -> None:
    """Check a policy and the waivers that it names: errors have file, line and column.

    Warnings, on stderr, have them too: rules that decide nothing, as policy or override gives no parameter that they
    need, and items of `ignore` that match no selected rule.
    """
    from ..inspection.value_text import plural
    from ..policy.compile import NO_RULE, compile_policy
    from ..policy.load import load_policy
    from ..policy.model import PolicyWarning
    from ..policy.waivers import waivers_of
    from .output import print_message, print_result

    ready = compile_policy(load_policy(given))
    waivers = waivers_of(ready.policy)
    rule_set = ready.rules_for()
    overrides = range(len(ready.conditions))
    rule_sets = [rule_set, *(ready.rules_with(tuple(index == one for index in overrides)) for one in overrides)]
    if not ready.rule_ids:
        print_message(str(PolicyWarning(given, 1, 1, NO_RULE)))
    undecided = {warning for rules in rule_sets for warning in rules.warnings()}
    for warning in sorted(undecided.union(ready.policy.unused_ignores)):
        print_message(str(warning))
    counts = [(len(rule_set.uses()), "rule"), (len(ready.conditions), "override")]
    counts += [(len(waivers), "waiver")] if ready.policy.waiver_files else []
    texts = ", ".join(f"{count} {plural(count, noun)}" for count, noun in counts)
    print_result(f"{given}: policy {ready.policy.name} version {ready.policy.version}, {texts}")
