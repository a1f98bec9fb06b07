"""A file of a web server, read with the standard library.

The HTTP store of obstore is not used: it refuses answers without a Content-Length, such as those of servers that make
a table on request, and it would need an extra for the most common of sources.
"""

from __future__ import annotations

import http.client
import io
import netrc
import os
import re
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from nncli.base.credentials import split_url, with_credentials
from nncli.base.errors import DataError, Location, UsageError
from nncli.data.formats.compression import CompressionError, DecompressedStream, GrowthError, Gzip
from nncli.data.sources.remote import http_errors as retries
from nncli.data.sources.remote import hugging_face
from nncli.data.sources.remote.http_errors import translated_errors
from nncli.data.sources.remote.opener import has_server, open_url
from nncli.data.sources.remote.remote_file import RangeError, RemoteFile, Response, TransientError
from nncli.version import __version__

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

URL_CHARACTERS = "%/:?#[]@!$&'()*+,;=~"
"""Characters that stay as they are in a URL; others, such as spaces, are encoded."""
PATTERN = re.compile(r"[*?\[]")
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
GZIP = ("gzip", "x-gzip")


@dataclass(frozen=True)
class HttpFile(RemoteFile):
    """A file at an http, https or hf URL, which holds no credentials."""

    url: str

    @classmethod
    def parse(cls, url: str) -> HttpFile:
        """The file at a URL.

        Raises:
            UsageError: the URL is not that of one file.
        """
        if hugging_face.is_url(url):
            hugging_face.file_url(url)
        elif not (parts := split_url(url)) or not has_server(parts):
            raise UsageError("the URL is not valid", location=Location(source=url))
        elif PATTERN.search(parts.path) or not PurePosixPath(parts.path).name or parts.path.endswith("/"):
            raise UsageError(
                "a web server does not tell which files it has, so a folder or a pattern cannot be read from it",
                location=Location(source=url),
                hint="Give the URL of one file.",
            )
        return cls(url)

    @property
    def name(self) -> str:
        """The URL as the user gave it, without credentials."""
        return self.url

    @contextmanager
    def open(self, start: int, version: str | None) -> Iterator[Response]:
        """Send a GET request, for the bytes from `start` on if the file is still of this version."""
        condition = {"Range": f"bytes={start}-", "If-Range": version} if start and version else {}
        try:
            body = self._get(condition)
        except RangeError:
            body = self._get({})
        with body:
            yield self._response(body, body.headers, body.status)

    def _get(self, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        request = _request(self.url)
        for name, value in headers.items():
            request.add_header(name, value)
        with translated_errors(self.url):
            return open_url(request, self.url, timeout=retries.SECONDS_OF_SILENCE)

    def _response(self, body: IO[bytes], headers: Message, status: int) -> Response:
        size = headers["Content-Length"]
        total = int(size) if size and size.isdecimal() else None
        start = 0
        if status == http.client.PARTIAL_CONTENT:
            match = CONTENT_RANGE.fullmatch(headers["Content-Range"] or "")
            if match is None:
                raise TransientError("the server sent a part of the file and does not say which")
            start = int(match[1])
            total = int(match[2]) if match[2].isdecimal() else None
        self._refuse_web_page(headers)
        etag = headers["ETag"]
        version = etag if etag and not etag.startswith("W/") else None
        encoding = (headers["Content-Encoding"] or "identity").strip().lower()
        if encoding == "identity" or (encoding in GZIP and _has_gzip_name(self.url)):
            return Response(start, total, version, self._chunks(body))
        if encoding not in GZIP:
            raise DataError(
                f"the server encodes the file as {encoding}, which was not asked for",
                location=Location(source=self.name),
                hint="Download it with a browser, and read the local file.",
            )
        # Neither the size nor a part of the encoded file says anything about the decoded one.
        return Response(0, None, None, decompressed(body, total, self.url))

    def _chunks(self, body: IO[bytes]) -> Iterator[bytes]:
        while True:
            with translated_errors(self.url):
                chunk = body.read(CHUNK)
            if not chunk:
                return
            yield chunk

    def _refuse_web_page(self, headers: Message) -> None:
        """Raise a DataError for a page, such as that of a login, which could pass for a CSV of odd columns."""
        if headers.get_content_type() not in ("text/html", "application/xhtml+xml"):
            return
        hint = "Open the address in a browser: it may ask to log in, or link to the file itself."
        if urlsplit(self.url).hostname in ("github.com", "www.github.com"):
            hint = "Use the address of the button `Raw`."
        raise DataError(
            "the server answers with a web page, not with a table", location=Location(source=self.name), hint=hint
        )


def _request(url: str) -> urllib.request.Request:
    """The request of a URL, with its credentials."""
    headers = {"User-Agent": f"nncli/{__version__}", "Accept-Encoding": "identity"}
    if hugging_face.is_url(url):
        url, token = hugging_face.file_url(url), hugging_face.token()
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
    else:
        url = with_credentials(url)
    scheme, netloc, path, query, _ = urlsplit(url)
    login, _, host = netloc.rpartition("@")
    if login:
        user, _, password = login.partition(":")
        headers["Authorization"] = _basic(unquote(user), unquote(password))
    elif "Authorization" not in headers and (found := _login_of_netrc(urlsplit(url).hostname)) is not None:
        headers["Authorization"] = _basic(*found)
    full = urlunsplit((scheme.lower(), host, path, query, ""))
    return urllib.request.Request(quote(full, safe=URL_CHARACTERS), headers=headers)


def _basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def _login_of_netrc(host: str | None) -> tuple[str, str] | None:
    """The user name and password for a host in the file of the variable NETRC, or ~/.netrc, if it can be read."""
    try:
        found = netrc.netrc(os.environ.get("NETRC")).authenticators(host or "")
    except (OSError, netrc.NetrcParseError):
        return None
    return None if found is None or not found[2] else (found[0], found[2])


def _has_gzip_name(url: str) -> bool:
    return PurePosixPath(urlsplit(url).path).suffix.lower() == ".gz"


CHUNK = 1 << 20


def decompressed(body: IO[bytes], size: int | None, url: str) -> Iterator[bytes]:
    """Yield the decompressed bytes of a body of `size` compressed bytes, as far as that is known.

    Raises:
        TransientError: the body is damaged or truncated, which another try may correct.
        DataError: it grows absurdly.
    """
    received = _Body(body, url)
    stream = io.BufferedReader(DecompressedStream(io.BufferedReader(received), Gzip()), CHUNK)
    try:
        while chunk := stream.read(CHUNK):
            yield chunk
    except GrowthError as error:
        raise DataError(
            f"the answer of the server, which is compressed with gzip, is refused: {error}",
            location=Location(source=url),
            hint="Such a table repeats itself from end to end. If it is what you want, download it with a browser.",
        ) from None
    except CompressionError:
        raise TransientError("the server sent bytes that cannot be decompressed") from None
    # A body of several streams may have lost the last ones.
    if size not in (None, received.size):
        raise TransientError("the connection ended before the end of the file")


class _Body(io.RawIOBase):
    """The compressed bytes of a body; `size` is the number of those that were received."""

    def __init__(self, body: IO[bytes], url: str) -> None:
        self._body, self._url = body, url
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        with translated_errors(self._url):
            piece = self._body.read(len(view))
        view[: len(piece)] = piece
        self.size += len(piece)
        return len(piece)
