"""When a session saves, what it does when the loss diverges, and on how many threads it works."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from threadpoolctl import threadpool_info

from nncli.commands.train import resume, resume_events, train, train_events
from nncli.config.schema import Checkpoint
from nncli.pipeline.train import session as module
from nncli.pipeline.train.events import Finished
from nncli.pipeline.train.session import CheckpointTimer
from nncli.runs.loader import read_model
from nncli.runs.run import Run
from nncli.training.epoch import DivergedError, LoopSignal
from nncli.training.loop import EpochReport, LearningRateHalved
from nncli.training.thread_policy import Threads
from tests.assertions import raises
from tests.cli.support import DATA
from tests.runs.support import checkpoints, outcome, stop_at
from tests.thorough import every, partly

# --- when


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


# --- divergence

WILD = "optimizer: sgd\nlayers: [{type: dense, units: 8, activation: relu}]\nseed: 3\n"
HALVED = WILD + "epochs: 12\nlearning_rate: 30\non_divergence: halve_learning_rate\ncheckpoint: {every: 3 steps}\n"


def halved(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(f"data: {{path: {DATA}/linear.csv, target: y}}\npreset: textbook\n{HALVED}")
    return path


def test_a_diverging_learning_rate_is_halved_until_it_trains(tmp_path: Path) -> None:
    config = halved(tmp_path)
    with pytest.raises(DivergedError):
        train(config, output=tmp_path / "stop", assignments=["on_divergence=stop"])
    events = list(train_events(config, output=tmp_path / "run"))
    steps = [event for event in events if isinstance(event, LearningRateHalved)]
    reports = [event for event in events if isinstance(event, EpochReport)]
    assert len(steps) >= 2
    assert [event.factor for event in steps] == [0.5 ** (n + 1) for n in range(len(steps))]
    assert all("the loss became" in event.reason or "a weight" in event.reason for event in steps)
    assert reports[-1].epoch == 12
    assert reports[-1].loss < 2.0  # it has learned; it began at some 17
    assert reports[-1].learning_rate == 30 * steps[-1].factor
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert (finished.status, finished.epochs) == ("done", 12)
    assert read_model(finished.run).parameters.theta.any()


def test_the_history_has_only_epochs_that_were_kept(tmp_path: Path) -> None:
    events = list(train_events(halved(tmp_path), output=tmp_path / "run"))
    lasting: list[EpochReport] = []
    for event in events:
        if isinstance(event, EpochReport):
            assert event.epoch == len(lasting) + 1
            lasting.append(event)
        elif isinstance(event, LearningRateHalved):
            assert event.epoch <= len(lasting)
            assert event.step > 4 * event.epoch
            del lasting[event.epoch :]
    history = pl.read_csv(tmp_path / "run" / "history.csv")
    assert history["epoch"].to_list() == list(range(1, 13))
    assert history["loss"].to_list() == [report.loss for report in lasting]
    assert history["loss"].max() < 100  # type: ignore[operator]


@partly
def test_a_run_with_a_halved_rate_resumes_from_every_step_to_the_same_bits(tmp_path: Path) -> None:
    config = halved(tmp_path)
    uninterrupted = outcome(train(config, output=tmp_path / "whole").run)
    asked = 0

    def count() -> bool:
        nonlocal asked
        asked += 1
        return False

    train(config, output=tmp_path / "count", stop=count)
    assert asked > 48  # steps were taken in vain
    for step in range(1, asked, every(5)):
        run = train(config, output=tmp_path / "run", stop=stop_at(step)).run
        assert outcome(resume(run).run) == uninterrupted, step


def test_progress_after_a_rollback_replaces_later_checkpoints(tmp_path: Path) -> None:
    config = config_of(tmp_path, HALVED.replace("every: 3 steps", "every: 1 steps, keep: 1"))
    config.write_text(config.read_text().replace("layers: [4]\n", ""))
    lost = []
    newest = 0
    for event in train_events(config, output=tmp_path / "run"):
        if isinstance(event, EpochReport):
            newest = event.epoch
            lost += [newest] if checkpoints(tmp_path / "run") != [4 * newest] else []
    assert newest == 12
    assert lost == []


def test_training_fails_when_no_learning_rate_helps(tmp_path: Path) -> None:
    config = config_of(
        tmp_path, "epochs: 2\nlearning_rate: 1.0e+30\noptimizer: sgd\non_divergence: halve_learning_rate"
    )
    with raises(DivergedError, file="run"):
        train(config, output=tmp_path / "run")
    assert Run.open(tmp_path / "run").load_manifest().status == "failed"


# --- threads


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.mark.parametrize(
    ("wanted", "layers", "parts", "threads"),
    [("1", "[4]", 1, 1), ("2", "[4]", 2, 1), ("2", "[4, batch_norm]", 1, 2), ("auto", "[4]", 1, 1)],
)
@pytest.mark.parametrize("go_on", [False, True], ids=["begun", "resumed"])
def test_the_number_of_threads_is_recorded_and_applied(
    tmp_path: Path, wanted: str, layers: str, parts: int, threads: int, go_on: bool
) -> None:
    seen: list[Any] = []

    def look() -> bool:
        seen.append(blas_threads())
        return False

    before = blas_threads()
    config = config_of(tmp_path, f"epochs: 2\nthreads: {wanted}", layers)
    if go_on:
        run = train(config, output=tmp_path / "run", stop=stop_at(3)).run
        resume(run, stop=look)
    else:
        run = train(config, output=tmp_path / "run", stop=look).run
    assert seen == [{threads}] * (5 if go_on else 8)
    manifest = Run.open(run).load_manifest()
    assert (manifest.n_shards, manifest.blas_threads) == (parts, threads)
    assert blas_threads() == before


def test_a_resumed_training_keeps_its_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of(tmp_path, "epochs: 2")
    monkeypatch.setattr("nncli.pipeline.prepare.execution.choose_threads", lambda *_: Threads(n_shards=2, blas=1))
    uninterrupted = outcome(train(config, output=tmp_path / "whole").run)
    run = train(config, output=tmp_path / "run", stop=stop_at(3)).run
    monkeypatch.undo()  # what would be chosen now is one part
    assert outcome(resume(run).run) == uninterrupted
    assert Run.open(run).load_manifest().n_shards == 2


# --- whoever leaves


def test_a_closed_resumed_training_can_be_resumed_again(tmp_path: Path) -> None:
    config = config_of(tmp_path, "epochs: 6\ncheckpoint: {every: 1 epoch}")
    uninterrupted = outcome(train(config, output=tmp_path / "whole").run)
    run = train(config, output=tmp_path / "run", stop=stop_at(3)).run
    while True:
        events: Iterator[object] = resume_events(run)
        next(events)
        event = next(events)
        if isinstance(event, Finished):
            break
        events.close()  # type: ignore[attr-defined]
        assert Run.open(run).load_manifest().status == "stopped"
    assert outcome(run) == uninterrupted
