from __future__ import annotations

from http import HTTPStatus

import pytest

from nncli.api.prediction.tables import ON_ERROR_HINT
from nncli.base.errors import Advice, DataError, Location, NncliError, RunError, UsageError
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.serving.problems import CellProblem, Problem, bad_request, busy, invalid_row, problem_of, too_large

INTERVAL = UncertaintyOptions.use("interval", 0.9)


def test_only_what_is_known_is_a_member() -> None:
    cell = CellProblem(1, "x", "many", "it is not a number")
    assert Problem(HTTPStatus.BAD_REQUEST, "it is wrong", errors=(cell,)).json() == {
        "title": "Bad Request",
        "status": 400,
        "detail": "it is wrong",
        "errors": [{"row": 1, "column": "x", "value": "many", "detail": "it is not a number"}],
    }


def test_a_log_says_no_detail_that_may_quote_the_request() -> None:
    assert invalid_row("'secret' is not a number").problem.reason == HTTPStatus.UNPROCESSABLE_ENTITY.phrase
    assert too_large("the body has 9 rows", "Send fewer.").problem.reason == "the body has 9 rows"
    assert busy("the queue is full").reason == "the queue is full"


@pytest.mark.parametrize(
    ("error", "status", "hint"),
    [
        (UsageError("it is wrong", hint=Advice("Use ", INTERVAL, ".")), 400, "Use interval=0.9."),
        (DataError("the file is empty", hint=ON_ERROR_HINT), 422, None),
        (RunError("a file is missing", location=Location(source="/path"), hint="Train again."), 503, "Leave out"),
        (NncliError("the disk is full"), 500, None),
    ],
)
def test_an_error_has_a_status_and_a_hint_for_clients(error: NncliError, status: int, hint: str | None) -> None:
    problem = problem_of(error)
    assert problem.status == status
    assert (problem.hint or "").startswith(hint or "")
    assert "--" not in f"{problem.detail} {problem.hint}"


def test_the_place_of_an_error_is_that_of_the_problem() -> None:
    problem = problem_of(DataError("it is wrong", location=Location(row=3, column="x")))
    assert (problem.row, problem.column) == (3, "x")
    assert bad_request("it is wrong").problem.row is None
