"""Scores of the targets of training rows: of classes and of numbers."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.targets.classes import ClassificationTarget
from nncli.targets.labels import MultilabelTarget
from nncli.targets.number import RegressionTarget
from nncli.targets.row_scores import Accuracy, RSquared

CODES = np.array([0, 1, 1, 2])
NUMBERS = np.array([[1.0, 9.0], [2.0, 9.0], [4.0, 9.0]])


def test_classes_are_scored_by_weighted_accuracy() -> None:
    by = Accuracy()
    outputs = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    predicted = by.of_outputs(outputs)
    assert predicted is not None
    assert predicted.tolist() == [0, 1, 0, 2]
    assert by.score(predicted, by.values(CODES), None) == 0.75
    assert by.score(predicted, by.values(CODES), np.array([1.0, 1.0, 2.0, 1.0])) == pytest.approx(0.6)
    assert by.recalls(predicted, CODES, 2) == {1: 0.5}
    assert by.of_neighbors(np.array([[1, 1, 0], [2, 2, 2]])).tolist() == [1, 2]
    assert (by.typical(CODES), by.tolerance(CODES), by.chance_loss(0.7)) == (1.0, 0.0, 0.7)


def test_one_output_does_not_tell_a_class() -> None:
    assert Accuracy().of_outputs(np.array([[0.3], [0.9]])) is None
    assert Accuracy().recalls(None, CODES, 1) == {}


def test_the_first_of_several_numbers_is_scored_by_its_squared_correlation() -> None:
    by = RSquared()
    values = by.values(NUMBERS)
    assert values.tolist() == [1.0, 2.0, 4.0]
    assert by.score(-2.0 * values, values, None) == pytest.approx(1.0)
    assert by.score(np.ones(3), values, None) == 0.0
    assert by.typical(values) == 2.0
    assert by.tolerance(values) == pytest.approx(0.5 * values.std())
    assert by.of_neighbors(np.array([[1.0, 3.0]])).tolist() == [2.0]
    assert (by.recalls(values, values, 1), by.chance_loss(0.7)) == ({}, 0.0)


def test_a_kind_says_how_its_rows_are_scored_and_how_large_its_targets_are() -> None:
    classes = ClassificationTarget(name="y", labels=("a", "b"), label_type="text")
    labels = MultilabelTarget(names=("y", "z"), separator=None, labels=("y", "z"))
    number = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,))
    assert [type(kind.row_score) for kind in (classes, labels, number)] == [Accuracy, type(None), RSquared]
    assert (classes.encoded_size(CODES), number.encoded_size(np.array([[3.0], [4.0]]))) == (1.0, 12.5**0.5)
