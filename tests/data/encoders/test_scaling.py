from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import QuantileTransformer, RobustScaler

from nncli.data.encoders.scaling import (
    CACHED_SUM,
    MAX_QUANTILES,
    MIN_QUANTILES,
    PIECE,
    clip_in_order,
    clip_smoothly,
    normal_quantile,
    quantile_cdf,
    quantile_transform,
    quantiles_of,
    robust_scale,
    std,
)

NORMAL = NormalDist()
NUMBERS = st.lists(st.floats(-1e30, 1e30, allow_subnormal=False), min_size=1, max_size=80)


def samples() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "normal": rng.normal(size=5000),
        "skewed": rng.lognormal(0.0, 3.0, 3001),
        "ties": np.concatenate([[-9.5], rng.integers(-3, 4, 2000).astype(float), [8.25]]),
        "few": rng.normal(size=7),
        "many": rng.normal(size=40_000),
    }


SAMPLES = samples()


@pytest.mark.parametrize("name", SAMPLES)
def test_quantiles_lead_where_those_of_scikit_learn_lead(name: str) -> None:
    present = SAMPLES[name]
    edges = quantiles_of(present)
    theirs = QuantileTransformer(n_quantiles=len(edges), output_distribution="normal", subsample=None)
    theirs.fit(present[:, None])
    x = np.concatenate([present, edges, np.linspace(present.min() - 1.0, present.max() + 1.0, 999)])
    np.testing.assert_allclose(quantile_transform(x, edges), theirs.transform(x[:, None])[:, 0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", SAMPLES)
def test_quartiles_scale_as_those_of_scikit_learn_do(name: str) -> None:
    x = SAMPLES[name]
    center, scale = robust_scale(*np.quantile(x, [0.0, 0.25, 0.5, 0.75, 1.0]).tolist())
    np.testing.assert_allclose((x - center) / scale, RobustScaler().fit_transform(x[:, None])[:, 0], rtol=1e-12)


@pytest.mark.parametrize(
    ("quantiles", "scale"),
    [
        ((0.0, 1.0, 2.0, 3.0, 9.0), 2.0),
        ((0.0, 0.0, 0.0, 0.0, 1.0), 0.5),
        ((5.0, 5.0, 5.0, 5.0, 5.0), 0.0),
        ((0.1, 0.3, 0.3, np.nextafter(0.3, 1.0), 0.7), 0.3),  # rounding is no spread
        ((0.3, 0.3, 0.3, 0.3, np.nextafter(0.3, 1.0)), 0.0),
        ((-1.0, 0.0, 0.0, 1e-90, 1.0), 1.0),  # beside which 1 would be infinite
    ],
)
def test_the_scale_is_the_quartiles_distance_or_half_the_range_or_none(
    quantiles: tuple[float, ...], scale: float
) -> None:
    center, result = robust_scale(*quantiles)
    assert center == quantiles[2]
    assert result == pytest.approx(scale)


@pytest.mark.parametrize("n", [1, 2, 9, 10, 299, 300, 330, 29_999, 30_000, 50_000])
def test_there_is_an_edge_for_every_thirty_rows(n: int) -> None:
    assert len(quantiles_of(np.arange(float(n)))) == min(n, max(MIN_QUANTILES, min(n // 30, MAX_QUANTILES)))


@given(NUMBERS, NUMBERS)
def test_ranks_ascend_and_are_finite(present: list[float], cells: list[float]) -> None:
    edges = quantiles_of(np.array(present))
    z = quantile_transform(np.sort([*present, *cells]), edges)
    assert np.isfinite(z).all()
    assert (np.abs(z) <= 5.2).all()
    assert (np.diff(z) >= -1e-12).all()


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=60, unique=True))
def test_an_edge_of_its_own_leads_back_to_its_share(present: list[int]) -> None:
    edges = np.sort(np.array(present, float))
    p = np.linspace(0.0, 1.0, len(edges))
    result = [NORMAL.cdf(z) for z in quantile_transform(edges, edges)]
    assert result == pytest.approx(p, abs=1.1e-7)


def test_what_is_normal_already_stays_so() -> None:
    x = np.random.default_rng(0).normal(size=100_000)
    z = quantile_transform(x, quantiles_of(x))
    assert np.abs(z - x)[np.abs(x) < 2.5].max() < 0.05
    assert (z.mean(), z.std()) == (pytest.approx(0.0, abs=0.01), pytest.approx(1.0, abs=0.02))


def test_a_tie_stands_in_the_middle_of_its_step_at_an_end_too() -> None:
    edges = quantiles_of(np.array([0.0] * 50 + [1.0] * 50))
    assert quantile_transform(np.array([0.0, 1.0]), edges) == pytest.approx(
        [NORMAL.inv_cdf(2 / 9), NORMAL.inv_cdf(7 / 9)], abs=1e-9
    )


def test_neighbors_among_the_floats_have_steps_of_their_own() -> None:
    a, b = 1.0, np.nextafter(1.0, 2.0)
    points, shares = quantile_cdf(np.array([a, a, b, b]))
    assert (np.diff(points) >= 0.0).all()
    assert np.interp([a, b], points, shares).tolist() == pytest.approx([1 / 6, 5 / 6])


def test_a_long_column_is_ranked_piece_by_piece_to_the_same_bits() -> None:
    x = np.random.default_rng(0).normal(size=2 * PIECE + 3)
    edges = quantiles_of(x)
    assert (
        np.concatenate([quantile_transform(x[:5], edges), quantile_transform(x[5:], edges)]).tobytes()
        == quantile_transform(x, edges).tobytes()
    )


@given(st.lists(st.floats(1.4e-11, 1.0 - 1.4e-11), min_size=1, max_size=50))
def test_the_normal_quantile_is_that_of_the_standard_library(shares: list[float]) -> None:
    expected = [NORMAL.inv_cdf(p) for p in shares]
    assert normal_quantile(np.array(shares)) == pytest.approx(expected, rel=1e-14, abs=1e-15)


@given(st.floats(-5.19, 5.19))
def test_the_normal_quantile_undoes_the_distribution_function(z: float) -> None:
    assert normal_quantile(np.array([NORMAL.cdf(z)])) == pytest.approx(z, abs=1e-8)


def smooth(*values: float) -> list[float]:
    z = np.array(values)
    clip_smoothly(z)
    return [float(value) for value in z]


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_the_smooth_clip_ascends_within_three_and_is_odd(a: float, b: float) -> None:
    low, high = smooth(min(a, b), max(a, b))
    assert -3.0 <= low <= high + 1e-15 <= 3.0 + 1e-15
    assert smooth(-a) == [-smooth(a)[0]]


@given(st.floats(-1e3, 1e3))
def test_the_smooth_clip_is_its_formula_and_can_be_undone(x: float) -> None:
    (z,) = smooth(x)
    assert z == pytest.approx(x / math.sqrt(1.0 + (x / 3.0) ** 2), rel=1e-14)
    if abs(x) < 30.0:
        assert z / math.sqrt(1.0 - (z / 3.0) ** 2) == pytest.approx(x, rel=1e-9)


@pytest.mark.parametrize(
    "n", [1, 2, 7, 129, 1000, *(m * CACHED_SUM + n for m, n in ((1, 0), (1, 1), (2, 9), (5, 4711)))]
)
@pytest.mark.parametrize("size", [1e-9, 1.0, 1e200])
def test_the_standard_deviation_is_that_of_numpy_to_the_bit(n: int, size: float) -> None:
    x = np.random.default_rng(n).normal(size=n) * size + 3.0
    mean = float(x.mean())
    with np.errstate(over="ignore"):
        assert np.float64(std(x, mean)).tobytes() == x.std().tobytes()


def test_the_ordered_clip_is_the_smooth_one_and_keeps_the_order_of_neighboring_numbers() -> None:
    rng = np.random.default_rng(0)
    z = np.concatenate([rng.normal(size=20_000), rng.normal(size=20_000) * 1e5, [0.0, -0.0, 1e-300, 1e300]])
    above = np.nextafter(z, np.inf)
    ordered, smooth, next_ordered = z.copy(), z.copy(), above.copy()
    clip_in_order(ordered)
    clip_in_order(next_ordered)
    clip_smoothly(smooth)
    np.testing.assert_allclose(ordered, smooth, rtol=1e-15, atol=1e-149)
    assert (next_ordered >= ordered).all()
