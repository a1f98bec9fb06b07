"""Paths of POST with a slash at the end.

curl does not follow a redirect to the path without it, and other clients leave out the body. GET is redirected,
so that the relative links of a page lead where they should.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class WithoutTrailingSlash:
    """Middleware that answers a POST to `/predict/` as one to `/predict`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].endswith("/"):
            scope = {**scope, "path": scope["path"].rstrip("/") or "/"}
        await self._app(scope, receive, send)
