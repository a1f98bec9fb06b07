"""The sockets that a server listens at: opening them, and closing them once all connections are accepted."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import selectors
import socket
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from nncli.base.errors import Advice, UsageError, UseOption
from nncli.base.text import quote
from nncli.serving.server_options import ServerOptions

SocketAddress: TypeAlias = tuple[Any, ...]

BACKLOG = 2048
"""Connections that may wait until they are accepted."""
HANDSHAKE_SECONDS = 0.2
"""How long connections that are being made have until the socket is closed."""
ACCEPT_SECONDS = 5.0
"""How long connections that were made have until they are accepted: without free file descriptors, none is."""
ATTEMPTS_AT_A_FREE_PORT = 20
LARGEST_PRIVILEGED_PORT = 1023

HOST = UseOption("host", "host")
ANY_PORT = Advice(
    *(UseOption("port", "port", 0), " picks a free one; ", UseOption("reuse_port", "reuse_port", True)),
    " shares the port with a running server that has this option, too.",
)
SO_ATTACH_FILTER = 26
SYN_FILTER = (
    (0x30, 0, 0, 13),  # load byte 13 of the TCP header, the flags
    (0x54, 0, 0, 0x12),  # keep SYN and ACK
    (0x15, 0, 1, 0x02),  # if it is SYN alone, which asks for a new connection:
    (0x06, 0, 0, 0),  # drop the packet
    (0x06, 0, 0, 0x40000),  # else keep it
)
"""A program of Linux' socket filters: code, jump if true, jump if false, operand."""


def bind_listeners(options: ServerOptions) -> list[socket.socket]:
    """Sockets for all addresses of the host, bound to the port; they do not accept connections yet.

    Raises:
        UsageError: the host is unknown, the port is taken, or this user may not have it.
    """
    addresses = _addresses(options)
    for attempt in range(ATTEMPTS_AT_A_FREE_PORT):
        sockets: list[socket.socket] = []
        port = options.port
        try:
            for family, address in addresses:
                sockets.append(_bound(family, (address[0], port, *address[2:]), options))
                port = sockets[0].getsockname()[1]
        except OSError as error:
            close_all(sockets)
            is_last = attempt + 1 == ATTEMPTS_AT_A_FREE_PORT
            if options.port == 0 and len(sockets) > 0 and error.errno == errno.EADDRINUSE and not is_last:
                continue  # the port is free at one address, and taken at another
            raise cannot_listen(options, error) from error
        return sockets
    raise AssertionError


def listen(sockets: Sequence[socket.socket], options: ServerOptions) -> None:
    """Let connections wait at the sockets.

    Raises:
        UsageError: another server has begun to listen at the port.
    """
    for sock in sockets:
        try:
            sock.listen(BACKLOG)
        except OSError as error:
            raise cannot_listen(options, error) from error


def close_all(sockets: Sequence[socket.socket]) -> None:
    """Close sockets."""
    for sock in sockets:
        sock.close()


async def stop_listening(servers: Sequence[asyncio.Server]) -> None:
    """Close the sockets of servers once they have accepted all connections that were made.

    Closing a socket resets the connections that wait at it. So new ones are dropped first: a client whose SYN is
    dropped sends it again after a second, and finds another server that shares the port, if there is one. Where the
    system has no such filter, a connection that is made in the last microseconds may be reset.
    """
    sockets = [sock for server in servers for sock in server.sockets]
    for sock in sockets:
        with suppress(OSError):
            _drop_new_connections(sock)
    await asyncio.sleep(HANDSHAKE_SECONDS)
    loop = asyncio.get_running_loop()
    end = loop.time() + ACCEPT_SECONDS
    while _wait_to_be_accepted(sockets) and loop.time() < end:
        await asyncio.sleep(0.001)  # the event loop accepts them
    for server in servers:
        server.close()
    await asyncio.sleep(0)  # the connections accepted last reach their protocols


def url_of(listener: socket.socket) -> str:
    """The address of a socket as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _addresses(options: ServerOptions) -> list[tuple[socket.AddressFamily, SocketAddress]]:
    """The addresses of the host, without repetitions."""
    try:
        results = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UsageError(
            Advice(HOST, f": the address of {quote(options.host)} is unknown"),
            hint=Advice(
                *(
                    "For example ",
                    UseOption("host", "host", "127.0.0.1"),
                    ", or 0.0.0.0 for all addresses of this machine.",
                )
            ),
        ) from error
    families = {socket.AF_INET, socket.AF_INET6} if socket.has_ipv6 else {socket.AF_INET}
    usable = dict.fromkeys((family, address) for family, _, _, _, address in results if family in families)
    if not usable:
        raise UsageError(Advice(HOST, f": this machine has no IPv6, which {quote(options.host)} is an address of"))
    return list(usable)


def _bound(family: socket.AddressFamily, address: SocketAddress, options: ServerOptions) -> socket.socket:
    """A socket that is bound to one address; `::` includes IPv4, as it does for other servers."""
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # asyncio does so for its own sockets alone; without, an answer waits 40 ms for the client's delayed ACK.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sys.platform != "win32":  # there, it would let two servers have one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if options.reuse_port:
            if not hasattr(socket, "SO_REUSEPORT"):
                raise UsageError(
                    Advice(UseOption("reuse_port", "reuse_port"), ": servers cannot share a port on this system")
                )
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            is_dual = options.host == "::" and socket.has_dualstack_ipv6()
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(not is_dual))
        listener.bind(address)
    except BaseException:
        listener.close()
        raise
    return listener


def cannot_listen(options: ServerOptions, error: OSError) -> UsageError:
    """Why a server cannot listen at its address."""
    place = f"{options.host}, port {options.port}"
    if error.errno == errno.EADDRINUSE:
        return UsageError(f"{place}: another program listens there already", hint=ANY_PORT)
    if error.errno == errno.EACCES:
        port = UseOption("port", "port", 8000)
        hint = Advice("Choose a port from 1024, for example ", port, ", and a proxy for this one.")
        return UsageError(
            f"{place}: this user may not listen there",
            hint=hint if options.port <= LARGEST_PRIVILEGED_PORT else None,
        )
    if error.errno == errno.EADDRNOTAVAIL:
        hint = Advice(HOST, " is an address of this machine: 127.0.0.1, that of a network card, or 0.0.0.0 for all.")
        return UsageError(f"{place}: this machine does not have the address", hint=hint)
    return UsageError(f"{place}: cannot listen there: {error.strerror or error}")


def _drop_new_connections(listener: socket.socket) -> None:
    """Let the kernel drop packets that ask for a new connection; only Linux can."""
    if sys.platform == "linux":
        program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in SYN_FILTER))
        header = struct.pack("HP", len(SYN_FILTER), ctypes.addressof(program))
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, header)


def _wait_to_be_accepted(sockets: Sequence[socket.socket]) -> bool:
    # Unlike epoll and kqueue, these need no file descriptor.
    with selectors.SelectSelector() if sys.platform == "win32" else selectors.PollSelector() as selector:
        for sock in sockets:
            selector.register(sock, selectors.EVENT_READ)
        return bool(selector.select(0))


MAX_FILES = 8192
"""More are not needed for the most connections of a server."""


def raise_limit_of_open_files() -> None:
    """Raise the soft limit of the process, as far as its hard limit allows."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(MAX_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def limit_of_open_files() -> int | None:
    """The soft limit of the process; None if there is not any."""
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft
