"""Writing to PostgreSQL and MariaDB servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import polars as pl
import pytest

from nncli.data.sources.credentials import with_credentials
from nncli.data.sources.output import open_output
from nncli.data.sources.table_source import TableSource
from nncli.errors import DataError
from tests.data.sources.database.writing import WriterTests, without_table
from tests.services.servers import PASSWORD, Server, run_sql


class ServerTests(WriterTests):
    def execute(self, url: str, *statements: str) -> None:
        run_sql(with_credentials(url), *statements)

    def test_the_password_is_in_no_message(self, url: str) -> None:
        for path, table in ((url.replace("/shop", "/none"), "answers"), (url, "no_schema.answers\0")):
            with pytest.raises(DataError) as caught, open_output(TableSource(path=path, table=table)) as sink:
                sink.write(pl.DataFrame({"x": [1]}))
            assert PASSWORD not in str(caught.value)
            assert caught.value.__cause__ is None


class TestPostgresql(ServerTests):
    read_as: ClassVar = {"uint64": 2.0**63}

    @pytest.fixture
    def url(self, postgresql: Server) -> Iterator[str]:
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
    read_as: ClassVar = {"boolean": 1, "time": 45_000.0}

    @pytest.fixture
    def url(self, mysql: Server) -> Iterator[str]:
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
