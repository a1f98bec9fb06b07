"""Requests to web servers that follow redirects, but not into networks that the server itself could not reach.

A server that anyone may run can redirect to an address that is reachable from here alone: this machine, its network, or
the server that tells a machine in the cloud its credentials. So a redirect leads to servers that are as far away as the
farthest before it, or farther. What counts is the address of the connection, whatever its name and its spelling.
"""

from __future__ import annotations

import http.client
import socket
import string
import urllib.request
from enum import IntEnum
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from nncli.base.credentials import split_url
from nncli.base.dataclass import dataclass
from nncli.base.errors import DataError, Location

if TYPE_CHECKING:
    _Connection = http.client.HTTPConnection
else:
    _Connection = object

REDIRECTS = (301, 302, 303, 307, 308)
MAX_REDIRECTS = 10
DEFAULT_PORTS = {"http": 80, "https": 443}


class Distance(IntEnum):
    """How far away a server is: the smaller, the fewer can reach it."""

    THIS_MACHINE = 0
    LINK = 1
    """The same link, and the servers that tell machines in the cloud their credentials."""
    NETWORK = 2
    """A private network."""
    PUBLIC = 3


METADATA = {ip_address(text) for text in ("169.254.169.254", "168.63.129.16", "100.100.100.200", "fd00:ec2::254")}
"""Servers of Amazon, Google, Azure, Alibaba and others that tell a machine its credentials."""
NAT64 = ip_network("64:ff9b::/96")
"""IPv6 addresses that end in one of IPv4, to which a router passes them on."""


def distance_of(address: str) -> Distance:
    """How far away the server of an IP address is."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        embedded = ip.ipv4_mapped or ip.sixtofour
        ip = embedded or (IPv4Address(int(ip) & 0xFFFF_FFFF) if ip in NAT64 else ip)
    if ip.is_loopback or ip.is_unspecified:
        return Distance.THIS_MACHINE
    if ip.is_link_local or ip in METADATA:
        return Distance.LINK
    is_site = isinstance(ip, IPv6Address) and ip.is_site_local
    return Distance.PUBLIC if ip.is_global and not is_site else Distance.NETWORK


def open_url(url: str, headers: dict[str, str], source: str, timeout: float) -> http.client.HTTPResponse:
    """The answer of a server, after redirects, whatever its status; `source` is the name of the file in messages.

    The password or token among the headers is sent to the same server only.

    Raises:
        DataError: a redirect leads where it must not, or to yet another one.
        OSError, http.client.HTTPException, ValueError: the server cannot be reached.
    """
    guard = _Guard(source)
    # No opener of other schemes: a redirect must not lead to a local file.
    opener = urllib.request.OpenerDirector()
    opener.add_handler(urllib.request.ProxyHandler())
    opener.add_handler(_Handler(guard))
    for _ in range(MAX_REDIRECTS + 1):
        response: http.client.HTTPResponse = opener.open(urllib.request.Request(url, headers=headers), timeout=timeout)
        if response.status not in REDIRECTS:
            return response
        with response:
            target = _target(url, response, guard)
        if not _is_same_server(url, target):
            headers = {name: value for name, value in headers.items() if name != "Authorization"}
        url = target
    raise guard.refusal(
        f"the server redirects in a circle, or too often ({response.status} {response.reason})",
        "Check the address, for example in a browser.",
    )


def _target(url: str, response: http.client.HTTPResponse, guard: _Guard) -> str:
    """The URL to which an answer redirects."""
    code, location = response.status, response.headers["Location"] or response.headers["URI"]
    if not location:
        raise guard.refusal(f"the server redirects, and does not say where to ({code})", "Check the address.")
    # Header lines arrive as Latin-1; what is not ASCII in them, such as UTF-8, is encoded byte by byte.
    target = urljoin(url, quote(location, safe=string.punctuation, encoding="iso-8859-1"))
    scheme = urlsplit(target).scheme
    if scheme not in DEFAULT_PORTS:
        raise guard.refusal(
            f"the server redirects to an address of {scheme}:, which is neither http nor https ({code})",
            "Give the address of the file itself.",
        )
    if urlsplit(url).scheme == "https" and scheme != "https":
        raise guard.refusal(
            f"the server redirects from https to http ({code}), where others could read or change the table",
            "Give the address to which it redirects.",
        )
    return target


@dataclass
class _Guard:
    """What holds for a chain of redirects: the distance of the farthest server so far."""

    url: str
    farthest: Distance | None = None

    def check(self, host: str, address: str) -> None:
        """Raise a DataError if a redirect leads to a server that is nearer."""
        distance = distance_of(address)
        if self.farthest is not None and distance < self.farthest:
            place = "this machine" if distance is Distance.THIS_MACHINE else "a private network"
            raise self.refusal(
                f"the server redirects to an address of {place}, {host}" + (f" ({address})" if address != host else ""),
                "If you trust it, give the address to which it redirects.",
            )

    def passed(self, distance: Distance) -> None:
        """Remember the server of a connection."""
        self.farthest = distance if self.farthest is None else max(distance, self.farthest)

    def refusal(self, message: str, hint: str) -> DataError:
        """The error of a redirect that is not followed."""
        return DataError(message, location=Location(source=self.url), hint=hint)


class _Guarded(_Connection):
    """A connection that is closed before the request is sent if its server is too near."""

    def __init__(self, guard: _Guard, request: urllib.request.Request, host: str, timeout: float) -> None:
        super().__init__(host, timeout=timeout)
        self._guard = guard
        self._target = split_url(request.full_url) if _is_proxied(request) else None

    def connect(self) -> None:
        """Check the addresses of the name, and after the connection the one that was used: names may change."""
        guard = self._guard
        if self._target is not None:
            # Only the proxy knows the address of a name; here, one that is written as a number can be told.
            host = self._target.hostname or ""
            numeric = _numeric_address(host)
            if numeric is not None:
                guard.check(host, numeric)
            super().connect()
            guard.passed(Distance.PUBLIC if numeric is None else distance_of(numeric))
            return
        if guard.farthest is not None:
            for *_, address in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
                guard.check(self.host, str(address[0]))
        super().connect()
        peer = self.sock.getpeername()[0]
        try:
            guard.check(self.host, peer)
        except DataError:
            self.close()
            raise
        guard.passed(distance_of(peer))


class _HttpConnection(_Guarded, http.client.HTTPConnection):
    pass


class _HttpsConnection(_Guarded, http.client.HTTPSConnection):
    pass


class _Handler(urllib.request.AbstractHTTPHandler):
    """Opens the connections of http and https."""

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def __init__(self, guard: _Guard) -> None:
        super().__init__()
        self._guard = guard

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_HttpConnection, self._guard, request), request)

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_HttpsConnection, self._guard, request), request)


def _is_proxied(request: urllib.request.Request) -> bool:
    """Whether a request goes to a proxy, directly or through a tunnel."""
    return urlsplit(request.full_url).netloc.rpartition("@")[2] != request.host


def _numeric_address(host: str) -> str | None:
    """The IP address of a host that is written as one, in whatever way, such as 0x7f.1 for 127.0.0.1."""
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    if host.lower().rstrip(".") == "localhost":
        return "127.0.0.1"
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return None


def has_server(url: SplitResult) -> bool:
    """Whether the host and the port of a URL can be read."""
    try:
        return bool(url.hostname) and url.port != 0
    except ValueError:  # the port is no number, or too large
        return False


def _is_same_server(url: str, target: str) -> bool:
    """Whether a URL redirects to the same server. It may change from http to https, on the default ports."""
    old, new = urlsplit(url), urlsplit(target)
    if not has_server(new) or old.hostname != new.hostname:
        return False
    before, after = ((parts.scheme, parts.port or DEFAULT_PORTS.get(parts.scheme)) for parts in (old, new))
    return before == after or (before, after) == (("http", 80), ("https", 443))
