"""Conditions on single columns that the database evaluates, and their extraction from DuckDB's filters.

DuckDB passes the filter of a scan as a pyarrow expression, which has no public way to read it. Its pickled form is an
Arrow IPC file: the schema's metadata is the expression tree in prefix notation, the columns are the literals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from vastdb.vast_flatbuf.org.apache.arrow.flatbuf.Message import Message
from vastdb.vast_flatbuf.org.apache.arrow.flatbuf.Schema import Schema

from ..schema import TIME

Operator = Literal["=", "<", "<=", ">", ">=", "in", "starts_with", "is_null"]

_OPERATORS: dict[str, Operator] = {"equal": "=", "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">="}
_PUSHABLE_TYPES = (pa.string(), pa.int64(), TIME)
_LARGEST_INT = 2**63 - 1
_IPC_PREFIX_BYTES = 8  # continuation marker and length before a schema message


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition on the values of a column; `value` is a tuple of texts for `in`, and None for `is_null`.

    Texts are compared for equality or by prefix only: their order depends on the database.
    """

    column: str
    operator: Operator
    value: str | int | datetime | tuple[str, ...] | None = None


class _Field(NamedTuple):
    name: str


class _Call(NamedTuple):
    function: str
    arguments: tuple[Any, ...]  # _Call, _Field, or pa.Scalar; options of the function are the last one


class Filter(NamedTuple):
    """The columns that a filter reads, and conditions that every row passing it fulfils."""

    columns: frozenset[str]
    conditions: tuple[Condition, ...]


NO_FILTER = Filter(frozenset(), ())


def read_filter(expression: pc.Expression, schema: pa.Schema) -> Filter:
    """The columns and conditions of a filter; terms of other forms give no condition.

    An expression that cannot be read gives all columns of the schema and no condition.
    """
    try:
        tree, columns = _parse(expression)
    except (LookupError, ValueError, TypeError):
        return Filter(frozenset(schema.names), ())
    comparisons = list(_comparisons(tree, schema))
    conditions = [*filter(_is_pushable, comparisons), *_prefixes(comparisons)]
    return Filter(columns, tuple(dict.fromkeys(conditions)))


def _parse(expression: pc.Expression) -> tuple[Any, frozenset[str]]:
    """The tree of an expression, and the names of the columns in it. Raises ValueError for an unknown notation."""
    _, (pickled,) = expression.__reduce__()
    batch = pa.ipc.open_file(pickled).get_batch(0)
    columns: set[str] = set()
    open_calls: list[list[Any]] = [[]]
    for key, value in _metadata(batch.schema):
        if key == "call":
            open_calls.append([])
        elif key == "end":
            arguments = tuple(open_calls.pop())
            open_calls[-1].append(_Call(value, arguments))
        elif key == "field_ref":
            columns.add(value)
            open_calls[-1].append(_Field(value))
        elif key in ("literal", "options"):
            open_calls[-1].append(batch.column(int(value))[0])
        else:
            raise ValueError(key)
    ((tree,),) = open_calls
    return tree, frozenset(columns)


def _metadata(schema: pa.Schema) -> Iterator[tuple[str, str]]:
    """The key-value pairs of a schema in order, which pyarrow gives as a dict without repeated keys."""
    header = Message.GetRootAs(schema.serialize().to_pybytes()[_IPC_PREFIX_BYTES:]).Header()
    table = Schema()
    table.Init(header.Bytes, header.Pos)
    for index in range(table.CustomMetadataLength()):
        pair = table.CustomMetadata(index)
        yield pair.Key().decode(), pair.Value().decode()


def _comparisons(tree: Any, schema: pa.Schema) -> Iterator[Condition]:
    """The null tests, and comparisons of columns with constants, that are terms of the conjunction.

    Texts are compared by any operator.
    """
    terms = [tree]
    while terms:
        match terms.pop():
            case _Call("and_kleene" | "and", arguments):
                terms.extend(reversed(arguments))
            case _Call("if_else", (_Call("is_valid", (_Field(),)), _Call("is_in") as term, _)):
                terms.append(term)  # DuckDB 2 writes IN so that null stays null
            case _Call("is_in", (_Field(column), options)) if _type(schema, column) == pa.string():
                values = options["value_set"].as_py()
                if all(isinstance(value, str) for value in values):
                    yield Condition(column=column, operator="in", value=tuple(values))
            case _Call("is_null", (_Field(column), *_)) if _type(schema, column) in _PUSHABLE_TYPES:
                yield Condition(column=column, operator="is_null")
            case _Call(function, (_Field(column), pa.Scalar() as literal)) if function in _OPERATORS:
                value = _value(literal)
                if literal.type == _type(schema, column) and value is not None:
                    yield Condition(column=column, operator=_OPERATORS[function], value=value)


def _type(schema: pa.Schema, column: str) -> pa.DataType | None:
    return schema.field(column).type if column in schema.names else None


def _value(literal: pa.Scalar) -> str | int | datetime | None:
    """The constant of a comparison; None for types and values that are not sent to the database."""
    if not literal.is_valid or literal.type not in _PUSHABLE_TYPES:
        return None
    try:
        value: str | int | datetime = literal.as_py()
    except (ValueError, OverflowError):  # a time beyond Python's range, such as infinity
        return None
    return None if isinstance(value, int) and abs(value) > _LARGEST_INT else value


def _is_pushable(condition: Condition) -> bool:
    return condition.operator in ("=", "in") or not isinstance(condition.value, str)


def _prefixes(comparisons: list[Condition]) -> Iterator[Condition]:
    """The prefixes that ranges imply: `>= 'x'` and `<` the first text after all that start with x."""
    bounds = {(each.column, each.operator, each.value) for each in comparisons}
    for each in comparisons:
        value = each.value
        if each.operator == ">=" and isinstance(value, str) and value:
            following = value[:-1] + chr(ord(value[-1]) + 1)
            if (each.column, "<", following) in bounds:
                yield Condition(column=each.column, operator="starts_with", value=value)
