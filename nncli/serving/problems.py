"""Errors of requests as answers, worded for clients: application/problem+json of RFC 9457."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from nncli.base.errors import (
    Action,
    DataError,
    NameAsText,
    NncliError,
    RunError,
    SetKey,
    UsageError,
    UseOption,
    worded,
)
from nncli.base.text import quote

RUN_HINT = "Leave out interval and prediction_set, or try again once the run directory of the model is complete again."
RUN_SECONDS = 30
"""When to try again: a run directory that is being replaced may be complete."""
OWN_DETAILS = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.MISDIRECTED_REQUEST,
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        HTTPStatus.SERVICE_UNAVAILABLE,
    }
)
"""Statuses of problems whose detail quotes nothing of a request."""


@dataclass(frozen=True)
class CellProblem:
    """A cell that cannot be read, and why; the rows of a request count from 1."""

    row: int
    column: str
    value: str
    detail: str


@dataclass(frozen=True)
class Problem:
    """An error of a request: what is wrong, where, and how to fix it.

    `row` counts the rows of the request from 1. `retry_after` is in seconds. `errors` are the first cells of a request
    that cannot be read.
    """

    status: HTTPStatus
    detail: str
    hint: str | None = None
    row: int | None = None
    column: str | None = None
    value: str | None = None
    retry_after: int | None = None
    errors: tuple[CellProblem, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """The problem as JSON, without what is unknown."""
        members = {name: getattr(self, name) for name in ("row", "column", "value", "hint")}
        return {
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
            **{name: value for name, value in members.items() if value is not None},
            **({"errors": [asdict(cell) for cell in self.errors]} if self.errors else {}),
        }

    @property
    def reason(self) -> str:
        """What a log may say of it: not the detail if that may quote the request."""
        return self.detail if self.status in OWN_DETAILS else self.status.phrase


class ProblemError(Exception):
    """A request cannot be answered."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def bad_request(detail: str, hint: str | None = None) -> ProblemError:
    """An error of the body or the parameters of a request."""
    return ProblemError(Problem(HTTPStatus.BAD_REQUEST, detail, hint))


def too_large(detail: str, hint: str) -> ProblemError:
    """An error of a request that is larger than a limit."""
    return ProblemError(Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, hint))


def invalid_row(
    detail: str,
    hint: str | None = None,
    row: int | None = None,
    column: str | None = None,
    value: str | None = None,
) -> ProblemError:
    """An error of a row that the model cannot predict; see Problem."""
    return ProblemError(Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, hint, row, column, value))


def busy(detail: str, hint: str | None = "Try again later.") -> Problem:
    """The answer to a request that may succeed later."""
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, hint, retry_after=1)


def problem_of(error: NncliError) -> Problem:
    """The problem of an error that a request caused: 400 for its parameters, 422 for its rows.

    503 if it needs a file of the run that cannot be read any more, else 500.
    """
    place = error.location
    row, column = (None, None) if place is None else (place.row, place.column)
    message, hint = worded(error.message, in_request), worded(error.hint or "", in_request) or None
    if isinstance(error, UsageError):
        return Problem(HTTPStatus.BAD_REQUEST, message, hint)
    if isinstance(error, DataError):
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, message, hint, row, column)
    if isinstance(error, RunError):
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, error.message, RUN_HINT, retry_after=RUN_SECONDS)
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, message, hint, row, column)


MLFLOW_PATHS = re.compile(r"(/models/[^/]+)?/(invocations|ping|version)|/health")
MLFLOW_CODES = {
    HTTPStatus.BAD_REQUEST: "BAD_REQUEST",
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.NOT_FOUND: "RESOURCE_DOES_NOT_EXIST",
    HTTPStatus.UNPROCESSABLE_ENTITY: "INVALID_PARAMETER_VALUE",
    HTTPStatus.SERVICE_UNAVAILABLE: "TEMPORARILY_UNAVAILABLE",
}
"""MLflow's codes; any other error of the client is a BAD_REQUEST, and of the server an INTERNAL_ERROR."""


def error_members(path: str, problem: Problem) -> dict[str, str]:
    """`error_code` and `message` for MLflow's addresses."""
    if MLFLOW_PATHS.fullmatch(path):
        other = "INTERNAL_ERROR" if problem.status >= 500 else "BAD_REQUEST"
        return {"error_code": MLFLOW_CODES.get(problem.status, other), "message": message_of(problem)}
    return {}


def message_of(problem: Problem) -> str:
    """The whole problem as one line: where, what, and how to fix it."""
    place = [
        "" if problem.row is None else f"row {problem.row:,}",
        "" if problem.column is None else f"column {quote(problem.column)}",
    ]
    where = ", ".join(filter(None, place))
    text = f"{where}: {problem.detail}" if where else problem.detail
    return text if problem.hint is None else f"{text.rstrip('.')}. {problem.hint}"


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


def in_request(action: Action) -> str | None:
    """An action as a client does it: by a parameter or a header; what only who runs the server can do is None."""
    match action:
        case UseOption(_, name, value, is_parameter=True):
            return name if value is None else f"{name}={json.dumps(value)}"
        case SetKey("data.encoding", value):
            return "charset" if value is None else f"`Content-Type: text/csv; charset={value}`"
        case UseOption("quote", _, value) if value is not None:
            return f"`Content-Type: text/csv; quote={value}`"
        case NameAsText():
            return "send it as text/csv, text/tab-separated-values or application/jsonl"
    return None
