"""Lower bounds of times: against their definition, and their coverage of new rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.nn.program.inputs import NumberInput
from nncli.nn.program.program import build, run_nodes
from nncli.nn.program.values import Builder
from nncli.targets.metrics.conformal import rank
from nncli.targets.metrics.sorted_scores import SortedScores
from nncli.targets.metrics.survival_bounds import (
    ROUNDING,
    lower_time_bounds,
    observed_scores,
    time_bounds,
    times_at,
)
from tests.nn.program.support import number

EDGES = np.array([0.0, 1.0, 2.5, 4.0, 9.0])


def random_curves(rng: np.random.Generator, *shape: int) -> Any:
    """Curves at the edges, some of which are flat in a bin or fall to nothing."""
    factors = rng.choice([0.0, 0.4, 0.7, 0.95, 1.0], (*shape, 4), p=[0.02, 0.2, 0.3, 0.38, 0.1])
    S = np.cumprod(np.concatenate([np.ones((*shape, 1)), factors], axis=-1), axis=-1)
    return np.log(np.maximum(S, 1e-38))


def time_of(log_S: Any, score: float) -> float:
    """The first time at which a curve is at most a score, by bisection; the last edge where there is none."""
    if log_S[-1] > score:
        return float(EDGES[-1])
    low, high = 0.0, float(EDGES[-1])
    for _ in range(80):
        middle = (low + high) / 2.0
        low, high = (low, middle) if np.interp(middle, EDGES, log_S) <= score else (middle, high)
    return high


@pytest.mark.slow
@given(seed=st.integers(0, 2**16), groups=st.integers(1, 3), level=st.sampled_from([0.5, 0.8, 0.9]))
def test_a_bound_is_a_quantile_of_the_times_at_which_the_curves_of_the_groups_fall_to_the_scores(
    seed: int, groups: int, level: float
) -> None:
    rng = np.random.default_rng(seed)
    n = 40
    group = rng.integers(0, groups, n)
    scores = observed_scores(random_curves(rng, n), EDGES, np.round(rng.exponential(4.0, n), 1))
    curves = random_curves(rng, groups, 6)
    bounds = time_bounds(curves, EDGES, SortedScores.of(scores, group, groups), level)
    for row in range(6):
        times = np.sort([time_of(curves[g, row], score + ROUNDING) for g, score in zip(group, scores, strict=True)])
        assert bounds[row] == pytest.approx(times[n - rank(level, n)], abs=1e-6)
        assert time_bounds(curves[:, [row]], EDGES, SortedScores.of(scores, group, groups), level)[0] == bounds[row]


@given(seed=st.integers(0, 2**16), groups=st.integers(1, 3), level=st.sampled_from([0.5, 0.9]))
def test_the_operations_are_those_of_the_bounds(seed: int, groups: int, level: float) -> None:
    rng = np.random.default_rng(seed)
    scores = observed_scores(random_curves(rng, 40), EDGES, rng.exponential(4.0, 40))
    sorted_scores = SortedScores.of(scores, rng.integers(0, groups, 40), groups)
    curves = random_curves(rng, groups, 6)
    builder = Builder()
    values = [[builder.input(NumberInput(f"{g} {j}")) for j in range(5)] for g in range(groups)]
    bound = lower_time_bounds(values, EDGES, sorted_scores, level)
    program = build(builder, number(bound), "float64")
    inputs = [curves[g, :, [j]].T for g in range(groups) for j in range(5)]
    (computed,) = run_nodes(program, inputs).values()
    assert computed[:, 0] == pytest.approx(time_bounds(curves, EDGES, sorted_scores, level), rel=1e-9, abs=1e-9)


def test_a_row_that_is_observed_until_the_last_edge_is_covered_by_every_bound() -> None:
    curve = np.log([[1.0, 0.9, 0.9, 0.8, 0.5]])
    scores = observed_scores(np.repeat(curve, 3, axis=0), EDGES, np.array([0.5, 9.0, 30.0]))
    assert scores[0] == pytest.approx(np.log(0.9) / 2)
    assert (scores[1:] < -90.0).all()
    late = SortedScores.of(np.full(99, -100.0), np.zeros(99, np.int64), 1)
    assert time_bounds(curve[None], EDGES, late, 0.9)[0] == EDGES[-1]
    assert times_at(curve, EDGES, np.array([-100.0]))[0] == EDGES[-1]
    assert times_at(curve, EDGES, np.array([np.log(0.8)]))[0] == pytest.approx(4.0)


def test_equal_rows_with_whole_times_stay_covered() -> None:
    rng = np.random.default_rng(0)
    curve = random_curves(rng, 1)
    time = rng.integers(0, 9, 99).astype(np.float64)
    scores = observed_scores(np.repeat(curve, 99, axis=0), EDGES, time)
    bound = time_bounds(curve[None], EDGES, SortedScores.of(scores, np.zeros(99, np.int64), 1), 0.8)[0]
    assert (time >= bound).mean() >= 0.8
    assert bound == pytest.approx(np.sort(time)[19], abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.5, 0.9])
@pytest.mark.parametrize("censoring", ["none", "random", "by risk"])
def test_bounds_cover_the_times_of_new_rows_whatever_the_curves_and_the_censoring(level: float, censoring: str) -> None:
    rng = np.random.default_rng(1)
    n, new, splits = 39, 20, 1500
    edges = np.array([0.0, 1.0, 3.0, 8.0, 20.0])
    shares, observed = np.empty(splits), np.empty(splits)
    for split in range(splits):
        x = rng.normal(size=n + new)
        T = rng.exponential(6.0 * np.exp(-x))
        C = {"none": np.full(n + new, np.inf), "random": rng.exponential(8.0, n + new), "by risk": 3.0 * np.exp(x)}
        time = np.minimum(T, C[censoring])
        # a model that knows x in part, with a hazard that is wrong
        log_S = -np.outer(np.exp(0.5 * x) / 4.0, np.sqrt(edges))
        scores = observed_scores(log_S[:n], edges, time[:n])
        bounds = time_bounds(log_S[None, n:], edges, SortedScores.of(scores, np.zeros(n, np.int64), 1), level)
        shares[split], observed[split] = (T[n:] >= bounds).mean(), (time[n:] >= bounds).mean()
    error = 3.0 * shares.std() / np.sqrt(splits)
    assert shares.mean() >= level - error
    assert observed.mean() >= level - error
    if censoring == "none":
        assert shares.mean() <= level + 1.0 / (n + 1) + error
    else:
        assert shares.mean() > observed.mean()
