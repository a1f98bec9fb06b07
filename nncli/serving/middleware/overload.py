"""Refusing predictions while a queue is full, at a small part of the cost of any other answer.

What is refused is repeated soon, and by many: the more it costs, the longer all others wait for theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from nncli.serving.batching.batcher import Batcher
from nncli.serving.batching.model_queue import TOO_MANY
from nncli.serving.models.model_slots import ModelSlots
from nncli.serving.problems.problem import ProblemError
from nncli.serving.problems.response import problem_response


class OverloadControl:
    """Middleware that answers 503 to requests to `routes`, which predict, if the queue of their model is full."""

    def __init__(self, app: ASGIApp, routes: Sequence[Route], slots: ModelSlots, batcher: Batcher) -> None:
        self._app, self._routes, self._slots, self._batcher = app, routes, slots, batcher

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it once its body has arrived, so that its connection can go on."""
        if not self._is_refused(scope):
            await self._app(scope, receive, send)
            return
        response = _refusal(scope["path"])
        try:
            while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
                pass
        except ProblemError as error:  # the body is too large, or too slow
            response = problem_response(error.problem, scope["path"])
        await response(scope, receive, send)

    def _is_refused(self, scope: Scope) -> bool:
        if scope["type"] != "http" or self._batcher.waiting < self._batcher.limit:
            return False
        for route in self._routes:
            match, more = route.matches(scope)
            if match is Match.FULL:
                slot = self._slots.find(more["path_params"].get("model"))
                if slot is None or not self._batcher.is_full(slot):
                    return False
                scope.update(more)  # by which the request is counted
                return True
        return False


@lru_cache(256)
def _refusal(path: str) -> Response:
    """The answer at a path; a response has no state, so it is sent again."""
    return problem_response(TOO_MANY, path)
