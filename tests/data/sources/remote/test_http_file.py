"""Files of web servers are read whole and unchanged, or refused."""

from __future__ import annotations

import contextlib
import gzip
import io
import socket
import time
import urllib.request
from base64 import b64encode
from http.client import HTTPMessage
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import polars
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nncli.base.errors import DataError, Location, UsageError
from nncli.data.formats.read_options import ReadOptions
from nncli.data.sources.open import open_reader
from nncli.data.sources.read_table import read_table
from nncli.data.sources.remote.http_file import HttpFile, RedirectHandler
from nncli.data.sources.remote.remote_file import download
from nncli.data.sources.table_source import as_source
from tests.data.sources.remote.web_server import Site, cut, raw, redirect, status

CSV = b"id,city\n007,Oslo\n008,Rome\n"
LONG = bytes(range(256)) * 64


def rows(url: str) -> list[tuple[object, ...]]:
    return read_table(url).frame.rows()


def fetched(url: str, folder: Path) -> bytes:
    target = folder / f"copy-{len([*folder.iterdir()])}"
    download(HttpFile.parse(url), target)
    return target.read_bytes()


def parquet() -> bytes:
    buffer = io.BytesIO()
    polars.DataFrame({"n": [1, 2]}).write_parquet(buffer)
    return buffer.getvalue()


def test_every_format_is_read_by_the_name_in_the_url(site: Site) -> None:
    site.files = {
        "/a.csv": CSV,
        "/a.CSV.gz": gzip.compress(CSV),
        "/a.parquet": parquet(),
        "/a.jsonl": b'{"id": "007"}\n',
    }
    assert rows(site.url("/a.csv")) == rows(site.url("/a.CSV.gz")) == [("007", "Oslo"), ("008", "Rome")]
    assert rows(site.url("/a.parquet?versionId=a.b/c#top")) == [(1,), (2,)]
    assert rows(site.url("/a.jsonl")) == [("007",)]
    assert open_reader(as_source(site.url("/a.parquet?x=1"))).is_columnar


def test_an_unknown_name_is_refused_before_the_download(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.docx"):
        rows(site.url("/a.docx"))
    with pytest.raises(UsageError, match="does not tell the format"):
        open_reader(as_source(site.url("/export?name=a.csv"))).copy_to(tmp_path)
    assert site.requests == []


@pytest.mark.parametrize("path", ["/", "", "/folder/", "/2025-*.csv", "/a[1].csv"])
def test_a_folder_or_a_pattern_is_refused(site: Site, path: str) -> None:
    with pytest.raises(UsageError, match="folder or a pattern"):
        open_reader(as_source(site.url(path)))


@pytest.mark.parametrize(
    "url", ["http:///a.csv", "http://[::1/a.csv", "https://?a.csv", "http://host:99999/a.csv", "http://host:x/a.csv"]
)
def test_a_url_without_a_server_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="not valid"):
        open_reader(as_source(url))


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("/a b.csv", "/a%20b.csv"),
        ("/a%20b.csv", "/a%20b.csv"),
        ("/é%C3%A9.csv", "/%C3%A9%C3%A9.csv"),
        ("/a.csv?x=%2F&y=a+b&z=ü", "/a.csv?x=%2F&y=a+b&z=%C3%BC"),
        ("/a.csv#part", "/a.csv"),
        ("/x//a.csv", "/x//a.csv"),
    ],
)
def test_a_url_is_encoded_once(site: Site, written: str, sent: str) -> None:
    site.files[sent.partition("?")[0]] = CSV
    assert rows(site.url(written))
    assert [request.path for request in site.requests] == [sent]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\n\r\n" + CSV,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(CSV), CSV),
        b"HTTP/1.1 200 OK\r\nContent-Length: 12, 12\r\n\r\n" + CSV,
    ],
)
def test_no_length_is_needed(site: Site, answer: bytes) -> None:
    site.faults = [raw(answer)]
    assert len(rows(site.url("/a.csv"))) == 2


@pytest.mark.parametrize("name", ["/a.csv", "/a.csv.gz"])
@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_a_body_compressed_for_the_transfer_is_decompressed_once(
    site: Site, tmp_path: Path, name: str, encoding: str
) -> None:
    site.files[name] = gzip.compress(LONG)
    site.headers["Content-Encoding"] = encoding
    assert fetched(site.url(name), tmp_path) == (site.files[name] if name.endswith("gz") else LONG)


@pytest.mark.parametrize("end", [b"", bytes(512)])
def test_a_body_of_several_compressed_streams_is_read_to_its_end(site: Site, tmp_path: Path, end: bytes) -> None:
    site.files["/a.csv"] = gzip.compress(CSV) + gzip.compress(b"") + gzip.compress(LONG) + end
    site.headers["Content-Encoding"] = "gzip"
    assert fetched(site.url("/a.csv"), tmp_path) == CSV + LONG


@pytest.mark.usefixtures("impatience")
def test_a_body_that_ends_between_compressed_streams_is_refused(site: Site, tmp_path: Path) -> None:
    first, second = gzip.compress(CSV), gzip.compress(LONG)
    site.headers["Content-Encoding"] = "gzip"
    site.faults = [cut(first + second, len(first))] * 99
    with pytest.raises(DataError, match="connection"):
        fetched(site.url("/a.csv"), tmp_path)


def test_a_body_that_grows_absurdly_is_refused_at_once(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.data.formats.compression.MAX_RATIO", 500)
    monkeypatch.setattr("nncli.data.formats.compression.FREE_BYTES", 1 << 20)
    site.files["/a.csv"], site.headers["Content-Encoding"] = gzip.compress(bytes(5 << 20)), "gzip"
    with pytest.raises(DataError, match="500 times") as info:
        fetched(site.url("/a.csv"), tmp_path)
    assert info.value.location
    assert info.value.location.source == site.url("/a.csv")
    assert len(site.requests) == 1


def test_an_encoding_that_was_not_asked_for_is_refused(site: Site) -> None:
    site.files["/a.csv"], site.headers["Content-Encoding"] = CSV, "br"
    with pytest.raises(DataError, match="br"):
        rows(site.url("/a.csv"))
    assert site.asked("Accept-Encoding") == ["identity"]


@pytest.mark.slow
@pytest.mark.usefixtures("impatience")
@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body[:-9],
        lambda body: body[:-30],
        lambda body: b"x" + body,
        lambda body: body + b"x",
        lambda body: b"",
    ],
)
def test_a_damaged_transfer_is_refused(site: Site, tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    site.files["/a.csv"] = damage(gzip.compress(LONG))
    site.headers["Content-Encoding"] = "gzip"
    with pytest.raises(DataError):
        fetched(site.url("/a.csv"), tmp_path)


def test_a_web_page_is_no_table(site: Site) -> None:
    site.files["/a.csv"], site.headers["Content-Type"] = b"<html>", "text/html; charset=utf-8"
    with pytest.raises(DataError, match="web page"):
        rows(site.url("/a.csv"))


@pytest.mark.parametrize("number", [408, 429, 500, 502, 503, 504])
def test_a_server_that_is_busy_is_asked_again(site: Site, number: int) -> None:
    site.files["/a.csv"], site.faults = CSV, [status(number), status(number)]
    assert len(rows(site.url("/a.csv"))) == 2
    assert len(site.requests) == 3


@pytest.mark.parametrize("number", [400, 401, 403, 404, 410, 451])
def test_a_refusal_is_final(site: Site, number: int) -> None:
    site.faults = [status(number)] * 9
    with pytest.raises(DataError) as info:
        rows(site.url("/a.csv"))
    assert len(site.requests) == 1
    assert info.value.location
    assert info.value.location.source == site.url("/a.csv")


@pytest.mark.usefixtures("impatience")
def test_waiting_is_bounded(site: Site) -> None:
    site.faults = [status(503)] * 99
    begin = time.monotonic()
    with pytest.raises(DataError, match=r"503 .* attempts"):
        rows(site.url("/a.csv"))
    assert time.monotonic() - begin < 30  # of minutes without the limit
    assert 1 < len(site.requests) <= 12


@pytest.mark.usefixtures("impatience")
def test_a_connection_refused_is_an_error_soon() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(DataError, match="refuses the connection"):
        rows(f"http://127.0.0.1:{port}/a.csv")


def test_a_server_that_does_not_exist_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **options: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(DataError, match="no such server"):
        rows("http://server.invalid/a.csv")


@pytest.mark.slow
@pytest.mark.usefixtures("impatience")
def test_a_silent_server_is_given_up(site: Site) -> None:
    site.faults = [lambda handler: time.sleep(0.3)] * 9
    with pytest.raises(DataError, match="does not respond"):
        rows(site.url("/a.csv"))


@pytest.mark.usefixtures("impatience")
@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\0\xff\r\n", b""])
def test_a_server_of_another_protocol_is_refused(site: Site, answer: bytes) -> None:
    site.faults = [raw(answer)] * 99
    with pytest.raises(DataError, match=r"with HTTP|lost|not respond"):
        rows(site.url("/a.csv"))


def test_a_broken_download_is_continued_where_it_broke(site: Site, tmp_path: Path) -> None:
    site.files["/a.csv"], site.etags["/a.csv"] = LONG, '"1"'
    site.faults = [cut(LONG, 1000, '"1"'), cut(LONG, 500, '"1"'), status(503), cut(LONG, 0, '"1"')]
    assert fetched(site.url("/a.csv"), tmp_path) == LONG
    assert site.asked("Range") == [None, "bytes=1000-", "bytes=1500-", "bytes=1500-", "bytes=1500-"]


@pytest.mark.parametrize("etag", [None, 'W/"1"'])
def test_a_broken_download_of_an_unknown_version_starts_again(site: Site, tmp_path: Path, etag: str | None) -> None:
    site.files["/a.csv"] = LONG
    site.faults = [cut(LONG, 1000, etag)]
    assert fetched(site.url("/a.csv"), tmp_path) == LONG
    assert site.asked("Range") == [None, None]


def test_a_server_without_ranges_sends_all_again(site: Site, tmp_path: Path) -> None:
    site.files["/a.csv"], site.etags["/a.csv"], site.has_ranges = LONG, '"1"', False
    site.faults = [cut(LONG, 1000, '"1"')]
    assert fetched(site.url("/a.csv"), tmp_path) == LONG


def test_a_file_that_changed_once_is_downloaded_again_whole(site: Site, tmp_path: Path) -> None:
    site.files["/a.csv"], site.etags["/a.csv"] = LONG[::-1], '"2"'
    site.faults = [cut(LONG, 1000, '"1"')]
    assert fetched(site.url("/a.csv"), tmp_path) == LONG[::-1]


def test_a_file_that_keeps_changing_is_refused(site: Site, tmp_path: Path) -> None:
    site.faults = [cut(LONG, 1000, f'"{number}"') for number in range(9)]
    with pytest.raises(DataError, match="changes while"):
        fetched(site.url("/a.csv"), tmp_path)
    assert len(site.requests) == 3


@pytest.mark.usefixtures("impatience")
def test_a_download_that_breaks_at_the_same_byte_each_time_is_given_up(site: Site, tmp_path: Path) -> None:
    site.faults = [cut(LONG, 1000)] * 99
    with pytest.raises(DataError, match=r"1,000 of 16,384 bytes"):
        fetched(site.url("/a.csv"), tmp_path)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.binary(max_size=3000), st.lists(st.tuples(st.integers(0, 800), st.booleans()), max_size=6), st.booleans())
def test_however_the_connection_breaks_the_bytes_are_those_of_the_file(
    site: Site, tmp_path_factory: pytest.TempPathFactory, body: bytes, breaks: list[tuple[int, bool]], ranges: bool
) -> None:
    site.files["/a.csv"], site.etags["/a.csv"], site.has_ranges = body, '"1"', ranges
    site.faults = [cut(body, sent, '"1"' if has_tag else None) for sent, has_tag in breaks if sent < len(body)]
    assert fetched(site.url("/a.csv"), tmp_path_factory.mktemp("download")) == body


@pytest.mark.parametrize("number", [301, 302, 303, 307, 308])
def test_redirects_are_followed(site: Site, number: int) -> None:
    site.files["/b"], site.faults = CSV, [redirect("/b?x=1", number)]
    assert len(rows(site.url("/a.csv"))) == 2
    assert site.requests[-1].path == "/b?x=1"


def test_a_circle_of_redirects_is_refused(site: Site) -> None:
    site.faults = [redirect("/a.csv")] * 99
    with pytest.raises(DataError, match="circle"):
        rows(site.url("/a.csv"))


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "FILE:/etc/passwd", "ftp://127.0.0.1/a.csv", "data:text/csv,a"]
)
def test_redirects_lead_to_web_servers_alone(site: Site, target: str) -> None:
    site.faults = [redirect(target)]
    with pytest.raises(DataError, match="another scheme") as caught:
        rows(site.url("/a.csv"))
    assert caught.value.location == Location(source=site.url("/a.csv"))


def test_a_redirect_without_an_address_is_refused(site: Site) -> None:
    site.faults = [status(302)]
    with pytest.raises(DataError, match="redirects"):
        rows(site.url("/a.csv"))


def test_the_endless_body_of_a_redirect_is_not_read(site: Site) -> None:
    site.files["/b"] = CSV

    def endless(handler: Any) -> None:
        handler.send_response(302)
        handler.send_header("Location", "/b")
        handler.end_headers()
        with contextlib.suppress(OSError):
            while True:
                handler.wfile.write(b"x" * 65_536)

    site.faults = [endless]
    assert len(rows(site.url("/a.csv"))) == 2


def test_a_password_goes_to_its_server_alone(site: Site) -> None:
    site.files["/b"] = CSV
    site.faults = [redirect("/b"), None, redirect(f"http://localhost:{site.port}/b")]
    expected = "Basic " + b64encode(b"me:p@ss/\xc3\xbc").decode()
    for _ in range(2):
        rows(site.url("/a.csv", "me:p%40ss%2Fü@"))
    assert site.asked("Authorization") == [expected, expected, expected, None]


@pytest.mark.parametrize(
    ("url", "target", "is_kept"),
    [
        ("https://h.org/a", "https://h.org/b", True),
        ("http://h.org:8080/a", "http://h.org:8080/b", True),
        ("http://h.org/a", "https://h.org/b", True),
        ("https://h.org/a", "https://h.org.evil.org/b", False),
        ("https://h.org/a", "https://www.h.org/b", False),
        ("https://h.org/a", "https://h.org@evil.org/b", False),
        ("https://h.org/a", "https://h.org:8443/b", False),
        ("http://h.org/a", "http://h.org:443/b", False),
        ("http://h.org/a", "https://evil.org/b", False),
        ("http://h.org:8080/a", "https://h.org/b", False),
        ("https://h.org/a", "https://h.org:x/b", False),
    ],
)
def test_a_login_follows_redirects_on_the_same_server_alone(url: str, target: str, is_kept: bool) -> None:
    request = urllib.request.Request(url)
    request.add_unredirected_header("Authorization", "Basic x")
    redirected = RedirectHandler().redirect_request(request, io.BytesIO(), 302, "Found", HTTPMessage(), target)
    assert redirected.get_header("Authorization") == ("Basic x" if is_kept else None)


@pytest.mark.parametrize("target", ["http://h.org/b", "http://h.org:443/b"])
def test_no_redirect_leads_from_https_to_http(target: str) -> None:
    request = urllib.request.Request("https://h.org/a")
    with pytest.raises(HTTPError) as caught:
        RedirectHandler().redirect_request(request, io.BytesIO(), 302, "Found", HTTPMessage(), target)
    caught.value.close()


def test_behind_a_proxy_each_server_gets_its_own_login(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", site.url("", "proxy:hush@"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    site.files["/b.csv"] = CSV
    site.faults = [redirect("http://h.org/b"), redirect("http://other.org/b"), redirect(site.url("/b.csv"))]
    assert len(rows("http://me:x@h.org/a.csv")) == 2
    assert [request.path for request in site.requests[:3]] == [
        "http://h.org/a.csv",
        "http://h.org/b",
        "http://other.org/b",
    ]
    mine, of_proxy = (f"Basic {b64encode(login).decode()}" for login in (b"me:x", b"proxy:hush"))
    assert site.asked("Authorization") == [mine, mine, None, None]
    assert site.asked("Proxy-Authorization") == [of_proxy, of_proxy, of_proxy, None]


@pytest.mark.parametrize("target", ["http://127.0.0.1:x/b", "http://[::1/b", "http://a..b/c"])
def test_a_redirect_to_no_valid_address_is_refused(site: Site, target: str) -> None:
    site.faults = [redirect(target)]
    with pytest.raises(DataError, match="not valid"):
        rows(site.url("/a.csv", "me:x@"))


def test_a_password_may_be_in_a_netrc_file(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site.files["/a.csv"] = CSV
    file = tmp_path / "netrc"
    monkeypatch.setenv("NETRC", str(file))
    for text in ("machine 127.0.0.1 login me password hush\n", "machine other login me password hush\n", "nonsense"):
        file.write_text(text)
        rows(site.url("/a.csv"))
    rows(site.url("/a.csv", "you:x@"))
    logins = [f"Basic {b64encode(login).decode()}" for login in (b"me:hush", b"you:x")]
    assert site.asked("Authorization") == [logins[0], None, None, logins[1]]


def test_a_token_of_a_url_is_sent_and_not_named(site: Site) -> None:
    url = site.url("/a.csv?token=hush&x=1", "me:hush@")
    reader = open_reader(as_source(url))
    assert reader.name == site.url("/a.csv?x=1")
    with pytest.raises(DataError) as info:
        next(reader.read(ReadOptions()))
    assert site.requests[0].path == "/a.csv?token=hush&x=1"
    assert "hush" not in str(info.value)


def test_files_of_data_sets_are_read_with_the_token_of_the_environment(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", site.url(""))
    monkeypatch.setenv("HF_TOKEN", "hush")
    site.files["/datasets/me/set/resolve/main/data/a%20b.csv"] = CSV
    assert len(rows("hf://datasets/me/set/data/a b.csv")) == 2
    assert site.asked("Authorization") == ["Bearer hush"]
    with pytest.raises(DataError, match="HF_TOKEN"):
        rows("hf://datasets/me/set/none.csv")


def test_the_bytes_in_memory_are_few(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    chunks = HttpFile._chunks

    def counted(file: HttpFile, body: object) -> object:
        for chunk in chunks(file, body):  # type: ignore[arg-type]
            sizes.append(len(chunk))
            yield chunk

    monkeypatch.setattr(HttpFile, "_chunks", counted)
    site.files["/a.csv"] = bytes(5 << 20)
    assert len(fetched(site.url("/a.csv"), tmp_path)) == 5 << 20
    assert max(sizes) <= 1 << 20
