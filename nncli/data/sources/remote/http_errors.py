"""The errors of the standard library about a web server, as errors for the user.

None of its texts is shown, as they may hold the URL with its credentials.
"""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar

from nncli.base.credentials import with_credentials
from nncli.base.errors import DataError, Location
from nncli.base.logs import log_info
from nncli.data.sources.remote import hugging_face
from nncli.data.sources.remote.remote_file import RangeError, TransientError

BUSY = (408, 425, 429, 500, 502, 503, 504)
"""Statuses of a server that may answer later."""
DENIED = (401, 403, 407)
GONE = (404, 410)
REDIRECTS = (301, 302, 303, 307, 308)


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
    except urllib.error.URLError as error:
        _raise_connection_error(url, error.reason)
    except (OSError, http.client.HTTPException, ValueError) as error:  # a ValueError for an address
        _raise_connection_error(url, error)


def _raise_status(url: str, status: int) -> NoReturn:
    reason = f"{status} {http.client.responses.get(status, 'unknown')}"
    place = Location(source=url)
    if status in BUSY:
        raise TransientError(f"the server answers {reason}") from None
    if status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise RangeError("the file has become shorter") from None
    if status in GONE:
        hint = "Check the address, for example in a browser."
        if hugging_face.is_url(url):
            hint = "Check the data set, the revision and the path. Private data sets need the variable HF_TOKEN."
        raise DataError("there is no such file on the server", location=place, hint=hint) from None
    if status in DENIED:
        raise DataError(f"access to the file is denied ({reason})", location=place, hint=_denied_hint(url)) from None
    if status in REDIRECTS:
        raise DataError(
            f"the server redirects in a circle, or too often ({reason})",
            location=place,
            hint="Check the address, for example in a browser.",
        ) from None
    raise DataError(f"the server refuses the request ({reason})", location=place, hint="Check the address.") from None


def _denied_hint(url: str) -> str:
    if hugging_face.is_url(url):
        return "Set the variable HF_TOKEN to an access token that may read the data set."
    if with_credentials(url) != url:
        return "Check the user name, password, token or signature in the URL; signatures expire."
    return (
        "Put user and password into ~/.netrc, or add them, or the token, to the URL: in an INPUT, or with "
        "--set data.path=URL. They are not recorded, so each command needs them again."
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
        raise TransientError("the server does not answer") from None
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
        raise TransientError("the server does not answer in HTTP") from None
    raise TransientError("the connection was lost") from None


T = TypeVar("T")

SECONDS = 30.0
"""Longest time without a new byte."""
SECONDS_TO_CONNECT = 5.0
"""Longest time without a connection, which a wrong address has as well."""
FIRST_DELAY = 0.5
"""Seconds before the second attempt; doubled before each further one."""
SECONDS_OF_SILENCE = 20.0
"""Time after which a connection without a byte counts as lost."""


@dataclass
class Retries:
    """Waits after each failed attempt, longer each time, until the time is over. `name` is that of messages."""

    name: str
    _start: float = field(default_factory=time.monotonic)
    _attempts: int = 0

    def progress(self) -> None:
        """Begin anew, after bytes have arrived that are further than any before."""
        self._start, self._attempts = time.monotonic(), 0

    def wait(self, error: TransientError) -> None:
        """Wait before the next attempt.

        Raises:
            DataError: the time is over.
        """
        delay = FIRST_DELAY * 2.0**self._attempts
        self._attempts += 1
        limit = SECONDS_TO_CONNECT if error.is_refused else SECONDS
        if time.monotonic() - self._start + delay > limit:
            raise DataError(
                f"{error}, in {self._attempts:,} attempts" if self._attempts > 1 else str(error),
                location=Location(source=self.name),
                hint="Check the address and the connection, or try again later.",
            ) from None
        log_info(f"{self.name}: {error}; attempt {self._attempts + 1} in {delay:g} s")
        time.sleep(delay)


def retried(name: str, request: Callable[[], T]) -> T:
    """The answer to a request, which is repeated while the server cannot be reached.

    Raises:
        DataError: the time is over.
    """
    waiting = Retries(name)
    while True:
        try:
            return request()
        except TransientError as error:
            waiting.wait(error)
