"""The gain of a search, on trials whose predictions are made so that the truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nncli.data.encoders.target import ClassificationTarget, RegressionTarget
from nncli.nn.arrays import Floats
from nncli.nn.losses import MSE, CrossEntropy
from nncli.pipeline.ensemble.out_of_fold import LabeledRows
from nncli.predictions import Predictions
from nncli.tuning.gain import Gain, gain_of
from nncli.tuning.held_out_predictions import SearchRows, TrialPredictions
from nncli.tuning.objective import Objective
from nncli.tuning.trials import Trial

N, FOLDS = 300, 3
NUMBER = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,))
NUMBERS = RegressionTarget(names=("y", "z"), centers=(0.0, 0.0), scales=(1.0, 1.0))
CLASSES = ClassificationTarget(name="y", labels=("no", "yes"))
RMSE, ACCURACY = Objective("rmse", MSE()), Objective("accuracy", CrossEntropy())


class Made:
    """Trials with made predictions; the first is trial 0."""

    def __init__(self, rows: SearchRows, objective: Objective, predicted: list[Floats], pruned: dict[int, int]) -> None:
        self.rows, self.objective, self.trials = rows, objective, list[Trial]()
        self._predicted = [Predictions(rows.target, values) for values in predicted]
        for i, predictions in enumerate(self._predicted):
            score = None if i in pruned else objective.score(predictions, rows.truth)
            state = "pruned" if i in pruned else "complete"
            folds = (0.0,) * pruned.get(i, FOLDS)
            self.trials.append(Trial(number=i, values={}, state=state, score=score, folds=folds))

    def read(self, trial: Trial) -> TrialPredictions:
        known = self.rows.fold_of < len(trial.folds)
        predictions = self._predicted[trial.number]
        values = np.where(known[:, None], predictions.values, np.nan)
        return TrialPredictions(replace(predictions, values=values), known)

    def gain(self, best: int) -> Gain:
        return gain_of(self.trials, self.trials[best], self.rows, self.read, self.objective, seed=0)


def numbers(errors: list[float], seed: int = 0, n: int = N, pruned: dict[int, int] | None = None) -> Made:
    """Trials for a target of 0 whose errors have these standard deviations."""
    rng = np.random.default_rng(seed)
    rows = SearchRows(LabeledRows(np.zeros((n, 1)), None), np.arange(n) % FOLDS, NUMBER)
    shared = rng.standard_normal((n, 1))
    predicted = [error * (shared + rng.standard_normal((n, 1))) / np.sqrt(2) for error in errors]
    return Made(rows, RMSE, predicted, pruned or {})


def best_of(made: Made) -> int:
    scores = [np.inf if t.score is None else made.objective.loss_of(t.score) for t in made.trials]
    return int(np.argmin(scores))


def test_a_real_gain_is_found_with_an_interval_around_it() -> None:
    made = numbers([1.0, 0.8, *[1.0] * 10])
    gain = made.gain(best_of(made))
    assert gain.trial == 1
    assert gain.low is not None
    assert gain.high is not None
    assert gain.estimate is not None
    assert 0.0 < gain.low < 0.2 < gain.high
    assert gain.low < gain.estimate < gain.high
    assert gain.apparent == pytest.approx(0.2, abs=0.07)
    assert gain.is_significant
    assert (gain.trials, gain.rows, gain.loss) == (12, N, "squared error")


def test_the_best_of_many_equal_trials_is_no_more_than_chance() -> None:
    gains = []
    for seed in range(8):
        made = numbers([1.0] * 30, seed=seed, n=150)
        gains.append(made.gain(best_of(made)))
    assert np.mean([gain.apparent for gain in gains]) > 0.05
    assert abs(np.mean([gain.estimate or 0.0 for gain in gains])) < 0.03
    assert all((gain.low or 0.0) < 0.0 < (gain.high or 0.0) for gain in gains)
    assert sum(gain.is_significant for gain in gains) <= 1


def test_trial_0_as_the_best_gains_nothing() -> None:
    gain = numbers([0.5, 1.0]).gain(0)
    assert (gain.apparent, gain.estimate, gain.p, gain.is_significant) == (0.0, None, None, False)


def test_the_gain_is_in_units_of_the_metric() -> None:
    """Of 300 rows trial 0 has 90 wrong and trial 1 none; the other rows of every resample have about 30 % wrong."""
    y = np.arange(N) % 2
    right = np.eye(2)[y]
    wrong = np.where((np.arange(N) % 10 < 3)[:, None], 1.0 - right, right)
    made = Made(SearchRows(LabeledRows(y, None), np.arange(N) % FOLDS, CLASSES), ACCURACY, [wrong, right], {})
    gain = made.gain(1)
    assert gain.apparent == pytest.approx(0.3)
    assert gain.estimate == pytest.approx(0.3, abs=0.01)
    assert gain.loss == "classification error"


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_f1", "roc_auc", "brier", "f1"])
def test_a_metric_that_is_no_mean_over_rows_is_computed_for_every_resample(metric: str) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, N)

    def probabilities(signal: float) -> Floats:
        p = 1 / (1 + np.exp(-(signal * (2 * y - 1) + rng.standard_normal(N))))
        return np.column_stack([1 - p, p])

    objective = Objective(metric, CrossEntropy())
    rows = SearchRows(LabeledRows(y, None), np.arange(N) % FOLDS, CLASSES)
    made = Made(rows, objective, [probabilities(0.3), probabilities(1.5), probabilities(0.3)], {})
    gain = made.gain(1)
    assert gain.low is not None
    assert gain.high is not None
    assert 0.0 < gain.low < gain.apparent < gain.high
    assert gain.is_significant
    assert gain.loss == "log loss"


def test_several_targets_count_by_their_mean() -> None:
    rng = np.random.default_rng(0)
    errors = [rng.standard_normal((N, 2)) * scale for scale in (1.0, 0.5)]
    rows = SearchRows(LabeledRows(np.zeros((N, 2)), None), np.arange(N) % FOLDS, NUMBERS)
    gain = Made(rows, RMSE, errors, {}).gain(1)
    assert gain.estimate == pytest.approx(0.5, abs=0.06)


def test_rows_count_by_their_weights() -> None:
    made = numbers([1.0, 1.0])
    weights = np.where(np.arange(N) < 100, 1.0, 0.0)
    rows = replace(made.rows, truth=replace(made.rows.truth, weights=weights))
    few = replace(made.rows, truth=LabeledRows(np.zeros((100, 1)), None), fold_of=made.rows.fold_of[:100])
    predicted = [made.read(trial).predictions.values for trial in made.trials]
    weighted = Made(rows, RMSE, predicted, {}).gain(1)
    alone = Made(few, RMSE, [values[:100] for values in predicted], {}).gain(1)
    assert weighted.apparent == pytest.approx(alone.apparent)
    assert weighted.estimate == pytest.approx(alone.estimate, abs=0.02)
    assert weighted.p == pytest.approx(alone.p, abs=0.03)


def test_rows_of_a_group_are_drawn_together() -> None:
    made = numbers([1.0, 0.8], n=60)
    predicted = [np.repeat(made.read(trial).predictions.values, 5, axis=0) for trial in made.trials]
    truth = LabeledRows(np.zeros((N, 1)), None)
    alone = Made(SearchRows(truth, np.arange(N) % FOLDS, NUMBER), RMSE, predicted, {}).gain(1)
    groups = replace(truth, groups=np.arange(N) // 5)
    together = Made(SearchRows(groups, np.arange(N) % FOLDS, NUMBER), RMSE, predicted, {}).gain(1)
    assert together.p is not None
    assert alone.p is not None
    assert together.p > 3 * alone.p
    assert (together.high or 0) - (together.low or 0) > 1.5 * ((alone.high or 0) - (alone.low or 0))


def test_a_pruned_trial_counts_as_tried() -> None:
    errors = [1.0, 0.9, *[1.0] * 60]
    alone = numbers(errors[:2]).gain(1)
    pruned = numbers(errors, pruned={i: 1 + i % 2 for i in range(2, 62)}).gain(1)
    assert pruned.p is not None
    assert alone.p is not None
    assert pruned.trials == 62
    assert pruned.p > 3 * alone.p
    assert (pruned.estimate or 0.0) < (alone.estimate or 0.0)


def test_a_trial_with_infinite_losses_is_no_candidate() -> None:
    made = numbers([1.0, 0.5, np.inf, 1e30])
    assert made.gain(1).is_significant


def test_a_failed_trial_does_not_count() -> None:
    made = numbers([1.0, 0.5, 1.0])
    made.trials[2] = Trial(number=2, values={}, state="failed")
    assert made.gain(1).trials == 2


def test_the_same_trials_have_the_same_gain() -> None:
    assert numbers([1.0, 0.9, 1.0]).gain(1) == numbers([1.0, 0.9, 1.0]).gain(1)


def test_memory_is_bounded_by_the_number_of_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = numbers([1.0, 0.8, 1.0]).gain(1)
    monkeypatch.setattr("nncli.tuning.gain.MAX_CELLS", 3 * 100)
    merged = numbers([1.0, 0.8, 1.0]).gain(1)
    assert merged.estimate == pytest.approx(whole.estimate, abs=0.02)
    assert merged.is_significant


def climbed(seed: int, n: int = 150, trials: int = 40) -> Made:
    """A search that follows its best trial through losses that are a smooth function of six values, and all noise."""
    rng = np.random.default_rng(seed)
    W, b, Z = rng.normal(0, 3, (40, 6)), rng.uniform(0, 2 * np.pi, 40), rng.standard_normal((n, 40))
    tried, losses = list[Floats](), list[Floats]()
    for t in range(trials):
        x = rng.random(6)
        if t > 12:
            x = np.clip(tried[int(np.argmin([one.sum() for one in losses]))] + rng.normal(0, 0.1, 6), 0, 1)
        tried.append(x)
        losses.append(np.exp(0.1 * (Z @ np.cos(W @ x + b)) / 6))
    rows = SearchRows(LabeledRows(np.zeros((n, 1)), None), np.arange(n) % FOLDS, NUMBER)
    first = np.exp(0.1 * rng.standard_normal(n))
    return Made(rows, RMSE, [np.sqrt(one)[:, None] for one in (first, *losses)], {})


def test_a_search_that_climbs_noise_is_rarely_more_than_chance() -> None:
    gains = [made.gain(best_of(made)) for made in map(climbed, range(30))]
    assert sum(gain.p is not None and gain.p < 0.05 for gain in gains) > 3
    assert sum(gain.is_significant for gain in gains) <= 2


def test_a_gain_whose_interval_is_not_known_is_not_significant() -> None:
    gain = numbers([1.0, 0.5]).gain(1)
    assert gain.is_significant
    assert not gain.model_copy(update={"low": None, "high": None}).is_significant
    assert "may be chance" in gain.model_copy(update={"low": -0.1}).sentence
