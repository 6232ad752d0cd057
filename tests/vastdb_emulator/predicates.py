"""Evaluates a condition over Arrow arrays, with the compute functions of pyarrow.

A null matches nothing but `is_null`, and no condition is ever negated as a whole; so a comparison
that gives null can count as false at once.
"""

from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .errors import bad_request
from .query import Combination, Comparison, Condition, Node

Lookup = Callable[[str], pa.Array]

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "equal": pc.equal,
    "not_equal": pc.not_equal,
    "greater": pc.greater,
    "greater_equal": pc.greater_equal,
    "less": pc.less,
    "less_equal": pc.less_equal,
}


def matches(condition: Condition, lookup: Lookup, row_count: int) -> npt.NDArray[np.bool_]:
    """Which rows fulfil the condition; `lookup` gives a column's values by its name."""
    if isinstance(condition, Comparison):
        return _compare(condition, lookup)
    if condition.function == "and":
        result = np.ones(row_count, bool)
        for part in condition.parts:
            result &= matches(part, lookup, row_count)
            if not result.any():
                break
        return result
    result = np.zeros(row_count, bool)
    equals, others = _split_equals(condition)
    for node, literals in equals.items():
        result |= _is_in(_values(node, lookup), literals)
    for part in others:
        result |= matches(part, lookup, row_count)
    return result


def _split_equals(condition: Combination) -> tuple[dict[Node, list[Any]], list[Condition]]:
    """Gather the values that one node is compared with: ten thousand of them are one look-up."""
    equals: dict[Node, list[Any]] = {}
    others: list[Condition] = []
    for part in condition.parts:
        if isinstance(part, Comparison) and part.function == "equal" and not isinstance(part.value, tuple):
            equals.setdefault(part.node, []).append(part.value)
        else:
            others.append(part)
    return equals, others


def _is_in(values: pa.Array, literals: list[Any]) -> npt.NDArray[np.bool_]:
    plain = _plain(values)
    wanted = pa.array([_value(literal, values.type) for literal in literals], plain.type)
    return _mask(pc.equal(plain, wanted[0]) if len(wanted) == 1 else pc.is_in(plain, wanted))


def _compare(comparison: Comparison, lookup: Lookup) -> npt.NDArray[np.bool_]:
    values = _values(comparison.node, lookup)
    function = comparison.function
    if function == "is_null":
        return _mask(pc.is_null(values))
    if function == "is_valid":
        return _mask(pc.is_valid(values))
    if function == "match_substring":
        return _mask(pc.match_substring(_plain(values), pattern=comparison.value))
    if function not in _COMPARISONS:
        raise bad_request(f"unknown function {function!r} in a predicate")
    if pa.types.is_fixed_size_list(values.type):
        return _compare_vectors(values, function, comparison.value)
    plain = _plain(values)
    literal = pa.scalar(_value(comparison.value, values.type), plain.type)
    return _mask(_COMPARISONS[function](plain, literal))


def _compare_vectors(vectors: pa.Array, function: str, literals: tuple[Any, ...]) -> npt.NDArray[np.bool_]:
    """Whole vectors, element by element from the first one on, as tuples are compared."""
    valid = _mask(pc.is_valid(vectors))
    if not valid.all():  # the elements of a null vector can be anything
        valid[valid] = _compare_vectors(vectors.filter(pa.array(valid)), function, literals)
        return valid
    size, element = vectors.type.list_size, vectors.type.value_type
    if len(literals) != size:
        raise bad_request(f"a vector of {size} elements is compared with one of {len(literals)}")
    items = _plain(vectors.values.slice(vectors.offset * size, len(vectors) * size))
    matrix = items.to_numpy(zero_copy_only=False).reshape(len(vectors), size)
    wanted = pa.array([_value(literal, element) for literal in literals], items.type)
    literal = wanted.to_numpy(zero_copy_only=False)
    differs = matrix != literal
    first = differs.argmax(axis=1)
    left, right = matrix[np.arange(len(matrix)), first], literal[first]
    equal = ~differs.any(axis=1)
    result = {
        "equal": equal,
        "not_equal": ~equal,
        "less": ~equal & (left < right),
        "less_equal": equal | (left < right),
        "greater": ~equal & (left > right),
        "greater_equal": equal | (left > right),
    }[function]
    return np.asarray(result, bool)


def _values(node: Node, lookup: Lookup) -> pa.Array:
    values = lookup(node.column)
    return pc.struct_field(values, list(node.path)) if node.path else values


def _plain(values: pa.Array) -> pa.Array:
    """The same values in the type that literals come in: text as bytes, dates and times as numbers."""
    type_ = values.type
    if pa.types.is_string(type_):
        return values.view(pa.binary())  # the upper bound of a startswith may be invalid UTF-8
    if pa.types.is_timestamp(type_) or pa.types.is_time64(type_):
        return values.view(pa.int64())
    if pa.types.is_date32(type_) or pa.types.is_time32(type_):
        return values.view(pa.int32())
    if pa.types.is_float16(type_):
        return values.cast(pa.float32())  # there is no comparison of half floats
    return values


def _value(literal: Any, type_: pa.DataType) -> Any:
    """A literal as pyarrow takes it for a column of this type."""
    if pa.types.is_decimal128(type_):
        unscaled = Decimal(int.from_bytes(literal, "little", signed=True))
        return unscaled.scaleb(-type_.scale, Context(prec=76))
    if pa.types.is_float16(type_):
        return float(np.uint16(literal).view(np.float16))
    return literal


def _mask(values: pa.Array) -> npt.NDArray[np.bool_]:
    filled = pc.fill_null(values, False) if values.null_count else values
    return np.asarray(filled.to_numpy(zero_copy_only=False), bool)
