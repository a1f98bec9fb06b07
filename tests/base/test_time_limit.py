from __future__ import annotations

from nncli.base.time_limit import TimeLimit


def test_the_time_left_is_counted_from_the_start_by_the_clock() -> None:
    now = [100.0]
    limit = TimeLimit(60.0, start=95.0, clock=lambda: now[0])
    assert limit.left == 55.0
    now[0] = 200.0
    assert limit.left == -45.0
