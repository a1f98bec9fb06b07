from __future__ import annotations

from dataclasses import replace

import pytest

from nncli.fitting.timing import LONG_TASK, SIDE_BY_SIDE, STARTUP, Measurement, Workload, seconds_of

MEASURED = Measurement(
    reading=1.0, preparing=0.5, preparing_row=1e-3, rows=100, step=0.01, batch_size=10, prediction=1e-4
)
WORK = Workload(members=1, workers=1, epochs=10, rows=200, held_out=0.2)


def test_one_network_prepares_learns_and_scores() -> None:
    learning = 10 * (16 * 0.01 + 40 * 1e-4)
    scoring = 200 * (2e-4 + 1e-3)
    assert seconds_of(MEASURED, WORK) == pytest.approx(0.5 + 0.1 + learning + scoring)


def test_members_read_the_table_again_and_share_the_workers() -> None:
    member, scoring = 1.0 + 0.6 + 1.64, 4 * 0.24
    in_turn = seconds_of(MEASURED, replace(WORK, members=4))
    assert in_turn == pytest.approx(4 * member + scoring)
    side_by_side = seconds_of(MEASURED, replace(WORK, members=4, workers=2))
    rest = (4 * member - LONG_TASK) / 2 * SIDE_BY_SIDE
    assert side_by_side == pytest.approx(LONG_TASK + STARTUP + 1.6 + rest + scoring)
