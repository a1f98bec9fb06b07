"""The loss of several targets: a second implementation, finite differences, and rows that lack a target."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from nncli.nn.losses import (
    CrossEntropyLoss,
    GammaLoss,
    HuberLoss,
    Loss,
    MAELoss,
    MSELoss,
    MultiTargetLoss,
    PoissonLoss,
    QuantilesLoss,
    fit_losses,
)
from nncli.nn.losses.multitarget import TargetLoss, constant_loss

Floats = NDArray[np.float64]
NAN = math.nan


def fitted(
    losses: dict[str, TargetLoss], y: Floats, weights: Floats | None = None, **importance: float
) -> MultiTargetLoss:
    """The losses, fitted to targets that are not scaled; classes are those that occur."""
    targets = []
    for loss, column in zip(losses.values(), y.T, strict=True):
        classes = len(np.unique(column[~np.isnan(column)])) if loss.task == "classification" else 1
        values = len(loss.quantile_levels) or classes
        targets.append((loss.outputs(classes), values, column, column))
    each = [importance.get(name, 1.0) for name in losses]
    return fit_losses(MultiTargetLoss(losses=dict(losses)), targets, weights, each, [1.0] * len(losses))


def bound_value_and_slope(loss: MultiTargetLoss, Z: Floats, y: Floats, w: Floats | None = None) -> tuple[float, Floats]:
    bound = loss.bind(Z, y, w)
    return bound.forward(), bound.backward().astype(np.float64)


def mixed(rng: np.random.Generator, rows: int = 40) -> tuple[dict[str, TargetLoss], Floats]:
    """Every kind of target, with missing cells in all of them."""
    losses: dict[str, TargetLoss] = {
        "price": MSELoss(),
        "pain": MAELoss(),
        "sold": CrossEntropyLoss(),
        "color": CrossEntropyLoss(label_smoothing=0.1),
        "visits": PoissonLoss(),
        "claim": GammaLoss(),
        "delay": QuantilesLoss(),
    }
    y = np.column_stack(
        [
            rng.normal(size=rows),
            rng.normal(size=rows),
            np.arange(rows) % 2,
            np.arange(rows) % 3,
            rng.poisson(2.0, rows),
            rng.gamma(2.0, size=rows),
            rng.normal(size=rows),
        ]
    ).astype(np.float64)
    y[rng.random(y.shape) < 0.3] = NAN
    return losses, y


def test_a_loss_worked_by_hand() -> None:
    y = np.array([[1.0, 0.0], [3.0, 1.0], [NAN, 1.0], [5.0, NAN]])
    loss = fitted({"price": MSELoss(), "sold": CrossEntropyLoss()}, y, price=3.0)
    value, dZ = bound_value_and_slope(loss, np.array([[2.0, 0.0], [3.0, 0.0], [9.0, 0.0], [4.0, 7.0]]), y)
    # Squared errors 1, 0, 1 of three rows, over the variance of 1, 3 and 5; log losses log 2 of three rows, over the
    # entropy of one and two of three.
    entropy = -(math.log(1 / 3) + 2 * math.log(2 / 3)) / 3
    assert value == pytest.approx(0.75 * (2 / 3) / (8 / 3) + 0.25 * math.log(2) / entropy, rel=1e-9)
    slope = 0.75 / 3 / (8 / 3) * 2.0
    np.testing.assert_allclose(dZ[:, 0], [slope, 0.0, 0.0, -slope], rtol=1e-9)
    np.testing.assert_allclose(dZ[:, 1], 0.25 / 3 / entropy * np.array([0.5, -0.5, -0.5, 0.0]), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_is_that_of_finite_differences_with_missing_cells(weighted: bool) -> None:
    rng = np.random.default_rng(0)
    losses, y = mixed(rng)
    w = rng.uniform(0.5, 1.5, len(y)) if weighted else None
    loss = fitted(losses, y, w)
    Z = rng.normal(size=(len(y), loss.outputs(0)))
    _, dZ = bound_value_and_slope(loss, Z, y, w)
    numeric, h = np.zeros_like(Z), 1e-5
    for i in np.ndindex(*Z.shape):
        ends = []
        for step in (h, -h):
            moved = Z.copy()
            moved[i] += step
            ends.append(bound_value_and_slope(loss, moved, y, w)[0])
        numeric[i] = (ends[0] - ends[1]) / (2.0 * h)
    assert np.abs(numeric - dZ).max() <= 1e-7


def test_the_value_is_the_weighted_mean_of_the_losses_of_the_rows_that_have_each_target() -> None:
    rng = np.random.default_rng(1)
    losses, y = mixed(rng)
    loss = fitted(losses, y, sold=2.0)
    Z, total, first = rng.normal(size=(len(y), loss.outputs(0))), 0.0, 0
    for j, (name, of_target) in enumerate(losses.items()):
        has = ~np.isnan(y[:, j])
        classes = len(np.unique(y[has, j])) if of_target.task == "classification" else 1
        width = of_target.outputs(classes)
        of_rows: Any = y[has, j].astype(np.int64) if of_target.task == "classification" else y[has, j, None]
        outputs = np.ascontiguousarray(Z[has, first : first + width])
        alone = of_target.bind(outputs, of_rows, None).forward()
        importance = 2.0 if name == "sold" else 1.0
        total += importance / (len(losses) + 1) * alone / constant_loss(of_target, y[has, j], None)
        first += width
    assert bound_value_and_slope(loss, Z, y)[0] == pytest.approx(total, rel=1e-12)


def test_the_best_constant_prediction_of_each_target_has_the_loss_of_1() -> None:
    rng = np.random.default_rng(2)
    y = np.column_stack([rng.normal(5.0, 3.0, 60), np.arange(60) % 3, rng.normal(size=60)])
    y[:20, 0] = y[30:40, 1] = NAN
    loss = fitted({"price": MSELoss(), "color": CrossEntropyLoss(), "pain": MAELoss()}, y)
    counts = np.bincount(y[~np.isnan(y[:, 1]), 1].astype(int))
    constants = np.concatenate([[np.nanmean(y[:, 0])], np.log(counts / counts.sum()), [np.median(y[:, 2])]])
    value, dZ = bound_value_and_slope(loss, np.tile(constants, (60, 1)), y)
    assert value == pytest.approx(1.0, rel=1e-9)
    np.testing.assert_allclose(dZ[:, :4].sum(axis=0), 0.0, atol=1e-12)


def test_shards_of_a_batch_add_up() -> None:
    rng = np.random.default_rng(3)
    losses, y = mixed(rng)
    loss = fitted(losses, y)
    Z = rng.normal(size=(len(y), loss.outputs(0)))
    value, dZ = bound_value_and_slope(loss, Z, y)
    parts = [loss.bind(Z[part], y[part], None, batch=len(y)) for part in (slice(0, 15), slice(15, None))]
    assert sum(part.forward() for part in parts) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(np.vstack([part.backward() for part in parts]), dZ, rtol=1e-12)


def test_rows_have_the_relative_loss_of_the_targets_that_they_have() -> None:
    y = np.array([[10.0, 0.0], [30.0, 1.0], [NAN, 1.0], [50.0, NAN]])
    loss = fitted({"price": MSELoss(), "sold": CrossEntropyLoss()}, y)
    predictions = np.array([[20.0, 0.5, 0.5], [30.0, 0.5, 0.5], [0.0, 0.5, 0.5], [40.0, 0.1, 0.9]])
    rows = loss.per_row(predictions, y)
    entropy = -(math.log(1 / 3) + 2 * math.log(2 / 3)) / 3
    of_class, of_number = 0.5 * 4 / 3 * math.log(2) / entropy, 0.5 * 4 / 3 * 100.0 / (800 / 3)
    np.testing.assert_allclose(rows, [of_number + of_class, of_class, of_class, of_number], rtol=1e-9)


@pytest.mark.parametrize("loss", [HuberLoss(), PoissonLoss(), GammaLoss(), QuantilesLoss(), MAELoss()])
def test_no_other_constant_is_better_than_the_best_one(loss: TargetLoss) -> None:
    y = np.random.default_rng(4).gamma(2.0, size=200)
    best, others = constant_loss(loss, y, None), []
    floor = float(loss.per_row(y[:, None], y[:, None]).mean()) if loss.deviance_power is not None else 0.0
    for value in np.linspace(y.min(), y.max(), 300):
        levels = len(loss.quantile_levels)
        predictions = np.full((200, 1, levels), value) if levels else np.full((200, 1), value)
        others.append(float(loss.per_row(predictions, y[:, None]).mean()) - floor)
    assert best <= min(others) + 1e-9


def test_a_target_of_one_value_has_the_loss_of_1() -> None:
    assert constant_loss(MSELoss(), np.full(5, 2.0), None) == 1.0
    assert constant_loss(CrossEntropyLoss(), np.zeros(5), None) == 1.0


def test_a_mapping_is_a_loss_of_several_targets() -> None:
    loss = TypeAdapter(Loss).validate_python(
        {"price": "gamma", "sold": "auto", "delay": {"type": "huber", "delta": 2.0}}
    )
    assert loss == MultiTargetLoss(losses={"price": GammaLoss(), "sold": "auto", "delay": HuberLoss(delta=2.0)})
    assert TypeAdapter(Loss).validate_python(loss.model_dump()) == loss
    with pytest.raises(ValidationError):
        TypeAdapter(Loss).validate_python({"price": "gama"})


def test_splits_of_an_embedding_see_an_indicator_of_each_class_and_no_missing_cell() -> None:
    y = np.array([[1.0, 0.0], [NAN, 2.0], [3.0, 1.0], [5.0, NAN]])
    loss = fitted({"price": MSELoss(), "color": CrossEntropyLoss()}, y)
    third = 1 / 3
    np.testing.assert_allclose(
        loss.split_targets(y), [[1.0, 0.0, 0.0], [3.0, 0.0, 1.0], [3.0, 1.0, 0.0], [5.0, third, third]]
    )


@pytest.mark.parametrize(
    ("written", "losses"),
    [
        ({"price": "huber", "type": "cross_entropy"}, {"price", "type"}),
        ({"price": {"type": "tweedie"}, "type": "auto"}, {"price", "type"}),
        ({"type": {"type": "mse"}}, {"type"}),
        ({"type": "tweedie", "power": "auto"}, None),
        ({"type": "quantiles", "levels": [0.1, 0.5]}, None),
        ({"type": "cross_entropy"}, None),
    ],
)
def test_a_mapping_with_a_target_named_type_is_no_loss_of_that_type(written: Any, losses: set[str] | None) -> None:
    loss: Any = TypeAdapter(Loss).validate_python(written)
    assert (set(loss.losses) if isinstance(loss, MultiTargetLoss) else None) == losses
    assert TypeAdapter(Loss).validate_python(loss.model_dump(mode="json")) == loss
