from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import UsageError
from nncli.data.sources.database.address import DatabaseKind
from nncli.data.sources.database.sql import check_query, tokens_of

ACCEPTED = [
    "SELECT 1",
    "select a, b from t where c = 'x; DELETE' order by a;",
    "  ( SELECT 1 ) UNION ALL ( SELECT 2 ) ; ",
    "WITH x AS (SELECT 1 AS a) SELECT a FROM x",
    "VALUES (1, 'it''s'), (2, '')",
    "TABLE sales",
    'SELECT t.update, "delete" FROM t',
    "SELECT updated, deleted_at, into_stock FROM t -- ; DROP TABLE t",
    "SELECT /* ; DELETE FROM t */ 1",
    "SELECT 1.5e-3 + .5 - 0x1F, a[1] FROM t",
    "SELECT '-- no comment', '/* none */' FROM t",
    "SELECT insert('abc', 1, 1, 'x')",
    "SELECT 'größe' AS größe",
]
REFUSED = [
    "",
    " ; ",
    "-- SELECT 1",
    "INSERT INTO t VALUES (1)",
    "UPDATE t SET a = 1",
    "DELETE FROM t",
    "DROP TABLE t",
    "COPY t TO '/tmp/x'",
    "PRAGMA writable_schema = 1",
    "EXPLAIN ANALYZE DELETE FROM t",
    "CALL f()",
    "DO 'x'",
    "SET a = 1",
    "SHOW TABLES",
    "BEGIN",
    "SELECT 1; SELECT 2",
    "SELECT 1;; DROP TABLE t",
    "SELECT 1 /* ; */ ; DROP TABLE t",
    "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
    "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
    "with x as (merge into t using u on true when matched then do nothing) select 1",
    "SELECT * INTO copy FROM t",
    "SELECT * FROM t INTO OUTFILE '/tmp/x'",
    "SELECT * FROM t FOR UPDATE",
    "SELECT * FROM t FOR SHARE",
    "SELECT * FROM t FOR NO KEY UPDATE",
    "SELECT * FROM t LOCK IN SHARE MODE",
    "SEL/**/ECT 1",
    "DELETE/**/FROM t -- SELECT",
    "/* SELECT */ DELETE FROM t",
    "SELECT 'open",
    'SELECT "open',
    "SELECT 1 /* open",
    "SELECT 1 /* a /* b */ c */",
    "SELECT 1 */ DELETE",
    "SELECT\0 1",
    "SELECT 1\N{NO-BREAK SPACE}",
    "SELECT “a” FROM t",
    "SELECT 1a FROM t",
    "SELECT \\",
    "\ufeffSELECT 1",
    "SELECT '\ud800'",
]


@pytest.mark.parametrize("dialect", DatabaseKind)
@pytest.mark.parametrize("query", ACCEPTED)
def test_statements_that_read_are_accepted(query: str, dialect: DatabaseKind) -> None:
    if "a[1]" in query and dialect in (DatabaseKind.SQLITE, DatabaseKind.MYSQL):
        query = query.replace("a[1]", "a")
    sent = check_query(query, dialect, "x")
    assert ";" not in sent or "'" in sent
    assert check_query(sent, dialect, "x") == sent


@pytest.mark.parametrize("dialect", DatabaseKind)
@pytest.mark.parametrize("query", REFUSED)
def test_all_others_are_refused(query: str, dialect: DatabaseKind) -> None:
    with pytest.raises(UsageError) as caught:
        check_query(query, dialect, "x")
    assert caught.value.location is not None
    assert caught.value.location.source == "x"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("query", "reading"),
    [
        # A string that ends for one database goes on for another.
        (r"SELECT '\' ; DELETE FROM t -- '", {DatabaseKind.MYSQL}),
        (r"SELECT '\'' ; DELETE FROM t -- '", set(DatabaseKind) - {DatabaseKind.MYSQL}),
        (r"SELECT E'\' ; DELETE FROM t -- '", {DatabaseKind.POSTGRESQL, DatabaseKind.DUCKDB, DatabaseKind.MYSQL}),
        (r'''SELECT "\" ; DELETE FROM t -- "''', {DatabaseKind.MYSQL}),
        ("SELECT `; DELETE FROM t` FROM t", {DatabaseKind.MYSQL, DatabaseKind.SQLITE}),
        ("SELECT [; DELETE FROM t] FROM t", {DatabaseKind.SQLITE}),
        ("SELECT $$; DELETE FROM t$$", {DatabaseKind.POSTGRESQL, DatabaseKind.DUCKDB}),
        ("SELECT $a$; $$ DELETE FROM t$a$", {DatabaseKind.POSTGRESQL, DatabaseKind.DUCKDB}),
        ("SELECT $a$; DELETE FROM t$b$", set()),
        ("SELECT a$$; DELETE FROM t$$", set()),
        ("SELECT E'a'\n'\\'; DELETE FROM t --'", {DatabaseKind.MYSQL}),
        ("SELECT 1 # ; DELETE FROM t", {DatabaseKind.MYSQL}),
        ("SELECT 1 --; DELETE FROM t", set(DatabaseKind) - {DatabaseKind.MYSQL}),
        ("SELECT 1 /*! ; DELETE FROM t */", set(DatabaseKind) - {DatabaseKind.MYSQL}),
        ("SELECT 1 /*!50000 INTO OUTFILE '/tmp/x' */", set(DatabaseKind) - {DatabaseKind.MYSQL}),
        ("SELECT 1 /*M!100100 INTO OUTFILE '/tmp/x' */", set(DatabaseKind) - {DatabaseKind.MYSQL}),
        ("SELECT $a(') ; DELETE FROM t --')", set()),
        ("SELECT :a(') ; DELETE FROM t --')", set(DatabaseKind) - {DatabaseKind.SQLITE}),
        ("SELECT 1E'\\'; DELETE FROM t --'", set()),
    ],
)
def test_strings_and_comments_are_those_of_the_dialect(query: str, reading: set[DatabaseKind]) -> None:
    for dialect in DatabaseKind:
        if dialect in reading:
            assert "DELETE" not in "".join(token.text for token in tokens_of(query, dialect) if token.keyword)
            check_query(query, dialect, "x")
        else:
            with pytest.raises(UsageError):
                check_query(query, dialect, "x")


def test_comments_are_not_sent() -> None:
    assert check_query("SELECT/* a */1 -- b\n+ 2 -- c", DatabaseKind.POSTGRESQL, "x") == "SELECT 1  \n+ 2"


PARTS = st.sampled_from(
    [
        *(
            "SELECT ",
            "DELETE FROM t",
            "INSERT INTO t VALUES (1)",
            "WITH x AS (SELECT 1) ",
            "1",
            "a",
            "E",
            "x'00'",
            "''",
        ),
        *(
            "'",
            '"',
            "`",
            "[",
            "]",
            "\\",
            "--",
            "/*",
            "*/",
            "\n",
            "\r",
            ";",
            "(",
            ")",
            " ",
            ",",
            "||",
            "$a",
            "$",
            ":",
            "@",
        ),
    ]
)


@given(st.lists(PARTS, max_size=12))
def test_sqlite_runs_no_accepted_query_that_changes_a_table(parts: list[str]) -> None:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE t (a)")
    database.execute("INSERT INTO t VALUES (7)")
    try:
        database.execute(check_query("SELECT " + "".join(parts), DatabaseKind.SQLITE, "x")).fetchall()
    except (UsageError, sqlite3.Error):
        return
    finally:
        assert database.execute("SELECT a FROM t").fetchall() == [(7,)]
        database.close()


@given(st.text(), st.sampled_from(list(DatabaseKind)))
def test_any_text_is_accepted_or_refused(text: str, dialect: DatabaseKind) -> None:
    try:
        sent = check_query("SELECT " + text, dialect, "x")
    except UsageError:
        return
    assert check_query(sent, dialect, "x") == sent
    sent.encode()


@pytest.mark.parametrize(
    ("query", "dialects"),
    [
        ("SELECT lo_export(1, '/tmp/x')", {DatabaseKind.POSTGRESQL}),
        ("SELECT pg_catalog . \"pg_read_file\" /* */ ('/etc/passwd')", {DatabaseKind.POSTGRESQL}),
        ("SELECT PG_Terminate_Backend(1)", {DatabaseKind.POSTGRESQL}),
        ("SELECT * FROM dblink('x', 'DELETE FROM t') AS t(a INT)", {DatabaseKind.POSTGRESQL}),
        ("SELECT `load_file` ('/etc/passwd')", {DatabaseKind.MYSQL}),
        ("SELECT pg_typeof(a), pg_backend_pid(), pg_total_relation_size('t'), pg_get_viewdef('v') FROM t", set()),
        ("SELECT pg_read_file, lo_export FROM t", set()),
        ("SELECT 'pg_read_file(' || a FROM t", set()),
    ],
)
def test_functions_that_do_more_than_read_tables_are_refused(query: str, dialects: set[DatabaseKind]) -> None:
    for dialect in DatabaseKind:
        if dialect in dialects:
            with pytest.raises(UsageError, match="calls"):
                check_query(query, dialect, "x")
        elif "`" not in query or dialect is DatabaseKind.SQLITE:
            check_query(query, dialect, "x")
