"""Scores of a positive class that no scored row is of are undefined, as its average precision is."""

from __future__ import annotations

import numpy as np

from nncli.targets.metrics.classification import POSITIVE_CLASS_METRICS, classification_scores


def test_scores_of_an_absent_positive_class_are_undefined_and_the_others_are_not() -> None:
    P = np.array([[0.9, 0.1], [0.2, 0.8]])
    scores = dict(classification_scores(np.zeros(2, np.int64), P, ("no", "yes")).values)
    assert [scores[metric.name] for metric in POSITIVE_CLASS_METRICS] == [None] * 4
    assert scores["accuracy"] == 0.5
    present = dict(classification_scores(np.array([0, 1]), P, ("no", "yes")).values)
    assert [present[metric.name] for metric in POSITIVE_CLASS_METRICS] == [1.0] * 4
