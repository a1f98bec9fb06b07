"""Queries that would write, or read files: each is refused or changes nothing, by an account with all rights."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from nncli.base.errors import DataError, UsageError
from nncli.data.sources.database.address import DatabaseKind
from nncli.data.sources.read_table import read_table
from nncli.data.sources.table_source import TableSource
from tests.services.servers import run_sql

CONTENT = "content-of-a-file"
STATEMENTS = [
    "INSERT INTO t VALUES (2)",
    "DROP TABLE t",
    "COPY t TO '{folder}/out'",
    "COPY t TO PROGRAM 'touch {folder}/out'",
    "COPY (SELECT 1) TO '{folder}/out'",
    "ATTACH '{folder}/other' AS other",
    "ATTACH DATABASE '{folder}/other' AS other",
    "INSTALL httpfs",
    "LOAD '{folder}/file.txt'",
    "LOAD DATA INFILE '{folder}/file.txt' INTO TABLE t",
    "VACUUM INTO '{folder}/out'",
    "PRAGMA journal_mode = WAL",
    "PRAGMA writable_schema = 1",
    "SET GLOBAL general_log = 1",
    "CALL wipe()",
    "DO $$BEGIN DELETE FROM t; END$$",
    "DO SLEEP(0)",
    "PREPARE p AS DELETE FROM t",
    "EXECUTE p",
    "EXECUTE IMMEDIATE 'DELETE FROM t'",
    "EXPORT DATABASE '{folder}/out'",
    "SELECT * INTO other FROM t",
    "SELECT * FROM t INTO OUTFILE '{folder}/out'",
    "SELECT * INTO DUMPFILE '{folder}/out' FROM t",
    "SELECT/**/a/**/INTO/**/OUTFILE '{folder}/out' FROM t",
    "SELECT * FROM t FOR UPDATE",
    "SELECT * FROM t FOR /* x */ SHARE",
    "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
    "WITH x AS (UPDATE t SET a = 2 RETURNING *) SELECT * FROM x",
    "SELECT 1 AS a; DELETE FROM t",
    "SELECT 1 AS a;DELETE FROM t;--",
    "SELECT ';' AS a; DELETE FROM t",
    "SELECT 1 AS a -- '\n; DELETE FROM t -- '",
    "SELECT 1 AS a /* ' */; DELETE FROM t /* ' */",
    "SELECT '\\'; DELETE FROM t; -- '",
    'SELECT "\\"; DELETE FROM t; -- "',
    "SELECT '''; DELETE FROM t; --' AS a",
    "SELECT E'\\'; DELETE FROM t; --' AS a",
    "SELECT $$'$$ AS a; DELETE FROM t; --'",
    "SELECT $x$ $$ ; DELETE FROM t; $x$ AS a",
    "SELECT `a` FROM t; DELETE FROM t -- `",
    "SELECT [a] FROM t; DELETE FROM t -- ]",
    "SELECT 1 AS a /*!; DELETE FROM t */",
    "SELECT 1 AS a /*!50000 INTO OUTFILE '{folder}/out' */",
    "SELECT 1 AS a /*M!100000 INTO OUTFILE '{folder}/out' */",
    "SELECT 1 AS a # '\n; DELETE FROM t # '",
    "SELECT 1 AS a --1 '\n; DELETE FROM t",
    "SELECT 1 AS a FROM t WHERE a = 1 \\; DELETE FROM t",
    "SELECT 1 AS a\r; DELETE FROM t",
    # Functions that write.
    "SELECT wipe() AS a",
    "SELECT nextval('ids') AS a",
    "SELECT nextval(ids) AS a",
    "SELECT NEXT VALUE FOR ids AS a",
    "SELECT setval('ids', 50) AS a",
    "SELECT setval(ids, 50) AS a",
    "SELECT lo_from_bytea(0, 'x') AS a",
    "SELECT lo_export(lo_from_bytea(0, 'x'), '{folder}/out') AS a",
    "SELECT writefile('{folder}/out', 'x') AS a",
    "SELECT set_config('transaction_read_only', 'off', false) AS a, wipe()",
    "SELECT pg_catalog.set_config('transaction_read_only', 'off', true) AS a",
    "SELECT query_to_xml('DELETE FROM t', true, true, '') AS a",
    "SELECT dblink_exec('dbname=shop', 'DELETE FROM t') AS a",
    "SELECT pg_file_write('out', 'x', false) AS a",
    "SELECT pg_create_physical_replication_slot('x') AS a",
    "SELECT \"pg_create_physical_replication_slot\" /* x */ ('x') AS a",
    "SELECT U&\"pg\\005fcreate_physical_replication_slot\"('x') AS a",
    "SELECT pg_logical_emit_message(false, 'a', 'b') AS a",
    "SELECT pg_terminate_backend(pid) AS a FROM pg_stat_activity",
    "SELECT pg_reload_conf() AS a",
    "SELECT load_extension('{folder}/file.txt') AS a",
    "SELECT fts3_tokenizer('x', x'00') AS a",
    "SELECT * FROM pragma_journal_mode('wal')",
    "SELECT * FROM query('COPY t TO ''{folder}/out''')",
    # Functions and tables that read a file.
    "SELECT lo_get(lo_import('{folder}/file.txt')) AS a",
    "SELECT pg_read_file('{folder}/file.txt') AS a",
    "SELECT pg_catalog.PG_READ_BINARY_FILE ('{folder}/file.txt') AS a",
    "SELECT pg_ls_dir('{folder}') AS a",
    "SELECT query_to_xml('SELECT pg_read_file(''{folder}/file.txt'')', true, true, '') AS a",
    "SELECT LOAD_FILE('{folder}/file.txt') AS a",
    "SELECT `LOAD_FILE`('{folder}/file.txt') AS a",
    "SELECT load_file/**/('{folder}/file.txt') AS a",
    "SELECT readfile('{folder}/file.txt') AS a",
    "SELECT * FROM read_text('{folder}/file.txt')",
    "SELECT * FROM read_blob('{folder}/*')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM '{folder}/file.txt'",
    'SELECT * FROM "{folder}/file.txt"',
    "TABLE '{folder}/file.txt'",
    "SELECT * FROM read_csv('{folder}/file.txt', header = false)",
    "SELECT * FROM sniff_csv('{folder}/file.txt')",
    "SELECT * FROM read_json('{folder}/file.txt')",
    "SELECT * FROM read_parquet('{folder}/file.txt')",
    "SELECT * FROM query('SELECT * FROM read_text(''{folder}/file.txt'')')",
    "SELECT * FROM query_table('{folder}/file.txt')",
    "SELECT getenv('HOME') AS a",
]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder of which every user of the machine may read and write the files."""
    with tempfile.TemporaryDirectory(prefix="nncli-", ignore_cleanup_errors=True) as name:
        path = Path(name)
        path.chmod(0o777)
        (path / "file.txt").write_text(CONTENT)
        (path / "file.txt").chmod(0o644)
        yield path


@pytest.fixture(scope="module", params=list(DatabaseKind))
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database with the table t, the sequence ids and a function that deletes the rows of t."""
    dialect: DatabaseKind = request.param
    table = ["CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1)"]
    file = tmp_path_factory.mktemp("database") / "file"
    if dialect is DatabaseKind.SQLITE:
        with closing(sqlite3.connect(file)) as sqlite:
            sqlite.executescript(";".join(table))
        yield f"sqlite:///{file}"
    elif dialect is DatabaseKind.DUCKDB:
        with duckdb.connect(file) as connection:
            for statement in (*table, "CREATE SEQUENCE ids", "CREATE MACRO wipe() AS nextval('ids')"):
                connection.execute(statement)
        yield f"duckdb:///{file}"
    else:
        server: str = request.getfixturevalue("postgresql_url" if dialect is DatabaseKind.POSTGRESQL else "mysql_url")
        definition = (
            "RETURNS INT LANGUAGE sql AS 'DELETE FROM t RETURNING 1'"
            if dialect is DatabaseKind.POSTGRESQL
            else "RETURNS INT BEGIN DELETE FROM t; RETURN 1; END"
        )
        run_sql(server, *table, "CREATE SEQUENCE ids", f"CREATE FUNCTION wipe() {definition}")
        yield server
        run_sql(server, "DROP FUNCTION wipe", "DROP SEQUENCE ids", "DROP TABLE t")


STATES = {
    "postgresql": "SELECT (SELECT sum(a) FROM t) AS a, last_value, is_called, pg_postmaster_start_time() AS started,"
    " (SELECT count(*) FROM pg_largeobject_metadata) AS objects, (SELECT count(*) FROM pg_class) AS tables,"
    " (SELECT count(*) FROM pg_replication_slots) AS slots FROM ids",
    "mysql": "SELECT t.a, ids.*, (SELECT count(*) FROM information_schema.tables) AS n FROM t, ids",
    "sqlite": "SELECT a FROM t",
    "duckdb": "SELECT a, (SELECT last_value FROM duckdb_sequences()) AS n FROM t",
}
"""A query for what a hostile one would change in a database."""


def state_of(url: str) -> tuple[object, ...]:
    scheme, _, file = url.partition(":///")
    rows = read_table(TableSource(path=url, query=STATES[scheme.partition(":")[0]])).frame.rows()
    return (rows, Path(file).read_bytes(), set(Path(file).parent.iterdir())) if file else (rows,)


@pytest.fixture(scope="module")
def state(url: str) -> tuple[object, ...]:
    """The state of the database before the first query."""
    return state_of(url)


def answer_of(url: str, query: str) -> str:
    """The rows that a query returns, or the error."""
    try:
        return str(read_table(TableSource(path=url, query=query)).frame.rows())
    except (UsageError, DataError) as error:
        return str(error)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_hostile_query_writes_nothing_and_reads_no_file(
    url: str, state: tuple[object, ...], folder: Path, statement: str
) -> None:
    answer = answer_of(url, statement.replace("{folder}", str(folder)))
    assert CONTENT not in answer
    assert CONTENT.encode().hex() not in answer
    assert state_of(url) == state
    assert list(folder.iterdir()) == [folder / "file.txt"]
