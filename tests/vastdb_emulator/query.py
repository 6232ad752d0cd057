"""Reads the body of a select: an Arrow "computeir" flatbuffer with columns, projection and filter.

Positions in it number all nodes of the listed columns depth first: a plain column takes one, a list
two, a struct one more than its children. The projection names leaves, the filter leaves or, for a
vector, the vector's child. A filter is an "and" of "or"s, each over a single column; between and
startswith are an "and" inside the "or".
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from vastdb.vast_flatbuf.org.apache.arrow.computeir.flatbuf import (
    BinaryLiteral,
    BooleanLiteral,
    Call,
    DateLiteral,
    DecimalLiteral,
    ExpressionImpl,
    FieldIndex,
    FieldRef,
    Float16Literal,
    Float32Literal,
    Float64Literal,
    Int8Literal,
    Int16Literal,
    Int32Literal,
    Int64Literal,
    ListLiteral,
    Literal,
    LiteralImpl,
    Relation,
    Source,
    StringLiteral,
    TimeLiteral,
    TimestampLiteral,
    UInt8Literal,
    UInt16Literal,
    UInt32Literal,
    UInt64Literal,
)
from vastdb.vast_flatbuf.org.apache.arrow.flatbuf.Type import Type

from .errors import bad_request

_LITERALS = {
    kind: getattr(module, module.__name__.rpartition(".")[2])
    for kind, module in {
        LiteralImpl.LiteralImpl.BooleanLiteral: BooleanLiteral,
        LiteralImpl.LiteralImpl.Int8Literal: Int8Literal,
        LiteralImpl.LiteralImpl.Int16Literal: Int16Literal,
        LiteralImpl.LiteralImpl.Int32Literal: Int32Literal,
        LiteralImpl.LiteralImpl.Int64Literal: Int64Literal,
        LiteralImpl.LiteralImpl.UInt8Literal: UInt8Literal,
        LiteralImpl.LiteralImpl.UInt16Literal: UInt16Literal,
        LiteralImpl.LiteralImpl.UInt32Literal: UInt32Literal,
        LiteralImpl.LiteralImpl.UInt64Literal: UInt64Literal,
        LiteralImpl.LiteralImpl.DateLiteral: DateLiteral,
        LiteralImpl.LiteralImpl.TimeLiteral: TimeLiteral,
        LiteralImpl.LiteralImpl.TimestampLiteral: TimestampLiteral,
        LiteralImpl.LiteralImpl.DecimalLiteral: DecimalLiteral,
        LiteralImpl.LiteralImpl.Float16Literal: Float16Literal,
        LiteralImpl.LiteralImpl.Float32Literal: Float32Literal,
        LiteralImpl.LiteralImpl.Float64Literal: Float64Literal,
        LiteralImpl.LiteralImpl.StringLiteral: StringLiteral,
        LiteralImpl.LiteralImpl.BinaryLiteral: BinaryLiteral,
    }.items()
}
_BYTES = (LiteralImpl.LiteralImpl.DecimalLiteral, LiteralImpl.LiteralImpl.BinaryLiteral)


@dataclass(frozen=True)
class Node:
    """A column, or a field inside a struct column; `path` holds the names of the fields below the column."""

    column: str
    path: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """One function call on a node. The value is as it came: a number, bytes, a list of numbers, or None."""

    function: str
    node: Node
    value: Any = None


@dataclass(frozen=True)
class Combination:
    """An "and" or an "or" of conditions."""

    function: str
    parts: tuple["Condition", ...]


Condition = Comparison | Combination


@dataclass(frozen=True)
class Query:
    """What a select asks for: columns in order, and a condition. An "and" without parts is always true."""

    columns: tuple[str, ...]
    condition: Condition


@lru_cache(maxsize=8)
def read_query(body: bytes) -> Query:
    """The query in a request body. The last few are kept, since every page and split sends it again."""
    try:
        relation = Relation.Relation.GetRootAs(body)
        source = _as(Source.Source, relation.Impl())
        fields = [source.Schema().Fields(index) for index in range(source.Schema().FieldsLength())]
        nodes = [entry for number, one in enumerate(fields) for entry in _numbered(one, number)]
        leaves = [nodes[source.Projection(index).Position()] for index in range(source.ProjectionLength())]
        projected = dict.fromkeys(number for number, _ in leaves)
        return Query(
            columns=tuple(fields[number].Name().decode() for number in projected),
            condition=_condition(source.Filter(), [node for _, node in nodes]),
        )
    except (IndexError, AttributeError, TypeError, ValueError) as error:
        raise bad_request(f"the query cannot be read: {error}") from error


def columns_of(condition: Condition) -> Iterator[str]:
    """The columns a condition looks at."""
    if isinstance(condition, Comparison):
        yield condition.node.column
    else:
        for part in condition.parts:
            yield from columns_of(part)


def _numbered(field: Any, number: int) -> Iterator[tuple[int, Node]]:
    """All nodes of a column, depth first, each with the column's number in the list."""

    def walk(node_field: Any, node: Node, inside_list: bool) -> Iterator[tuple[int, Node]]:
        yield number, node
        is_struct = node_field.TypeType() == Type.Struct_ and not inside_list
        for index in range(node_field.ChildrenLength()):
            child = node_field.Children(index)
            below = Node(node.column, (*node.path, child.Name().decode())) if is_struct else node
            yield from walk(child, below, not is_struct)

    return walk(field, Node(field.Name().decode()), False)


def _condition(expression: Any, nodes: list[Node]) -> Condition:
    if expression.ImplType() != ExpressionImpl.ExpressionImpl.Call:
        raise ValueError("a condition is not a function call")
    call = _as(Call.Call, expression.Impl())
    function = call.Name().decode()
    arguments = [call.Arguments(index) for index in range(call.ArgumentsLength())]
    if function in ("and", "or"):
        return Combination(function, tuple(_condition(argument, nodes) for argument in arguments))
    reference = _as(FieldRef.FieldRef, arguments[0].Impl())
    node = nodes[_as(FieldIndex.FieldIndex, reference.Ref()).Position()]
    if len(arguments) == 1:
        return Comparison(function, node)
    return Comparison(function, node, _literal(_as(Literal.Literal, arguments[1].Impl())))


def _literal(literal: Any) -> Any:
    kind = literal.ImplType()
    if kind == LiteralImpl.LiteralImpl.ListLiteral:
        values = _as(ListLiteral.ListLiteral, literal.Impl())
        return tuple(_literal(values.Values(index)) for index in range(values.ValuesLength()))
    value = _as(_LITERALS[kind], literal.Impl())
    if kind in _BYTES:
        return bytes(value.Value(index) & 0xFF for index in range(value.ValueLength()))
    return value.Value()


def _as(reader: Callable[[], Any], table: Any) -> Any:
    """A flatbuffers union, read as the type that it is."""
    value = reader()
    value.Init(table.Bytes, table.Pos)
    return value
