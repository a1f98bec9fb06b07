"""The score of the baseline on the rows of a search: the class shares, or the mean, of the training rows."""

from __future__ import annotations

import math

import numpy as np

from nncli.fitting.ensemble.out_of_fold import LabeledRows
from nncli.models.scores import baseline_predictions
from nncli.tuning.trials.search_data import SearchData


def baseline_score(data: SearchData) -> float | None:
    """The metric of a prediction that is the same for every row; None where it is undefined."""
    rows = np.unique(np.concatenate(data.fold_rows))
    training, levels = _training_rows(data), data.table_data.loss.quantile_levels
    predictions = baseline_predictions(data.table_data.target, training.y, training.weights, len(rows), levels)
    with np.errstate(all="ignore"):
        score = data.objective.score(predictions, data.truth.take(rows))
    return score if math.isfinite(score) else None


def _training_rows(data: SearchData) -> LabeledRows:
    """The rows that are not held out; of a cross-validation all, each of which is in some training."""
    if not data.is_holdout:
        return data.truth
    if data.is_file:
        return data.table_data.truth(data.table_data.table)
    return data.truth.take(np.setdiff1d(np.arange(len(data.truth.y)), data.fold_rows[0]))
