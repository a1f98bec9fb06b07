"""The selection of Caruana et al., by an example worked by hand and by a second implementation."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nncli.nn.losses import Loss, MSELoss, QuantileLoss, QuantilesLoss
from nncli.targets.classes import ClassificationTarget, ClassScoring
from nncli.targets.metrics.classification import log_loss
from nncli.targets.number import NumberScoring
from nncli.tuning.selected_ensemble import CandidatePredictions, Selection

Floats = npt.NDArray[np.float64]


CLASSES = ClassificationTarget(name="t", labels=("no", "yes"))


def candidates_of(points: Floats, y: Floats, weights: Floats | None, loss: Loss) -> CandidatePredictions:
    return CandidatePredictions(NumberScoring(loss).selection(points, y, None), weights)


def numbers(*predictions: list[float], y: list[float], weights: list[float] | None = None) -> CandidatePredictions:
    values = np.array(predictions)[:, :, None]
    return candidates_of(values, np.array(y)[:, None], None if weights is None else np.array(weights), MSELoss())


def every(candidates: CandidatePredictions) -> npt.NDArray[np.bool_]:
    return np.ones(candidates.loss.values.shape[1], np.bool_)


def test_the_example_worked_by_hand() -> None:
    # The truth is 0 and 0. Alone, a has the squared error 1, b 4 and c 5: a is first. Its means with a, b and c are
    # (1, 1), (-1/2, -1/2) and (2, 0), with the errors 1, 1/4 and 2: b. Then a leads to (0, 0). A fourth pick can only
    # do harm: a leads to (1/4, 1/4), with the error 1/16.
    candidates = numbers([1, 1], [-2, -2], [3, -1], y=[0, 0])
    selection = candidates.pick(4, every(candidates))
    assert selection == Selection((0, 1, 0), (1.0, 0.25, 0.0, 0.0625))
    assert selection.counts == {0: 2, 1: 1}
    assert selection.loss == 0.0
    assert candidates.pick(2, every(candidates)).picks == (0, 1)


def test_weights_of_rows_change_the_choice() -> None:
    candidates = numbers([0, 3], [1, 0], y=[0, 0], weights=[9, 1])
    assert candidates.pick(1, every(candidates)) == Selection((0,), (0.9,))  # 9 · 0 + 1 · 9, and 9 · 1 + 1 · 0, over 10
    unweighted = numbers([0, 3], [1, 0], y=[0, 0])
    assert unweighted.pick(1, every(unweighted)) == Selection((1,), (0.5,))


def test_rows_that_all_have_no_weight_count_the_same() -> None:
    candidates = numbers([0, 3], [1, 0], y=[0, 0], weights=[0, 0])
    assert candidates.pick(1, every(candidates)) == Selection((1,), (0.5,))


def test_of_equal_candidates_the_first_is_picked_and_of_equal_prefixes_the_shortest() -> None:
    candidates = numbers([1, 1], [1, 1], [1, 1], y=[0, 0])
    assert candidates.pick(5, every(candidates)) == Selection((0,), (1.0,) * 5)


def test_classes_are_selected_by_the_log_loss_of_the_mean_probabilities() -> None:
    P = np.array([[[0.9, 0.1], [0.1, 0.9]], [[0.2, 0.8], [0.8, 0.2]]])
    candidates = CandidatePredictions(ClassScoring(CLASSES).selection(P, np.array([0, 0]), None), None)
    assert candidates.loss.measure == "log loss"
    selection = candidates.pick(3, every(candidates))
    assert selection.picks == (1, 0)
    assert selection.losses[0] == pytest.approx(-(math.log(0.2) + math.log(0.8)) / 2)
    assert selection.losses[1] == pytest.approx(log_loss(np.array([0, 0]), P.mean(axis=0)))


def test_quantiles_are_selected_by_the_pinball_loss() -> None:
    y, rng = np.arange(6.0)[:, None], np.random.default_rng(0)
    single = candidates_of(y[None] + rng.normal(size=(3, 6, 1)), y, None, QuantileLoss(q=0.9))
    assert single.loss.measure == "pinball loss"
    assert single.pick(1, every(single)).loss == min(
        QuantileLoss(q=0.9).per_row(z, y).mean() for z in single.loss.values
    )
    loss = QuantilesLoss(levels=(0.1, 0.5, 0.9))
    several = candidates_of(np.sort(rng.normal(size=(3, 6, 1, 3))), y, None, loss)
    assert several.pick(1, every(several)).loss == min(loss.per_row(z, y).mean() for z in several.loss.values)


def test_several_targets_count_in_units_of_their_spread() -> None:
    y = np.array([[0.0, 0.0], [2.0, 2000.0]])
    first, second = y + np.array([1.0, 0.0]), y + np.array([0.0, 10.0])
    candidates = candidates_of(np.stack([first, second]), y, None, MSELoss())
    selection = candidates.pick(1, every(candidates))
    assert selection.picks == (1,)
    assert selection.loss == pytest.approx((10.0 / 1000.0) ** 2 / 2)


def test_a_candidate_that_is_not_finite_is_never_picked_before_one_that_is() -> None:
    candidates = numbers([math.nan, 0], [math.inf, 0], [9, 9], y=[0, 0])
    assert candidates.pick(3, every(candidates)).picks == (2,)


def picked_by_brute_force(
    predictions: Floats, y: Floats, weights: Floats, rounds: int
) -> tuple[list[int], list[float]]:
    """The definition, without sums that are carried on: the mean of every list of picks is computed anew."""
    picks: list[int] = []
    losses: list[float] = []
    for _ in range(rounds):
        each = []
        for candidate in range(len(predictions)):
            mean = sum(predictions[item] for item in [*picks, candidate]) / (len(picks) + 1)
            each.append(sum(w * (m - t) ** 2 for w, m, t in zip(weights, mean, y, strict=True)) / sum(weights))
        picks.append(first_lowest(each))
        losses.append(each[picks[-1]])
    return picks[: first_lowest(losses) + 1], losses


def first_lowest(losses: list[float]) -> int:
    """The first loss that is the lowest one but for rounding."""
    return next(i for i, loss in enumerate(losses) if loss <= min(losses) * (1.0 + 1e-12))


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 9))
@example(seed=443, n=2, rounds=3)
def test_the_second_implementation_picks_the_same(seed: int, n: int, rounds: int) -> None:
    rng = np.random.default_rng(seed)
    predictions, y, weights = rng.normal(size=(n, 12)), rng.normal(size=12), rng.uniform(0.1, 3.0, 12)
    candidates = candidates_of(predictions[:, :, None], y[:, None], weights, MSELoss())
    selection = candidates.pick(rounds, every(candidates))
    picks, losses = picked_by_brute_force(predictions, y, weights, rounds)
    assert list(selection.picks) == picks
    np.testing.assert_allclose(selection.losses, losses, rtol=1e-12)


def test_the_rows_of_a_part_are_predicted_by_what_the_other_parts_select() -> None:
    rng = np.random.default_rng(3)
    predictions, y, part = rng.normal(size=(5, 30)), rng.normal(size=30), np.arange(30) % 3
    candidates = candidates_of(predictions[:, :, None], y[:, None], None, MSELoss())
    result, errors = candidates.cross_fit(4, part), []
    for k in range(3):
        others, in_part = part != k, part == k
        picks, _ = picked_by_brute_force(predictions[:, others], y[others], np.ones(20), 4)
        assert list(result.selections[k].picks) == picks
        errors.extend((predictions[picks][:, in_part].mean(axis=0) - y[in_part]) ** 2)
    assert result.loss == pytest.approx(np.mean(errors))


def test_the_selection_of_noise_looks_better_than_it_is_and_the_cross_fitted_loss_does_not() -> None:
    rng = np.random.default_rng(0)
    y, part = rng.normal(size=60), np.arange(60) % 5
    candidates = candidates_of(rng.normal(size=(40, 60, 1)), y[:, None], None, MSELoss())
    constant = float(np.mean(np.square(y)))  # of the prediction 0, the best one
    assert candidates.pick(20, every(candidates)).loss < 0.8 * constant
    assert candidates.cross_fit(20, part).loss > 0.95 * constant
