"""A table is uploaded whole, or not at all."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator

import polars
import pytest

from nncli.base.errors import DataError, UsageError
from nncli.data.formats.registry import FileOptions, Format
from nncli.data.sources.output import check_output, open_output
from nncli.data.sources.table_source import TableSource
from tests.data.sources.remote.web_server import Site, raw, status

FRAME = polars.DataFrame({"a": [1, 2]})
TARGET = TableSource(path="s3://data/out/a.csv")
STANDARD_INPUT = TableSource(path="-")


@pytest.fixture(autouse=True)
def environment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is the site."""
    site.headers["Last-Modified"] = "Wed, 01 Jan 2025 00:00:00 GMT"
    for name, value in {
        "AWS_ENDPOINT_URL": site.url(""),
        "AWS_ACCESS_KEY_ID": "me",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-north-1",
    }.items():
        monkeypatch.setenv(name, value)


def write(url: str = TARGET.path, *, force: bool = False, format: Format | None = None) -> None:  # noqa: A002
    target = TableSource(path=url)
    check_output(target, STANDARD_INPUT, FileOptions(force=force, format=format))
    with open_output(target, FileOptions(force=force, format=format)) as sink:
        sink.write(FRAME)


def write_frames(frames: Iterable[polars.DataFrame]) -> None:
    with open_output(TARGET) as sink:
        for frame in frames:
            sink.write(frame)


def test_the_name_of_the_object_is_that_of_the_format(site: Site) -> None:
    for name in ("a.csv", "b.csv.gz", "c.jsonl"):
        write(f"s3://data/out/{name}")
    write("s3://data/out/d", format=Format.CSV)
    assert site.files["/data/out/a.csv"] == site.files["/data/out/d"] == b"a\n1\n2\n"
    assert gzip.decompress(site.files["/data/out/b.csv.gz"]) == b"a\n1\n2\n"
    assert site.files["/data/out/c.jsonl"] == b'{"a":1}\n{"a":2}\n'


def test_an_existing_object_is_replaced_with_force_alone(site: Site) -> None:
    site.files["/data/out/a.csv"] = b"old"
    with pytest.raises(UsageError, match="exists"):
        write()
    assert site.files["/data/out/a.csv"] == b"old"
    write(force=True)
    assert site.files["/data/out/a.csv"] == b"a\n1\n2\n"


def test_an_object_that_another_process_wrote_meanwhile_is_kept(site: Site) -> None:
    def frames() -> Iterator[polars.DataFrame]:
        yield FRAME
        site.files["/data/out/a.csv"] = b"other"

    with pytest.raises(UsageError, match="exists"):
        write_frames(frames())
    assert site.files["/data/out/a.csv"] == b"other"


def test_nothing_is_uploaded_after_an_error(site: Site) -> None:
    with pytest.raises(DataError) as info:
        write_frames([FRAME, polars.DataFrame({"b": [1]})])
    assert info.value.location is not None
    assert info.value.location.source == TARGET.path
    assert site.files == {}
    assert site.requests == []


@pytest.mark.parametrize("url", ["s3://data", "s3://data/", "s3://data/out/"])
def test_a_folder_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="folder"):
        write(url)


def test_an_unknown_name_is_refused_before_any_request(site: Site) -> None:
    with pytest.raises(UsageError, match="does not tell"):
        write("s3://data/a")
    assert site.requests == []


def test_a_missing_bucket_is_found_before_any_work(site: Site) -> None:
    text = b"<Error><Code>NoSuchBucket</Code></Error>"
    site.faults = [raw(b"HTTP/1.1 404 No\r\nContent-Length: %d\r\n\r\n" % len(text) + text)]
    with pytest.raises(DataError, match="no bucket"):
        check_output(TARGET, STANDARD_INPUT, FileOptions(force=False))


def test_a_store_that_is_busy_is_asked_again(site: Site) -> None:
    site.faults = [status(503), None, None, status(503), status(500)]
    write()
    assert site.files["/data/out/a.csv"] == b"a\n1\n2\n"
    assert len(site.requests) == 6


def test_an_upload_that_fails_is_an_error(site: Site) -> None:
    site.faults = [status(503)] * 99
    with pytest.raises(DataError, match="503, in 5 attempts"):
        write(force=True)
    site.faults = [status(403)]
    with pytest.raises(DataError, match="denied"):
        write(force=True)
    assert site.files == {}
