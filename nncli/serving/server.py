"""The server process: from the sockets to the last answer."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import uvicorn

from nncli.errors import NncliError
from nncli.serving.app import build_app
from nncli.serving.batching.batcher import Batcher
from nncli.serving.connections import connection_protocol
from nncli.serving.http.connection import STOP_GRACE
from nncli.serving.http.state import ConnectionState
from nncli.serving.models.model_slots import ModelSlot, ModelSlots
from nncli.serving.models.reload import Reloader, warn_of_unfinished
from nncli.serving.options import ServerOptions
from nncli.serving.process.listeners import BACKLOG, bind_listeners, close_all, listen, stop_listening, url_of
from nncli.serving.process.log import ALWAYS, LOG, dropped_line, log_to_stderr
from nncli.serving.process.log_writer import writing_on_a_thread
from nncli.serving.process.notify import notify
from nncli.serving.process.signals import signals_while_loading, signals_while_serving
from nncli.serving.state import ServerState
from nncli.utils.threads import limit_blas_threads

ALLOCATIONS_BETWEEN_COLLECTIONS = 10_000
"""So many objects are searched for garbage in less than a millisecond."""
SECONDS_OF_INTERPRETER = 0.001
"""How long a thread that reads or writes in Python may hold the interpreter while another waits for it. The event loop
gives it away at every call of the system: at Python's 5 ms, one answer would wait several times so long."""
SECONDS_BETWEEN_LOOKS = 0.02
"""Seconds between two looks whether all connections have ended."""


def serve(runs: Sequence[tuple[str, Path]], options: ServerOptions, *, quiet: bool = False) -> None:
    """Serve runs, each with its name, until SIGINT or SIGTERM; then answer what has arrived.

    The port is taken first, and connections are accepted once all models are loaded. SIGHUP loads the models again.

    Raises:
        RunError: a run directory is missing or damaged.
        UsageError: the address is taken, unknown, or not this user's.
        NncliError: requests were not answered within the limit of time when the server stopped.
    """
    log_to_stderr(quiet=quiet, as_json=options.access_log)
    with writing_on_a_thread(partial(dropped_line, as_json=options.access_log)):
        with signals_while_loading():
            sockets = bind_listeners(options)
            try:
                slots = ModelSlots([ModelSlot.load(name, path) for name, path in runs])
                server = PredictionServer(ServerState(slots, Batcher(options.queue), options))
                with limit_blas_threads(1):  # as predictions do, which find it done
                    asyncio.run(server.serve(sockets))
            finally:
                close_all(sockets)
        server.finish()


class PredictionServer(uvicorn.Server):
    """uvicorn's server, which stops without losing a request, and loads models again on SIGHUP."""

    def __init__(self, state: ServerState) -> None:
        super().__init__(
            uvicorn.Config(
                build_app(state),
                http=connection_protocol(state),
                ws="none",
                lifespan="off",
                backlog=BACKLOG,
                log_config=None,
                access_log=False,
                server_header=False,
            )
        )
        self.server_state = ConnectionState()
        self._state = state
        self._reloader = Reloader(state.slots, on_result=state.metrics.count_reload)
        self._unanswered = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        assert sockets is not None
        listen(sockets, self._state.options)
        await super().startup(sockets)
        self._reloader.start()
        gc.freeze()  # a collection of all that was imported and loaded would hold up every answer
        gc.set_threshold(ALLOCATIONS_BETWEEN_COLLECTIONS)
        sys.setswitchinterval(SECONDS_OF_INTERPRETER)
        for one in sockets:
            LOG.log(ALWAYS, "listening on %s", url_of(one))
        for slot in self._state.slots.all:
            LOG.info("model %s: version %s of %s", slot.name, slot.current.version, slot.path)
            warn_of_unfinished(slot)
        notify("READY=1")

    async def main_loop(self) -> None:
        """Wait until a signal stops the server; the clock of the header Date moves meanwhile."""
        while not self.should_exit:
            await self.on_tick(0)
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), 1.0)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals while the server runs."""
        self._stopped = asyncio.Event()
        with signals_while_serving(asyncio.get_running_loop(), self._stop, self._reload):
            yield

    def _stop(self) -> None:
        self.should_exit = True
        self._stopped.set()

    def _reload(self) -> None:
        self._reloader.request()
        self._reload_token()

    def _reload_token(self) -> None:
        """Read the token again; that of before stays if there is none now."""
        token = self._state.options.token
        if token is None:
            return
        try:
            token.reload()
        except NncliError as error:
            LOG.error("the token stays as it was: %s", str(error).replace("\n", " "))
        else:
            LOG.info("the token was read again")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer every request that has arrived, within the limit of time."""
        assert isinstance(self.server_state, ConnectionState)
        self._state.is_ready = False
        notify("STOPPING=1")
        self._reloader.close()
        LOG.info("stopping: open connections: %d", len(self.server_state.connections))
        await stop_listening(self.servers)
        self.server_state.drain()
        loop = asyncio.get_running_loop()
        end = loop.time() + self._state.options.timeout + STOP_GRACE
        while (self.server_state.connections or self.server_state.tasks) and loop.time() < end:
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        self._unanswered = self.server_state.abort()

    def finish(self) -> None:
        """End the threads of the models.

        Raises:
            NncliError: requests were not answered.
        """
        if self._unanswered:
            raise NncliError(
                f"stopped, but requests were not answered within {self._state.options.timeout:g} s: "
                f"{self._unanswered:,} of them",
                hint="A larger --timeout gives slow requests more time.",
            )
        self._state.batcher.close()
        self._state.metrics.close()
        LOG.info("stopped: every request is answered")
