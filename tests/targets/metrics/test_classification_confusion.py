"""Counts of classes, in memory that does not grow with the square of their number."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.models.scores import to_json
from nncli.targets.metrics.classification import (
    MAX_CONFUSIONS,
    MAX_MATRIX_CLASSES,
    ClassCounts,
    Confusion,
    classification_scores,
    matrix_of,
    most_frequent_confusions,
)

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=30)


@given(ROWS, st.booleans())
def test_counts_and_confusions_are_those_of_the_matrix(rows: list[tuple[int, int, int]], weighted: bool) -> None:
    y, predicted, weight = (np.array(column) for column in zip(*rows, strict=True))
    w = weight.astype(np.float64) if weighted else None
    matrix, counts = matrix_of(y, predicted, 4, w), ClassCounts.of(y, predicted, 4, w)
    assert counts.hits.tolist() == matrix.diagonal().tolist()
    assert counts.support.tolist() == matrix.sum(axis=1).tolist()
    assert counts.predicted.tolist() == matrix.sum(axis=0).tolist()
    pairs = most_frequent_confusions(y, predicted, 4, w)
    wrong = matrix - np.diag(matrix.diagonal())
    assert {(pair.actual, pair.predicted): pair.rows for pair in pairs} == {
        (i, j): wrong[i, j] for i, j in zip(*np.nonzero(wrong), strict=True)
    }
    order = [(-pair.rows, pair.actual, pair.predicted) for pair in pairs]
    assert order == sorted(order)


def test_the_most_frequent_confusions_come_first() -> None:
    matrix = np.array([[5, 2, 0], [3, 1, 0], [1, 0, 9]])
    y, predicted = (np.repeat(codes.ravel(), matrix.ravel()) for codes in np.indices(matrix.shape))
    assert most_frequent_confusions(y, predicted, 3, n=2) == (Confusion(1, 0, 3.0, 0.75), Confusion(0, 1, 2.0, 2 / 7))
    assert len(most_frequent_confusions(y, predicted, 3)) == 3
    assert most_frequent_confusions(y, y, 3) == ()


def scores_of(K: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    P = rng.random((rows, K))
    return rng.integers(0, K, rows), P / P.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("K", "whole"), [(MAX_MATRIX_CLASSES, True), (MAX_MATRIX_CLASSES + 1, False)])
def test_of_many_classes_the_scores_hold_the_most_frequent_confusions_only(K: int, whole: bool) -> None:
    y, P = scores_of(K, 300)
    labels = tuple(map(str, range(K)))
    scores = classification_scores(y, P, labels)
    assert (scores.confusion_matrix is not None) == whole
    assert len(scores.confusions) == MAX_CONFUSIONS
    document = to_json(scores)
    assert ("confusions" in document) == (not whole)
    if not whole:
        assert document["confusion_matrix"] is None
        assert set(document["confusions"][0]) == {"actual", "predicted", "rows"}


@pytest.mark.slow
def test_memory_and_json_grow_with_the_classes_and_not_with_their_square() -> None:
    K = 2_000
    y, P = scores_of(K, 200)
    labels = tuple(map(str, range(K)))
    tracemalloc.start()
    scores = classification_scores(y, P, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * P.nbytes
    assert len(json.dumps(to_json(scores))) < 200 * K
