from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from nncli.serving.bodies.body_size import check_rows
from nncli.serving.problems import ProblemError


def status_of(function: Callable[[int], None], number: int) -> int | None:
    """The status of the problem that a call raises; None if it does not raise one."""
    try:
        function(number)
    except ProblemError as error:
        return error.problem.status
    return None


@pytest.mark.parametrize(("rows", "status"), [(0, 400), (1, None), (3, None), (4, 413)])
def test_a_request_has_some_rows_and_not_too_many(rows: int, status: int | None) -> None:
    assert status_of(partial(check_rows, max_rows=3), rows) == status
