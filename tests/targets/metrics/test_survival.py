"""Metrics of the time to an event against scikit-survival's and lifelines', and against their definitions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.targets.metrics.survival import (
    SurvivalRows,
    calibration_at,
    comparable_pairs,
    kaplan_meier,
    scored_times,
)

REFERENCE: dict[str, Any] = json.loads(Path(__file__).with_name("survival.json").read_text(encoding="utf-8"))
TIME, EVENT, RISK, START = (np.array(REFERENCE[name]) for name in ("time", "event", "risk", "start"))


def scored(weight: Any = None, rows: Any = slice(None)) -> SurvivalRows:
    times = np.array(REFERENCE["times"])
    S = np.exp(-np.outer(np.exp(RISK), times) / 10.0)
    w = np.ones(len(TIME)) if weight is None else weight
    return SurvivalRows(TIME[rows], EVENT[rows], None, RISK[rows], times, S[rows], w[rows])


def test_the_times_are_those_of_events_while_some_rows_are_seen_longer() -> None:
    times = scored_times(TIME, EVENT)
    assert times.tolist() == [t for t in REFERENCE["times"] if (t < TIME).mean() >= 0.05]
    assert len(times) < len(REFERENCE["times"])
    assert len(scored_times(np.arange(1e4), np.ones(10_000, np.bool_))) == 100


@pytest.mark.parametrize("name", ["concordance", "uno_concordance", "integrated_brier", "time_auc"])
def test_metrics_are_those_of_scikit_survival(name: str) -> None:
    assert scored().values(name, np.ones((1, len(TIME))))[0] == pytest.approx(REFERENCE[name], rel=1e-12)


def test_the_concordance_is_that_of_lifelines_and_the_brier_score_that_at_each_time() -> None:
    assert REFERENCE["concordance"] == pytest.approx(REFERENCE["concordance of lifelines"], rel=1e-12)
    assert scored().brier.mean(axis=0) == pytest.approx(REFERENCE["brier"], rel=1e-12)


@pytest.mark.parametrize("start", [None, START])
def test_kaplan_meier_curves_are_those_of_scikit_survival(start: Any) -> None:
    times, values = REFERENCE["kaplan_meier" if start is None else "kaplan_meier with start"]
    assert kaplan_meier(TIME, EVENT, start=start).at(np.array(times)) == pytest.approx(values, rel=1e-12)


def _concordance(time: Any, event: Any, risk: Any, w: Any, start: Any) -> float:
    agreeing = total = 0.0
    for i in np.flatnonzero(event):
        later = (time > time[i]) | ((time == time[i]) & ~event)
        other = later & (start < time[i]) & (np.arange(len(time)) != i)
        total += w[i] * w[other].sum()
        agreeing += w[i] * (w[other] * ((risk[i] > risk[other]) + (risk[i] == risk[other]) / 2.0)).sum()
    return agreeing / total if total > 0.0 else np.nan


@pytest.mark.slow
@given(seed=st.integers(0, 2**16), n=st.integers(2, 40), ties=st.integers(1, 20), enters=st.booleans())
def test_concordance_is_the_share_of_agreeing_pairs(seed: int, n: int, ties: int, enters: bool) -> None:
    rng = np.random.default_rng(seed)
    time, event = rng.integers(1, ties + 1, n).astype(float), rng.random(n) < 0.6
    risk, w = rng.integers(0, ties, n).astype(float), rng.integers(0, 3, n).astype(float)
    start = np.floor(time * rng.uniform(0.0, 1.0, n)) - 0.5 if enters else None
    value, _ = comparable_pairs(time, event, risk, w, start=start).ratio(w)
    expected = _concordance(time, event, risk, w, np.full(n, -1.0) if start is None else start)
    assert value == pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("name", ["concordance", "uno_concordance", "integrated_brier", "time_auc"])
def test_resamples_are_near_the_scores_of_repeated_rows(name: str) -> None:
    rng = np.random.default_rng(0)
    W = rng.multinomial(len(TIME), np.ones(len(TIME)) / len(TIME), size=30).astype(np.float64)
    linear = scored().values(name, W)
    repeated = [scored(rows=np.repeat(np.arange(len(TIME)), w.astype(int))) for w in W]
    exact = np.array([rows.values(name, rows.weight[None])[0] for rows in repeated])
    assert np.corrcoef(linear, exact)[0, 1] > 0.75
    assert linear.std() == pytest.approx(exact.std(), rel=0.5)


def test_a_weight_of_two_counts_as_two_rows() -> None:
    w = np.ones(len(TIME))
    w[:20] = 2.0
    for name in ("concordance", "uno_concordance", "integrated_brier", "time_auc"):
        twice = scored(rows=np.repeat(np.arange(len(TIME)), w.astype(int)))
        expected = twice.values(name, twice.weight[None])[0]
        assert scored(w).values(name, w[None])[0] == pytest.approx(expected, rel=1e-12)


def test_calibration_compares_the_mean_with_the_kaplan_meier_estimate_of_fifths() -> None:
    rng = np.random.default_rng(0)
    S = rng.uniform(0.1, 0.9, 20_000)
    until = -np.log(rng.random(20_000)) / -np.log(S)  # P(until > 1) is S
    time, event = np.minimum(until, 2.0), until < 2.0
    calibration = calibration_at(time, event, S, 1.0)
    assert calibration.rows.tolist() == [4000.0] * 5
    assert calibration.observed == pytest.approx(calibration.predicted, abs=0.03)
