"""Errors of requests, by the members of application/problem+json of RFC 9457."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any

from nncli.base.errors import DataError, NncliError, RunError, UsageError
from nncli.serving.problems.hints import as_parameters, client_hint, client_text

RUN_HINT = "Leave out interval and set, or try again once the run directory of the model is complete again."
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
    that cannot be read, `names` those of the columns of a request that lacks one.
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
    names: frozenset[str] = frozenset()

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
    names: frozenset[str] = frozenset(),
) -> ProblemError:
    """An error of a row that the model cannot predict; see Problem."""
    return ProblemError(Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, hint, row, column, value, names=names))


def busy(detail: str, hint: str | None = "Try again later.") -> Problem:
    """The answer to a request that may succeed later."""
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, hint, retry_after=1)


def problem_of(error: NncliError) -> Problem:
    """The problem of an error that a request caused: 400 for its parameters, 422 for its rows.

    503 if it needs a file of the run that cannot be read any more, else 500.
    """
    place = error.location
    row, column = (None, None) if place is None else (place.row, place.column)
    if isinstance(error, UsageError):
        return Problem(HTTPStatus.BAD_REQUEST, as_parameters(error.message), as_parameters(error.hint or "") or None)
    if isinstance(error, DataError):
        return Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, client_text(error.message), client_hint(error.hint), row, column
        )
    if isinstance(error, RunError):
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, error.message, RUN_HINT, retry_after=RUN_SECONDS)
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, error.message, client_hint(error.hint), row, column)
