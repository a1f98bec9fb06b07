"""Errors as answers: application/problem+json of RFC 9457."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from nncli.errors import DataError, NncliError, UsageError

PROBLEM_JSON = "application/problem+json"


@dataclass(frozen=True)
class Problem:
    """An error of a request: what is wrong, where, and how to mend it.

    `row` counts the rows of the request from 1. `retry_after` is in seconds.
    """

    status: HTTPStatus
    detail: str
    hint: str | None = None
    row: int | None = None
    column: str | None = None
    value: str | None = None
    retry_after: int | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """The problem as JSON, without what is unknown."""
        known = {name: getattr(self, name) for name in ("row", "column", "value", "hint")}
        return {
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
            **{name: value for name, value in known.items() if value is not None},
        }

    def response(self, members: Mapping[str, str] = {}) -> Response:
        """The answer, with more members that clients of other protocols read."""
        retry = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return Response(
            json.dumps({**self.json(), **members}, ensure_ascii=False),
            self.status.value,
            {**self.headers, **retry},
            media_type=PROBLEM_JSON,
        )


class ProblemError(Exception):
    """A request cannot be answered."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def problem_of(error: NncliError) -> Problem:
    """The problem of an error that a request caused: 400 for its parameters, 422 for its rows, else 500."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    if isinstance(error, UsageError):
        status = HTTPStatus.BAD_REQUEST
    elif isinstance(error, DataError):
        status = HTTPStatus.UNPROCESSABLE_ENTITY
    place = error.location
    row, column = (None, None) if place is None else (place.row, place.column)
    return Problem(status, error.message, error.hint, row, column)
