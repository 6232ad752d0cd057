"""SQL of users reads the catalog, changes nothing, and reaches nothing else."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exr_inspector import open_catalog
from exr_inspector.catalog import sandbox
from exr_inspector.catalog.schema import TABLES
from exr_inspector.catalog.user_sql import checked_condition, checked_query
from exr_inspector.errors import QueryError
from tests.catalog.conftest import BACKENDS, BUCKET, lead_to
from tests.support.exr_bytes import inspection
from tests.support.strategies import examples

A, B = inspection("s3://renders/a.exr"), inspection("s3://renders/b.exr")

# {} is a folder with secret.csv, other.duckdb and a writable path out.
HOSTILE = """
DELETE FROM files
TRUNCATE files
INSERT INTO files SELECT * FROM files
UPDATE files SET size_bytes = 0
MERGE INTO files USING parts ON files.file_id = parts.file_id WHEN MATCHED THEN DELETE
WITH d AS (DELETE FROM files RETURNING *) SELECT count(*) FROM d
WITH d AS (UPDATE files SET size_bytes = 0 RETURNING *) SELECT count(*) FROM d
WITH d AS (INSERT INTO schema_version SELECT * FROM schema_version RETURNING *) SELECT count(*) FROM d
SELECT (WITH d AS (DELETE FROM files RETURNING *) SELECT count(*) FROM d)
DELETE FROM files RETURNING *
CREATE TABLE x (a INTEGER)
CREATE TABLE x AS SELECT * FROM files
CREATE TEMP TABLE files AS SELECT 1 AS a
CREATE TEMP VIEW files AS SELECT 1 AS a
CREATE OR REPLACE VIEW files AS SELECT 1 AS a
CREATE TEMP MACRO lower(a) AS 'x'
CREATE SCHEMA x
CREATE TYPE x AS ENUM ('a')
CREATE SEQUENCE x
CREATE INDEX x ON files (size_bytes)
CREATE SECRET x (TYPE s3, KEY_ID 'a', SECRET 'b')
CREATE PERSISTENT SECRET x (TYPE s3, KEY_ID 'a', SECRET 'b')
DROP TABLE files
DROP VIEW files
ALTER TABLE files ADD COLUMN x INTEGER
COMMENT ON TABLE files IS 'x'
SELECT 1; DELETE FROM files
SELECT 1; SELECT 2
DELETE FROM files; SELECT 1
COMMIT; DELETE FROM files
COMMIT
ROLLBACK
BEGIN
COPY files TO '{}/out'
COPY (SELECT * FROM files) TO '{}/out' (FORMAT parquet)
COPY files FROM '{}/secret.csv'
EXPORT DATABASE '{}/out'
IMPORT DATABASE '{}/out'
ATTACH '{}/other.duckdb' AS other
ATTACH '{}/out' AS other
ATTACH ':memory:' AS other
DETACH memory
USE memory
INSTALL httpfs
LOAD httpfs
FORCE INSTALL httpfs FROM '{}'
UPDATE EXTENSIONS
SET threads = 2
SET GLOBAL threads = 2
SET enable_external_access = true
SET lock_configuration = false
SET TimeZone = 'America/New_York'
SET search_path = 'pg_catalog'
SET VARIABLE x = 1
RESET lock_configuration
PRAGMA enable_profiling
PRAGMA threads = 2
PRAGMA temp_directory = '{}/out'
PRAGMA disable_checkpoint_on_shutdown
CALL pragma_version()
CALL force_checkpoint()
CALL enable_profiling(save_location = '{}/out')
CHECKPOINT
FORCE CHECKPOINT
VACUUM
VACUUM ANALYZE files
ANALYZE
PREPARE x AS DELETE FROM files
EXECUTE x
DEALLOCATE x
EXPLAIN DELETE FROM files
EXPLAIN ANALYZE DELETE FROM files
SELECT * FROM checkpoint()
SELECT * FROM force_checkpoint()
SELECT * FROM system.main.force_checkpoint()
SELECT * FROM enable_logging(storage = 'file', storage_path = '{}/out')
SELECT * FROM enable_profiling(save_location = '{}/out')
SELECT * FROM query('SELECT * FROM force_checkpoint()')
SELECT * FROM query_table('{}/secret.csv')
SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM force_checkpoint()'))
SELECT * FROM read_csv('{}/secret.csv')
SELECT * FROM read_csv_auto('{}/secret.csv')
SELECT * FROM READ_TEXT('{}/secret.csv')
SELECT * FROM read_blob('{}/secret.csv')
SELECT * FROM read_json('{}/secret.csv')
SELECT * FROM read_parquet('{}/secret.csv')
SELECT * FROM read_duckdb('{}/other.duckdb')
SELECT * FROM sniff_csv('{}/secret.csv')
SELECT * FROM parquet_metadata('{}/secret.csv')
SELECT * FROM glob('{}/*')
SELECT * FROM '{}/secret.csv'
SELECT * FROM '{}/other.duckdb'
FROM '{}/*.csv'
SELECT (SELECT content FROM read_text('{}/secret.csv'))
SELECT * FROM files WHERE file_id IN (SELECT content FROM read_text('{}/secret.csv'))
WITH x AS (SELECT * FROM read_text('{}/secret.csv')) SELECT * FROM x
SELECT 1 UNION ALL SELECT size FROM read_text('{}/secret.csv')
SELECT * FROM read_parquet('http://127.0.0.1:1/x')
SELECT * FROM 's3://bucket/x.parquet'
SUMMARIZE '{}/secret.csv'
DESCRIBE SELECT * FROM read_csv('{}/secret.csv')
SELECT getenv('HOME')
SELECT * FROM duckdb_secrets()
SELECT * FROM python_variable
SELECT * FROM arrow_scan(1, 2, 3)
SELECT * FROM python_map_function(1)
PIVOT files ON is_deep USING count(*)
SELECT nextval('x')
""".strip().splitlines()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with files that no query may read, where none may create one."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "secret.csv").write_text("a\n1\n")
    with duckdb.connect(str(folder / "other.duckdb")) as other:
        other.execute("CREATE TABLE t (a INTEGER)").fetchall()
    return folder


SLOW = [pytest.param(each, marks=pytest.mark.slow) for each in ("duckdb read-only", "vast")]


@pytest.fixture(scope="module", params=["duckdb", *SLOW])
def filled(request, tmp_path_factory):
    """A catalog that no test changes, its folder, and a function that returns what its tables hold."""
    backend, _, mode = request.param.partition(" ")
    home = tmp_path_factory.mktemp("catalog")
    with ExitStack() as stack:
        if backend == "vast":
            lead_to(request.getfixturevalue("emulator"), stack.enter_context(pytest.MonkeyPatch.context()))
        uri = BACKENDS[backend](home, 0)
        catalog = stack.enter_context(open_catalog(uri))
        catalog.persist([A, B])
        if mode:
            catalog.close()
            catalog = stack.enter_context(open_catalog(uri, read_only=True))
        if backend == "vast":  # without requests, of which each test would need dozens
            emulator = request.getfixturevalue("emulator")
            yield catalog, home, lambda: emulator.committed_tables(BUCKET, uri.rpartition("/")[2])
        else:
            digests = (f"SELECT '{each}' AS name, count(*), sum(hash({each})) FROM {each}" for each in TABLES)
            query = " UNION ALL ".join(digests)
            yield catalog, home, lambda: {row["name"]: row for row in catalog.sql(query).to_pylist()}


def contents(folder):
    return {path.relative_to(folder): path.is_file() and path.read_bytes() for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def before(filled, folder):
    """What must not change."""
    _, home, tables = filled
    assert tables().keys() >= TABLES.keys()
    return tables(), contents(home), contents(folder)


# ── queries ────────────────────────────────────────────────


@pytest.mark.fast_cases(12)
@pytest.mark.parametrize("text", HOSTILE)
def test_a_query_changes_nothing_and_reaches_nothing(filled, folder, before, text, monkeypatch):
    """Rows and files are the same afterwards: of the catalog, where the query points to, and in the current folder."""
    catalog, home, tables = filled
    monkeypatch.chdir(folder)
    python_variable = pa.table({"a": [1]})  # noqa: F841 (a connection with Python replacements finds it)
    with pytest.raises(QueryError):
        catalog.sql(text.replace("{}", str(folder)))
    assert (tables(), contents(home), contents(folder)) == before


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 AS a;",
        "-- a comment\nSELECT 1 AS a; /* and */ -- another; SELECT 2",
        "WITH x AS (SELECT 1 AS a) SELECT * FROM x",
        "WITH RECURSIVE x AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM x WHERE a < 1) SELECT * FROM x",
        "VALUES (1)",
        "FROM range(1, 2)",
        "(SELECT 1) UNION (SELECT 1)",
        "SELECT unnest([1])",
        "SELECT (SELECT count(*) FROM schema_version)",
    ],
)
def test_what_reads_is_a_query(filled, text):
    catalog, *_ = filled
    (row,) = catalog.sql(text).to_pylist()
    assert list(row.values()) == [1]


def test_tables_can_be_described(filled):
    catalog, *_ = filled
    for query in ("DESCRIBE files", "SELECT * FROM duckdb_columns() WHERE table_name = 'files'", "SUMMARIZE files"):
        assert catalog.sql(query).num_rows == len(TABLES["files"])
    assert set(TABLES) <= set(catalog.sql("SHOW TABLES")["name"].to_pylist())


@pytest.mark.parametrize("text", ["SELECT 1\0", "SELECT '\ud800'", "SELECT " + "+".join("1" * 3000)])
def test_a_text_that_cannot_be_parsed_is_rejected(filled, text):
    catalog, *_ = filled
    with pytest.raises(QueryError, match=r"NUL|depth"):
        catalog.sql(text)


@pytest.mark.slow
def test_queries_do_not_disturb_writers(new_catalog):
    """Every batch is stored while other threads run hostile queries."""
    catalog = new_catalog()
    files = [inspection(f"s3://renders/c.{number:04}.exr") for number in range(10)]

    def run(text):
        with pytest.raises(QueryError):
            catalog.sql(text)

    with ThreadPoolExecutor(4) as pool:
        written = [pool.submit(catalog.persist, [file]) for file in files]
        queries = [pool.submit(run, text) for text in HOSTILE if "{}" not in text]
        assert all(outcome.inserted for future in written for outcome in future.result())
        for query in queries:
            query.result()
    assert catalog.sql("SELECT count(*) AS n FROM files").to_pylist() == [{"n": 10}]


@pytest.mark.slow
def test_the_transaction_of_a_query_cannot_write(tmp_path):
    """A function that writes has no form of its own in the syntax: here a sequence that someone added."""
    path = str(tmp_path / "catalog.duckdb")
    open_catalog(path).close()
    with duckdb.connect(path) as other:
        other.execute("CREATE SEQUENCE frames").fetchall()
    with open_catalog(path) as catalog:
        with pytest.raises(QueryError, match="read-only"):
            catalog.sql("SELECT nextval('frames')")
        catalog.persist([A])


WORDS = st.sampled_from(
    ["SELECT", "1", "*", "FROM", "files", "WHERE", "true", "(", ")", ";", "--", "/*", "*/", "\n", "'", '"', "$$", "OR",
     "WITH d AS", "DELETE FROM", "RETURNING", "UNION", "read_text", "checkpoint()", ",", "=", "size_bytes", "x", "é"]
)  # fmt: skip


@pytest.mark.slow
@examples(60)
@given(st.lists(WORDS, max_size=14).map(" ".join))
def test_no_text_changes_the_tables(text):
    """A text that passes the check runs on a database without protection, and changes nothing there."""
    with duckdb.connect() as database:
        database.execute("CREATE TABLE files AS SELECT 1 AS size_bytes").fetchall()
        try:
            database.sql(checked_query(database, text)).fetchall()
        except (QueryError, duckdb.Error):
            pass
        assert database.execute("SELECT * FROM files").fetchall() == [(1,)]


# ── conditions ────────────────────────────────────────────────


@pytest.mark.fast_cases(4)
@pytest.mark.parametrize(
    "where",
    [
        "size_bytes > 1000",
        "Size_Bytes >= 2 * 1024 AND files.is_deep",
        "NOT (completeness = 'complete' OR completeness <> 'é')",
        "file_path IN ('a', 'b') AND file_path NOT IN ('c')",
        "frame_number BETWEEN 1001 AND 1010",
        "file_path LIKE '%/sh010/%' AND file_path NOT LIKE 'a!%' ESCAPE '!'",
        "lower(file_path) ILIKE '%x' OR file_path GLOB '*/[ab]*'",
        "sequence IS NULL OR sequence IS NOT NULL",
        "mtime > now() - INTERVAL 7 DAY",
        "mtime > TIMESTAMP '2024-05-01' AND mtime < '2024-06-01'::TIMESTAMP",
        "starts_with(file_path, 's3://') -- only objects",
        '"is_current" /* of all */ AND true',
    ],
)
def test_a_condition_on_columns_is_accepted(where):
    with duckdb.connect() as database:
        database.from_arrow(TABLES["files"].empty_table()).create_view("files")
        assert database.sql(f"SELECT * FROM files WHERE {checked_condition(where)}").fetchall() == []


@pytest.mark.fast_cases(8)
@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("'é' = file_id OR file_id IN (SELECT 1)", r"a subquery at character 2[69] "),
        ("EXISTS (SELECT 1)", "a subquery at character 1 "),
        ("(SELECT true)", "a subquery"),
        ("file_id = (VALUES ('a'))", "a subquery"),
        ("file_id = ANY (FROM channels)", "a subquery"),
        ("is_deep AND read_text('/etc/passwd') = ''", "the function read_text at character 13 "),
        ("getenv('HOME') = ''", "the function getenv"),
        ("query('x')", "the function query"),
        ("current_setting('temp_directory') = ''", "the function current_setting"),
        ("nextval('x') = 1", "the function nextval"),
        ("repeat('x', 1000000000) = ''", "the function repeat"),
        ("colour = 1", "the unknown column colour at character 1 "),
        ('completeness = "complete"', "the unknown column complete at character 16 "),
        ("parts.part_index = 1", "the unknown column parts.part_index"),
        ("rowid = 1", "the unknown column rowid"),
        ("size_bytes > ?", "a parameter"),
        ("size_bytes > $rows", "a parameter"),
        ("sum(size_bytes) OVER () > 1", "a window function"),
        ("COLUMNS(*) IS NULL", r"\*"),
        ("[x FOR x IN [1]] = [1]", "not allowed"),
        ("list_transform([1], lambda x: x) = [1]", "the function list_transform"),
        ("#1 = 1", "POSITIONAL_REFERENCE"),
        ("true ORDER BY 1", "more than a condition"),
        ("true LIMIT 1", "more than a condition"),
        ("true GROUP BY 1", "more than a condition"),
        ("true QUALIFY true", "more than a condition"),
        ("true USING SAMPLE 1", "more than a condition"),
        ("true UNION SELECT 1", "more than a condition"),
        ("true; SELECT 1", "more than a condition"),
        ("true; DELETE FROM files", "not a condition"),
        ("true;", "not a condition"),
        ("true) OR (true", "not a condition"),
        ("true /*", "not a condition"),
        ("true --\n) OR (true", "not a condition"),
        ("'", "not a condition"),
        ("", "not a condition"),
        ("true\0) OR (true", "NUL"),
        ("'\ud800' = file_id", "surrogate"),
        ("(" * 1500, "not a condition"),  # DuckDB allows 1000 levels
    ],
)
def test_anything_else_in_a_condition_is_named(where, message):
    with pytest.raises(QueryError, match=message):
        checked_condition(where)


def test_a_deeply_nested_condition_is_accepted_or_named():
    """DuckDB allows 1000 levels; how many levels of JSON Python reads depends on its version."""
    where = "NOT (" * 900 + "true" + ")" * 900
    try:
        assert checked_condition(where) == f"(\n{where}\n)"
    except QueryError as error:
        assert "nested too deeply" in str(error)  # noqa: PT017 (either outcome is right)


TERMS = st.sampled_from(
    [
        "true", "size_bytes", "=", "1", "OR", "AND", "NOT", "IN", "SELECT",
        "(", ")", ",", ";", "'", "--", "/*", "*/", "\n",
    ]
)  # fmt: skip


@pytest.mark.slow
@examples(100)
@given(st.lists(TERMS, min_size=1, max_size=9).map(" ".join))
def test_no_condition_leaves_its_parentheses(where):
    """What passes the check is one operand of the AND before it, so it selects nothing more."""
    try:
        condition = checked_condition(where)
    except QueryError:
        return
    text = f"SELECT 1 FROM files WHERE false AND {condition} AND false"
    with duckdb.connect() as database:
        ((tree,),) = database.execute("SELECT json_serialize_sql(?)", [text]).fetchall()
    clause = json.loads(tree)["statements"][0]["node"]["where_clause"]
    first, *_, last = clause["children"]
    assert clause["type"] == "CONJUNCTION_AND"
    assert first["type"] == last["type"]


# ── the sandbox ────────────────────────────────────────────────


def test_settings_are_locked():
    with sandbox.connect(settings={"threads": 1, "memory_limit": "100MB"}) as database:
        for setting in (
            "enable_external_access = true", "lock_configuration = false", "threads = 2", "TimeZone = 'CET'",
            "python_scan_all_frames = true", "python_enable_replacements = true",
        ):  # fmt: skip
            with pytest.raises(duckdb.Error, match="locked"):
                database.execute(f"SET {setting}").fetchall()
        query = "SELECT current_setting('threads'), current_setting('TimeZone'), current_setting('memory_limit')"
        assert database.execute(query).fetchall() == [(1, "UTC", "95.3 MiB")]


def test_registered_tables_are_read_and_variables_are_not():
    numbers = pa.table({"n": [1, 2]})
    with sandbox.connect() as database:
        with pytest.raises(duckdb.CatalogException):
            database.execute("SELECT * FROM numbers")
        database.register("given", numbers)
        assert database.execute("SELECT sum(n) FROM given").fetchall() == [(3,)]


def test_threads_may_open_one_file_at_a_time(tmp_path):
    path = str(tmp_path / "x.duckdb")
    with sandbox.connect(path), ThreadPoolExecutor(8) as pool:
        for database in pool.map(lambda _: sandbox.connect(path), range(16)):
            assert database.execute("SELECT current_setting('lock_configuration')").fetchall() == [(True,)]
            database.close()


@pytest.mark.slow
def test_a_large_query_moves_rows_to_the_temporary_folder_of_the_catalog(tmp_path):
    """DuckDB may write there, and to the catalog, while it may not reach other files."""
    path = str(tmp_path / "x.duckdb")
    with sandbox.connect(path, settings={"memory_limit": "40MB", "threads": 1}) as database:
        database.execute("CREATE TABLE t AS SELECT i, md5(i::VARCHAR) AS m FROM range(300000) r(i)").fetchall()
        query = "SELECT count(*) FROM (SELECT row_number() OVER (ORDER BY m, i) AS n FROM t)"
        assert database.execute(query).fetchall() == [(300000,)]
        database.execute("CHECKPOINT").fetchall()
    assert os.listdir(tmp_path) == ["x.duckdb"]
