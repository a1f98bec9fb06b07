"""No output replaces what it is made from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from nncli.base.errors import UsageError
from nncli.data.formats.registry import FileOptions
from nncli.data.sources.database.address import is_same_database
from nncli.data.sources.output import check_input_kept, check_output
from nncli.data.sources.remote.stores import ObjectUrl
from nncli.data.sources.table_source import TableSource

STORE = "s3://data/in/"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files, in which the test runs."""
    monkeypatch.chdir(tmp_path)
    Path("p/below").mkdir(parents=True)
    for name in ("p/a.csv", "p/below/b.csv", "p/_c.csv", "x.db", "[a].csv"):
        Path(name).write_text("a\n1\n")
    return tmp_path


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("p/a.csv", "p/a.csv"),
        ("p/a.csv", "p/../p/a.csv"),
        ("p/*.csv", "p/a.csv"),
        ("p", "p/a.csv"),
        ("p", "p/below/b.csv"),
        ("p/**/*.csv", "p/below/b.csv"),
        ("[a].csv", "[a].csv"),
        ("sqlite:///x.db", "x.db"),
        ("duckdb:///./x.db", "x.db"),
    ],
)
def test_a_file_that_the_source_names_is_not_replaced(home: Path, source: str, target: str) -> None:
    for path in (Path(target), home / target):
        with pytest.raises(UsageError, match="the input table"):
            check_input_kept(TableSource(path=source), path)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("p", "p/_c.csv"),  # is no part of the table
        ("p", "p/new.csv"),
        ("p/*.csv", "p/below/b.csv"),
        ("p/*.csv", "x.db"),
        ("-", "p/a.csv"),
        ("sqlite:///missing.db", "x.db"),
        ("https://host/p/a.csv", "p/a.csv"),
    ],
)
@pytest.mark.usefixtures("home")
def test_another_file_may_be_replaced(source: str, target: str) -> None:
    check_input_kept(TableSource(path=source), Path(target))
    check_input_kept(TableSource(path=source), None)


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege")
def test_a_link_to_a_file_that_is_read_is_that_file(home: Path) -> None:
    Path("link.csv").symlink_to(home / "p/a.csv")
    with pytest.raises(UsageError, match="the input table"):
        check_input_kept(TableSource(path="p/*.csv"), Path("link.csv"))


@pytest.mark.usefixtures("home")
def test_a_local_database_is_known_by_its_file() -> None:
    source = TableSource(path="sqlite:///x.db")
    assert is_same_database(source, TableSource(path="sqlite:///p/../x.db"))
    assert not is_same_database(source, TableSource(path="sqlite:///y.db"))
    assert not is_same_database(source, TableSource(path="postgresql://host/x.db"))


@pytest.mark.usefixtures("home")
def test_force_does_not_replace_a_file_of_a_pattern() -> None:
    with pytest.raises(UsageError, match="the input table"):
        check_output(Path("p/a.csv"), TableSource(path="p/*.csv"), FileOptions(force=True))
    check_output(Path("p/new.csv"), TableSource(path="p/*.csv"), FileOptions(force=True))


@pytest.mark.parametrize("source", [f"{STORE}a.csv", f"{STORE}*.csv", STORE])
def test_an_object_that_the_source_names_is_not_replaced(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    store.put("in/a.csv", b"a\n1\n")
    monkeypatch.setattr(ObjectUrl, "open_store", lambda url: store)
    with pytest.raises(UsageError, match="the input table"):
        check_output(TableSource(path=f"{STORE}a.csv"), TableSource(path=source), FileOptions(force=True))
    check_output(TableSource(path=f"{STORE}new.csv"), TableSource(path=source), FileOptions(force=True))


@pytest.mark.parametrize("target", ["s3://data/out/a.csv", "s3://other/in/a.csv", "gs://data/in/a.csv"])
def test_objects_are_not_listed_where_the_output_cannot_be_one(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ObjectUrl, "open_store")
    check_input_kept(TableSource(path=f"{STORE}*.csv"), TableSource(path=target))


def test_an_output_that_is_the_input_is_refused_without_advice_to_force_it(home: Path) -> None:
    with pytest.raises(UsageError) as caught:
        check_output(home / "p/a.csv", TableSource(path=str(home / "p/a.csv")), FileOptions(force=False))
    assert "force" not in str(caught.value)
