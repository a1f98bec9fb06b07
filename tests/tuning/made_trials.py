"""Trials whose predictions are made, so that the truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nncli.fitting.ensemble.out_of_fold import LabeledRows
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Floats
from nncli.nn.losses import CrossEntropyLoss, MSELoss
from nncli.targets.classes import ClassificationTarget
from nncli.targets.number import RegressionTarget
from nncli.tuning.gain import Gain, SearchRows, TrialComparison, TrialPredictions, compute_gain
from nncli.tuning.search_data import Objective
from nncli.tuning.trials import Trial

N, FOLDS = 300, 3
NUMBER = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,))
NUMBERS = RegressionTarget(names=("y", "z"), centers=(0.0, 0.0), scales=(1.0, 1.0))
CLASSES = ClassificationTarget(name="y", labels=("no", "yes"))
RMSE, ACCURACY = Objective("rmse", MSELoss()), Objective("accuracy", CrossEntropyLoss())


class Made:
    """Trials with made predictions; the first is trial 0."""

    def __init__(
        self,
        rows: SearchRows,
        objective: Objective,
        predicted: list[Floats],
        pruned: dict[int, int],
        n_folds: int = FOLDS,
    ) -> None:
        self.rows, self.objective, self.trials = rows, objective, list[Trial]()
        self._predicted = [Predictions(rows.target, values) for values in predicted]
        for i, predictions in enumerate(self._predicted):
            score = None if i in pruned else objective.score(predictions, rows.truth)
            state = "pruned" if i in pruned else "complete"
            folds = (0.0,) * pruned.get(i, n_folds)
            self.trials.append(Trial(number=i, values={}, state=state, score=score, folds=folds))

    def read(self, trial: Trial) -> TrialPredictions:
        is_predicted = self.rows.fold_of < len(trial.folds)
        predictions = self._predicted[trial.number]
        points = np.where(is_predicted[:, None], predictions.points, np.nan)
        return TrialPredictions(replace(predictions, points=points), is_predicted)

    def gain(self, best: int) -> Gain:
        return compute_gain(self.trials, self.trials[best], self.rows, self.read, self.objective, seed=0)

    def comparison(self, best: int) -> TrialComparison:
        return TrialComparison.of(self.trials, self.trials[best], self.rows, self.read, self.objective, seed=0)


def numbers(errors: list[float], seed: int = 0, n: int = N, pruned: dict[int, int] | None = None) -> Made:
    """Trials for a target of 0 whose errors have these standard deviations."""
    rng = np.random.default_rng(seed)
    rows = SearchRows(LabeledRows(np.zeros((n, 1)), None), np.arange(n) % FOLDS, NUMBER)
    shared = rng.standard_normal((n, 1))
    predicted = [error * (shared + rng.standard_normal((n, 1))) / np.sqrt(2) for error in errors]
    return Made(rows, RMSE, predicted, pruned or {})


def best_of(trials: Made) -> int:
    scores = [np.inf if t.score is None else trials.objective.loss_of(t.score) for t in trials.trials]
    return int(np.argmin(scores))


def with_luck(luck: float, seed: int, effect: float = 0.0, trials: int = 8, n: int = 600, folds: int = 5) -> Made:
    """Equal trials whose losses have the luck of each training, a standard deviation; trial 1 gains `effect`."""
    rng, fold_of = np.random.default_rng(seed), np.arange(n) % folds
    losses = 3.0 + 0.3 * rng.standard_normal((trials + 1, n)) + rng.normal(0.0, luck, (trials + 1, folds))[:, fold_of]
    losses[1] -= effect
    rows = SearchRows(LabeledRows(np.zeros((n, 1)), None), fold_of, NUMBER)
    return Made(rows, RMSE, [np.sqrt(loss)[:, None] for loss in losses], {}, folds)
