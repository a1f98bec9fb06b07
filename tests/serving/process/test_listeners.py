"""Sockets: errors that say what to do, ports that are shared on purpose alone, and no connection lost at the end."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from nncli.base.errors import UsageError
from nncli.serving.process.listeners import bind_listeners, cannot_listen, close_all, listen, stop_listening, url_of
from nncli.serving.server_options import ServerOptions

ANY = ServerOptions(port=0)
needs_reuse_port = pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="ports cannot be shared here")


@contextmanager
def listening(options: ServerOptions) -> Iterator[list[socket.socket]]:
    sockets = bind_listeners(options)
    try:
        listen(sockets, options)
        yield sockets
    finally:
        close_all(sockets)


def has_ipv6() -> bool:
    try:
        with closing(socket.create_server(("::1", 0), family=socket.AF_INET6)):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")


def port_of(sockets: list[socket.socket]) -> int:
    port: int = sockets[0].getsockname()[1]
    return port


def test_port_0_is_a_free_one_which_the_url_names() -> None:
    with listening(ANY) as sockets:
        assert url_of(sockets[0]) == f"http://127.0.0.1:{port_of(sockets)}"
        assert port_of(sockets) > 0


@needs_ipv6
def test_ipv6() -> None:
    with listening(ServerOptions(host="::1", port=0)) as sockets:
        assert url_of(sockets[0]) == f"http://[::1]:{port_of(sockets)}"
        with socket.create_connection(("::1", port_of(sockets)), timeout=5):
            pass


@needs_ipv6
def test_all_addresses_of_ipv6_include_those_of_ipv4() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("no sockets for both here")
    with (
        listening(ServerOptions(host="::", port=0)) as sockets,
        socket.create_connection(("127.0.0.1", port_of(sockets)), 5),
    ):
        pass


def test_all_addresses_of_a_name_have_the_same_port() -> None:
    with listening(ServerOptions(host="localhost", port=0)) as sockets:
        assert len({socket.getsockname()[1] for socket in sockets}) == 1
        assert len(sockets) == len({socket.getsockname()[0] for socket in sockets})


@pytest.mark.parametrize("reuse_port", [False, pytest.param(True, marks=needs_reuse_port)])
def test_two_servers_do_not_share_a_port_unless_both_have_the_option(reuse_port: bool) -> None:
    with listening(ServerOptions(port=0, reuse_port=reuse_port)) as sockets:
        with pytest.raises(UsageError) as caught, listening(ServerOptions(port=port_of(sockets))):
            pass
        assert "--reuse-port" in str(caught.value.hint)
        assert "--port 0" in str(caught.value.hint)


@needs_reuse_port
def test_two_servers_with_the_option_share_a_port() -> None:
    with (
        listening(ServerOptions(port=0, reuse_port=True)) as first,
        listening(ServerOptions(port=port_of(first), reuse_port=True)) as second,
    ):
        assert port_of(second) == port_of(first)


def test_the_second_of_two_that_start_at_once_is_refused_when_it_begins_to_listen() -> None:
    first = bind_listeners(ANY)
    options = ServerOptions(port=port_of(first))
    try:
        second = bind_listeners(options)
    except UsageError:  # some systems refuse it here
        close_all(first)
        return
    listen(first, options)
    with pytest.raises(UsageError):
        listen(second, options)
    close_all([*first, *second])


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 70, "1.2.3.4.5", "192.0.2.1"])
def test_a_host_that_is_no_address_of_this_machine_is_a_usage_error(host: str) -> None:
    with pytest.raises(UsageError) as caught:
        bind_listeners(ServerOptions(host=host, port=0))
    assert caught.value.exit_code == 2
    assert host[:20] in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("number", [errno.EACCES, errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.ENOBUFS])
def test_what_the_system_refuses_names_the_address(number: int) -> None:
    error = cannot_listen(ServerOptions(host="10.0.0.1", port=80), OSError(number, os.strerror(number)))
    assert "10.0.0.1, port 80" in error.message


@pytest.mark.slow
@pytest.mark.parametrize("waiting", [1, 300])
def test_connections_that_wait_are_accepted_before_the_socket_is_closed(waiting: int) -> None:
    accepted: list[object] = []

    class Accept(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.append(transport)

        def data_received(self, data: bytes) -> None:
            pass

    async def test() -> None:
        with listening(ANY) as sockets:
            address = sockets[0].getsockname()
            clients = [socket.create_connection(address, 5) for _ in range(waiting)]
            server = await asyncio.get_running_loop().create_server(Accept, sock=sockets[0])
            await stop_listening([server])
            assert len(accepted) == waiting
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address, 0.2)
            close_all(clients)
            await asyncio.sleep(0.05)

    asyncio.run(test())


@pytest.mark.slow
def test_connections_that_nobody_accepts_do_not_keep_the_server_from_stopping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.serving.process.listeners.ACCEPT_SECONDS", 0.1)

    async def test() -> None:
        with listening(ANY) as sockets:
            client = socket.create_connection(sockets[0].getsockname(), 5)
            make = asyncio.Protocol
            server = await asyncio.get_running_loop().create_server(make, sock=sockets[0], start_serving=False)
            async with asyncio.timeout(5):
                await stop_listening([server])
            client.close()

    asyncio.run(test())


@pytest.mark.slow
@needs_reuse_port
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such filter")
def test_no_connection_is_lost_to_a_socket_that_is_closed_while_another_shares_its_port() -> None:
    """Clients connect without a pause, and send at once, while one of two servers stops."""

    class Echo(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            assert isinstance(self.transport, asyncio.Transport)
            self.transport.write(data)

    async def client(address: tuple[str, int], end: float) -> int:
        loop, count = asyncio.get_running_loop(), 0
        while loop.time() < end:
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"x")
            assert await reader.read(1) == b"x"
            writer.close()
            count += 1
        return count

    async def test() -> None:
        loop = asyncio.get_running_loop()
        with listening(ServerOptions(port=0, reuse_port=True)) as first:
            address = first[0].getsockname()
            with listening(ServerOptions(port=address[1], reuse_port=True)) as second:
                servers = [await loop.create_server(Echo, sock=item) for item in (*first, *second)]
                clients = [asyncio.create_task(client(address, loop.time() + 1.0)) for _ in range(8)]
                await asyncio.sleep(0.3)
                await stop_listening(servers[:1])
                assert min(await asyncio.gather(*clients)) > 0

    asyncio.run(test())
