"""Losses of distributions: derivatives, quantiles, CRPS and cumulative shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.nn.losses import LocationScaleLoss, NormalLoss, StudentTLoss
from tests.nn.losses.support import numeric_gradient

LOSSES = (NormalLoss(), StudentTLoss(degrees_of_freedom=3), StudentTLoss(), StudentTLoss(degrees_of_freedom=9))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_is_that_of_differences(loss: LocationScaleLoss, weighted: bool) -> None:
    rng = np.random.default_rng(1)
    Z, y = rng.normal(size=(30, 4)), rng.normal(size=(30, 2))
    bound = loss.bind(Z, y, rng.uniform(0.5, 2.0, 30) if weighted else None)
    bound.forward()
    np.testing.assert_allclose(bound.backward().copy(), numeric_gradient(bound, Z), atol=1e-7)


@pytest.mark.parametrize(
    ("loss", "quantile"),
    [
        (NormalLoss(), 1.6448536),
        (StudentTLoss(degrees_of_freedom=3), 2.3533634),
        (StudentTLoss(degrees_of_freedom=4), 2.1318468),
        (StudentTLoss(degrees_of_freedom=5), 2.0150484),
        (StudentTLoss(degrees_of_freedom=30), 1.6972609),
    ],
)
def test_the_quantile_of_level_95_is_that_of_the_tables(loss: LocationScaleLoss, quantile: float) -> None:
    assert loss.standard_quantile(0.95) == pytest.approx(quantile, abs=1e-6)
    assert loss.standard_quantile(0.05) == pytest.approx(-quantile, abs=1e-6)
    np.testing.assert_allclose(loss.standard_cdf(np.array([quantile, 0.0, -quantile])), [0.95, 0.5, 0.05], atol=1e-7)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("y", [-2.5, 0.0, 0.4, 6.0])
def test_the_crps_is_the_integral_of_the_squared_distance_to_the_step_at_y(loss: LocationScaleLoss, y: float) -> None:
    x = np.concatenate([np.linspace(-3000.0, -30.0, 20_001)[:-1], np.linspace(-30.0, 30.0, 40_001)])
    x = np.unique(np.concatenate([x, -x, [y]]))
    middle = (x[1:] + x[:-1]) / 2.0
    integral = float(np.sum((loss.standard_cdf(middle) - (middle >= y)) ** 2 * np.diff(x)))
    assert float(loss.standard_crps(np.array([y]))[0]) == pytest.approx(integral, abs=2e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_location_scale_and_shares_follow_from_the_quantiles(loss: LocationScaleLoss) -> None:
    rng = np.random.default_rng(2)
    Z, y = rng.normal(size=(20, 4)), rng.normal(size=(20, 2))
    s = np.exp(4.0 * np.tanh(Z[:, 2:] / 2.0 + 1.0) - 3.0)
    u = (y - Z[:, :2]) / s
    quantiles = loss.quantiles(Z)
    np.testing.assert_allclose(quantiles[:, :, 2], loss.inverse_link(Z), rtol=1e-12)
    np.testing.assert_allclose(loss.per_row(quantiles, y), (s * loss.standard_crps(u)).mean(axis=1), rtol=1e-9)
    np.testing.assert_allclose(loss.cdf(quantiles, y), loss.standard_cdf(u), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    ("loss", "factor"),
    [(NormalLoss(), 1.0), (StudentTLoss(degrees_of_freedom=3), 3.0**0.5), (StudentTLoss(), 2.0**0.5)],
)
def test_the_standard_deviation_is_that_of_the_scale(loss: LocationScaleLoss, factor: float) -> None:
    Z = np.random.default_rng(3).normal(size=(20, 4))
    s = np.exp(4.0 * np.tanh(Z[:, 2:] / 2.0 + 1.0) - 3.0)
    np.testing.assert_allclose(loss.standard_deviations(loss.quantiles(Z)), s * factor, rtol=1e-9)


def test_the_crps_of_a_number_is_its_absolute_error() -> None:
    predicted, y = np.array([[1.0], [5.0]]), np.array([[3.0], [4.5]])
    np.testing.assert_array_equal(NormalLoss().per_row(predicted, y), [2.0, 0.5])
    narrow = np.repeat(predicted[:, :, None], 5, axis=2)
    np.testing.assert_allclose(NormalLoss().per_row(narrow, y), [2.0, 0.5])


@pytest.mark.slow
@given(
    loss=st.sampled_from(LOSSES), z=st.floats(-1e3, 1e3), s=st.floats(-1e3, 1e3), levels=st.sets(st.floats(0.01, 0.99))
)
def test_quantiles_never_cross(loss: LocationScaleLoss, z: float, s: float, levels: set[float]) -> None:
    loss = loss.model_copy(update={"levels": tuple(sorted({*levels, 0.5, 0.995}))})
    assert (np.diff(loss.quantiles(np.array([[z, s]]))) >= 0.0).all()


@pytest.mark.slow
@given(
    st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=30),
    st.sampled_from([NormalLoss(), StudentTLoss(), StudentTLoss(degrees_of_freedom=3)]),
    st.tuples(st.floats(-1.0, 1.0), st.floats(-3.0, 3.0)),
)
def test_no_constant_distribution_of_the_family_has_a_lower_crps_than_the_best(
    values: list[float], loss: LocationScaleLoss, change: tuple[float, float]
) -> None:
    y = np.array(values)[:, None]
    best = loss.best_quantiles(y)
    (m, s), unit = (part[0, 0] for part in loss._location_scale(best[None])), np.ptp(y)
    other = m + change[0] * unit + max(s, 1e-3 * unit) * np.exp(change[1]) * loss._standard_quantiles

    def mean_crps(quantiles: np.ndarray) -> float:
        return float(loss.per_row(np.broadcast_to(quantiles, (len(y), 1, len(loss.levels))), y).mean())

    assert mean_crps(best) <= mean_crps(other[None]) * (1.0 + 1e-9) + 1e-9 * unit


@pytest.mark.slow
@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.integers(0, 3)), min_size=1, max_size=20))
def test_a_weight_counts_as_so_many_rows_in_the_best_distribution(rows: list[tuple[float, int]]) -> None:
    y, w = np.array([value for value, _ in rows])[:, None], np.array([1.0, *(weight for _, weight in rows[1:])])
    repeated = np.repeat(y, w.astype(int), axis=0)
    for loss in (NormalLoss(), StudentTLoss()):
        of_weights, of_rows = (
            loss.per_row(np.broadcast_to(quantiles, (len(repeated), 1, 5)), repeated).mean()
            for quantiles in (loss.best_quantiles(y, w), loss.best_quantiles(repeated))
        )
        assert of_weights == pytest.approx(of_rows, rel=1e-9, abs=1e-9)


def test_the_best_distribution_of_many_rows_is_found_from_means_of_neighbors() -> None:
    y, loss = np.random.default_rng(0).lognormal(0.0, 1.5, (20_000, 1)), NormalLoss()
    best = loss.best_quantiles(y)
    step = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]) * 1e-2
    (m, s) = (part[0, 0] for part in loss._location_scale(best[None]))
    others = [m + s * dm + s * np.exp(ds) * loss._standard_quantiles for dm, ds in step]
    scores = [loss.per_row(np.broadcast_to(q, (len(y), 1, 5)), y).mean() for q in (best[0], *others)]
    assert scores[0] < min(scores[1:])
