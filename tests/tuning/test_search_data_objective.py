"""What a search optimizes, and the losses by which trials are compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncli.base.errors import ConfigError
from nncli.config.schema import Config
from nncli.fitting.ensemble.out_of_fold import LabeledRows
from nncli.models.predictions import Predictions
from nncli.nn.losses import (
    CrossEntropyLoss,
    HuberLoss,
    Loss,
    MAELoss,
    MixtureLoss,
    MSELoss,
    NormalLoss,
    QuantileLoss,
    QuantilesLoss,
)
from nncli.targets.classes import ClassificationTarget
from nncli.targets.metrics.registry import CRPS, PINBALL
from nncli.targets.number import RegressionTarget
from nncli.targets.target import Target
from nncli.tuning.search_data import Objective
from tests.assertions import raises

NUMBER = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,))
TWO = RegressionTarget(names=("a", "b"), centers=(0.0, 0.0), scales=(1.0, 1.0))
CLASS = ClassificationTarget(name="y", labels=("a", "b"))
LEVELS = QuantilesLoss(levels=(0.1, 0.5, 0.9))


def config(**keys: Any) -> Config:
    return Config.model_validate({"data": {"path": "t.csv", "target": "y"}, "layers": [], **keys})


@pytest.mark.parametrize(
    ("target", "loss", "name"),
    [
        (CLASS, CrossEntropyLoss(), "log_loss"),
        (NUMBER, MSELoss(), "rmse"),
        (NUMBER, HuberLoss(), "rmse"),
        (NUMBER, MAELoss(), "mae"),
        (NUMBER, QuantileLoss(q=0.9), PINBALL),
        (NUMBER, LEVELS, PINBALL),
    ],
)
def test_a_loss_has_a_metric_that_goes_with_it(target: Target, loss: Loss, name: str) -> None:
    assert Objective.of(None, config(), target, loss).metric == name


def test_the_metric_is_that_of_the_search_or_of_the_configuration() -> None:
    assert Objective.of(None, config(metric="accuracy"), CLASS, CrossEntropyLoss()).metric == "accuracy"
    assert Objective.of("roc_auc", config(metric="accuracy"), CLASS, CrossEntropyLoss()).metric == "roc_auc"
    assert Objective.of(None, config(metric="loss"), CLASS, CrossEntropyLoss()).metric == "log_loss"


@pytest.mark.parametrize(
    ("name", "target"), [("accuracy", NUMBER), ("rmse", CLASS), ("odd", NUMBER), (PINBALL, NUMBER)]
)
def test_a_metric_that_does_not_fit_the_target_is_a_mistake_of_its_key(name: str, target: Target) -> None:
    with raises(ConfigError, key="tune.metric"):
        Objective.of(name, config(), target, MSELoss() if target is NUMBER else CrossEntropyLoss())


def test_samplers_minimize_what_is_better_lower() -> None:
    assert Objective("rmse", MSELoss()).loss_of(2.0) == 2.0
    assert Objective("roc_auc", CrossEntropyLoss()).loss_of(0.75) == -0.75


def rows(y: Any, weights: Any = None) -> LabeledRows:
    return LabeledRows(np.asarray(y), None if weights is None else np.asarray(weights, np.float64))


def test_the_losses_of_rows_of_classes_are_those_of_the_metric() -> None:
    predictions = Predictions(CLASS, np.array([[0.75, 0.25], [0.75, 0.25]]))
    truth = rows([0, 1])
    assert Objective("accuracy", CrossEntropyLoss()).row_losses(predictions, truth).tolist() == [0.0, 1.0]
    losses = Objective("log_loss", CrossEntropyLoss()).row_losses(predictions, truth)
    assert losses == pytest.approx([-np.log(0.75), -np.log(0.25)])
    assert Objective("log_loss", CrossEntropyLoss()).score(predictions, truth) == pytest.approx(losses.mean())


def test_the_losses_of_rows_of_numbers_are_squared_or_absolute_errors() -> None:
    predictions, truth = Predictions(NUMBER, np.array([[1.0], [5.0]])), rows([[0.0], [2.0]])
    assert Objective("rmse", MSELoss()).row_losses(predictions, truth).tolist() == [1.0, 9.0]
    assert Objective("mae", MSELoss()).row_losses(predictions, truth).tolist() == [1.0, 3.0]


def test_several_targets_count_in_units_of_their_spread() -> None:
    truth = rows([[0.0, 0.0], [2.0, 2000.0]])
    small = Predictions(TWO, np.array([[1.0, 0.0], [2.0, 2000.0]]))
    large = Predictions(TWO, np.array([[0.0, 1000.0], [2.0, 2000.0]]))
    objective = Objective("rmse", MSELoss())
    assert objective.row_losses(small, truth) == pytest.approx(objective.row_losses(large, truth))


def test_the_pinball_score_of_quantiles_is_the_weighted_mean_of_the_rows() -> None:
    quantiles = np.array([[[0.0, 1.0, 2.0]], [[0.0, 1.0, 2.0]]])
    predictions = Predictions(NUMBER, quantiles, levels=LEVELS.quantile_levels)
    objective = Objective(PINBALL, LEVELS)
    each = objective.row_losses(predictions, rows([[1.0], [5.0]]))
    assert each[0] < each[1]
    weighted = objective.score(predictions, rows([[1.0], [5.0]], [3.0, 1.0]))
    assert weighted == pytest.approx((3 * each[0] + each[1]) / 4)


def test_trials_with_other_targets_or_quantiles_are_not_compared() -> None:
    objective = Objective(PINBALL, LEVELS)
    objective.check(LEVELS, RegressionTarget)
    for other in (MSELoss(), QuantilesLoss(levels=(0.2, 0.5, 0.8)), CrossEntropyLoss()):
        with raises(ConfigError, key="loss"):
            objective.check(other, RegressionTarget)
    Objective("rmse", LEVELS).check(MSELoss(), RegressionTarget)


def test_trials_with_other_distributions_are_not_compared_by_the_crps() -> None:
    objective = Objective(CRPS, MixtureLoss())
    objective.check(MixtureLoss(components=5), RegressionTarget)
    for other in (NormalLoss(), MixtureLoss(levels=(0.2, 0.5, 0.8)), LEVELS):
        with raises(ConfigError, key="loss"):
            objective.check(other, RegressionTarget)
