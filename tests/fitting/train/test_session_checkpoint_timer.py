"""When the next checkpoint of a training is due."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nncli.api.train import train
from nncli.config.schema import Checkpoint
from nncli.fitting.train import session as module
from nncli.fitting.train.session import CheckpointTimer
from nncli.nn.training.epoch import LoopSignal
from tests.cli.support import DATA
from tests.run_directory.support import checkpoints


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = time.monotonic()

    def monotonic(self) -> float:
        return self.now

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def pace_of(every: str, stop: Callable[[], bool] = lambda: False) -> CheckpointTimer:
    return CheckpointTimer(Checkpoint(every=every), stop)


def test_steps_are_counted_from_the_beginning_of_the_training(clock: Clock) -> None:
    pace = pace_of("3 steps")
    assert [step for step in range(1, 11) if pace.after_batch(step) is LoopSignal.CHECKPOINT] == [3, 6, 9]
    assert [pace.after_epoch(epoch, 5 * epoch) for epoch in (1, 2, 3)] == [False, False, True]
    clock.now += 1e9
    assert pace.after_batch(10) is LoopSignal.CONTINUE


def test_epochs_are_counted_from_the_beginning_of_the_training(clock: Clock) -> None:
    pace = pace_of("2 epochs")
    assert {pace.after_batch(step) for step in range(1, 50)} == {LoopSignal.CONTINUE}
    assert [epoch for epoch in range(1, 8) if pace.after_epoch(epoch, 10 * epoch)] == [2, 4, 6]
    assert all(pace_of("1 epoch").after_epoch(epoch, epoch) for epoch in (1, 2, 3))


@pytest.mark.parametrize("every", ["60 s", "60.0 s", "60s"])
def test_seconds_are_counted_from_the_last_time_it_was_saved(clock: Clock, every: str) -> None:
    pace = pace_of(every)
    pace.saved = clock.now = 100.0
    clock.now = 159.9
    assert pace.after_batch(1) is LoopSignal.CONTINUE
    assert not pace.after_epoch(1, 1)
    clock.now = 160.0
    assert pace.after_batch(2) is LoopSignal.CHECKPOINT
    assert pace.after_epoch(1, 2)
    pace.saved = clock.now
    assert pace.after_batch(3) is LoopSignal.CONTINUE
    clock.now = 221.0
    assert pace.after_batch(4) is LoopSignal.CHECKPOINT


@pytest.mark.parametrize("every", ["3 steps", "1 epoch", "60 s"])
def test_stop_has_priority_over_checkpoint(clock: Clock, every: str) -> None:
    assert pace_of(every, lambda: True).after_batch(3) is LoopSignal.STOP


def config_of(tmp_path: Path, rest: str, layers: str = "[4]") -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(f"data: {{path: {DATA}/linear.csv, target: y}}\nlayers: {layers}\n{rest}")
    return path  # 102 training rows: four steps an epoch


@pytest.mark.parametrize(
    ("every", "expected"), [("3 steps", [3, 6, 9, 12]), ("2 epochs", [8, 12]), ("1 epoch", [4, 8, 12]), ("1 s", [12])]
)
def test_a_training_saves_at_its_interval_and_at_its_end(
    tmp_path: Path, clock: Clock, every: str, expected: list[int]
) -> None:
    config = config_of(tmp_path, f"epochs: 3\ncheckpoint: {{every: {every}, keep: 100}}")
    assert checkpoints(train(config, output=tmp_path / "run").run) == expected


def test_seconds_pass_within_an_epoch_too(tmp_path: Path, clock: Clock) -> None:
    config = config_of(tmp_path, "epochs: 3\ncheckpoint: {every: 10 s, keep: 100}")

    def tick() -> bool:
        clock.now += 3.0
        return False

    assert checkpoints(train(config, output=tmp_path / "run", stop=tick).run) == [4, 8, 12]
