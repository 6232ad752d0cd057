"""SQL on streamed tables has the results of DuckDB on whole tables, and fetches no more than it needs."""

import math
import subprocess
import sys
from datetime import datetime

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from exr_inspector.catalog.duckdb.statements import sql_type
from exr_inspector.catalog.persistence import with_persist_columns
from exr_inspector.catalog.rows import from_inspections
from exr_inspector.catalog.schema import TABLES
from exr_inspector.catalog.vast import streamed_sql
from exr_inspector.catalog.vast.conditions import Condition
from exr_inspector.catalog.vast.streamed_sql import Scan
from exr_inspector.errors import QueryError
from tests.support.exr_bytes import attribute, inspection, text
from tests.support.strategies import examples

MEMORY_MB = 128


def run(query, params, fetch):
    return streamed_sql.run(query, params, fetch, memory_mb=MEMORY_MB)


FILES = [
    inspection(f"s3://renders/{show}/o'brien.{frame:04}.exr", text("note", f"it's {frame}"), *more, channels=channels)
    for show, channels in (("a", "RGB"), ("b", "AZ"))
    for frame, more in ((1, ()), (2, (attribute("x", "ourType", b"\0\xff"),)), (5, (text("owner", "ü 🎬\n"),)))
]


def _tables():
    batch = from_inspections(FILES)
    files = with_persist_columns(batch.tables["files"], datetime(2024, 5, 1, 12, 0, 0, 123456))
    vectors = [[float(i == n % 384) for i in range(384)] for n in range(files.num_rows)]
    named = {name: files[name] for name in files.column_names} | {
        "metadata_embedding": pa.array(vectors, TABLES["files"].field("metadata_embedding").type)
    }
    found = {"files": named} | {t: batch.tables[t] for t in ("parts", "channels", "attributes")}
    return {
        table: pa.Table.from_arrays(
            [
                found[table][column.name]
                if table in found and column.name in (found[table] if table == "files" else found[table].column_names)
                else pa.nulls(len(found[table]["file_id"]) if table in found else 0, column.type)
                for column in schema
            ],
            schema=pa.schema([column.with_nullable(True) for column in schema]),
        )
        for table, schema in TABLES.items()
    }


# Beginnings of each other, signs of patterns, characters without a successor, and other bytes than characters.
MESSAGES = [
    "", "a", "ab", "abc", "b", "a%b", "a_b", "a*b", "[a]", "\\a", "it's", "é", "éa", "¿", "¿a", "ê", "a\nb",
    "\ud7ff", "\ud7ffa", "\ue000", "a\U0010ffff", "\U0010ffff", "\U0010ffff\U0010ffffa", None,
]  # fmt: skip
NUMBERS = [0.0, -0.0, 1.0, 1.5, -2.0, math.inf, -math.inf, math.nan, None]


def _rows(table, columns):
    """Rows of a table; columns that are not given are null."""
    count = len(next(iter(columns.values())))
    schema = pa.schema([column.with_nullable(True) for column in TABLES[table]])
    arrays = [pa.array(columns.get(field.name, [None] * count), field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


STORED = _tables() | {
    "ingest_errors": _rows("ingest_errors", {"message": MESSAGES, "count": list(range(len(MESSAGES)))}),
    "channel_stats": _rows("channel_stats", {"min": NUMBERS, "max": NUMBERS[::-1], "stride": list(range(9))}),
}


@pytest.fixture(scope="module")
def whole():
    """A DuckDB with the whole tables: the oracle."""
    connection = duckdb.connect(config={"python_enable_replacements": False})
    connection.execute("SET TimeZone = 'UTC'")
    for table, rows in STORED.items():
        columns = ", ".join(f'"{column.name}" {sql_type(column.type)}' for column in rows.schema)
        connection.execute(f"CREATE TABLE {table} ({columns})")
        connection.register("incoming", rows)
        connection.execute(f"INSERT INTO {table} SELECT * FROM incoming")
    yield connection
    connection.close()


class Server:
    """Returns the requested columns and rows, and records the scans."""

    def __init__(self):
        self.scans = []

    def __call__(self, scan):
        self.scans.append(scan)
        rows = STORED[scan.table]
        keep = [all(_holds(condition, row) for condition in scan.conditions) for row in rows.to_pylist()]
        return rows.filter(pa.array(keep, pa.bool_())).select(list(scan.columns)).to_batches(max_chunksize=4)


def _holds(condition, row):
    value, wanted = row[condition.column], condition.value
    if value is None or condition.operator == "is_null":
        return value is None and condition.operator == "is_null"
    return {
        "=": lambda: value == wanted,
        "in": lambda: value in wanted,
        "starts_with": lambda: value.startswith(wanted),
        "<": lambda: value < wanted,
        "<=": lambda: value <= wanted,
        ">": lambda: value > wanted,
        ">=": lambda: value >= wanted,
    }[condition.operator]()


def asked(query, params=None):
    server = Server()
    run(query, params, server)
    return server.scans


PATHS = [one.file.file_path_normalized for one in FILES]
IDS = [one.file.file_id for one in FILES]

QUERIES = [
    ("SELECT * FROM files ORDER BY file_id", None),
    ("SELECT * FROM attributes ORDER BY ALL", None),
    ("SELECT count(*) FROM files", None),
    ("SELECT count(*), count(view_name) FROM parts", None),
    ("SELECT file_path FROM files WHERE file_path_normalized = ? ORDER BY 1", [PATHS[0]]),
    ("SELECT file_path FROM files WHERE file_id IN (?, ?, ?) ORDER BY 1", IDS[:3]),
    ("SELECT file_path FROM files WHERE file_id = $id OR frame_number > $n ORDER BY 1", {"id": IDS[0], "n": 2}),
    ("SELECT file_path FROM files WHERE NOT (frame_number >= 2) ORDER BY 1", None),
    ("SELECT file_path FROM files WHERE frame_number BETWEEN 2 AND 4 ORDER BY 1", None),
    ("SELECT file_path FROM files WHERE frame_number > 1.5 AND frame_number < 4.9 ORDER BY 1", None),
    ("SELECT file_path FROM files WHERE size_bytes > 99999999999999999999", None),
    ("SELECT file_path FROM files WHERE last_inspected >= TIMESTAMP '2024-05-01 12:00:00.123456' ORDER BY 1", None),
    ("SELECT file_path FROM files WHERE last_inspected > ? ORDER BY 1", [datetime(2024, 5, 1, 12, 0, 0, 123455)]),
    ("SELECT file_path FROM files WHERE deleted_at IS NULL AND is_current ORDER BY 1", None),
    ("SELECT file_path FROM files WHERE file_path LIKE '%brien%' AND starts_with(file_path, 's3') ORDER BY 1", None),
    ("SELECT file_path FROM files WHERE file_path LIKE 's3://renders/a/o''brien%' ORDER BY 1", None),
    ("SELECT value_text FROM attributes WHERE value_text GLOB 'it''s*' OR starts_with(value_text, 'ü')", None),
    ("SELECT f.file_path, count(*) AS n FROM files f JOIN channels c USING (file_id) WHERE c.channel_name = 'R' "
     "GROUP BY 1 ORDER BY 1", None),
    ("SELECT f.file_id, c.channel_name FROM files f LEFT JOIN channels c ON c.file_id = f.file_id "
     "AND c.channel_name = 'Z' ORDER BY 1, 2", None),
    ("SELECT file_id FROM files f WHERE NOT EXISTS (SELECT 1 FROM channels c WHERE c.file_id = f.file_id "
     "AND channel_name = 'R') ORDER BY 1", None),
    ("SELECT a.file_id FROM files a, files b WHERE a.file_id = ? AND b.frame_number = 5 ORDER BY 1", [IDS[0]]),
    ("SELECT a.file_id FROM files a JOIN files b ON a.sequence = b.sequence WHERE b.frame_number = 5 ORDER BY 1", None),
    ("WITH v AS (SELECT * FROM files WHERE frame_number = 2) SELECT v.file_id, w.frame_number FROM v, files w "
     "ORDER BY 1, 2", None),
    ("SELECT * EXCLUDE (metadata_embedding) FROM files QUALIFY row_number() OVER "
     "(PARTITION BY sequence ORDER BY frame_number DESC) = 1 ORDER BY file_id", None),
    ("SELECT frame_number FROM files WHERE frame_number = 1 UNION ALL SELECT frame_number FROM files "
     "WHERE frame_number = 5 ORDER BY 1", None),
    ("SELECT channel_name, list(DISTINCT channel_type) FROM channels GROUP BY ALL ORDER BY 1", None),
    ("SELECT file_id, array_cosine_distance(metadata_embedding, (SELECT metadata_embedding FROM files "
     "WHERE file_id = ?)) AS d FROM files ORDER BY d, 1 LIMIT 3", [IDS[0]]),
    ("SELECT file_id, (SELECT count(*) FROM channels c WHERE c.file_id = f.file_id) FROM files f ORDER BY 1", None),
    ("SELECT count(*) FROM files WHERE frame_number = (SELECT max(frame_number) FROM files)", None),
    ("SELECT value_text FROM attributes WHERE attr_name = 'note' AND value_text = 'it''s 5' ORDER BY 1", None),
    ("SELECT file_id FROM attributes WHERE value_text = ? ORDER BY 1", ["ü 🎬\n"]),
    ("SELECT raw FROM attributes WHERE raw IS NOT NULL ORDER BY 1", None),
    ("SELECT count(*) FROM parts, channels, attributes", None),
    ("SELECT 1 AS one", None),
    ("FROM parts SELECT part_index, width ORDER BY ALL", None),
    ("SELECT file_path FROM files WHERE false", None),
    ("SELECT count(*) AS files FROM channels", None),
    ("SELECT * FROM (VALUES (1), (2)) t(x) WHERE x IN (SELECT frame_number FROM files) ORDER BY 1", None),
    ("SELECT file_path FROM FILES ORDER BY size_bytes, 1 LIMIT 2", None),
    ("SELECT sum(size_bytes) OVER (ORDER BY file_id) FROM main.files ORDER BY 1", None),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("query", "params"), QUERIES, ids=[query[:60] for query, _ in QUERIES])
def test_a_query_has_the_result_of_whole_tables(whole, query, params):
    result = run(query, params, Server())
    expected = whole.sql(query, params=params).to_arrow_table()
    assert result.schema == expected.schema
    assert result.to_pylist() == expected.to_pylist()


TEXTS = st.sampled_from([*PATHS[:2], *IDS[:2], "complete", "it's 1", "", "x' OR '1'='1", "\0", "R"])
VALUES = {
    pa.string(): TEXTS.map(lambda text: "'" + text.replace("'", "''") + "'").filter(lambda text: "\0" not in text),
    pa.int64(): st.one_of(
        st.integers(-1, 6).map(str), st.sampled_from(["1.5", "2.0", "9223372036854775807", "-1e3", "NULL"])
    ),
    pa.bool_(): st.sampled_from(["true", "false", "NULL"]),
    pa.timestamp("us"): st.sampled_from(
        ["TIMESTAMP '2024-05-01 12:00:00.123456'", "'2024-05-01'", "'2024-05-01 12:00:00.1'", "NULL"]
    ),
}
COLUMNS = {
    "f": ["file_path_normalized", "frame_number", "is_current", "last_inspected", "deleted_at", "completeness"],
    "c": ["channel_name", "part_index", "p_linear", "file_id"],
}
TABLE_OF = {"f": "files", "c": "channels"}


@st.composite
def terms(draw, alias):
    column = draw(st.sampled_from(COLUMNS[alias]))
    values = VALUES[TABLES[TABLE_OF[alias]].field(column).type]
    kind = draw(st.sampled_from(["compare", "in", "null", "between"]))
    name = f"{alias}.{column}"
    if kind == "in":
        return f"{name} IN ({', '.join(draw(st.lists(values, min_size=1, max_size=4)))})"
    if kind == "null":
        return f"{name} IS {draw(st.sampled_from(['', 'NOT ']))}NULL"
    if kind == "between":
        return f"{name} BETWEEN {draw(values)} AND {draw(values)}"
    return f"{name} {draw(st.sampled_from(['=', '<', '<=', '>', '>=', '<>']))} {draw(values)}"


@st.composite
def conditions(draw):
    parts = draw(st.lists(st.one_of(terms("f"), terms("c")), min_size=1, max_size=4))
    text = parts[0]
    for part in parts[1:]:
        text = f"({text} {draw(st.sampled_from(['AND', 'AND', 'OR']))} {part})"
    return draw(st.sampled_from(["{}", "{}", "NOT {}"])).format(text)


@settings(examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(condition=conditions(), join=st.sampled_from(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]), on=conditions())
@pytest.mark.slow
def test_no_condition_loses_a_row(whole, condition, join, on):
    """Conditions in WHERE or ON of any join may be pushed down; the result is that of whole tables."""
    query = f"""SELECT f.file_id, f.frame_number, c.channel_name, c.part_index FROM files f {join} channels c
                ON f.file_id = c.file_id AND {on} WHERE {condition} ORDER BY ALL"""
    expected = whole.sql(query).to_arrow_table()
    assert run(query, None, Server()).to_pylist() == expected.to_pylist()


LITTLE = st.text(st.sampled_from("ab%_*?[]\\é¿\ud7ff\U0010ffff'\n"), max_size=4)
PATTERNS = [
    "message LIKE $p", "message NOT LIKE $p", "message GLOB $p", "NOT message GLOB $p", "starts_with(message, $p)",
    "message ^@ $p", "prefix(message, $p)", "message LIKE $p OR count = 3", "(message LIKE $p) IS NULL",
    "message LIKE $p ESCAPE '!'", "message ILIKE $p", "$p LIKE message", "starts_with($p, message)",
    "message LIKE $p || '%'", "message GLOB $p || '*' AND count > 2",
]  # fmt: skip


@pytest.mark.slow
@settings(examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pattern=st.sampled_from(PATTERNS), text=LITTLE)
def test_pattern_operators_lose_no_row(whole, pattern, text):
    """Operators that imply how a text begins keep their meaning."""
    query, params = f"SELECT count FROM ingest_errors WHERE {pattern} ORDER BY ALL", {"p": text}
    try:
        expected = whole.sql(query, params=params).to_arrow_table().to_pylist()
    except duckdb.Error:  # also a bug of DuckDB 1.5 with LIKE '¿%', which does not occur here
        reject()
    assert run(query, params, Server()).to_pylist() == expected


@pytest.mark.slow
@settings(examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    column=st.sampled_from(["min", "max", "-min"]),
    operator=st.sampled_from(["=", "<", "<=", ">", ">=", "<>", "IN (1.5, ", "NOT IN (1.5, "]),
    number=st.sampled_from(["0.0", "-0.0", "1.5", "'nan'::DOUBLE", "'inf'::DOUBLE", "'-inf'::DOUBLE", "NULL"]),
    form=st.sampled_from(["{}", "NOT ({})", "{} OR stride = 2", "{} AND stride > 1"]),
)
def test_floats_are_compared_as_duckdb_does(whole, column, operator, number, form):
    """With NaN above all numbers, and -0 equal to 0."""
    condition = form.format(f"{column} {operator} {number}{')' * operator.count('(')}")
    query = f"SELECT stride FROM channel_stats WHERE {condition} ORDER BY 1"
    assert run(query, None, Server()).to_pylist() == whole.sql(query).to_arrow_table().to_pylist()


def test_floats_come_back_bit_by_bit():
    fetched = run("SELECT min FROM channel_stats ORDER BY stride", None, Server())["min"].to_pylist()
    assert list(map(repr, fetched)) == list(map(repr, NUMBERS))


# ── what is fetched ────────────────────────────────


@pytest.mark.slow
def test_only_the_columns_of_the_query_are_fetched():
    assert asked("SELECT file_path FROM files") == [Scan(table="files", columns=("file_path",))]
    assert asked("SELECT count(*) FROM files") == [Scan(table="files", columns=("is_current",))]
    assert asked("SELECT count(*) AS attributes FROM parts") == [Scan(table="parts", columns=("is_tiled",))]
    assert asked("SELECT 1") == asked("DESCRIBE files") == asked("SHOW TABLES") == []


@pytest.mark.fast_cases(2)
@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM files a JOIN files b USING (sequence) JOIN files c ON c.frame_number = b.frame_number + 1",
        "SELECT file_id FROM files WHERE frame_number = (SELECT max(frame_number) FROM files)",
        "SELECT f.file_id FROM files f JOIN channels c USING (file_id) WHERE c.channel_name = 'R' AND f.is_current",
        "SELECT CASE WHEN (SELECT count(*) FROM files) = 0 THEN error('empty') ELSE max(part_index)::VARCHAR END "
        "FROM parts",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < (SELECT max(frame_number) FROM files)"
        ") SELECT * FROM n",
    ],
)
def test_a_table_is_fetched_once_however_often_it_is_read(query):
    tables = [scan.table for scan in asked(query)]
    assert sorted(tables) == sorted(set(tables))


def test_a_scan_that_depends_on_rows_is_fetched_too(whole):
    """The second table is read only where the first one has rows."""
    query = """SELECT file_id FROM files WHERE CASE WHEN frame_number = 5
               THEN frame_number = (SELECT max(frame_number) FROM files f WHERE f.size_bytes = files.size_bytes)
               ELSE false END ORDER BY 1"""
    assert run(query, None, Server()).to_pylist() == whole.sql(query).to_arrow_table().to_pylist() != []


def test_an_error_of_the_query_is_raised_after_its_rows_are_loaded():
    with pytest.raises(QueryError, match="files: 6"):
        asked("SELECT error('files: ' || count(*)) FROM files")


@pytest.mark.slow
def test_conditions_that_all_scans_of_a_table_share_are_pushed_down():
    one = Condition(column="file_id", operator="=", value="a")
    (scan,) = asked("SELECT file_path FROM files WHERE file_id = ? AND is_current", ["a"])
    assert scan.conditions == (one,)
    (scan,) = asked("SELECT x.file_path FROM files x, files y WHERE x.file_id = 'a' AND y.file_id = 'a'")
    assert scan.conditions == (one,)
    (scan,) = asked("SELECT x.file_path FROM files x, files y WHERE x.file_id = 'a' AND y.file_id = 'b'")
    assert scan.conditions == ()


@pytest.mark.fast_cases(8)
@pytest.mark.parametrize(
    ("where", "params", "condition"),
    [
        ("file_id = 'o''brien'", None, ("file_id", "=", "o'brien")),
        ("file_id IN ('a', 'b, ''c''')", None, ("file_id", "in", ("a", "b, 'c'"))),
        ("size_bytes >= -5", None, ("size_bytes", ">=", -5)),
        ("7 > size_bytes", None, ("size_bytes", "<", 7)),
        ("mtime < ?", [datetime(2024, 5, 1, 12)], ("mtime", "<", datetime(2024, 5, 1, 12))),
        ("mtime < '2024-05-01 12:00:00.5'", None, ("mtime", "<", datetime(2024, 5, 1, 12, 0, 0, 500_000))),
        ("file_id LIKE 'it''s%'", None, ("file_id", "starts_with", "it's")),
        ("file_id LIKE ?", ["s3://a/(%"], ("file_id", "starts_with", "s3://a/(")),
        ("file_id LIKE 'ü%'", None, ("file_id", "starts_with", "ü")),
        ("file_id >= 'a' AND file_id < 'b'", None, ("file_id", "starts_with", "a")),
        ("file_id >= 'a' AND file_id < 'c'", None, None),
        ("file_id > 'a' AND file_id < 'b'", None, None),
        ("file_path GLOB 'a/[bc]*'", None, ("file_path", "starts_with", "a/")),
        ("starts_with(file_path, ?)", ["a%"], ("file_path", "starts_with", "a%")),
        ("starts_with(file_path, $p.prefix)", {"p": {"prefix": "a"}}, ("file_path", "starts_with", "a")),
        ("starts_with(file_path, $p.prefix)", {"p": {"prefix": ""}}, None),
        ("file_path ^@ 'ab'", None, ("file_path", "starts_with", "ab")),
        ("file_path LIKE '%a'", None, None),
        ("file_path NOT LIKE 'a%'", None, None),
        ("file_path LIKE 'a%' OR size_bytes = 1", None, None),
        ("mtime < 'infinity'", None, None),
        ("size_bytes > 5.9", None, None),
        ("size_bytes > 99999999999999999999", None, None),
        ("size_bytes < 9223372036854775807", None, ("size_bytes", "<", 2**63 - 1)),
        ("size_bytes > -9223372036854775807", None, ("size_bytes", ">", 1 - 2**63)),
        ("size_bytes > ?", [-(2**63)], None),  # has no positive counterpart in 64 bits
        ("file_path > 'a'", None, None),
        ("lower(file_path) = 'a'", None, None),
        ("file_path = file_path_normalized", None, None),
        ("pixel_aspect_ratio = 1", None, None),
        ("version_flags IS NOT NULL", None, None),
        ("version_flags IS NULL OR size_bytes = 1", None, None),
        ("lower(etag) IS NULL", None, None),
        ("is_deep IS NULL", None, None),
        ("metadata_embedding IS NULL", None, None),
        ("pixel_aspect_ratio IS NULL", None, None),
    ],
)
def test_conditions_that_are_pushed_down(where, params, condition):
    table = "parts" if "pixel" in where else "files"
    (scan,) = asked(f"SELECT file_id FROM {table} WHERE {where}", params)
    expected = (
        () if condition is None else (Condition(**dict(zip(("column", "operator", "value"), condition, strict=True))),)
    )
    assert scan.conditions == expected


@pytest.mark.skipif(duckdb.__version__ < "2", reason="DuckDB 1.5 evaluates null tests itself")
@pytest.mark.parametrize(
    ("where", "columns"),
    [
        ("version_flags IS NULL", ["version_flags"]),
        ("is_current AND etag IS NULL", ["etag"]),
        ("deleted_at IS NULL AND sequence IS NULL", ["sequence", "deleted_at"]),
    ],
)
def test_null_tests_are_pushed_down(where, columns):
    """Of texts, integers and times."""
    (scan,) = asked(f"SELECT file_id FROM files WHERE {where}")
    assert set(scan.conditions) == {Condition(column=column, operator="is_null") for column in columns}


@pytest.mark.slow
def test_a_long_list_of_values_is_pushed_down():
    many = [f"{n:032}" for n in range(5000)]
    (scan,) = asked(f"SELECT count(*) FROM files WHERE file_id IN ({', '.join('?' * len(many))})", many)
    assert scan.conditions == (Condition(column="file_id", operator="in", value=tuple(many)),)


# ── what is rejected ────────────────────────────────


@pytest.mark.parametrize("query", ["", "SELECT 1; SELECT 2", "SELEC 1", "SELECT nothing FROM files"])
def test_an_invalid_query_is_rejected(query):
    with pytest.raises(QueryError):
        asked(query)


def test_errors_of_the_server_are_raised():
    class LostError(Exception):
        pass

    def fetch(scan):
        raise LostError(scan.table)

    with pytest.raises(LostError, match="files"):
        run("SELECT file_id FROM files", None, fetch)


@pytest.mark.slow
def test_a_query_that_needs_more_memory_names_the_setting():
    def fetch(scan):
        for page in range(20):
            texts = pa.array([f"{page}-{row}-{'x' * 1000}" for row in range(10_000)])
            yield pa.record_batch([texts], names=["value_text"])

    with pytest.raises(QueryError, match="EXR_INSPECTOR_QUERY_MEMORY_MB"):
        run("SELECT len(list(value_text)) FROM attributes", None, fetch)


@pytest.mark.slow
def test_queries_in_a_row_move_rows_to_disk():
    """150 MB of different texts; also the second query of a database, whose folder was deleted after the first one."""

    def fetch(scan):
        for page in range(30):
            texts = pa.array([f"{page:04}{row:05}" + "x" * 500 for row in range(10_000)])
            yield pa.record_batch([texts], names=["value_text"])

    for _ in range(2):
        result = run("SELECT count(*) AS n FROM (SELECT DISTINCT value_text FROM attributes)", None, fetch)
        assert result.to_pylist() == [{"n": 300_000}]
    assert streamed_sql._idle[MEMORY_MB]


@pytest.mark.slow
def test_few_databases_are_kept():
    """Whatever the number of queries at one moment."""

    def nested(depth):
        if depth:
            run("SELECT count(*) FROM files", None, lambda scan: nested(depth - 1) or [])

    nested(4)
    assert len(streamed_sql._idle[MEMORY_MB]) <= 2


@pytest.mark.slow
def test_memory_is_bounded():
    """A million rows, far larger than the limit, grow the process by less than twice that."""
    program = """
from benchmarks.memory import peak_mb
import pyarrow as pa
from exr_inspector.catalog.schema import TABLES
from exr_inspector.catalog.vast import streamed_sql

def fetch(scan):
    for page in range(100):
        columns = []
        for name in scan.columns:
            type_ = TABLES[scan.table].field(name).type
            value = f"{page:04}" + "x" * 500 if type_ == pa.string() else page
            columns.append(pa.array([value] * 10_000, type_))
        yield pa.record_batch(columns, names=list(scan.columns))

before = peak_mb()
query = "SELECT count(DISTINCT value_text || attr_index), count(*) FROM attributes"
result = streamed_sql.run(query, None, fetch, memory_mb=128)
assert result.to_pylist()[0]["count_star()"] == 1_000_000
print(peak_mb() - before)
"""
    grown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert float(grown) < 3 * MEMORY_MB  # the rows would take more
