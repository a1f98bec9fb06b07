"""The options of a server, and its token."""

from __future__ import annotations

import hmac
import stat
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path

from nncli.base.errors import Location, UsageError

MIN_LETTERS = 16
MAX_BYTES = 4096
"""More is not a token."""


class Token:
    """The token of a file, whose text is read when the server starts and again by `reload`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._token = read_token(path)

    def matches(self, candidate: bytes) -> bool:
        """Whether this is the token; the time does not depend on where they differ."""
        return hmac.compare_digest(self._token, candidate)

    def reload(self) -> None:
        """Read the file again; on an error the previous token stays.

        Raises:
            UsageError: the file cannot be read, or holds no token.
        """
        self._token = read_token(self.path)

    @property
    def is_readable_by_others(self) -> bool:
        """Whether every user of the machine may read the file."""
        return bool(self.path.stat().st_mode & stat.S_IROTH)


def read_token(path: Path) -> bytes:
    """The token of a file: one line of at least 16 visible ASCII characters.

    Raises:
        UsageError: the file cannot be read, or holds something else. The message does not quote it.
    """
    make = f"Make one: (umask 077; openssl rand -hex 32 > {path.name})"
    try:
        with path.open("rb") as file:
            token = file.read(MAX_BYTES + 1).strip()
    except OSError as error:
        raise UsageError(
            f"the token cannot be read: {error.strerror}", location=Location(source=str(path)), hint=make
        ) from None
    problem = _problem(token)
    if problem is not None:
        raise UsageError(problem, location=Location(source=str(path)), hint=make)
    return token


def _problem(token: bytes) -> str | None:
    """What keeps these bytes from being a token."""
    if not token:
        return "the file is empty"
    if len(token) > MAX_BYTES:
        return f"a token has at most {MAX_BYTES:,} characters"
    if not all(0x21 <= byte <= 0x7E for byte in token):
        return "a token is one word of visible ASCII characters, without white space"
    return f"a token needs at least {MIN_LETTERS} characters, found {len(token)}" if len(token) < MIN_LETTERS else None


@dataclass(frozen=True)
class ServerOptions:
    """How a server listens, and what it refuses.

    `max_body` is in bytes, `max_rows` is that of one request, `timeout` in seconds is that of reading a request and of
    answering it. At most `queue` requests wait; more are answered with 503. With a `token`, every request must have it.
    `cors` is the origin of pages that may call the server, or `*`. With `reuse_port`, another server may listen at the
    same port, so that one takes over from the other.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    max_body: int = 10_000_000
    max_rows: int = 10_000
    timeout: float = 30.0
    queue: int = 64
    token: Token | None = None
    cors: str | None = None
    access_log: bool = False
    reuse_port: bool = False

    @cached_property
    def is_loopback(self) -> bool:
        """Whether programs of this machine alone can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:  # the name of a host
            return False
