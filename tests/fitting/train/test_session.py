"""When a session saves, what it does when the loss diverges, and on how many threads it works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from threadpoolctl import threadpool_info

from nncli.api.train import train, train_events
from nncli.base.findings import FindingCode
from nncli.fitting.prepare.execution import Threads
from nncli.fitting.train.events import Finished, HealthWarning
from nncli.nn.training.epoch import DivergedError
from nncli.nn.training.health import Health
from nncli.nn.training.loop import EpochReport, LearningRateHalved
from nncli.run_directory.loader import read_model
from nncli.run_directory.run import Run
from tests.assertions import raises
from tests.cli.support import DATA
from tests.run_directory.support import checkpoints, outcome, stop_at
from tests.thorough import every, partly


def config_of(tmp_path: Path, rest: str, layers: str = "[4]") -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(f"data: {{path: {DATA}/linear.csv, target: y}}\nlayers: {layers}\n{rest}")
    return path  # 102 training rows: four steps an epoch


# --- divergence

WILD = "optimizer: sgd\nlayers: [{type: dense, units: 8, activation: relu}]\nseed: 3\n"
HALVED = WILD + "epochs: 12\nlearning_rate: 30\non_divergence: halve_learning_rate\ncheckpoint: {every: 3 steps}\n"


def halved(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(f"data: {{path: {DATA}/linear.csv, target: y}}\npreset: textbook\n{HALVED}")
    return path


def test_divergence_says_what_the_training_was_like_before(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="the first step changed output by"):
        train(halved(tmp_path), output=tmp_path / "run", set=["on_divergence=stop"])


# --- health


@pytest.mark.slow
def test_what_is_clearly_wrong_is_said_once_while_it_trains(tmp_path: Path) -> None:
    config = config_of(tmp_path, "epochs: 16\nlearning_rate: 0.01\nactivation: sigmoid\n", f"{[8] * 9}")
    events = list(train_events(config, output=tmp_path / "run"))
    warnings = [event.finding for event in events if isinstance(event, HealthWarning)]
    assert [finding.code for finding in warnings] == [FindingCode.VANISHING_GRADIENTS]
    assert f"nncli train {tmp_path / 'run' / 'config.yaml'} --set" in warnings[0].hint
    health = [event for event in events if isinstance(event, Health)]
    assert [moment.epoch for moment in health] == [0, 1, 4, 16]
    for name, calm, layers in (
        ("calm", "epochs: 4\nlearning_rate: 0.01\n", "[4]"),
        ("penalty", "epochs: 20\nlearning_rate: 0.01\nl2: 0.5\n", "[16]"),  # harmful only if more could be learned
        ("sigmoid", "epochs: 20\nlearning_rate: 0.01\nactivation: sigmoid\n", "[8, 8, 8]"),
    ):
        given = config_of(tmp_path, calm, layers)
        assert not any(isinstance(event, HealthWarning) for event in train_events(given, output=tmp_path / name))


@pytest.mark.slow
def test_a_diverging_learning_rate_is_halved_until_it_trains(tmp_path: Path) -> None:
    config = halved(tmp_path)
    with pytest.raises(DivergedError):
        train(config, output=tmp_path / "stop", set=["on_divergence=stop"])
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


@pytest.mark.slow
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


@pytest.mark.slow
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
        run = train(config, output=tmp_path / f"run-{step}", stop=stop_at(step)).run
        assert outcome(train(resume=run).run) == uninterrupted, step


@pytest.mark.slow
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


@pytest.mark.slow
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
        train(resume=run, stop=look)
    else:
        run = train(config, output=tmp_path / "run", stop=look).run
    assert seen == [{threads}] * (5 if go_on else 8)
    manifest = Run.open(run).load_manifest()
    assert (manifest.n_shards, manifest.blas_threads) == (parts, threads)
    assert blas_threads() == before


@pytest.mark.slow
def test_a_resumed_training_keeps_its_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of(tmp_path, "epochs: 2")
    monkeypatch.setattr("nncli.fitting.prepare.execution.choose_threads", lambda *_: Threads(n_shards=2, blas=1))
    uninterrupted = outcome(train(config, output=tmp_path / "whole").run)
    run = train(config, output=tmp_path / "run", stop=stop_at(3)).run
    monkeypatch.undo()  # what would be chosen now is one part
    assert outcome(train(resume=run).run) == uninterrupted
    assert Run.open(run).load_manifest().n_shards == 2


# --- whoever leaves


@pytest.mark.slow
def test_a_closed_resumed_training_can_be_resumed_again(tmp_path: Path) -> None:
    config = config_of(tmp_path, "epochs: 6\ncheckpoint: {every: 1 epoch}")
    uninterrupted = outcome(train(config, output=tmp_path / "whole").run)
    run = train(config, output=tmp_path / "run", stop=stop_at(3)).run
    while True:
        events: Iterator[object] = train_events(resume=run)
        next(events)
        event = next(events)
        if isinstance(event, Finished):
            break
        events.close()  # type: ignore[attr-defined]
        assert Run.open(run).load_manifest().status == "stopped"
    assert outcome(run) == uninterrupted
