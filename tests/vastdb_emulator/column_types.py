"""Which columns a table may have, and whether values fit them.

The error codes are those which the SDK's tests demand: TabularUnsupportedColumnType,
TabularInvalidColumnTypeParam, TabularMismatchColumnType and TabularMismatchColumnName.
"""

import pyarrow as pa
import pyarrow.compute as pc

from .assumptions import Assumptions
from .errors import ApiError, bad_request
from .storage import Column

_SCALARS = (
    pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_string, pa.types.is_binary,
    pa.types.is_fixed_size_binary, pa.types.is_date32, pa.types.is_time, pa.types.is_timestamp,
    pa.types.is_decimal128,
)  # fmt: skip
_UNCERTAIN = (
    pa.types.is_large_string, pa.types.is_large_binary, pa.types.is_duration, pa.types.is_date64,
    pa.types.is_decimal256,
)  # fmt: skip
_VECTOR_ELEMENTS = (
    pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal128, pa.types.is_date32, pa.types.is_time,
    pa.types.is_timestamp,
)  # fmt: skip


def check_field(field: pa.Field, assumptions: Assumptions) -> None:
    """Refuse a column that the server does not store."""
    if not field.name or len(field.name) > assumptions.max_name_chars or field.name.startswith("$"):
        raise bad_request(f"invalid column name {field.name!r}")
    _check_type(field.type, field.name, assumptions)


def _check_type(type_: pa.DataType, name: str, assumptions: Assumptions) -> None:
    if any(is_type(type_) for is_type in _SCALARS):
        return
    if assumptions.accept_uncertain_types and any(is_type(type_) for is_type in _UNCERTAIN):
        return
    if pa.types.is_fixed_size_list(type_):
        _check_vector(type_, name, assumptions)
    elif pa.types.is_list(type_):
        _check_type(type_.value_type, name, assumptions)
    elif pa.types.is_map(type_):
        _check_type(type_.key_type, name, assumptions)
        _check_type(type_.item_type, name, assumptions)
    elif pa.types.is_struct(type_):
        for child in type_:
            _check_type(child.type, name, assumptions)
    else:
        raise _unsupported(name, type_)


def _check_vector(type_: pa.FixedSizeListType, name: str, assumptions: Assumptions) -> None:
    if type_.list_size == 0:
        raise bad_request(f"column {name}: a vector needs elements", "TabularInvalidColumnTypeParam")
    if (
        type_.value_field.nullable
        or type_.list_size > assumptions.max_vector_length
        or not any(is_type(type_.value_type) for is_type in _VECTOR_ELEMENTS)
    ):
        raise _unsupported(name, type_)


def _unsupported(name: str, type_: pa.DataType) -> ApiError:
    return bad_request(f"column {name}: type {type_} is not supported", "TabularUnsupportedColumnType")


def fit(values: pa.Array, field: pa.Field, column: Column, assumptions: Assumptions) -> pa.Array:
    """The values in the column's own type. Refused: another type, nulls in a non-null column, huge cells, NUL."""
    wanted = column.field
    if not same_type(values.type, wanted.type) or (
        (assumptions.strict_nullability or pa.types.is_fixed_size_list(wanted.type))
        and field.nullable != wanted.nullable
    ):
        raise bad_request(
            f"column {wanted.name}: expected {_described(wanted)}, got {_described(field)}",
            "TabularMismatchColumnType",
        )
    if assumptions.enforce_not_null and not wanted.nullable and values.null_count:
        raise bad_request(f"column {wanted.name}: nulls in a column that has none", "TabularNullInColumn")
    if (limit := assumptions.max_cell_bytes) is not None and has_huge_cell(values, limit):
        raise bad_request(f"column {wanted.name}: a cell has more than {limit} bytes", "TabularCellTooLarge")
    if (
        not assumptions.accept_nul
        and pa.types.is_string(values.type)
        and pc.any(pc.match_substring(values, "\0")).as_py()
    ):
        raise bad_request(f"column {wanted.name}: a text has a NUL character", "TabularInvalidText")
    if assumptions.timestamp_unit == "ms" and pa.types.is_timestamp(values.type):
        values = pc.floor_temporal(values, unit="millisecond")
    return values if values.type == wanted.type else values.cast(wanted.type)


def _described(field: pa.Field) -> str:
    return f"{field.type}{'' if field.nullable else ' not null'}"


def same_type(left: pa.DataType, right: pa.DataType) -> bool:
    """Whether two types are the same but for the names of list items and map entries."""
    if left.id != right.id:
        return False
    if pa.types.is_map(left):
        return same_type(left.key_type, right.key_type) and same_type(left.item_type, right.item_type)
    if pa.types.is_list(left) or pa.types.is_fixed_size_list(left):
        if pa.types.is_fixed_size_list(left) and left.list_size != right.list_size:
            return False
        return left.value_field.nullable == right.value_field.nullable and same_type(left.value_type, right.value_type)
    if pa.types.is_struct(left):
        return [f.name for f in left] == [f.name for f in right] and all(
            same_type(a.type, b.type) for a, b in zip(left, right, strict=True)
        )
    return bool(left.equals(right))


def has_huge_cell(values: pa.Array, limit: int) -> bool:
    """Whether a single value has more bytes than the limit."""
    if values.nbytes <= limit:
        return False
    if pa.types.is_string(values.type) or pa.types.is_binary(values.type):
        return (pc.max(pc.binary_length(values)).as_py() or 0) > limit
    if pa.types.is_fixed_size_list(values.type):
        return bool(values.type.list_size * values.type.value_type.bit_width > limit * 8)
    if pa.types.is_nested(values.type):
        return any(values.slice(row, 1).nbytes > limit for row in range(len(values)))
    return False
