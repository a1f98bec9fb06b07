"""The gain of a search, on trials whose predictions are made so that the truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nncli.fitting.ensemble.out_of_fold import LabeledRows
from nncli.nn.arrays import Floats
from nncli.nn.losses import CrossEntropyLoss
from nncli.tuning.gain import SearchRows, gain_text
from nncli.tuning.search_data import Objective
from nncli.tuning.trials import Trial
from tests.tuning.made_trials import (
    ACCURACY,
    CLASSES,
    FOLDS,
    NUMBER,
    NUMBERS,
    RMSE,
    Made,
    N,
    best_of,
    numbers,
    with_luck,
)


def test_a_real_gain_is_found_with_an_interval_around_it() -> None:
    search = numbers([1.0, 0.8, *[1.0] * 10])
    gain = search.gain(best_of(search))
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
        search = numbers([1.0] * 30, seed=seed, n=150)
        gains.append(search.gain(best_of(search)))
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
    search = Made(SearchRows(LabeledRows(y, None), np.arange(N) % FOLDS, CLASSES), ACCURACY, [wrong, right], {})
    gain = search.gain(1)
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

    objective = Objective(metric, CrossEntropyLoss())
    rows = SearchRows(LabeledRows(y, None), np.arange(N) % FOLDS, CLASSES)
    search = Made(rows, objective, [probabilities(0.3), probabilities(1.5), probabilities(0.3)], {})
    gain = search.gain(1)
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
    search = numbers([1.0, 1.0])
    weights = np.where(np.arange(N) < 100, 1.0, 0.0)
    rows = replace(search.rows, truth=replace(search.rows.truth, weights=weights))
    few = replace(search.rows, truth=LabeledRows(np.zeros((100, 1)), None), fold_of=search.rows.fold_of[:100])
    predicted = [search.read(trial).predictions.values for trial in search.trials]
    weighted = Made(rows, RMSE, predicted, {}).gain(1)
    alone = Made(few, RMSE, [values[:100] for values in predicted], {}).gain(1)
    assert weighted.apparent == pytest.approx(alone.apparent)
    assert weighted.estimate == pytest.approx(alone.estimate, abs=0.02)
    assert weighted.p == pytest.approx(alone.p, abs=0.03)


def test_rows_of_a_group_are_drawn_together() -> None:
    search = numbers([1.0, 0.8], n=60)
    predicted = [np.repeat(search.read(trial).predictions.values, 5, axis=0) for trial in search.trials]
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
    search = numbers([1.0, 0.5, np.inf, 1e30])
    assert search.gain(1).is_significant


def test_a_failed_trial_does_not_count() -> None:
    search = numbers([1.0, 0.5, 1.0])
    search.trials[2] = Trial(number=2, values={}, state="failed")
    assert search.gain(1).trials == 2


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
            x = np.clip(tried[int(np.argmin([loss.sum() for loss in losses]))] + rng.normal(0, 0.1, 6), 0, 1)
        tried.append(x)
        losses.append(np.exp(0.1 * (Z @ np.cos(W @ x + b)) / 6))
    rows = SearchRows(LabeledRows(np.zeros((n, 1)), None), np.arange(n) % FOLDS, NUMBER)
    first = np.exp(0.1 * rng.standard_normal(n))
    return Made(rows, RMSE, [np.sqrt(item)[:, None] for item in (first, *losses)], {})


@pytest.mark.slow
def test_a_search_that_climbs_noise_is_rarely_more_than_chance() -> None:
    gains = [search.gain(best_of(search)) for search in map(climbed, range(30))]
    assert sum(gain.p is not None and gain.p < 0.05 for gain in gains) > 0
    assert sum(gain.is_significant for gain in gains) <= 2


def test_a_gain_whose_interval_is_not_known_is_not_significant() -> None:
    gain = numbers([1.0, 0.5]).gain(1)
    assert gain.is_significant
    assert not gain.model_copy(update={"low": None, "high": None}).is_significant
    assert "not significant" in gain.model_copy(update={"low": -0.1}).sentence


@pytest.mark.slow
def test_the_luck_of_trainings_is_no_gain_and_a_real_effect_is_found() -> None:
    """By rows alone, more than half of these searches have a p-value below 0.05."""
    lucky = [search.gain(best_of(search)) for search in (with_luck(0.1, seed) for seed in range(60))]
    assert all(gain.luck_is_known for gain in lucky)
    assert sum(gain.p is not None and gain.p < 0.05 for gain in lucky) <= 8  # 5 %, and 3 standard errors
    assert sum(gain.is_significant for gain in lucky) <= 2
    better = [search.gain(best_of(search)) for search in (with_luck(0.1, seed, effect=0.6) for seed in range(10))]
    assert all(gain.is_significant for gain in better)


def test_luck_widens_the_interval() -> None:
    def width(luck: float) -> float:
        gain = with_luck(luck, 1, effect=0.5).gain(1)
        return (gain.high or 0.0) - (gain.low or 0.0)

    assert width(0.2) > 1.5 * width(0.0)


def test_with_one_training_a_trial_the_luck_is_not_known_and_the_sentence_says_so() -> None:
    gain = with_luck(0.0, 0, effect=0.5, folds=1).gain(1)
    assert not gain.luck_is_known
    assert "between seeds" in gain.sentence
    assert "luck" not in with_luck(0.0, 0, effect=0.5).gain(1).sentence


def test_few_rows_that_differ_have_no_interval_but_a_p_value() -> None:
    y = np.arange(N) % 2
    right = np.eye(2)[y]
    wrong = np.where((np.arange(N) < 4)[:, None], 1.0 - right, right)
    search = Made(SearchRows(LabeledRows(y, None), np.arange(N) % FOLDS, CLASSES), ACCURACY, [wrong, right], {})
    gain = search.gain(1)
    assert (gain.estimate, gain.low, gain.high) == (None, None, None)
    assert gain.p is not None
    assert "only 4 rows" in (gain.reason or "")
    assert "only 4 rows" in gain.sentence


@pytest.mark.parametrize("unit", [1e-24, 1e-12, 1e22])
def test_the_unit_of_the_target_does_not_matter(unit: float) -> None:
    search = numbers([1.0, 0.8, 1.0])
    scaled = Made(search.rows, RMSE, [unit * search.read(trial).predictions.values for trial in search.trials], {})
    gain, same = scaled.gain(1), search.gain(1)
    assert gain.estimate == pytest.approx(unit * (same.estimate or 0.0))
    assert gain.low == pytest.approx(unit * (same.low or 0.0))
    assert gain.p == pytest.approx(same.p, abs=0.001)
    assert gain_text(gain.estimate) != "0"


def test_the_loss_that_is_tested_is_named_where_it_is_not_the_metric() -> None:
    gain = numbers([1.0, 0.5]).gain(1)
    assert "tested by" not in gain.sentence
    assert "tested by the log loss" in gain.model_copy(update={"loss_is_metric": False, "loss": "log loss"}).sentence
