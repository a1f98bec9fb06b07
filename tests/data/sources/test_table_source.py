from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from nncli.data.sources.table_source import TableSource, as_source


@pytest.mark.parametrize(
    ("path", "scheme"),
    [
        ("t.csv", None),
        ("folder/", None),
        ("data/*.csv", None),
        ("C:\\data\\t.csv", None),
        ("-", None),
        ("S3://bucket/t.csv", "s3"),
        ("postgresql://host/db", "postgresql"),
        ("sqlite:///t.db", "sqlite"),
    ],
)
def test_only_urls_have_a_scheme(path: str, scheme: str | None) -> None:
    assert TableSource(path=path).scheme == scheme


def test_a_source_holds_no_user_name_and_no_password() -> None:
    source = TableSource(path="postgresql://me:secret@host:5432/db?password=secret&sslmode=require")
    assert source.path == "postgresql://host:5432/db?sslmode=require"
    assert "secret" not in repr(source) + source.model_dump_json()


def test_paths_are_relative_to_the_folder_of_the_configuration(tmp_path: Path) -> None:
    assert TableSource(path="../t.csv").relative_to(tmp_path / "a") == {"path": str(tmp_path / "t.csv")}
    assert TableSource(path="/else/t.csv").relative_to(tmp_path) == {"path": "/else/t.csv"}
    assert TableSource(path="s3://bucket/t.csv").relative_to(tmp_path) == {}


def test_local_database_files_are_relative_to_the_folder_too(tmp_path: Path) -> None:
    relative = TableSource(path="sqlite:///t.db").relative_to(tmp_path)
    assert relative == {"path": f"sqlite:///{tmp_path}/t.db"}
    assert TableSource(**relative).relative_to(Path("/other")) == relative


@pytest.mark.parametrize("sheet", [0, -1, 1.5, True])
def test_sheets_are_numbered_from_one(sheet: object) -> None:
    with pytest.raises(ValidationError):
        TableSource(path="t.xlsx", sheet=sheet)


def test_a_path_is_the_source_of_a_file_and_none_is_standard_input() -> None:
    assert as_source(Path("t.csv")) == TableSource(path="t.csv")
    assert as_source(None).is_standard_input
    source = TableSource(path="t.xlsx", sheet="May")
    assert as_source(source) is source


def test_only_files_have_a_local_path() -> None:
    assert TableSource(path="t.csv").local_path == Path("t.csv")
    assert TableSource(path="-").local_path is None
    assert TableSource(path="https://host/t.csv").local_path is None


@pytest.mark.parametrize(
    ("keys", "title"),
    [
        ({}, "t"),
        ({"sheet": 2, "range": "B4:H200"}, "t, sheet 2, B4:H200"),
        ({"table": "public.sales"}, "t, table public.sales"),
        ({"query": "SELECT 1"}, "t, a query"),
    ],
)
def test_the_title_names_the_table_in_a_workbook_or_database(keys: dict[str, object], title: str) -> None:
    assert TableSource.model_validate({"path": "t", **keys}).title == title
