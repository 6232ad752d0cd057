"""Table states: what they share, what they keep apart, and that they hold what was written."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import examples

from .storage import MERGED_CHUNK_ROWS, Chunk, Column, TableState

COLUMNS = (
    Column(number=0, field=pa.field("a", pa.int64())),
    Column(number=1, field=pa.field("b", pa.string())),
)
EMPTY = TableState(table_id=1, columns=COLUMNS)


def chunk(first, values):
    row_ids = np.arange(first, first + len(values), dtype=np.uint64)
    arrays = {0: pa.array(values, pa.int64()), 1: pa.array([str(value) for value in values])}
    return Chunk(row_ids=row_ids, arrays=arrays)


def rows(state):
    """Row id -> values, and that each id is there once."""
    found = {}
    for part in state.chunks:
        alive = np.ones(len(part.row_ids), bool) if part.deleted is None else ~part.deleted
        a, b = (part.column(column).to_pylist() for column in COLUMNS)
        for position in np.flatnonzero(alive):
            row_id = int(part.row_ids[position])
            assert row_id not in found
            found[row_id] = (a[position], b[position])
    return found


def test_a_write_leaves_the_former_state_and_shares_its_columns():
    """Updating one column of one row makes one new array; everything else is the same object."""
    before = EMPTY.append(chunk(0, [1, 2, 3])).append(chunk(3, [4, 5]))
    after = before.update(np.array([1], np.uint64), {0: pa.array([20])})
    assert rows(before)[1] == (2, "2")
    assert rows(after)[1] == (20, "2")
    assert after.chunks[1] is before.chunks[1]
    assert after.chunks[0].arrays[1] is before.chunks[0].arrays[1]


@pytest.mark.slow
def test_small_inserts_do_not_stay_small_chunks():
    """Ten thousand rows, one at a time, end in a few chunks, and each row was copied a few times only."""
    state, copied = EMPTY, 0
    for number in range(10_000):
        state = state.append(chunk(number, [number]))
        last = state.chunks[-1]
        state = state.compacted()
        copied += len(state.chunks[-1].row_ids) if state.chunks[-1] is not last else 0
    assert len(state.chunks) < 15
    assert copied < 10_000 * 15
    assert state.row_count == 10_000


def test_large_chunks_are_left_alone():
    """Merging stops at a size, so that a change copies little."""
    state = EMPTY
    for number in range(4):
        state = state.append(chunk(number * MERGED_CHUNK_ROWS, list(range(MERGED_CHUNK_ROWS)))).compacted()
    assert len(state.chunks) == 4


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(st.integers(0, 9), min_size=1, max_size=4)),
        st.tuples(st.just("update"), st.lists(st.integers(0, 30), min_size=1, max_size=4, unique=True)),
        st.tuples(st.just("delete"), st.lists(st.integers(0, 30), min_size=1, max_size=4, unique=True)),
        st.tuples(st.just("compact"), st.none()),
    ),
    max_size=12,
)


@pytest.mark.slow
@examples(60)
@given(OPERATIONS)
def test_a_table_holds_what_a_dict_would(operations):
    """Appends, updates, deletes and merges, in any order, on rows that exist and rows that do not."""
    state, model, next_id = EMPTY, {}, 0
    for step, (operation, values) in enumerate(operations):
        if operation == "append":
            state = state.append(chunk(next_id, values))
            model |= {next_id + index: (value, str(value)) for index, value in enumerate(values)}
            next_id += len(values)
        elif operation == "update":
            row_ids = np.array(sorted(values), np.uint64)
            new = [step * 100 + row for row in sorted(values)]
            state = state.update(row_ids, {0: pa.array(new, pa.int64())})
            for row, value in zip(sorted(values), new, strict=True):
                if row in model:
                    model[row] = (value, model[row][1])
        elif operation == "delete":
            state = state.delete(np.array(sorted(values), np.uint64))
            for row in values:
                model.pop(row, None)
        else:
            state = state.compacted()
        assert rows(state) == model
        assert state.row_count == len(model)
