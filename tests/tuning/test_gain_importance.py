"""The importance of parameters in searches whose scores are made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nncli.config.loading import load
from nncli.config.schema.tune import TuneSection
from nncli.tuning.gain import compute_importance
from nncli.tuning.space.build_space import build_space
from nncli.tuning.space.space import SearchSpace
from nncli.tuning.trials import Trial
from tests.tuning.finished_searches import NUMBERS
from tests.tuning.made_searches import RATE, RMSE, made_trials


@pytest.fixture
def space(tmp_path: Path) -> SearchSpace:
    (tmp_path / "search.yaml").write_text(NUMBERS)
    loaded = load(tmp_path / "search.yaml")
    return build_space(loaded, loaded.tune or TuneSection())


def test_the_parameter_that_scores_depend_on_is_the_most_important_one(space: SearchSpace) -> None:
    importance = compute_importance(made_trials(60), space, RMSE)
    assert importance is not None
    assert importance[0].parameter == "learning_rate"
    assert importance[0].importance > 0.5
    assert sum(item.importance for item in importance) == pytest.approx(1.0)


def test_a_parameter_that_is_not_always_set_has_an_importance_too(space: SearchSpace) -> None:
    rng, trials = np.random.default_rng(0), []
    for number in range(1, 60):
        layers, rate = number % 2, float(rng.uniform(0, 0.5))
        values: dict[str, int | float] = {"learning_rate": 10.0 ** rng.uniform(-5, 0), "layers": layers}
        values |= {RATE: rate} if layers else {}
        trials.append(Trial(number=number, values=values, state="complete", score=rate if layers else 0.4))
    importance = compute_importance(trials, space, RMSE)
    assert importance is not None
    assert importance[0].parameter == RATE


def test_fewer_than_ten_trials_have_no_importance(space: SearchSpace) -> None:
    assert compute_importance([], space, RMSE) is None
    assert compute_importance(made_trials(10)[1:], space, RMSE) is None


def test_the_same_trials_have_the_same_importance(space: SearchSpace) -> None:
    assert compute_importance(made_trials(), space, RMSE) == compute_importance(made_trials(), space, RMSE)


def test_failed_trials_and_undefined_scores_do_not_count(space: SearchSpace) -> None:
    trials = made_trials(30)
    undefined = Trial(number=30, values=trials[1].values, state="pruned", estimated_score=None)
    assert compute_importance(trials[:-1], space, RMSE) == compute_importance([*trials, undefined], space, RMSE)


def test_a_choice_that_one_trial_made_is_no_warning(space: SearchSpace) -> None:
    rng, trials = np.random.default_rng(0), []
    for number in range(1, 31):
        layers = int(number == 1)
        values: dict[str, int | float] = {"learning_rate": 10.0 ** rng.uniform(-5, 0), "layers": layers}
        values |= {RATE: 0.25} if layers else {}
        trials.append(Trial(number=number, values=values, state="complete", score=float(number)))
    assert compute_importance(trials, space, RMSE) is not None
