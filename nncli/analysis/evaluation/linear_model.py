"""A linear model on the features of a run, as a benchmark: ridge or logistic regression on the same rows.

It is fitted on the rows that the network was trained on, encoded by the network's encoder, and predicts the rows that
the network is scored on. For an ensemble it is fitted once for each set of held-out rows, so its predictions are
out-of-fold as well. Both penalties are those of scikit-learn's defaults, for standardized features.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.base.errors import DataError
from nncli.base.scratch import Scratch
from nncli.base.threads import limit_blas_threads
from nncli.config.schema import ValidationFile
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.row_context import RowContext
from nncli.data.sample_weights import read_weights
from nncli.data.store.column_store import ColumnStore
from nncli.data.table import Table
from nncli.fitting.prepare.load import load_labeled_rows
from nncli.fitting.prepare.validation import split_table
from nncli.models.ensemble import Ensemble
from nncli.models.model import Model
from nncli.models.predictions import Predictions
from nncli.models.scores import ScoresWithIntervals, ScoreWithInterval
from nncli.nn.arrays import Floats, Mask, Weights
from nncli.nn.training.state import RandomStreams
from nncli.targets.scoring import ITERATIONS, LinearFit
from nncli.targets.target_base import Truth

Rows = TypeVar("Rows", Table, ColumnStore)

MULTIPLICATIONS = 1e10
"""Budget of a few seconds, which limits the number of training rows."""
MIN_ROWS, MAX_ROWS = 500, 10_000
"""Fewest training rows of a larger table that are worth a fit, and most that are used."""
MAX_FEATURES = 2_000
"""Most encoded features: the time grows with their square."""
MAX_CATEGORIES = 100
"""Most frequent categories of an embedded column that have a feature of their own."""


@dataclass(frozen=True)
class LinearModel:
    """A linear model beside a run: its predictions for the scored rows, None for the `reason` given.

    `scores` are those of the run, with these predictions in the place of the `baseline`.
    """

    name: str
    predictions: Predictions | None
    reason: str = ""
    scores: ScoresWithIntervals | None = None

    def of(self, score: ScoreWithInterval) -> ScoreWithInterval | None:
        """The same score beside that of the linear model."""
        every = () if self.scores is None else self.scores.scores
        return next((other for other in every if (other.name, other.target) == (score.name, score.target)), None)


def linear_benchmark(held_out: HeldOutPredictions) -> LinearModel:
    """A linear model with the scores of a run, and the intervals of its improvement over it."""
    linear = fit_linear_model(held_out)
    if linear.predictions is None:
        return linear
    return replace(linear, scores=replace(held_out, baseline=linear.predictions).scores_with_intervals())


def fit_linear_model(held_out: HeldOutPredictions) -> LinearModel:
    """Fit a linear model and predict the scored rows of a run."""
    target = held_out.predictions.target
    name = target.linear_model
    if held_out.split == "training":
        return LinearModel(name, None, "no rows are held out")
    fit = held_out.head.scoring.linear
    if fit is None:
        return LinearModel(name, None, "none is fitted to times of which some are censored")
    outputs = held_out.predictions.values.shape[1]
    values, counts = np.zeros((len(held_out), outputs)), np.zeros((len(held_out), 1))
    try:
        with np.errstate(all="ignore"), limit_blas_threads(1):
            for split in _splits(held_out):
                P = _predict(split, fit)
                if P is None:
                    return LinearModel(name, None, f"there are more than {MAX_FEATURES:,} features")
                values[split.scored] += P
                counts[split.scored] += 1
    except DataError as error:
        return LinearModel(name, None, error.message)
    values /= counts
    if not np.isfinite(values).all():
        return LinearModel(name, None, "its predictions are not finite")
    return LinearModel(name, Predictions(target, values, decision=held_out.predictions.decision))


@dataclass(frozen=True)
class _Split:
    """Encoded training rows with their targets, encoded rows to predict, and which of the scored rows those are.

    The targets are relative to their context, unless it is in the link of the loss; `context` is that of new rows.
    """

    X: Floats
    y: Truth
    weights: Weights | None
    new: Floats
    scored: Mask
    context: RowContext | None = None


def _splits(held_out: HeldOutPredictions) -> Iterator[_Split]:
    """One split for a network, and one for each set of held-out rows of an ensemble."""
    model, everything = held_out.model, np.ones(len(held_out), np.bool_)
    if not isinstance(model, Ensemble):
        yield _split(held_out, model, _training_rows(held_out), everything, 1)
        return
    masks = [] if held_out.oof_mask is None else list(held_out.oof_mask)
    if any(mask.all() for mask in masks):  # validation rows of a file of their own
        yield _split(held_out, model.members[0], _training_rows(held_out), everything, 1)
        return
    first = {mask.tobytes(): i for i, mask in reversed([*enumerate(masks)]) if mask.any()}
    for i in sorted(first.values()):
        table = held_out.table.take(np.flatnonzero(~masks[i]))
        yield _split(held_out, model.members[i], table, masks[i], len(first))


def _training_rows(held_out: HeldOutPredictions) -> Table:
    """The training rows of a network, read and split again."""
    config, kind = held_out.config, type(held_out.predictions.target)
    with Scratch() as scratch:
        rows = load_labeled_rows(config, config.data, scratch)
        if held_out.manifest.beside and not isinstance(config.validation, ValidationFile):  # split with other targets
            numbers = np.arange(1, len(rows) + 1) if rows.row_numbers is None else rows.row_numbers
            rows = rows.take(np.flatnonzero(~np.isin(numbers, held_out.row_numbers)))
        elif not isinstance(held_out.model, Ensemble):
            rows = split_table(config, rows, kind, RandomStreams.of(config.seed).split, scratch).training_store
        return _sample(rows, config.seed, MAX_ROWS).columns(list(rows.types))


def _split(held_out: HeldOutPredictions, member: Model, training: Table, scored: Mask, fits: int) -> _Split:
    """Encode the rows of one fit, of which there are `fits`; a sample of the training rows if there are many."""
    encoder, target = member.spec.encoder, held_out.predictions.target
    width = encoder.width + sum(min(len(c.categories) + 2, MAX_CATEGORIES) for c in encoder.embedded) + 1
    cost = fits * (width**2 + 4.0 * ITERATIONS * width * held_out.predictions.values.shape[1])
    n = int(np.clip(MULTIPLICATIONS / cost, MIN_ROWS, MAX_ROWS))
    training = _sample(training, held_out.config.seed, n)
    weight = held_out.config.data.sample_weight
    new = held_out.table.take(np.flatnonzero(scored))
    X, new_X = _features(encoder, training, new)
    y: Truth = target.read(training)
    context = encoder.context(training)
    weights = read_weights(training, weight) if weight else None
    if context is None or context.in_link:
        return _Split(X, y, weights, new_X, scored)
    return _Split(X, context.relative(y), weights, new_X, scored, encoder.context(new))


def _sample(rows: Rows, seed: int, n: int) -> Rows:
    """At most `n` of the rows, drawn with the seed, in their order."""
    if len(rows) <= n:
        return rows
    return rows.take(np.sort(np.random.default_rng([seed, 4]).choice(len(rows), n, replace=False)))


def _features(encoder: Encoder, training: Table, new: Table) -> tuple[Floats, Floats]:
    """Standardized features of the training rows and of new ones, with a column of ones first."""
    encoded = [encoder.encode(table, "float64") for table in (training, new)]
    blocks = [[np.asarray(rows.X, np.float64)] for rows in encoded]
    for j in range(len(encoder.embedded)):
        frequent = np.argsort(-np.bincount(encoded[0].codes[:, j]), kind="stable")[:MAX_CATEGORIES]
        for block, rows in zip(blocks, encoded, strict=True):
            block.append((rows.codes[:, j, None] == frequent).astype(np.float64))
    X, new_X = (np.concatenate(block, axis=1) for block in blocks)
    mean, std = X.mean(axis=0), X.std(axis=0)
    used = std > 1e-9 * np.maximum(np.abs(mean), 1e-300)
    return tuple(  # type: ignore[return-value]
        np.concatenate([np.ones((len(rows), 1)), (rows[:, used] - mean[used]) / std[used]], axis=1)
        for rows in (X, new_X)
    )


def _predict(split: _Split, fit: LinearFit) -> Floats | None:
    """Predictions (rows, outputs) of the new rows; None if there are too many features."""
    if split.X.shape[1] > MAX_FEATURES:
        return None
    w = np.ones(len(split.X)) if split.weights is None else split.weights * (len(split.X) / split.weights.sum())
    predicted = fit(split.X, split.y, w, split.new)
    return predicted if split.context is None else split.context.absolute(predicted)
