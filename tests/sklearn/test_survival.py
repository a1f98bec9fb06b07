"""NNSurvivalAnalysis: structured arrays of an event and a time, and the methods of scikit-survival."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nncli import predict
from nncli.sklearn import NNRegressor, NNSurvivalAnalysis

RANDOM = np.random.default_rng(0)
N = 200
X = RANDOM.normal(size=(N, 2))
UNTIL, SEEN = RANDOM.exponential(10.0 * np.exp(-X[:, 0])), RANDOM.uniform(1.0, 30.0, N)
Y = np.array(list(zip(UNTIL <= SEEN, np.minimum(UNTIL, SEEN), strict=True)), [("died", bool), ("months", float)])
OPTIONS: dict[str, Any] = {"layers": [8], "epochs": 12, "learning_rate": 0.02, "random_state": 0}


def concordance(y: Any, risk: Any) -> float:
    """Harrell's C of its definition, by all pairs."""
    event, time = y["died"], y["months"]
    agreeing = total = 0.0
    for i in np.flatnonzero(event):
        later = (time > time[i]) | ((time == time[i]) & ~event)
        agreeing += (risk[i] > risk[later]).sum() + (risk[i] == risk[later]).sum() / 2.0
        total += later.sum()
    return float(agreeing / total)


@pytest.fixture(scope="module")
def fitted() -> NNSurvivalAnalysis:
    return NNSurvivalAnalysis(**OPTIONS).fit(X, Y)


def test_risks_are_higher_for_earlier_events_and_scored_by_harrells_concordance(fitted: NNSurvivalAnalysis) -> None:
    risk = fitted.predict(X)
    assert risk.shape == (N,)
    assert np.corrcoef(risk, X[:, 0])[0, 1] > 0.7
    assert fitted.score(X, Y) == pytest.approx(concordance(Y, risk))
    assert fitted.score(X, Y) > 0.65
    half = np.arange(N) % 2
    assert fitted.score(X, Y, half) == pytest.approx(fitted.score(X[half == 1], Y[half == 1]))


@pytest.mark.parametrize(
    ("rows", "w", "words"),
    [
        (N - 1, None, "inconsistent numbers of samples"),
        (N, np.ones(N - 1), "inconsistent numbers of samples"),
        (N, -np.ones(N), "Negative values"),
        (N, np.zeros(N), "non-zero"),
        (N, np.ones((N, 1)), "1D array"),
    ],
)
def test_a_score_of_other_rows_or_weights_is_refused(fitted: NNSurvivalAnalysis, rows: int, w: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fitted.score(X, Y[:rows], w)


def test_a_score_without_comparable_pairs_is_warned_of(fitted: NNSurvivalAnalysis) -> None:
    censored = np.array([(False, 2.0), (False, 3.0)], Y.dtype)
    with pytest.warns(UndefinedMetricWarning, match="concordance"):
        assert np.isnan(fitted.score(X[:2], censored))


def test_survival_functions_are_called_with_times(fitted: NNSurvivalAnalysis) -> None:
    functions, S = fitted.predict_survival_function(X), fitted.predict_survival_function(X, return_array=True)
    times = fitted.unique_times_
    assert S.shape == (N, len(times))
    for function, row in zip(functions[:5], S, strict=False):
        assert function(times) == pytest.approx(row)
        assert function(0.0) == 1.0
        assert function(times[-1] + 9.0) == pytest.approx(row[-1])
    median = fitted.predict_median(X)
    assert np.array_equal(np.isinf(median), S[:, -1] > 0.5)
    for i in np.flatnonzero(np.isfinite(median))[:9]:
        assert functions[i](median[i]) == pytest.approx(0.5, rel=1e-6)


def test_the_loss_may_be_that_of_proportional_hazards() -> None:
    cox = NNSurvivalAnalysis(**OPTIONS, loss="cox").fit(X, Y)
    assert cox.score(X, Y) > 0.65
    logs = -np.log(cox.predict_survival_function(X, return_array=True))
    ratios = logs[1:] / logs[0]
    assert ratios == pytest.approx(np.repeat(ratios[:, :1], logs.shape[1], axis=1), rel=1e-2)


def test_a_lower_bound_is_a_time_at_a_level(fitted: NNSurvivalAnalysis) -> None:
    lower = fitted.predict_lower_bound(X)
    assert (lower <= fitted.predict_lower_bound(X, 0.5)).all()
    assert (Y["months"] >= lower).mean() > 0.85
    with pytest.raises(ValueError, match="one level at a time"):
        fitted.predict_lower_bound(X, [0.5, 0.9])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs 9,999 rows"):
        fitted.predict_lower_bound(X, 0.9999)


def test_it_is_cloned_pickled_saved_searched_and_cross_validated(fitted: NNSurvivalAnalysis, tmp_path: Path) -> None:
    risk = fitted.predict(X)
    assert np.array_equal(clone(fitted).fit(X, Y).predict(X), risk)
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict(X), risk)
    assert again.predict_survival_function(X[:1])[0](3.0) == fitted.predict_survival_function(X[:1])[0](3.0)
    frame = pl.DataFrame(X, schema=["x0", "x1"])
    assert predict(fitted.save(tmp_path / "run"), frame)["prediction"].fill_null(np.inf).to_list() == (
        fitted.predict_median(X).tolist()
    )
    model = make_pipeline(StandardScaler(), NNSurvivalAnalysis(**OPTIONS))
    assert cross_val_score(model, X, Y, cv=3, error_score="raise").mean() > 0.6
    rates = {"nnsurvivalanalysis__learning_rate": [1e-6, 0.05]}
    search = GridSearchCV(model, rates, cv=2, error_score="raise").fit(X, Y)
    assert search.best_params_["nnsurvivalanalysis__learning_rate"] == 0.05


def test_frames_weights_and_losses_are_those_of_other_estimators() -> None:
    frame = pd.DataFrame({"time": X[:, 0], "event": np.where(X[:, 1] > 0, "a", "b")})
    options = {**OPTIONS, "loss": {"type": "survival", "bins": 4}}
    w = np.arange(N) % 2
    weighted = NNSurvivalAnalysis(**options).fit(frame, Y, w)
    assert weighted.feature_names_in_.tolist() == ["time", "event"]
    assert len(weighted.unique_times_) == 4
    alone = NNSurvivalAnalysis(**options).fit(frame[w == 1], Y[w == 1])
    assert np.array_equal(weighted.predict(frame), alone.predict(frame))
    other = NNSurvivalAnalysis(**OPTIONS, config={"loss": {**options["loss"], "event": "b"}}).fit(frame, Y, w)
    assert np.array_equal(weighted.predict(frame), other.predict(frame))


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (Y["months"], "structured array"),
        (np.array([(1.0, True)] * N, [("t", float), ("e", bool)]), "structured array"),
        (np.array([(1, 2.0)] * N, [("e", int), ("t", float)]), "structured array"),
        (np.array([(True, np.nan)] * N, [("e", bool), ("t", float)]), "NaN"),
        (np.array([(True, -1.0)] * N, [("e", bool), ("t", float)]), "below 0"),
        (np.array([(False, 2.0)] * N, [("e", bool), ("t", float)]), "no row has the event"),
        (None, "requires y"),
    ],
)
def test_a_y_that_is_no_time_to_an_event_is_refused(y: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        NNSurvivalAnalysis(**OPTIONS).fit(X, y)


def test_losses_of_other_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="the loss mse is for regression"):
        NNSurvivalAnalysis(**OPTIONS, loss="mse").fit(X, Y)
    with pytest.raises(ValueError, match=r"nncli\.train"):
        NNSurvivalAnalysis(**OPTIONS, loss={"type": "survival", "start": "x0"}).fit(X, Y)
    with pytest.raises(ValueError, match="use NNSurvivalAnalysis"):
        NNRegressor(**OPTIONS, loss="survival").fit(X, Y["months"])
