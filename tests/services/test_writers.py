"""Writing to PostgreSQL and MariaDB servers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import polars as pl
import pytest

from nncli.base.credentials import with_credentials
from nncli.base.errors import DataError
from nncli.data.sources.database.database import IfExists, tables_of
from nncli.data.sources.database.writer import writer_of
from nncli.data.sources.output import open_output
from nncli.data.sources.read_table import read_table
from nncli.data.sources.table_source import TableSource
from tests.data.sources.database.writing import WriterTests, without_table
from tests.services.servers import PASSWORD, Server, run_sql

SCHEMAS = "SELECT nspname::text AS name FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
"""The schemas that other tests may have filled."""


class ServerTests(WriterTests):
    @abstractmethod
    def end_connections(self, url: str) -> None:
        """End the connections of nncli, as a restart of the server would."""

    def execute(self, url: str, *statements: str) -> None:
        run_sql(with_credentials(url), *statements)

    @pytest.mark.parametrize("is_there", [False, True])
    def test_a_connection_that_is_lost_half_way_changes_nothing(self, target: TableSource, is_there: bool) -> None:
        rows = pl.DataFrame({"x": [1, 2]})
        if is_there:
            with open_output(target) as sink:
                sink.write(rows)

        def frames() -> Iterator[pl.DataFrame]:
            yield rows
            self.end_connections(target.path)
            yield rows

        with pytest.raises(DataError) as caught:
            writer_of(target, IfExists.REPLACE).write(frames(), rows.schema)
        assert PASSWORD not in str(caught.value)
        assert [table.name for table in tables_of(target)] == ["answers"] * is_there
        if is_there:
            assert self.written(target) == [(1,), (2,)]

    def test_the_password_is_in_no_message(self, url: str) -> None:
        for path, table in ((url.replace("/shop", "/none"), "answers"), (url, "no_schema.answers\0")):
            with pytest.raises(DataError) as caught, open_output(TableSource(path=path, table=table)) as sink:
                sink.write(pl.DataFrame({"x": [1]}))
            assert PASSWORD not in str(caught.value)
            assert caught.value.__cause__ is None


class TestPostgresql(ServerTests):
    read_as: ClassVar = {"uint64": 2.0**63, "int128": 2.0**70}

    def end_connections(self, url: str) -> None:
        self.execute(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'nncli'")

    @pytest.fixture
    def url(self, postgresql: Server) -> Iterator[str]:
        schemas = read_table(TableSource(path=postgresql.url, query=SCHEMAS)).frame["name"].to_list()
        self.execute(postgresql.url, *(f'DROP SCHEMA "{name}" CASCADE' for name in schemas), "CREATE SCHEMA public")
        with without_table(self.execute, postgresql.url) as url:
            yield url

    def test_text_becomes_a_type_that_only_the_database_knows(self, target: TableSource) -> None:
        self.execute(target.path, "CREATE TABLE answers (id uuid, note jsonb, x numeric(10, 2), price integer)")
        frame = pl.DataFrame({"id": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"], "note": ['{"a": 1}'], "x": [1.25]})
        with open_output(target, append=True) as sink:
            sink.write(frame)
        assert self.written(target) == [("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", '{"a": 1}', 1.25, None)]

    def test_a_text_too_long_for_its_column_is_refused_not_cut_off(self, target: TableSource) -> None:
        self.execute(target.path, "CREATE TABLE answers (prediction varchar(3))")
        with pytest.raises(DataError), open_output(target, append=True) as sink:
            sink.write(pl.DataFrame({"prediction": ["four"]}))
        assert self.written(target) == []

    def test_a_name_that_would_be_cut_off_is_refused(self, target: TableSource) -> None:
        with pytest.raises(DataError), open_output(target) as sink:
            sink.write(pl.DataFrame({"x" * 64: [1]}))


class TestMysql(ServerTests):
    read_as: ClassVar = {"boolean": 1, "time": 45_000.0, "int128": 2.0**70}

    def end_connections(self, url: str) -> None:
        self.execute(
            url,
            "BEGIN NOT ATOMIC FOR c IN (SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() "
            "AND user = CURRENT_USER() OR id <> CONNECTION_ID() AND db = DATABASE()) DO KILL c.id; END FOR; END",
        )

    @pytest.fixture
    def url(self, mysql: Server) -> Iterator[str]:
        self.execute(mysql.url, "DROP DATABASE shop", "CREATE DATABASE shop CHARACTER SET utf8mb4")
        with without_table(self.execute, mysql.url) as url:
            yield url

    def test_what_does_not_fit_a_column_is_refused_not_cut_off(self, target: TableSource) -> None:
        self.execute(target.path, "CREATE TABLE answers (prediction VARCHAR(3), x TINYINT)")
        for row in ({"prediction": ["four"]}, {"x": [1000]}):
            with pytest.raises(DataError), open_output(target, append=True) as sink:
                sink.write(pl.DataFrame(row))
        assert self.written(target) == []

    def test_a_table_without_transactions_is_refused(self, target: TableSource) -> None:
        self.execute(target.path, "CREATE TABLE answers (x INT) ENGINE = MyISAM")
        with pytest.raises(DataError), open_output(target, append=True) as sink:
            sink.write(pl.DataFrame({"x": [1]}))
        assert self.written(target) == []
