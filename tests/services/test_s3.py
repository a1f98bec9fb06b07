"""Tables in a bucket of an S3 server."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import obstore
import polars
import pytest
from obstore.store import S3Store

from nncli.base.errors import DataError
from nncli.data.sources.output import open_output
from nncli.data.sources.read_table import read_table
from nncli.data.sources.remote import upload
from nncli.data.sources.table_source import TableSource
from tests.cli.support import DATA, Cli
from tests.services.s3 import s3_server

BUCKET = "tables"


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    with s3_server(BUCKET) as variables:
        yield variables


@pytest.fixture(autouse=True)
def bucket(server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> S3Store:
    for name, value in server.items():
        monkeypatch.setenv(name, value)
    return S3Store(BUCKET, client_options={"allow_http": True})


@pytest.fixture
def folder() -> str:
    """The name of a folder that no other test uses."""
    return uuid4().hex


def test_files_of_every_format_are_read(bucket: S3Store, folder: str) -> None:
    frame = polars.DataFrame({"n": [1, 2], "s": ["a", "b"]})
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    contents = {
        "a b%20ü.csv": frame.write_csv().encode(),
        "x=1/a.csv.gz": gzip.compress(frame.write_csv().encode()),
        "a.parquet": buffer.getvalue(),
        "a.jsonl": frame.write_ndjson().encode(),
    }
    for name, content in contents.items():
        obstore.put(bucket, f"{folder}/{name}", content)
        assert [tuple(map(str, row)) for row in read_table(f"s3://{BUCKET}/{folder}/{name}").frame.rows()] == [
            ("1", "a"),
            ("2", "b"),
        ]


def test_a_missing_object_has_a_near_name_and_a_missing_bucket_none(bucket: S3Store, folder: str) -> None:
    obstore.put(bucket, f"{folder}/sales.csv", b"a,b\n1,2\n")
    with pytest.raises(DataError) as info:
        read_table(f"s3://{BUCKET}/{folder}/sale.csv")
    assert info.value.hint == "Did you mean 'sales.csv'?"
    with pytest.raises(DataError, match="no bucket 'table'"):
        read_table("s3://table/a.csv")


def test_a_run_trained_on_an_object_is_that_of_the_same_file_here(
    bucket: S3Store, folder: str, nncli: Cli, here: Path
) -> None:
    table = DATA / "penguins.csv"
    url = f"s3://{BUCKET}/{folder}/penguins.csv"
    obstore.put(bucket, f"{folder}/penguins.csv", table)
    options = ["--target", "species", "--set", "epochs=2", "--set", "members=2"]
    assert nncli("train", url, *options, "-o", "there").code == 0
    assert nncli("train", table, *options, "-o", "here").code == 0
    weights = [(here / run / "members/1/model.safetensors").read_bytes() for run in ("here", "there")]
    assert weights[0] == weights[1]
    assert nncli("predict", "there", url).out == nncli("predict", "here", table).out
    assert nncli("evaluate", "there", url).code == 0
    obstore.put(bucket, f"{folder}/penguins.csv", table.read_bytes() + b"\n")
    assert nncli("train", "--resume", "there").code == 4


def test_answers_are_written_to_an_object(bucket: S3Store, folder: str, nncli: Cli, here: Path, penguins: Path) -> None:
    url = f"s3://{BUCKET}/{folder}/answers.csv"
    table = DATA / "penguins.csv"
    expected = nncli("predict", penguins, table).check().out.encode()
    nncli("predict", penguins, table, "-o", url).check()
    assert bytes(obstore.get(bucket, f"{folder}/answers.csv").bytes()) == expected
    assert nncli("predict", penguins, table, "-o", url).code == 2
    nncli("predict", penguins, table, "-o", url, "--force").check()
    nncli("predict", penguins, table, "-o", f"s3://nowhere/{folder}.csv").check(4)


def test_a_large_table_is_uploaded_in_parts(bucket: S3Store, folder: str) -> None:
    frame = polars.DataFrame({"a": range(3_000_000)})
    url = f"s3://{BUCKET}/{folder}/large.csv"
    with open_output(TableSource(path=url)) as sink:
        sink.write(frame)
    assert obstore.head(bucket, f"{folder}/large.csv")["size"] > 2 * upload.PART
    assert read_table(url).frame["a"].cast(polars.Int64).equals(frame["a"])


def test_a_run_is_trained_on_the_objects_of_a_folder(bucket: S3Store, folder: str, nncli: Cli, here: Path) -> None:
    frame = polars.read_csv(DATA / "penguins.csv", infer_schema=False)
    for number, part in enumerate(frame.partition_by("year", include_key=False)):
        obstore.put(bucket, f"{folder}/year={2007 + number}/part.csv", part.write_csv().encode())
    url = f"s3://{BUCKET}/{folder}/"
    nncli("train", url, "--target", "species", "--set", "epochs=2", "--set", "members=1", "-o", "run").check()
    manifest = (here / "run" / "manifest.json").read_text()
    assert all(f"year={year}/part.csv" in manifest for year in (2007, 2008, 2009))
    assert len(nncli("predict", "run", f"s3://{BUCKET}/{folder}/year=*/*.csv").check().out.splitlines()) == 345
    obstore.put(bucket, f"{folder}/year=2008/part.csv", b"species,island\nAdelie,Dream\n")
    changed = nncli("train", "--resume", "run", "--set", "epochs=4")
    assert changed.code == 4
    assert "year=2008/part.csv" in changed.err
