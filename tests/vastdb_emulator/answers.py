"""The flatbuffers that answer lists and statistics, built with the modules that ship with the SDK."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import flatbuffers
from vastdb.vast_flatbuf.tabular import (
    GetProjectionTableStatsResponse,
    GetTableStatsResponse,
    ListProjectionsResponse,
    ListSchemasResponse,
    ListTablesResponse,
    ObjectDetails,
    VectorIndexMetadata,
    VipRange,
)

from .storage import TableState

# The top bit of a sorting score says that sorting is done; the field is signed.
SORTING_DONE = -(1 << 63)


@dataclass(frozen=True, kw_only=True)
class Details:
    """One line of a list of schemas, tables or projections."""

    name: str
    handle: int = 0
    state: TableState | None = None


def list_schemas(bucket: str, schemas: Sequence[Details]) -> bytes:
    """The answer to `GET ?schema`."""
    return _list_answer(
        ListSchemasResponse,
        {"AddBucketName": bucket},
        schemas,
        ListSchemasResponse.StartSchemasVector,
        "AddSchemas",
    )


def list_tables(bucket: str, schema: str, tables: Sequence[Details]) -> bytes:
    """The answer to `GET ?table`."""
    names = {"AddBucketName": bucket, "AddSchemaName": schema}
    return _list_answer(ListTablesResponse, names, tables, ListTablesResponse.StartTablesVector, "AddTables")


def list_projections(bucket: str, schema: str, table: str, projections: Sequence[Details]) -> bytes:
    """The answer to `GET ?projection`."""
    names = {"AddBucketName": bucket, "AddSchemaName": schema, "AddTableName": table}
    return _list_answer(
        ListProjectionsResponse,
        names,
        projections,
        ListProjectionsResponse.StartProjectionsVector,
        "AddProjections",
    )


def table_stats(state: TableState, vip: str | None) -> bytes:
    """The answer to `GET ?stats`. The SDK sends its data requests to `vip`, with the endpoint's port."""
    builder = flatbuffers.Builder(256)
    address_type = builder.CreateString("ipv4")
    vips = None
    if vip is not None:
        address = builder.CreateString(vip)
        VipRange.Start(builder)
        VipRange.AddStartAddress(builder, address)
        VipRange.AddAddressCount(builder, 1)
        vips = _vector(builder, GetTableStatsResponse.StartVipsVector, [VipRange.End(builder)])
    index = _vector_index(builder, state)
    GetTableStatsResponse.Start(builder)
    GetTableStatsResponse.AddNumRows(builder, state.row_count)
    GetTableStatsResponse.AddSizeInBytes(builder, state.size_bytes)
    GetTableStatsResponse.AddIsExternalRowidAlloc(builder, state.external_row_ids)
    GetTableStatsResponse.AddAddressType(builder, address_type)
    if vips is not None:
        GetTableStatsResponse.AddVips(builder, vips)
    GetTableStatsResponse.AddSortingKeyEnabled(builder, bool(state.sorting_key))
    GetTableStatsResponse.AddSortingScore(builder, SORTING_DONE if state.sorting_key else 0)
    GetTableStatsResponse.AddAcummulativeRowInseritionCount(builder, state.row_count)
    if index is not None:
        GetTableStatsResponse.AddVectorIndexMetadata(builder, index)
    return _finished(builder, GetTableStatsResponse)


def projection_stats(row_count: int, size_bytes: int) -> bytes:
    """The answer to `GET ?projection-stats`; a projection is always in step with its table."""
    builder = flatbuffers.Builder(64)
    GetProjectionTableStatsResponse.Start(builder)
    GetProjectionTableStatsResponse.AddNumRows(builder, row_count)
    GetProjectionTableStatsResponse.AddSizeInBytes(builder, size_bytes)
    GetProjectionTableStatsResponse.AddInitialSyncProgress(builder, 100)
    return _finished(builder, GetProjectionTableStatsResponse)


def _list_answer(
    module: ModuleType,
    names: dict[str, str],
    details: Sequence[Details],
    start_vector: Callable[[Any, int], None],
    add_vector: str,
) -> bytes:
    builder = flatbuffers.Builder(1024)
    strings = {add: builder.CreateString(name) for add, name in names.items()}
    objects = _vector(builder, start_vector, [_object_details(builder, one) for one in details])
    module.Start(builder)
    for add, offset in strings.items():
        getattr(module, add)(builder, offset)
    getattr(module, add_vector)(builder, objects)
    return _finished(builder, module)


def _object_details(builder: flatbuffers.Builder, details: Details) -> int:
    name = builder.CreateString(details.name)
    properties = builder.CreateString("")
    handle = builder.CreateString(str(details.handle))
    ObjectDetails.Start(builder)
    ObjectDetails.AddName(builder, name)
    ObjectDetails.AddProperties(builder, properties)
    ObjectDetails.AddHandle(builder, handle)
    if (state := details.state) is not None:
        ObjectDetails.AddNumRows(builder, state.row_count)
        ObjectDetails.AddSizeInBytes(builder, state.size_bytes)
        ObjectDetails.AddSortingKeyEnabled(builder, bool(state.sorting_key))
        ObjectDetails.AddSortingScore(builder, SORTING_DONE if state.sorting_key else 0)
        ObjectDetails.AddAcummulativeRowInseritionCount(builder, state.row_count)
    return int(ObjectDetails.End(builder))


def _vector_index(builder: flatbuffers.Builder, state: TableState) -> int | None:
    if (index := state.vector_index) is None:
        return None
    texts = (
        index.column,
        index.distance_metric,
        index.sql_function,
        index.cluster_quantization,
        index.search_quantization,
    )
    offsets = [builder.CreateString(text) for text in texts]
    VectorIndexMetadata.Start(builder)
    VectorIndexMetadata.AddColumnName(builder, offsets[0])
    VectorIndexMetadata.AddDistanceMetric(builder, offsets[1])
    VectorIndexMetadata.AddSqlFunctionName(builder, offsets[2])
    VectorIndexMetadata.AddClusterQuantization(builder, offsets[3])
    VectorIndexMetadata.AddSearchQuantization(builder, offsets[4])
    return int(VectorIndexMetadata.End(builder))


def _vector(builder: flatbuffers.Builder, start: Callable[[Any, int], None], offsets: Sequence[int]) -> int:
    start(builder, len(offsets))
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _finished(builder: flatbuffers.Builder, module: ModuleType) -> bytes:
    builder.Finish(module.End(builder))
    return bytes(builder.Output())
