"""The server process: from the sockets to the last answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from nncli.base.errors import Advice, NncliError, UseOption
from nncli.base.threads import limit_blas_threads
from nncli.serving.app import connections_of
from nncli.serving.connections import STOP_GRACE, HttpConnection
from nncli.serving.models.reload import ModelSlot, ModelSlots, Reloader, warn_of_unfinished
from nncli.serving.process.listeners import (
    BACKLOG,
    bind_listeners,
    close_all,
    listen,
    raise_limit_of_open_files,
    stop_listening,
    url_of,
)
from nncli.serving.process.log import ALWAYS, LOG, dropped_line, log_native_text, log_to_stderr, writing_on_a_thread
from nncli.serving.process.native_stderr import native_text_to
from nncli.serving.process.signals import notify, short_pauses, signals_while_loading, signals_while_serving
from nncli.serving.server_options import ServerOptions
from nncli.serving.state import ServerState

SECONDS_BETWEEN_DATES = 1.0
"""The header Date has seconds."""
SECONDS_BETWEEN_LOOKS = 0.02
"""Seconds between two looks whether all connections have ended."""


def serve(runs: Sequence[tuple[str, Path]], options: ServerOptions, *, quiet: bool = False) -> None:
    """Serve runs, each with its name, until SIGINT or SIGTERM; then answer what has arrived.

    The port is taken first, and connections are accepted once all models are loaded. SIGHUP loads the models again. The
    limit of open files is raised for the whole process, since every connection is one.

    Raises:
        RunError: a run directory is missing or damaged.
        UsageError: the address is taken, unknown, or not this user's.
        NncliError: requests were not answered within the limit of time when the server stopped.
    """
    log_to_stderr(quiet=quiet, as_json=options.access_log)
    writing = writing_on_a_thread(partial(dropped_line, as_json=options.access_log))
    with writing, native_text_to(log_native_text):
        with signals_while_loading():
            sockets = bind_listeners(options)
            raise_limit_of_open_files()
            try:
                slots = ModelSlots([ModelSlot.load(name, path) for name, path in runs])
                server = PredictionServer(ServerState(slots, options))
                with limit_blas_threads(1), short_pauses():  # predictions ask for one BLAS thread each time
                    asyncio.run(server.serve(sockets))
            finally:
                close_all(sockets)
        server.finish()


class PredictionServer:
    """Accepts connections until a signal stops it, then answers every request that has arrived."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._connections = connections_of(state)
        self._reloader = Reloader(state.slots, on_result=state.metrics.count_reload)
        self._unanswered = 0

    async def serve(self, sockets: Sequence[socket.socket]) -> None:
        """Answer the connections of bound sockets until a signal stops the server.

        Raises:
            UsageError: another server has begun to listen at the port.
        """
        self._stopped = asyncio.Event()
        with signals_while_serving(asyncio.get_running_loop(), self._stopped.set, self._reload):
            servers = await self._start(sockets)
            await self._wait()
            await self._shut_down(servers)

    async def _start(self, sockets: Sequence[socket.socket]) -> list[asyncio.Server]:
        """Begin to accept connections."""
        listen(sockets, self._state.options)
        self._connections.set_date()
        loop = asyncio.get_running_loop()
        servers = [
            await loop.create_server(lambda: HttpConnection(self._connections), sock=sock, backlog=BACKLOG)
            for sock in sockets
        ]
        self._reloader.start()
        for sock in sockets:
            LOG.log(ALWAYS, "listening on %s", url_of(sock))
        for slot in self._state.slots.all:
            LOG.info("model %s: version %s of %s", slot.name, slot.current.version, slot.path)
            warn_of_unfinished(slot)
        notify("READY=1")
        return servers

    async def _wait(self) -> None:
        """Wait until a signal stops the server, and keep the header Date current."""
        while not self._stopped.is_set():
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), SECONDS_BETWEEN_DATES)
            self._connections.set_date()

    def _reload(self) -> None:
        """Load the models and read the token again."""
        self._reloader.request()
        self._reload_token()

    def _reload_token(self) -> None:
        """Read the token again; on an error the previous token stays."""
        token = self._state.options.token
        if token is None:
            return
        try:
            token.reload()
        except NncliError as error:
            LOG.error("the token stays as it was: %s", str(error).replace("\n", " "))
        else:
            LOG.info("the token was read again")

    async def _shut_down(self, servers: Sequence[asyncio.Server]) -> None:
        """Answer every request that has arrived, within the limit of time."""
        connections = self._connections
        self._state.is_ready = False
        notify("STOPPING=1")
        self._reloader.close()
        LOG.info("stopping: open connections: %d", len(connections.open))
        await stop_listening(servers)
        connections.drain()
        loop = asyncio.get_running_loop()
        end = loop.time() + self._state.options.timeout + STOP_GRACE
        while not connections.are_done and loop.time() < end:
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        self._unanswered = connections.abort()

    def finish(self) -> None:
        """End the threads of the models.

        Raises:
            NncliError: requests were not answered.
        """
        if self._unanswered:
            raise NncliError(
                f"stopped, but requests were not answered within {self._state.options.timeout:g} s: "
                f"{self._unanswered:,} of them",
                hint=Advice("A longer ", UseOption("timeout", "timeout"), " gives slow requests more time."),
            )
        self._state.batcher.close()
        self._state.metrics.close()
        LOG.info("stopped: every request is answered")
