from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import DataError
from nncli.data.encoders.row_context import RowContext
from nncli.data.table import Table
from nncli.models.predictions import Predictions
from nncli.nn.losses import NormalLoss, TargetScaling
from nncli.targets.number import Rates, RegressionTarget
from nncli.targets.target_base import FitOptions


def one(cells: Sequence[Any] | pl.Series, name: str = "y") -> Table:
    return Table(pl.DataFrame({name: cells}), "t.csv")


def test_numbers_are_scaled_and_come_back() -> None:
    table = Table(pl.DataFrame({"a": [1.0, 3.0], "b": ["10", "10"]}), "t.csv")
    target = RegressionTarget.fit(table, ("a", "b"), FitOptions("standard"))
    assert (target.centers, target.scales) == ((2.0, 10.0), (1.0, 1.0))
    y = target.read(table)
    assert target.encode(y).tolist() == [[-1.0, 0.0], [1.0, 0.0]]
    assert target.decode(target.encode(y)).tolist() == y.tolist()


@given(st.lists(st.floats(-1e100, 1e100), min_size=1))
def test_numbers_come_back_in_their_own_units(numbers: list[float]) -> None:
    target = RegressionTarget.fit(one(numbers), ("y",), FitOptions("standard"))
    y = target.read(one(numbers))
    assert target.decode(target.encode(y)) == pytest.approx(y, abs=np.abs(y).max() * 1e-12)
    assert RegressionTarget.model_validate_json(target.model_dump_json()) == target


def test_none_leaves_numbers_as_they_are() -> None:
    target = RegressionTarget.fit(one([1.0, 5.0]), ("y",), FitOptions("none"))
    assert (target.centers, target.scales) == ((0.0,), (1.0,))


@pytest.mark.parametrize("value", [0.1, 0.0, -3.7, 1e150])
def test_a_constant_target_has_scale_one(value: float) -> None:
    assert RegressionTarget.fit(one([value] * 1001), ("y",), FitOptions("standard")).scales == (1.0,)


@pytest.mark.parametrize("scaling", ["standard", "none"])
def test_predictions_can_be_kept_to_the_training_range(scaling: TargetScaling) -> None:
    table = Table(pl.DataFrame({"a": [1.0, 3.0], "b": [-5, 10]}), "t.csv")
    target = RegressionTarget.fit(table, ("a", "b"), FitOptions(scaling, clip=True))
    assert (target.lowest, target.highest) == ((1.0, -5.0), (3.0, 10.0))
    beyond = target.encode(np.array([[0.0, 99.0], [2.0, -6.0], [3.0, 10.0]]))
    assert target.decode(beyond).tolist() == [[1.0, 10.0], [2.0, -5.0], [3.0, 10.0]]
    free = RegressionTarget.fit(table, ("a", "b"), FitOptions(scaling))
    assert (free.lowest, free.decode(beyond)[0].tolist()) == (None, [pytest.approx(0.0), pytest.approx(99.0)])


@pytest.mark.parametrize("cells", [[1.0, 1e200, 3.0], [1.0, 1.7e308, 1.6e308]])
def test_targets_too_large_to_be_scaled_are_refused_with_their_row(cells: list[float]) -> None:
    with pytest.raises(DataError, match="too large") as caught:
        RegressionTarget.fit(one(cells), ("y",), FitOptions("standard"))
    assert caught.value.location == one(cells).location(row=1, column="y")


def test_a_missing_number_is_refused_with_its_row() -> None:
    table = one([1.0, 2.0, None, math.nan]).take(np.array([1, 3]))
    with pytest.raises(DataError, match="target is missing") as caught:
        RegressionTarget.fit(table, ("y",), FitOptions("standard"))
    assert caught.value.location is not None
    assert caught.value.location.row == 4
    assert caught.value.hint == "Fill in the cell, or remove the row."


def test_a_target_spelled_nan_is_refused_with_what_to_do() -> None:
    with pytest.raises(DataError, match="target is missing") as caught:
        RegressionTarget.fit(one(["1", "nan"]), ("y",), FitOptions("standard"))
    assert "add 'nan' to data.missing_values" in str(caught.value.hint)


def test_the_error_of_a_row_is_absolute_or_of_several_targets_in_their_spread() -> None:
    one_target, two = (RegressionTarget(names=names, centers=(0.0,), scales=(1.0,)) for names in (("y",), ("y", "z")))
    y, values = np.array([[1.0, 10.0], [3.0, 30.0]]), np.array([[1.5, 10.0], [3.0, 20.0]])
    errors, name = one_target.row_errors(Predictions(one_target, values[:, :1]), y[:, :1])
    assert (errors.tolist(), name) == ([0.5, 0.0], "mean absolute error")
    errors, name = two.row_errors(Predictions(two, values), y)
    assert (errors.tolist(), name) == ([0.25, 0.5], "mean absolute error in standard deviations")


@pytest.mark.parametrize("n", [0, 2])
def test_columns_of_several_targets_and_quantiles_are_named_after_both(n: int) -> None:
    target = RegressionTarget(names=("y", "z"), centers=(0.0, 0.0), scales=(1.0, 1.0))
    quantiles = np.arange(12.0).reshape(2, 2, 3)[:n]
    columns = target.columns(Predictions(target, quantiles, levels=(0.25, 0.5, 0.75)))
    titles = [f"quantile_{level}_{name}" for name in target.names for level in (25, 50, 75)]
    assert list(columns) == ["prediction_y", "prediction_z", *titles]
    assert columns["prediction_z"].to_list() == [4.0, 10.0][:n]
    assert columns["quantile_75_y"].to_list() == [2.0, 8.0][:n]


def test_a_distribution_is_scored_and_compared_by_its_crps_in_the_units_of_each_target() -> None:
    target, loss, rng = (
        RegressionTarget.fit(Table(pl.DataFrame({"a": [1.0, 3.0], "b": [5.0, 6.0]}), ""), ("a", "b")),
        NormalLoss(),
        np.random.default_rng(0),
    )
    y = rng.normal(size=(6, 2)) * [1.0, 100.0]
    quantiles = loss.quantiles(rng.normal(size=(6, 4)))
    predictions = Predictions(target, quantiles, levels=loss.levels)
    scores = target.scores(predictions, y, None, loss)
    of_each = [loss.per_row(quantiles[:, [j]], y[:, [j]]) for j in range(2)]
    assert [part["crps"] for part in scores] == pytest.approx([part.mean() for part in of_each])
    assert target.verdict_metric(loss) == target.loss_metric(loss) == "crps"
    assert target.is_mean_of_rows("crps")
    assert [*target.columns(predictions)][-1] == "quantile_95_b"
    columns = target.columns(replace(predictions, loss=loss))
    assert [*columns][-2:] == ["sd_a", "sd_b"]
    np.testing.assert_allclose(columns["sd_b"], (columns["quantile_95_b"] - columns["prediction_b"]) / 1.6448536, 1e-7)
    (drawn, _) = target.samples(predictions, y, np.ones((1, 6)), ["crps"], loss)
    assert drawn[0] == pytest.approx(of_each[0].mean())
    spread = y.std(axis=0)
    scaled = loss.per_row(quantiles / spread[:, None], y / spread)
    np.testing.assert_allclose(target.test_losses("crps", loss, predictions, y), scaled)


def test_of_a_target_with_an_exposure_rates_are_clipped_to_those_of_the_training_rows() -> None:
    table, context = (
        Table(pl.DataFrame({"y": [1.0, 6.0, 8.0]}), ""),
        RowContext(np.array([2.0, 1.0, 16.0]), in_link=True),
    )
    target = RegressionTarget.fit(table, ("y",), FitOptions("mean", clip=True, context=context))
    assert (target.rates, target.lowest, target.highest) == (Rates(lowest=0.5, highest=6.0), None, None)
    assert target.decode(np.array([[99.0]])).tolist() == [[495.0]]  # for an exposure that is not said
    assert target.clip_relative(np.array([[0.1], [3.0], [9.0]])).ravel().tolist() == [0.5, 3.0, 6.0]
    d = target.clip_relative_vjp(np.array([[0.1], [3.0], [9.0]]), np.full((3, 1), 2.0))
    assert d.ravel().tolist() == [0.0, 2.0, 0.0]
    assert RegressionTarget.model_validate_json(target.model_dump_json()) == target
    assert target.joint([target], None).rates == Rates()


def test_a_target_of_an_older_version_has_no_rates_nor_one_that_is_joined_with_it() -> None:
    old, new = (RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,), rates=rates) for rates in (None, Rates()))
    assert (old.is_relative, new.is_relative, new.joint([new, old], None).is_relative) == (False, True, False)


@pytest.mark.parametrize("names", [("y",), ("y", "z")])
def test_the_bounds_of_rates_are_those_of_one_target(names: tuple[str, ...]) -> None:
    n, half = len(names), Rates(lowest=0.5)
    whole = RegressionTarget(names=names, centers=(0.0,) * n, scales=(1.0,) * n, rates=Rates())
    assert whole.is_whole == (n == 1)
    assert not whole.model_copy(update={"rates": half}).is_whole
