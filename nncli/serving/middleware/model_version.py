"""The header that says which version of a model has answered."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nncli.serving.batching.job import predicted_of

HEADER = b"x-model-version"


class ModelVersionHeader:
    """Adds X-Model-Version to answers of a model, also to those that say what is wrong with the rows."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_with_version(message: Message) -> None:
            predicted = predicted_of(scope) if message["type"] == "http.response.start" else None
            if predicted is not None and predicted.version:
                message = {**message, "headers": [*message["headers"], (HEADER, predicted.version.encode())]}
            await send(message)

        await self._app(scope, receive, send_with_version)
