"""Permutation importance: a linear model by hand, unused columns, and the coverage of the intervals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
import pytest

from nncli.analysis.inspection.encoded_rows import EncodedRows
from nncli.analysis.inspection.permutation_importance import (
    Importance,
    Scorer,
    in_units,
    permutation_importance,
    rank_by_prediction_change,
)
from nncli.data.table import Table
from nncli.models.ensemble import AnyModel
from nncli.models.model import Model
from nncli.models.predictions import Predictions
from nncli.nn.losses import CrossEntropyLoss, HuberLoss, Loss, MAELoss, MSELoss, PoissonLoss, QuantileLoss
from nncli.targets.classes import ClassificationTarget
from nncli.targets.number import RegressionTarget
from tests.api.explained import CLASSES, X2, ensemble_of, model_of, table_of

A = X2.model_copy(update={"name": "a"})
B = X2.model_copy(update={"name": "b"})
UNUSED = X2.model_copy(update={"name": "unused"})
PLAIN = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,))


def linear(*weights: float, loss: Loss | None = None, target: RegressionTarget | ClassificationTarget = PLAIN) -> Model:
    model = model_of(target=target, columns=(A, B, UNUSED), loss=loss)
    model.parameters.by_name["output.weight"][:, 0] = [*weights, 0.0]
    model.parameters.by_name["output.bias"][...] = 0.0
    return model


def rows_of(n: int, seed: int, y: Any = None) -> Table:
    """y = 2 a - b and noise of spread 1, of independent a and b."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=n), rng.normal(size=n)
    truth = 2.0 * a - b + rng.normal(size=n) if y is None else y
    return Table(pl.DataFrame({"a": a, "b": b, "unused": rng.normal(size=n), "y": truth}), "rows")


def found_of(
    model: AnyModel, table: Table, *, repeats: int = 5, seed: int = 0, metric: str = "rmse"
) -> dict[str, Importance]:
    judge = Scorer(model, model.spec.target.read(table), metric)
    result = permutation_importance(EncodedRows.of(model, table), judge, repeats, np.random.default_rng(seed))
    assert [item.loss_increase for item in result] == sorted((item.loss_increase for item in result), reverse=True)
    return {item.column: item for item in result}


def test_by_hand_of_a_linear_model() -> None:
    table = rows_of(50, 0)
    a, b, y = (table.frame[name].to_numpy() for name in ("a", "b", "y"))
    order = np.random.default_rng(0).permutation(50)
    before, after = (2.0 * a - b - y) ** 2, (2.0 * a[order] - b - y) ** 2
    single = found_of(linear(2.0, -1.0), table, repeats=1)["a"]
    assert single.loss_increase == pytest.approx((after - before).mean())
    assert single.metric_worsening == pytest.approx(np.sqrt(after.mean()) - np.sqrt(before.mean()))
    both = after - before
    both[order] += after - before
    assert single.high - single.low == pytest.approx(2 * 1.96 * both.std(ddof=1) / np.sqrt(50), rel=1e-4)
    assert (single.high + single.low) / 2 == pytest.approx(single.loss_increase)


def test_importance_in_a_linear_model_is_twice_the_squared_weight() -> None:
    result = found_of(linear(2.0, -1.0), rows_of(20_000, 0))
    assert result["a"].loss_increase == pytest.approx(8.0, rel=0.05)
    assert result["b"].loss_increase == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize("members", [1, 2])
def test_an_unused_column_has_zero_importance(members: int) -> None:
    model: AnyModel = linear(2.0, -1.0) if members == 1 else ensemble_of(linear(2.0, -1.0), linear(1.0, 0.5))
    unused = found_of(model, rows_of(40, 0))["unused"]
    assert (unused.loss_increase, unused.low, unused.high, unused.metric_worsening) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("repeats", [1, 5])
def test_the_interval_covers_the_value_of_many_rows(repeats: int) -> None:
    model = linear(2.0, -1.0)
    hits = [found_of(model, rows_of(200, seed), repeats=repeats, seed=seed) for seed in range(200)]
    covered = np.mean([[hit["a"].low < 8.0 < hit["a"].high, hit["b"].low < 2.0 < hit["b"].high] for hit in hits])
    assert 0.92 < covered < 1.0
    reach = np.mean([hit["a"].high - hit["a"].low for hit in hits]) / 2
    spread = np.std([hit["a"].loss_increase for hit in hits])
    assert 0.9 < reach / (1.96 * spread) < 1.6  # nor is it so wide that it says nothing


def weighted(model: Model, table: Table, weights: Any, repeats: int, seed: int) -> dict[str, Importance]:
    judge, rows = Scorer(model, model.spec.target.read(table), "rmse"), EncodedRows.of(model, table, weights=weights)
    return {item.column: item for item in permutation_importance(rows, judge, repeats, np.random.default_rng(seed))}


def test_by_hand_where_rows_have_weights() -> None:
    table, w = rows_of(50, 0), np.random.default_rng(1).exponential(size=50)
    a, b, y = (table.frame[name].to_numpy() for name in ("a", "b", "y"))
    order = np.random.default_rng(0).permutation(50)
    before, after = (2.0 * a - b - y) ** 2, (2.0 * a[order] - b - y) ** 2
    model = linear(2.0, -1.0)
    single = weighted(model, table, w, 1, 0)["a"]
    assert single.loss_increase == pytest.approx(np.average(after - before, weights=w))
    assert single.metric_worsening == pytest.approx(
        np.sqrt(np.average(after, weights=w)) - np.sqrt(np.average(before, weights=w))
    )
    loss, score = Scorer(model, model.spec.target.read(table), "rmse").unshuffled(
        EncodedRows.of(model, table, weights=w)
    )
    assert (loss, score) == pytest.approx((np.average(before, weights=w), np.sqrt(np.average(before, weights=w))))


@pytest.mark.slow
def test_the_interval_covers_where_rows_have_weights() -> None:
    model, result = linear(2.0, -1.0), []
    for seed in range(200):
        table = rows_of(200, seed)
        w = np.where(table.frame["a"].to_numpy() > 0.0, 3.0, 1.0)
        result.append(weighted(model, table, w, 5, seed)["a"])
    true = 8.0  # 4 E(a' - a)²: a' is that of any row, and a² is 1 on average on both sides of 0
    assert 0.9 < np.mean([item.low < true < item.high for item in result]) < 1.0
    reach, spread = (
        np.mean([item.high - item.low for item in result]) / 2,
        np.std([item.loss_increase for item in result]),
    )
    assert 0.9 < reach / (1.96 * spread) < 1.6


def test_weights_that_are_all_the_same_change_nothing() -> None:
    model, table = linear(2.0, -1.0), rows_of(40, 0)
    assert weighted(model, table, np.full(40, 8.0), 2, 0) == found_of(model, table, repeats=2)


def test_a_single_row_has_zero_importance_without_an_interval() -> None:
    single = found_of(linear(2.0, -1.0), rows_of(1, 0))["a"]
    assert single.loss_increase == 0.0
    assert np.isnan([single.low, single.high]).all()


def test_the_same_seed_gives_the_same_bits() -> None:
    model, table = model_of(6), table_of(40)
    assert found_of(model, table, seed=3) == found_of(model, table, seed=3)
    assert found_of(model, table, seed=3) != found_of(model, table, seed=4)


def test_worsening_is_lower_accuracy_or_higher_loss() -> None:
    table = table_of(200)
    model = model_of(target=CLASSES, columns=(X2.model_copy(update={"name": "x1"}),))
    model.parameters.by_name["output.weight"][...] = 2.0
    model.parameters.by_name["output.bias"][...] = -2.0
    (single,) = found_of(model, table, metric="accuracy").values()
    assert single.metric_worsening > 0.1
    assert single.low > 0.0


@pytest.mark.parametrize(
    ("loss", "name", "y", "predicted", "expected"),
    [
        (MSELoss(), "squared_error", 1.0, 3.0, 4.0),
        (MAELoss(), "absolute_error", 1.0, 3.0, 2.0),
        (HuberLoss(delta=1.0), "huber", 1.0, 8.0, 4.0 * (7.0 - 2.0)),  # the 1 is of standard deviations, which are 4
        (HuberLoss(delta=1.0), "huber", 1.0, 3.0, 2.0),
        (QuantileLoss(q=0.9), "pinball_loss", 1.0, 3.0, 0.2),
        (QuantileLoss(q=0.9), "pinball_loss", 3.0, 1.0, 1.8),
        (PoissonLoss(), "poisson", 2.0, 3.0, 3.0 - 2.0 * np.log(3.0)),
    ],
)
def test_losses_are_in_the_targets_units(loss: Loss, name: str, y: float, predicted: float, expected: float) -> None:
    target = RegressionTarget(names=("y",), centers=(5.0,), scales=(4.0,))
    judge = Scorer(model_of(target=target, loss=loss), np.array([[y]]), "rmse")
    assert judge.loss_name == name
    assert judge.losses(Predictions(target, np.array([[predicted]]))) == pytest.approx([expected])


class FourthPower(MSELoss):
    """A loss that only this test knows."""

    type: Literal["fourth_power"] = "fourth_power"  # type: ignore[assignment]
    per_row_name: ClassVar[str] = "fourth_power"

    def per_row(self, predictions: Any, y: Any, *, scale: Any = 1.0) -> Any:
        return ((predictions - y) ** 4).mean(axis=1)


def test_a_new_loss_is_explained_by_its_own_values() -> None:
    model = linear(2.0, -1.0)
    spec = model.spec.model_copy(update={"loss": FourthPower()})
    scorer = Scorer(replace(model, spec=spec), np.array([[1.0]]), "rmse")
    assert scorer.loss_name == "fourth_power"
    assert scorer.losses(Predictions(spec.target, np.array([[3.0]]))) == pytest.approx([16.0])


def test_the_loss_of_classes_is_the_log_loss() -> None:
    judge = Scorer(
        model_of(target=CLASSES, loss=CrossEntropyLoss(label_smoothing=0.1)), np.array([0, 1, 1]), "accuracy"
    )
    assert judge.loss_name == "log_loss"
    losses = judge.losses(Predictions(CLASSES, np.array([[0.5, 0.5], [0.75, 0.25], [1.0, 0.0]])))
    assert losses[:2] == pytest.approx(-np.log([0.5, 0.25]))
    assert 80.0 < losses[2] < 100.0


def test_losses_of_several_targets_are_in_standard_deviations() -> None:
    target = RegressionTarget(names=("y", "z"), centers=(0.0, 0.0), scales=(4.0, 100.0))
    judge = Scorer(model_of(target=target), np.array([[0.0, 0.0]]), "rmse")
    assert judge.losses(Predictions(target, np.array([[4.0, 300.0]]))) == pytest.approx([(1.0 + 9.0) / 2.0])


def test_without_labels_columns_are_ranked_by_prediction_change() -> None:
    rows = EncodedRows.of(linear(1.0, -3.0), rows_of(60, 0))
    assert rank_by_prediction_change(rows, np.random.default_rng(0)) == ["b", "a", "unused"]


def test_a_squared_error_is_converted_to_rmse() -> None:
    item = Importance("x", 5.0, 0.0, 12.0, 0.1)
    name, (result,) = in_units("squared_error", 4.0, [item])
    assert name == "rmse"
    assert (result.loss_increase, result.low, result.high) == (1.0, 0.0, 2.0)
    assert in_units("log_loss", 4.0, [item]) == ("log_loss", (item,))


def test_a_decrease_below_zero_error_is_bounded_and_infinity_stays() -> None:
    (result,) = in_units("squared_error", 4.0, [Importance("x", -5.0, float("nan"), float("inf"), 0.0)])[1]
    assert result.loss_increase == -2.0
    assert result.low != result.low
    assert result.high == float("inf")
