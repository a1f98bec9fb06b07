"""The server process: sockets, signals, and the end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from nncli.serving.app import build_app
from nncli.serving.batcher import Batcher
from nncli.serving.options import ServerOptions
from nncli.serving.served_model import ModelSlot, ModelSlots, ServedModel
from nncli.serving.state import ServerState


def serve(runs: Sequence[tuple[str, Path]], options: ServerOptions) -> None:
    """Serve runs, each with its name, until a signal ends the process.

    Raises:
        RunError: a run directory is missing or damaged.
        UsageError: the address is taken.
    """
    slots = ModelSlots([ModelSlot(path, ServedModel.load(name, path)) for name, path in runs])
    batcher = Batcher(options.queue)
    state = ServerState(slots, batcher, options)
    listener = socket.create_server((options.host, options.port))
    # asyncio does so for its own sockets alone; without, an answer waits 40 ms for the client's delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(build_app(state), http="httptools", log_config=None, access_log=False, lifespan="off")
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))
    batcher.close()
