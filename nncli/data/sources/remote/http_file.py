"""A file of a web server or of the Hugging Face Hub, read with the standard library.

The HTTP store of obstore is not used: it refuses answers without a Content-Length, such as those of servers that make
a table on request, and it would need an extra for the most common of sources. No text of the library's errors is shown,
as it may hold the URL with its credentials.
"""

from __future__ import annotations

import errno
import http.client
import io
import netrc
import os
import re
import socket
import ssl
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from glob import has_magic
from pathlib import PurePosixPath
from typing import IO, NoReturn
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from nncli.base.credentials import split_url, with_credentials
from nncli.base.errors import Advice, DataError, Location, SetKey, UsageError
from nncli.data.formats.compression import GZIP, ByteStream, CompressionError, DecompressedStream, GrowthError
from nncli.data.sources.remote import remote_file
from nncli.data.sources.remote.remote_file import RangeError, RemoteFile, Response, TransientError
from nncli.version import __version__

URL_CHARACTERS = "%/:?#[]@!$&'()*+,;=~"
"""Characters that stay as they are in a URL; others, such as spaces, are encoded."""
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
ENCODINGS = ("gzip", "x-gzip")


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
        if is_hugging_face(url):
            file_url(url)
        elif not (parts := split_url(url)) or not has_server(parts):
            raise UsageError("the URL is not valid", location=Location(source=url))
        elif has_magic(parts.path) or not PurePosixPath(parts.path).name or parts.path.endswith("/"):
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
        request = _request(self.url, headers)
        opener = urllib.request.OpenerDirector()
        for handler in HANDLERS:
            opener.add_handler(handler())
        with translated_errors(self.url):
            response: http.client.HTTPResponse = opener.open(request, timeout=remote_file.SECONDS_OF_SILENCE)
        return response

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
        if encoding == "identity" or (encoding in ENCODINGS and _has_gzip_name(self.url)):
            return Response(start, total, version, self._chunks(body))
        if encoding not in ENCODINGS:
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
            "the server responds with a web page, not with a table", location=Location(source=self.name), hint=hint
        )


AUTHORIZATION = "Authorization"


class RedirectHandler(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https, but not from https to http; the login goes to the same server only."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request:
        """The request of the redirect.

        Raises:
            urllib.error.HTTPError: the redirect is not followed.
        """
        new = urllib.request.Request(newurl, headers=req.headers)
        if new.type != "https" and new.type != urlsplit(req.full_url).scheme:
            raise urllib.error.HTTPError(newurl, code, msg, headers, fp)
        new.headers.pop("Proxy-authorization", None)  # a proxy adds it again
        login = req.unredirected_hdrs.get(AUTHORIZATION)
        if login and urlsplit(new.full_url).netloc == urlsplit(req.full_url).netloc:
            new.add_unredirected_header(AUTHORIZATION, login)
        return new

    def http_error_302(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage
    ) -> http.client.HTTPResponse | None:
        """The answer to the request of the redirect."""
        fp.close()  # else urllib reads the body to its end, which it need not have
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


HANDLERS = (
    *(urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler, RedirectHandler),
    *(urllib.request.HTTPErrorProcessor, urllib.request.HTTPDefaultErrorHandler),
)
"""No handler opens local files and FTP."""


def _request(url: str, headers: Mapping[str, str]) -> urllib.request.Request:
    """The request of a URL, with the credentials that it has."""
    login = None
    if is_hugging_face(url):
        url = file_url(url)
        if token := os.environ.get("HF_TOKEN"):
            login = f"Bearer {token}"
    else:
        url = with_credentials(url)
    scheme, netloc, path, query, _ = urlsplit(url)
    written, _, host = netloc.rpartition("@")
    if written:
        user, _, password = written.partition(":")
        login = _basic(unquote(user), unquote(password))
    elif login is None and (credentials := _login_of_netrc(urlsplit(url).hostname)) is not None:
        login = _basic(*credentials)
    address = quote(urlunsplit((scheme.lower(), host, path, query, "")), safe=URL_CHARACTERS)
    own = {"User-Agent": f"nncli/{__version__}", "Accept-Encoding": "identity"}
    request = urllib.request.Request(address, headers={**own, **headers})
    if login is not None:
        request.add_unredirected_header(AUTHORIZATION, login)
    return request


def has_server(url: SplitResult) -> bool:
    """Whether the host and the port of a URL can be read."""
    try:
        return bool(url.hostname) and url.port != 0
    except ValueError:  # the port is no number, or too large
        return False


def _basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def _login_of_netrc(host: str | None) -> tuple[str, str] | None:
    """The user name and password for a host in the file of the variable NETRC, or ~/.netrc, if it can be read."""
    try:
        authenticators = netrc.netrc(os.environ.get("NETRC")).authenticators(host or "")
    except (OSError, netrc.NetrcParseError):
        return None
    return None if authenticators is None or not authenticators[2] else (authenticators[0], authenticators[2])


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
    stream = io.BufferedReader(DecompressedStream(io.BufferedReader(received), GZIP), CHUNK)
    try:
        while chunk := stream.read(CHUNK):
            yield chunk
    except GrowthError as error:
        raise DataError(
            f"the response of the server, which is compressed with gzip, is refused: {error}",
            location=Location(source=url),
            hint="Such a table repeats itself from end to end. If it is what you want, download it with a browser.",
        ) from None
    except CompressionError:
        raise TransientError("the server sent bytes that cannot be decompressed") from None
    # A body of several streams may have lost the last ones.
    if size not in (None, received.size):
        raise TransientError("the connection ended before the end of the file")


class _Body(ByteStream):
    """The compressed bytes of a body; `size` is the number of those that were received."""

    def __init__(self, body: IO[bytes], url: str) -> None:
        self._body, self._url = body, url
        self.size = 0

    def next_bytes(self, size: int) -> bytes:
        with translated_errors(self._url):
            piece = self._body.read(size)
        self.size += len(piece)
        return piece


BUSY = (408, 425, 429, 500, 502, 503, 504)
"""Statuses of a server that may answer later."""
DENIED = (401, 403, 407)
GONE = (404, 410)


@contextmanager
def translated_errors(url: str) -> Iterator[None]:
    """Translate errors of requests to `url`, which holds no credentials.

    Raises:
        TransientError: another try may help.
        DataError: none will.
    """
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        _raise_status(url, error.code)
    except (OSError, http.client.HTTPException, ValueError) as error:  # a ValueError for an address
        _raise_connection_error(url, error.reason if isinstance(error, urllib.error.URLError) else error)


def _raise_status(url: str, status: int) -> NoReturn:
    reason = f"{status} {http.client.responses.get(status, 'unknown')}"
    place = Location(source=url)
    if status in BUSY:
        raise TransientError(f"the server responds with {reason}")
    if status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise RangeError("the file has become shorter")
    if status < http.client.BAD_REQUEST:
        raise DataError(
            f"the server redirects in a circle, from https to http, to another scheme or to no address ({reason})",
            location=place,
            hint="Give the address of the file itself, as a browser shows it.",
        )
    if status in GONE:
        hint = "Check the address, for example in a browser."
        if is_hugging_face(url):
            hint = "Check the data set, the revision and the path. Private data sets need the variable HF_TOKEN."
        raise DataError("there is no such file on the server", location=place, hint=hint)
    if status in DENIED:
        raise DataError(f"access to the file is denied ({reason})", location=place, hint=_denied_hint(url))
    raise DataError(f"the server refuses the request ({reason})", location=place, hint="Check the address.")


def _denied_hint(url: str) -> str:
    if is_hugging_face(url):
        return "Set the variable HF_TOKEN to an access token that may read the data set."
    if with_credentials(url) != url:
        return "Check the user name, password, token or signature in the URL; signatures expire."
    return Advice(
        "Put user and password into ~/.netrc, or add them, or the token, to the URL",
        Advice(": in a TABLE, or with ", SetKey("data.path", "URL")),
        ". They are not recorded, so each command needs them again.",
    )


def _raise_connection_error(url: str, error: object) -> NoReturn:
    place = Location(source=url)
    if isinstance(error, ssl.SSLCertVerificationError):
        raise DataError(
            f"the server's certificate is not valid: {error.verify_message}",
            location=place,
            hint="For a private authority, set the variable SSL_CERT_FILE to its certificate.",
        ) from None
    if isinstance(error, socket.gaierror):
        if error.errno == socket.EAI_AGAIN:
            raise TransientError("the name of the server cannot be looked up", is_refused=True) from None
        raise DataError("there is no such server", location=place, hint="Check the address.") from None
    if isinstance(error, TimeoutError):
        raise TransientError("the server does not respond") from None
    if isinstance(error, ConnectionRefusedError):
        raise TransientError("the server refuses the connection", is_refused=True) from None
    if isinstance(error, OSError) and error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        raise TransientError("the server cannot be reached", is_refused=True) from None
    if isinstance(error, http.client.InvalidURL | ValueError):
        hint = "Check the addresses. Write / ? # and @ of a password as %2F %3F %23 and %40."
        raise DataError(
            "the URL, one to which it redirects, or that of the proxy is not valid", location=place, hint=hint
        ) from None
    if isinstance(error, http.client.HTTPException) and not isinstance(error, http.client.IncompleteRead | OSError):
        raise TransientError("the server does not respond with HTTP") from None
    raise TransientError("the connection was lost") from None


DATASET = re.compile(r"hf://datasets/(?P<owner>[^/@]+)/(?P<name>[^/@]+)(@(?P<revision>[^/]+))?/(?P<path>.+)", re.I)
REVISIONS = {"~parquet": "refs/convert/parquet"}
"""Short names of branches; this one holds the data set converted to Parquet."""
DEFAULT_ENDPOINT = "https://huggingface.co"


def is_hugging_face(url: str) -> bool:
    """Whether a URL is that of the Hugging Face Hub."""
    return url.lower().startswith("hf:")


def file_url(url: str) -> str:
    """The https URL of a file of a data set; the server is that of HF_ENDPOINT, if set.

    Raises:
        UsageError: the URL is not that of a file of a data set.
    """
    match = DATASET.fullmatch(url)
    if match is None or match["path"].endswith("/") or has_magic(match["path"]):
        raise UsageError(
            "this is not the URL of one file of a data set",
            location=Location(source=url),
            hint="Such URLs are hf://datasets/OWNER/NAME/path/to/file.parquet, with @REVISION after NAME if need be.",
        )
    revision = match["revision"] or "main"
    endpoint = (os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
    # `refs%2Fpr%2F1` may be written encoded, since a revision has no slash of its own in this form.
    revision = quote(REVISIONS.get(revision, revision.replace("%2F", "/").replace("%2f", "/")), safe="")
    path = quote(match["path"], safe="/")
    return f"{endpoint}/datasets/{match['owner']}/{match['name']}/resolve/{revision}/{path}"
