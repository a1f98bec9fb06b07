from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from nncli.serving.bodies.body_size import BodyLimits, BodySize, check_rows
from nncli.serving.problems import ProblemError

LIMITS = BodyLimits(max_body=100, max_rows=3)


def status_of(function: Callable[[int], None], number: int) -> int | None:
    """The status of the problem that a call raises; None if it does not raise one."""
    try:
        function(number)
    except ProblemError as error:
        return error.problem.status
    return None


def test_bytes_and_rows_are_added_up() -> None:
    size = BodySize(LIMITS)
    assert [status_of(size.add_bytes, n_bytes) for n_bytes in (60, 40, 1)] == [None, None, 413]
    assert [status_of(size.add_rows, rows) for rows in (1, 2, 1)] == [None, None, 413]


def test_a_negative_size_does_not_make_room_for_others() -> None:
    size = BodySize(LIMITS)
    size.add_bytes(-1_000)
    size.add_rows(-1_000)
    assert (size.n_bytes, size.rows) == (0, 0)


def test_items_need_bits_of_the_body_or_rows() -> None:
    size = BodySize(LIMITS, n_bytes=1)
    assert [status_of(size.check_items, items) for items in (11, 12)] == [None, 400]


@pytest.mark.parametrize(("rows", "status"), [(0, 400), (1, None), (3, None), (4, 413)])
def test_a_request_has_some_rows_and_not_too_many(rows: int, status: int | None) -> None:
    assert status_of(partial(check_rows, max_rows=LIMITS.max_rows), rows) == status
