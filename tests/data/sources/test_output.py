from __future__ import annotations

from pathlib import Path

import polars
import pytest

from nncli.base.errors import UsageError
from nncli.data.formats.registry import FileOptions
from nncli.data.sources.output import OutputTarget, check_output, open_output, output_target
from nncli.data.sources.table_source import TableSource

FRAME = polars.DataFrame({"a": [1, 2]})
STANDARD_INPUT = TableSource(path="-")


def test_a_target_is_a_file_a_url_or_standard_output() -> None:
    assert output_target("-") is None
    assert output_target("a/b.csv") == Path("a/b.csv")
    assert output_target("s3://data/b.csv") == TableSource(path="s3://data/b.csv")


def test_a_file_appears_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    with open_output(target) as sink:
        sink.write(FRAME)
        assert not target.exists()
    assert target.read_text() == "a\n1\n2\n"


def test_an_existing_file_and_the_table_itself_are_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_text("a\n1\n")
    with pytest.raises(UsageError, match="exists"):
        check_output(target, STANDARD_INPUT, FileOptions(force=False))
    with pytest.raises(UsageError, match="the input table"):
        check_output(target, TableSource(path=str(target)), FileOptions(force=True))
    url = TableSource(path="s3://data/a.csv")
    with pytest.raises(UsageError, match="the input table"):
        check_output(url, url, FileOptions(force=True))


@pytest.mark.parametrize("target", [Path("a.csv"), TableSource(path="s3://data/a.csv"), None])
def test_only_a_table_of_a_database_is_appended_to(target: OutputTarget) -> None:
    with pytest.raises(UsageError, match="append is for"):
        check_output(target, STANDARD_INPUT, FileOptions(force=False), append=True)
    with pytest.raises(UsageError, match="append is for"), open_output(target, append=True):
        pass


@pytest.mark.parametrize("url", ["https://host/a.csv", "hf://datasets/me/set/a.csv", "ftp://host/a.csv"])
def test_a_table_is_not_written_to_the_web(url: str) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        check_output(TableSource(path=url), STANDARD_INPUT, FileOptions(force=True))
    with pytest.raises(UsageError, match="cannot be written"), open_output(TableSource(path=url)):
        pass
