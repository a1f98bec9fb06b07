"""The options of a server, and its token."""

from __future__ import annotations

import hmac
import re
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from nncli.base.errors import Advice, Location, UsageError, UseOption
from nncli.base.option import ACCESS, ADDRESS, LIMITS, Option, Options
from nncli.base.text import quote

ORIGIN = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?")
MIN_LETTERS = 16
MAX_BYTES = 4096
"""More is not a token."""


class BearerToken:
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


def _host(flag: str, host: str) -> str:
    """The address without brackets; a UsageError if it is not one."""
    host = host.strip().removeprefix("[").removesuffix("]")
    if not host or re.search(r"[\s/@?#]", host):
        raise UsageError(
            f"{flag}: {quote(host)} is not a valid address",
            hint=Advice("For example ", UseOption("host", "host", "127.0.0.1"), ", or 0.0.0.0 for all."),
        )
    return host


def _bytes(flag: str, amount: str) -> int:
    """The bytes of `10MB`; a UsageError if it is not a size."""
    from nncli.config.schema import bytes_of

    try:
        size = bytes_of(f"{amount} B" if amount.strip().isdecimal() else amount)
    except ValueError:
        size = None
    if size is None or size < 1:
        raise UsageError(
            f"{flag}: expected a size such as 10MB or 64KiB, found {quote(amount)}", hint=f"Try {flag} 10MB."
        )
    return int(size)


def _seconds(flag: str, duration: str) -> float:
    """The seconds of `30s`; a UsageError if it is not a duration."""
    from nncli.config.schema.training import seconds_of

    try:
        return seconds_of(duration)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}", hint=f"Try {flag} 30s.") from None


def _origin(flag: str, origin: str) -> str:
    """The origin as browsers send it; a UsageError if it is not one."""
    bare = origin.rstrip("/").lower()
    if origin == "*":
        return origin
    if not ORIGIN.fullmatch(bare):
        raise UsageError(
            f"{flag}: expected an origin such as https://example.org, or *, found {quote(origin)}",
            hint="An origin is a scheme, a host, and a port if it is not the usual one.",
        )
    return bare.removesuffix(":443" if bare.startswith("https") else ":80")


def _token(flag: str, path: str) -> BearerToken:
    """The token in a file."""
    return BearerToken(Path(path))


@dataclass(frozen=True, kw_only=True)
class ServerOptions(Options):
    """How a server listens, and what it refuses.

    `max_body` is in bytes, `max_rows` is that of one request, `timeout` in seconds is that of reading a request and of
    answering it.
    """

    host: Annotated[
        str,
        Option(
            "The address to listen at; 0.0.0.0 is every address. Default: 127.0.0.1.",
            ADDRESS,
            metavar="ADDRESS",
            parse=_host,
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Option("The port; 0 is any free one.", ADDRESS, metavar="PORT", minimum=0, maximum=65535)] = (
        8000
    )
    reuse_port: Annotated[
        bool, Option("Share the port with another server that has this option, which can then be stopped.", ADDRESS)
    ] = False
    max_body: Annotated[
        int, Option("Largest body of a request. Default: 10MB.", LIMITS, metavar="SIZE", parse=_bytes)
    ] = 10_000_000
    max_rows: Annotated[int, Option("Most rows of a request.", LIMITS, metavar="N", minimum=1)] = 10_000
    timeout: Annotated[
        float,
        Option(
            "Longest time to receive a request, and to respond to it. Default: 30s.",
            LIMITS,
            metavar="DURATION",
            parse=_seconds,
        ),
    ] = 30.0
    queue: Annotated[
        int, Option("Most requests that wait; more are refused with 503.", LIMITS, metavar="N", minimum=1)
    ] = 64
    token: Annotated[
        BearerToken | None,
        Option(
            "Require the token in this file as `Authorization: Bearer TOKEN`.",
            ACCESS,
            name="token_file",
            metavar="FILE",
            parse=_token,
        ),
    ] = None
    cors: Annotated[
        str | None,
        Option(
            "Allow pages of an origin, such as https://example.org, to call the server; * is any.",
            ACCESS,
            metavar="ORIGIN",
            parse=_origin,
        ),
    ] = None
    access_log: Annotated[
        bool,
        Option("Log each request as a line of JSON on stderr, and other messages as JSON too.", ACCESS),
    ] = False

    def access_notes(self) -> Iterator[str]:
        """Who may read the token, or use the models without one."""
        if self.token is not None and self.token.is_readable_by_others:
            path = shlex.quote(str(self.token.path))
            yield f"every user of this machine may read the token; to change that: chmod 600 {path}"
        if not self.is_loopback and self.token is None:
            token = UseOption("token", "token_file", placeholder="FILE")
            yield Advice(f"everyone who reaches {self.host} may use the models; to change that: ", token)

    @cached_property
    def is_loopback(self) -> bool:
        """Whether programs of this machine alone can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:  # the name of a host
            return False
