from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from nncli.data.formats.read_options import ReadOptions
from nncli.data.sources.database.database import DatabaseConnectionError
from nncli.data.sources.open import open_reader
from nncli.data.sources.read_table import read_table
from nncli.data.sources.table_source import TableSource
from tests.services.cutting_proxy import cutting_proxy
from tests.services.servers import PASSWORD, Server, mysql_server, postgresql_server, run_sql

ROWS = 300_000
HALF = 9_000_000
"""Bytes after which the table is being sent: less than all, more than the first batch."""


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited between tries, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr("nncli.data.sources.database.database.sleep", waited.append)
    return waited


@pytest.fixture(scope="module", params=["postgresql", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server with a table of 300,000 rows."""
    result: Server = request.getfixturevalue(request.param)
    rows = (
        f"generate_series(1, {ROWS}) AS s(i)"
        if request.param == "postgresql"
        else f"(SELECT seq AS i FROM seq_1_to_{ROWS}) s"
    )
    text = "'a text of some length ' || i" if request.param == "postgresql" else "CONCAT('a text of some length ', i)"
    run_sql(result.url, f"CREATE TABLE long_table AS SELECT i, {text} AS t FROM {rows}")
    yield result
    run_sql(result.url, "DROP TABLE long_table")


def source_of(server: Server, port: int) -> TableSource:
    return TableSource(
        path=server.url.replace(f":{server.port}/", f":{port}/"), query="SELECT * FROM long_table ORDER BY i"
    )


def connections(server: Server) -> int:
    """The connections that a driver opens to read once: that of PostgreSQL asks for the types by one of its own."""
    return 2 if server.scheme == "postgresql" else 1


def test_a_refused_connection_is_tried_again(server: Server, waits: list[float]) -> None:
    with cutting_proxy(server.port, [0, 0]) as proxy:
        assert len(read_table(source_of(server, proxy.port))) == ROWS
    assert waits == [0.5, 2.0]


def test_after_three_tries_it_is_an_error_with_host_and_database(server: Server, waits: list[float]) -> None:
    with cutting_proxy(server.port, [0, 0, 0]) as proxy:
        source = source_of(server, proxy.port)
        with pytest.raises(DatabaseConnectionError) as caught:
            read_table(source)
    assert caught.value.exit_code == 4
    assert source.path in str(caught.value)
    assert "/shop" in source.path
    assert PASSWORD not in str(caught.value)
    assert len(waits) == 2


def test_a_copy_that_was_lost_half_way_is_made_again(server: Server, tmp_path: Path, waits: list[float]) -> None:
    with cutting_proxy(server.port, [HALF] * 2 * connections(server)) as proxy:
        reader = open_reader(source_of(server, proxy.port))
        copy = reader.copy_to(tmp_path)
        assert waits == [0.5, 2.0]
        assert copy.checksum() == reader.checksum()
    rows = sum(len(table) for table in copy.read(ReadOptions()))
    assert rows == ROWS


def test_rows_that_were_handed_on_are_not_read_again(server: Server, waits: list[float]) -> None:
    with cutting_proxy(server.port, [HALF] * connections(server)) as proxy:
        tables = open_reader(source_of(server, proxy.port)).read(ReadOptions())
        next(tables)
        with pytest.raises(DatabaseConnectionError, match="lost"):
            list(tables)
    assert not waits


def test_a_session_that_the_administrator_ends_is_an_error(postgresql: Server) -> None:
    query = f"SELECT i, repeat('x', 100) AS t, pg_backend_pid() AS pid FROM generate_series(1, {ROWS}) AS s(i)"
    tables = open_reader(TableSource(path=postgresql.url, query=query)).read(ReadOptions())
    pid = next(tables).frame["pid"][0]
    run_sql(postgresql.url, f"SELECT pg_terminate_backend({pid})")
    with pytest.raises(DatabaseConnectionError, match=r"administrator|lost"):
        list(tables)


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_a_server_that_is_killed_is_an_error(kind: str, waits: list[float]) -> None:
    with (postgresql_server if kind == "postgresql" else mysql_server)() as server:
        rows = (
            f"generate_series(1, {ROWS}) AS s(i)"
            if kind == "postgresql"
            else f"(SELECT seq AS i FROM seq_1_to_{ROWS}) s"
        )
        source = TableSource(path=server.url, query=f"SELECT i, '{'x' * 200}' AS t FROM {rows}")
        tables = open_reader(source).read(ReadOptions())
        next(tables)
        server.kill()
        with pytest.raises(DatabaseConnectionError) as caught:
            list(tables)
        assert PASSWORD not in str(caught.value)
        with pytest.raises(DatabaseConnectionError):
            read_table(source)
    assert waits == [0.5, 2.0]


@pytest.mark.parametrize("rows", [0, 1, 100, 1_000, 3_000, 20_000])
@pytest.mark.parametrize("reads", [1, 2, 5, 10, 40])
def test_a_connection_that_is_cut_at_every_tenth_read_gives_all_rows_or_an_error(
    server: Server, rows: int, reads: int, tmp_path: Path, waits: list[float]
) -> None:
    query = f"SELECT * FROM long_table WHERE i <= {rows} ORDER BY i"
    undisturbed = read_table(TableSource(path=server.url, query=query)).frame
    with cutting_proxy(server.port, [], reads) as proxy:
        reader = open_reader(TableSource(path=server.url.replace(f":{server.port}/", f":{proxy.port}/"), query=query))
        try:
            frames = [table.frame for table in reader.read(ReadOptions())]
            copy = reader.copy_to(tmp_path)
        except DatabaseConnectionError as error:
            outcome: object = error.exit_code
        else:
            outcome = pl.concat(frames).equals(undisturbed)
            assert pl.concat([table.frame for table in copy.read(ReadOptions())]).equals(undisturbed)
    assert outcome in (4, True)
