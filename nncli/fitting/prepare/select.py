"""Selecting the features of a wide table that tell most about the target, on the training rows alone."""

from __future__ import annotations

from itertools import accumulate, pairwise
from math import inf

import numpy as np

from nncli.base.findings import Finding, FindingCode, note
from nncli.base.logs import log_duration
from nncli.config.schema import Config
from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.feature_scores import FeatureScores
from nncli.data.store.column_store import ColumnStore
from nncli.fitting.prepare.auto_values import max_features_of
from nncli.nn.arrays import Floats
from nncli.targets.target import Target


def select_features(config: Config, training: ColumnStore, encoder: Encoder, target: Target) -> Encoder:
    """The encoder of at most `encoding.max_features` columns, in their order; of equal ones the first are kept.

    Columns of many categories, which become codes, are kept before all others.

    Raises:
        DataError: a cell cannot be encoded.
    """
    limit = max_features_of(config)
    if limit is None or len(encoder.columns) <= limit:
        return encoder
    with log_duration("selecting features") as stage:
        scores = _scores(training, encoder, target)
        best = np.sort(np.argsort(-scores, kind="stable")[:limit])
        stage.details.append(f"{limit:,} of {len(scores):,}")
    return Encoder(columns=tuple(encoder.columns[j] for j in best))


def of_selection(candidates: Encoder, selected: Encoder) -> list[Finding]:
    """A note on the columns that were left out."""
    n, n_selected = len(candidates.columns), len(selected.columns)
    message = f"the network uses {n_selected:,} of {n:,} features, those that tell most about the target by themselves"
    hint = "To choose how many, set encoding.max_features; null uses all."
    return [note(FindingCode.SELECTED_FEATURES, message, hint=hint)] if n_selected < n else []


def _scores(training: ColumnStore, encoder: Encoder, target: Target) -> Floats:
    """The score of each column of the encoder: the best of the features that it becomes."""
    y = target.read(training.columns(target.names))
    if target.has_labels:
        scores = FeatureScores(encoder.width, classes=len(target.labels))
    else:
        scores = FeatureScores(encoder.width, center=y.mean(axis=0))
    stop = 0
    for block, dense in training.iter_dense(encoder.names, encoder.jointly_encoded):
        start, stop = stop, stop + max(len(block), dense.values.shape[1])
        X, codes = encoder.empty(stop - start, "float32")
        encoder.encode_into(block, X, codes, dense)
        scores.add(X, y[start:stop])
    values = scores.values()
    edges = list(accumulate((column.width for column in encoder.columns), initial=0))
    return np.array(
        [
            inf
            if isinstance(column, CategoricalColumn) and column.embedding_width
            else values[start:stop].max(initial=0.0)
            for column, (start, stop) in zip(encoder.columns, pairwise(edges), strict=True)
        ]
    )
