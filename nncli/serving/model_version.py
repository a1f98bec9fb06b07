"""The header that says which version of a model has answered."""

from __future__ import annotations

from contextvars import ContextVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = b"x-model-version"

ANSWERED_BY: ContextVar[str] = ContextVar("ANSWERED_BY")
"""The version of the model that has answered the request of this task; the batcher sets it."""


class ModelVersionHeader:
    """Adds X-Model-Version to answers of a model, also to those that say what is wrong with the rows."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_with_version(message: Message) -> None:
            if message["type"] == "http.response.start" and (version := ANSWERED_BY.get("")):
                message = {**message, "headers": [*message["headers"], (HEADER, version.encode())]}
            await send(message)

        await self._app(scope, receive, send_with_version)
