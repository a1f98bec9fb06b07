"""The answer of a problem, as the clients of a path read it."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from nncli.serving.problems.error_members import error_members
from nncli.serving.problems.problem import Problem

PROBLEM_JSON = "application/problem+json"
REASON = "reason"
"""The key of the reason in the state of a request."""


class ProblemResponse(Response):
    """The answer of a problem, which leaves its reason in the state of the request, for the access log."""

    def __init__(self, reason: str, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options)
        self._reason = reason

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        scope.setdefault("state", {})[REASON] = self._reason
        await super().__call__(scope, receive, send)


def problem_response(problem: Problem, path: str) -> Response:
    """The answer of a problem: JSON of RFC 9457, with the members of the protocol that a path belongs to."""
    retry = {} if problem.retry_after is None else {"Retry-After": str(problem.retry_after)}
    return ProblemResponse(
        problem.reason,
        json.dumps({**problem.json(), **error_members(path, problem)}, ensure_ascii=False),
        problem.status.value,
        {**problem.headers, **retry},
        media_type=PROBLEM_JSON,
    )
