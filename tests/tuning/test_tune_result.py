"""The result of a search."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nncli.base.errors import NncliError
from nncli.tuning.search import SearchEnded
from nncli.tuning.tune_result import TuneResult, ensemble_path
from tests.assertions import raises
from tests.cli.progress.searches import BETTER, FIRST, PRUNED, started


@pytest.fixture
def result(tmp_path: Path) -> TuneResult:
    start = started(tmp_path)
    return TuneResult.of(start, SearchEnded(start.path, (FIRST, BETTER, PRUNED), BETTER))


def test_the_gain_is_positive_where_the_best_trial_is_better(result: TuneResult) -> None:
    assert result.apparent_gain == 0.25
    assert replace(result, higher_is_better=True).apparent_gain == -0.25


def test_pruning_saved_the_folds_that_were_left_out(result: TuneResult) -> None:
    assert result.time_saved
    assert result.time_saved.trials == 1


def test_without_a_trial_there_is_no_result(tmp_path: Path) -> None:
    start = started(tmp_path)
    with raises(NncliError, mentions="time limit"):
        TuneResult.of(start, SearchEnded(start.path, (), None, timed_out=True))


@pytest.mark.parametrize(
    ("name", "trained", "ensemble"),
    [
        ("c-tune", "c", "c-ensemble"),
        ("c-tune-2", "c-2", "c-2-ensemble"),
        ("search", "search-best", "search-ensemble"),
        ("-tune", "-tune-best", "-tune-ensemble"),
    ],
)
def test_runs_are_named_after_the_search(result: TuneResult, name: str, trained: str, ensemble: str) -> None:
    path = Path("runs") / name
    assert replace(result, path=path).trained_run == Path("runs") / trained
    assert ensemble_path(path) == Path("runs") / ensemble
