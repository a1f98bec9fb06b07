"""The rows of trials beside those of trial 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nncli.nn.losses import MSELoss
from nncli.tuning.search_data import Objective
from tests.tuning.made_trials import RMSE, Made, N, numbers, with_luck

MEDIAN = Objective("median_absolute_error", MSELoss())


def test_gains_are_in_units_of_the_mean_loss_of_trial_0() -> None:
    search = numbers([2.0, 1.0])
    comparison = search.comparison(1)
    losses = [np.square(search.read(trial).predictions.values[:, 0]) for trial in search.trials]
    assert comparison.scale == pytest.approx(losses[0].mean())
    assert comparison.gains[1] * comparison.scale == pytest.approx(losses[0] - losses[1], abs=1e-5)


def test_the_best_trial_is_kept_whatever_its_losses() -> None:
    """A row of trial 1 has an infinite squared error; the metric may be one that does not see it."""
    search = numbers([1.0, 0.5, 1.0])
    predicted = [search.read(trial).predictions.values.copy() for trial in search.trials]
    predicted[1][0] = np.inf
    infinite = Made(search.rows, MEDIAN, predicted, {})
    comparison = infinite.comparison(1)
    assert comparison.trials[comparison.best].number == 1
    assert comparison.p_value() > 0.5
    assert [trial.number for trial in infinite.comparison(2).trials] == [0, 2]


def test_the_number_of_rows_or_groups_that_differ_is_that_of_the_best_trial() -> None:
    search = numbers([1.0, 0.5, 1.0])
    predicted = [search.read(trial).predictions.values.copy() for trial in search.trials]
    predicted[1] = predicted[0].copy()
    predicted[1][:6] = 0.0
    assert Made(search.rows, RMSE, predicted, {}).comparison(1).differing == 6
    truth = replace(search.rows.truth, groups=np.arange(N) // 3)
    assert Made(replace(search.rows, truth=truth), RMSE, predicted, {}).comparison(1).differing == 2


def test_the_luck_of_a_pruned_trial_is_that_of_its_folds() -> None:
    search = with_luck(0.2, 0)
    search.trials[3] = search.trials[3].model_copy(update={"state": "pruned", "folds": (0.0, 0.0), "score": None})
    comparison = search.comparison(1)
    assert comparison.fold_variance is not None
    assert comparison.fold_variance.variance * comparison.scale**2 == pytest.approx(2 * 0.2**2, rel=0.7)
    luck = comparison._luck
    assert luck[3] == pytest.approx(0.4 * luck[1])
