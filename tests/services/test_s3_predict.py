"""Objects of an object store, each predicted into a local file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

from nncli import predict_files
from nncli.base.errors import DataError, UsageError
from tests.assertions import raises
from tests.cli.support import DATA
from tests.services.s3 import s3_server

LINES = (DATA / "penguins.csv").read_text().splitlines(keepends=True)
NAMES = ("a.csv", "more/b.csv", "island=Dream/c.csv")


@pytest.fixture
def store(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    """A bucket with three tables."""
    with s3_server("tables") as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        store = S3Store("tables", client_options={"allow_http": True})
        for i, name in enumerate(NAMES):
            content = "".join([LINES[0], *LINES[1 + 50 * i : 51 + 50 * i]])
            if "=" in name:
                content = content.replace("island", "place")
            obstore.put(store, f"new/{name}", content.encode())
        yield store


def test_objects_are_predicted_like_files_and_once(store: S3Store, penguins: Path) -> None:
    first = predict_files(penguins, "s3://tables/new/", "out", workers=2)
    assert [file.error for file in first.failed] == []
    assert [file.answer.relative_to(Path("out").absolute()).as_posix() for file in first.done] == sorted(NAMES)
    for name in NAMES[:2]:
        Path("in", name).parent.mkdir(parents=True, exist_ok=True)
        Path("in", name).write_bytes(obstore.get(store, f"new/{name}").bytes())
    predict_files(penguins, "in", "here", workers=1)
    assert [Path("out", name).read_bytes() for name in NAMES[:2]] == [
        Path("here", name).read_bytes() for name in NAMES[:2]
    ]
    assert len(predict_files(penguins, "s3://tables/new/**", "out").skipped) == 3
    obstore.put(store, "new/a.csv", "".join(LINES[:9]).encode())
    with raises(UsageError, mentions="s3://tables/new/a.csv"):
        predict_files(penguins, "s3://tables/new/a.csv", "out")
    (single,) = predict_files(penguins, "s3://tables/new/a.csv", "out", force=True, workers=1).done
    assert single.rows == 8


def test_an_object_that_is_not_there_is_refused_before_any_work(store: S3Store, penguins: Path) -> None:
    for name in ("none.csv", "*.parquet"):
        with raises(DataError, file=name):
            predict_files(penguins, ["s3://tables/new/a.csv", f"s3://tables/new/{name}"], "out")
    assert not Path("out").exists()
