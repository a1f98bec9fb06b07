"""Objects of object stores are read whole and unchanged, or refused, by servers that fail in every way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nncli.base.errors import DataError, UsageError
from nncli.data.sources.open import open_reader
from nncli.data.sources.read_table import read_table
from nncli.data.sources.remote.remote_file import download
from nncli.data.sources.remote.stored_object import StoredObject
from nncli.data.sources.remote.stores import ObjectUrl
from nncli.data.sources.table_source import as_source
from tests.data.sources.remote.web_server import Fault, Site, cut, raw, status

CSV = b"id,city\n007,Oslo\n008,Rome\n"
LONG = bytes(range(256)) * 64
SECRET = "c0nfidential"
LISTING = (
    "<ListBucketResult><Name>data</Name><IsTruncated>false</IsTruncated>{}</ListBucketResult>".format,
    "<Contents><Key>{}</Key><LastModified>2025-01-01T00:00:00Z</LastModified><Size>3</Size></Contents>".format,
)


@pytest.fixture(autouse=True)
def environment(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """All stores are the site, and ask for the dates of objects."""
    site.headers["Last-Modified"] = "Wed, 01 Jan 2025 00:00:00 GMT"
    account = tmp_path_factory.mktemp("google") / "account.json"
    key = {
        "gcs_base_url": site.url(""),
        "disable_oauth": True,
        "client_email": "",
        "private_key": "",
        "private_key_id": "",
    }
    account.write_text(json.dumps({**key, "gcs_base_url": site.url(""), "disable_oauth": True}))
    for name, value in {
        "GOOGLE_SERVICE_ACCOUNT": str(account),
        "AWS_ENDPOINT_URL": site.url(""),
        "AWS_ACCESS_KEY_ID": "me",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "eu-north-1",
        "AZURE_STORAGE_ACCOUNT_NAME": "account",
        "AZURE_STORAGE_SAS_TOKEN": f"sv=1&sig={SECRET}",
        "AZURE_STORAGE_ENDPOINT": site.url(""),
    }.items():
        monkeypatch.setenv(name, value)


def rows(url: str) -> list[tuple[object, ...]]:
    return read_table(url).frame.rows()


def fetched(url: str, folder: Path) -> bytes:
    target = folder / f"copy-{len([*folder.iterdir()])}"
    download(StoredObject(ObjectUrl.parse(url)), target)
    return target.read_bytes()


def error(code: str, number: int) -> Fault:
    text = f"<Error><Code>{code}</Code><Message>{SECRET}</Message></Error>".encode()
    return raw(f"HTTP/1.1 {number} No\r\nConnection: close\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text)


def listing(keys: str) -> Fault:
    text = LISTING[0](keys).encode()
    return raw(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(text) + text)


@pytest.mark.parametrize(
    ("url", "scheme", "bucket", "account", "key"),
    [
        ("s3://data/a.csv", "s3", "data", None, "a.csv"),
        ("S3://data/x=1/a b%20c#?.csv", "s3", "data", None, "x=1/a b%20c#?.csv"),
        ("gs://data/a/b.csv", "gs", "data", None, "a/b.csv"),
        ("az://data/a.csv", "az", "data", None, "a.csv"),
        ("abfss://data@me.dfs.core.windows.net/a.csv", "az", "data", "me", "a.csv"),
        ("abfs://data/a.csv", "az", "data", None, "a.csv"),
        ("s3://data/", "s3", "data", None, ""),
        ("s3://data", "s3", "data", None, ""),
    ],
)
def test_a_url_has_parts(url: str, scheme: str, bucket: str, account: str | None, key: str) -> None:
    assert ObjectUrl.parse(as_source(url).path) == ObjectUrl(url, scheme, bucket, account, key)


@pytest.mark.parametrize(
    "url", ["s3://", "s3:///a.csv", "s3://data//a.csv", "s3://data/a/../b.csv", "s3://data/./b.csv"]
)
def test_a_url_that_the_client_would_change_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        open_reader(as_source(url))


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("s3://data/a b%20c.csv", "/data/a%20b%2520c.csv"),
        ("gs://data/x/a.csv", "/data/x%2Fa%2Ecsv"),
        ("az://data/x/a.csv", "/data/x/a.csv"),
        ("abfs://data/x/a.csv", "/data/x/a.csv"),
    ],
)
def test_an_object_is_read(site: Site, url: str, path: str) -> None:
    site.files[path], site.etags[path] = CSV, '"1"'
    assert rows(url) == [("007", "Oslo"), ("008", "Rome")]


def test_a_request_is_signed_with_the_credentials_of_the_environment(site: Site) -> None:
    site.files["/data/a.csv"] = CSV
    rows("s3://data/a.csv")
    assert str(site.asked("Authorization")[0]).startswith("AWS4-HMAC-SHA256 Credential=me/")


def test_an_object_that_does_not_exist_is_refused_with_the_nearest_name(site: Site) -> None:
    keys = "".join(map(LISTING[1], ["in/trian.csv", "in/deep/train.csvs", "in/test.csv"]))
    site.faults = [error("NoSuchKey", 404), listing(""), listing(keys)]
    with pytest.raises(DataError) as info:
        rows("s3://data/in/train.csv")
    assert info.value.hint == "Did you mean 'trian.csv'?"
    site.faults = [error("NoSuchKey", 404), listing(LISTING[1]("in/train.csv/part.csv"))]
    with pytest.raises(DataError, match="add a slash"):
        rows("s3://data/in/train.csv")
    site.faults = [error("NoSuchKey", 404), error("AccessDenied", 403)]
    with pytest.raises(DataError, match="no such object"):
        rows("s3://data/in/train.csv")


@pytest.mark.parametrize(
    ("code", "number", "message"),
    [
        ("NoSuchBucket", 404, "no bucket 'data'"),
        ("AccessDenied", 403, "denied"),
        ("InvalidAccessKeyId", 403, "denied"),
        ("ExpiredToken", 400, "400 ExpiredToken"),
        ("Unauthorized", 401, "denied"),
    ],
)
def test_a_refusal_is_final_and_shows_no_text_of_the_server(site: Site, code: str, number: int, message: str) -> None:
    site.faults = [error(code, number)] * 9
    with pytest.raises(DataError, match=message) as info:
        rows("s3://data/a.csv")
    assert len(site.requests) == 1
    assert SECRET not in str(info.value)


def test_a_bucket_of_another_region_is_refused(site: Site) -> None:
    site.faults = [error("PermanentRedirect", 301)] * 9
    with pytest.raises(DataError, match="region"):
        rows("s3://data/a.csv")


@pytest.mark.parametrize("number", [429, 500, 503])
def test_a_store_that_is_busy_is_asked_again(site: Site, number: int) -> None:
    site.files["/data/a.csv"], site.faults = CSV, [error("SlowDown", number)] * 2
    assert len(rows("s3://data/a.csv")) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("impatience")
@pytest.mark.parametrize("number", [429, 500, 503])
def test_a_store_that_stays_busy_is_given_up(site: Site, number: int) -> None:
    site.faults = [error("SlowDown", number)] * 99
    with pytest.raises(DataError, match=f"{number} SlowDown, in"):
        rows("s3://data/a.csv")


def test_a_broken_download_is_continued_where_it_broke(site: Site, tmp_path: Path) -> None:
    site.files["/data/a.csv"], site.etags["/data/a.csv"] = LONG, '"1"'
    site.has_ranges = True
    site.faults = [cut(LONG, 1000, '"1"'), status(503)]
    assert fetched("s3://data/a.csv", tmp_path) == LONG
    assert len(site.requests) == 3


def test_an_object_that_changed_is_downloaded_again_whole(site: Site, tmp_path: Path) -> None:
    site.files["/data/a.csv"], site.etags["/data/a.csv"] = LONG[::-1], '"2"'
    site.faults = [cut(LONG, 1000, '"1"'), status(412)]
    assert fetched("s3://data/a.csv", tmp_path) == LONG[::-1]


def test_an_object_that_keeps_changing_is_refused(site: Site, tmp_path: Path) -> None:
    site.faults = [cut(LONG, 1000, '"1"')]
    for number in range(2, 9):
        site.faults += [status(412), cut(LONG, 1000, f'"{number}"')]
    with pytest.raises(DataError, match="changes while"):
        fetched("s3://data/a.csv", tmp_path)


@pytest.mark.usefixtures("impatience")
def test_a_store_that_is_not_there_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(DataError, match="refuses the connection"):
        rows("s3://data/a.csv")


def test_missing_credentials_are_named(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME")
    with pytest.raises(DataError) as info:
        rows("az://data/a.csv")
    assert "AZURE_STORAGE_ACCOUNT_NAME" in str(info.value)


def test_a_signature_in_the_environment_is_not_shown(site: Site) -> None:
    for fault in (status(403), status(400), status(404)):
        site.faults = [fault] * 9
        with pytest.raises(DataError) as info:
            rows("az://data/a.csv")
        assert SECRET not in str(info.value)
    assert any(SECRET in request.path for request in site.requests)
