"""The epochs of a run, each given to a tracker once."""

from __future__ import annotations

import math

from nncli.nn.training.loop import EpochReport
from nncli.tracking.tracker import TrackedRun
from nncli.tracking.training_tracker import EpochLog
from tests.tracking.support import Memory

RUN = TrackedRun("key", "run", 100.0)


def report(epoch: int, loss: float, seconds: float = 1.0) -> EpochReport:
    return EpochReport(epoch, loss, 0.0, None, None, 0.1, False, seconds)


def log() -> tuple[EpochLog, Memory]:
    memory = Memory()
    memory.start(RUN)
    return EpochLog(memory, RUN, None), memory


def test_points_wait_for_the_flush() -> None:
    epochs, memory = log()
    epochs.add(report(1, 3.0))
    assert not memory.points["run"]
    epochs.flush()
    assert memory.values("run", "loss") == {1: 3.0}


def test_an_epoch_that_is_repeated_with_the_same_values_is_known() -> None:
    epochs, memory = log()
    for seconds in (1.0, 7.0):
        epochs.add(report(1, 3.0, seconds))
        epochs.add(report(2, math.nan, seconds))
    epochs.flush()
    assert [*memory.values("run", "loss")] == [1, 2]
    assert memory.calls == ["start run"]
    assert memory.points["run"]["loss", 2].time == 102.0


def test_an_epoch_with_other_values_voids_those_after_it() -> None:
    epochs, memory = log()
    for item in (report(1, 3.0), report(2, 9.0), report(3, 9.0), report(2, 2.0)):
        epochs.add(item)
    epochs.flush()
    assert memory.values("run", "loss") == {1: 3.0, 2: 2.0}
    assert memory.calls == ["start run", "rewind run 1"]


def test_a_history_is_all_that_remains() -> None:
    epochs, memory = log()
    for item in (report(1, 3.0), report(2, 2.0), report(3, 9.0)):
        epochs.add(item)
    epochs.set([report(1, 3.0), report(2, 2.0)], ())
    epochs.flush()
    assert memory.values("run", "loss") == {1: 3.0, 2: 2.0}


def test_a_gap_is_filled() -> None:
    epochs, memory = log()
    epochs.add(report(1, 3.0))
    epochs.add(report(4, 1.0))
    epochs.set([report(1, 3.0), report(2, 2.0), report(3, 1.5), report(4, 1.0)], ())
    epochs.flush()
    assert memory.values("run", "loss") == {1: 3.0, 2: 2.0, 3: 1.5, 4: 1.0}
