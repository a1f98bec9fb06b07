"""The benchmark of searches: its loop is that of `nncli tune`, and a tiny table is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.api.tune import tune_events
from nncli.config.loading import load
from nncli.tuning.search import SearchEnded
from tests.benchmarks.test_intervals import write_tables
from tests.benchmarks.test_scripts import ran
from tune import needed, relative
from tune_search import Ended, Trained, best_so_far, search
from tune_trials import Trials


def ended(loss: float | None, *, is_pruned: bool = False) -> Ended:
    return Ended(None if loss is None else Trained((0.0, loss), (), (1.0, 2.0)), loss, is_pruned)


def test_pruned_and_failed_trials_are_not_the_best() -> None:
    assert best_so_far([ended(3.0), ended(1.0, is_pruned=True), ended(None), ended(2.0)]) == [3.0, 3.0, 3.0, 2.0]


def test_trials_that_are_needed() -> None:
    losses = [3.0, 2.0, 2.0, 1.0]
    assert [needed(losses, target) for target in (3.0, 2.0, 1.5, 0.5)] == [0, 1, 3, 4]


def test_a_log_loss_near_0_counts_little() -> None:
    assert relative(1.1, 1.0, "rmse") == pytest.approx(10.0)
    assert relative(0.002, 0.0, "log_loss") == pytest.approx(100.0)


def test_the_loop_is_that_of_a_search(tmp_path: Path) -> None:
    write_tables(tmp_path)
    with Trials(tmp_path / "numbers", tmp_path / "work", rows=90, folds=3) as trials:
        simulated = search(trials, "tpe", 0, 4, lag=2, prune=True)
        loaded = load(next((tmp_path / "work").glob("*/config.yaml")), ["tune.trials=4", "tune.lag=2", "tune.folds=3"])
    *_, end, _ = tune_events(loaded, output=tmp_path / "search", workers=1)
    assert isinstance(end, SearchEnded)
    assert [(len(item.trained.scores) if item.trained else 0, item.loss) for item in simulated] == [
        (len(trial.folds), trial.estimated_score if trial.state == "pruned" else trial.score) for trial in end.trials
    ]
    assert sum(item.is_pruned for item in simulated) == sum(trial.state == "pruned" for trial in end.trials)


def test_a_tiny_table_is_measured(tmp_path: Path) -> None:
    write_tables(tmp_path)
    sizes = ("--rows", "60", "--trials", "3", "--seeds", "1", "--simulations", "1")
    printed = ran("tune.py", tmp_path, "--tables", "words", *sizes, "--work", tmp_path / "work")
    assert "| words | log_loss |" in printed
    assert all(f"### {title}" in printed for title in ("Samplers", "Lag", "Pruning"))
