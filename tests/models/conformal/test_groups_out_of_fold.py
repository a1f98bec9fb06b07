"""Groups of calibration rows by the members that held them out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nncli.models.conformal.groups import MAX_GROUPS, MAX_ROWS, OutOfFoldGroups, calibration_sample
from nncli.targets.metrics.conformal import lower_bounds, upper_bounds
from nncli.targets.metrics.sorted_scores import SortedScores
from tests.models.conformal.support import held_out, numbers, numbers_of


def test_members_by_folds_are_groups_of_their_own() -> None:
    rows = held_out(np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 1]], bool))
    groups = OutOfFoldGroups.of(rows)
    assert groups.method == "CV+"
    assert [groups.members[g] for g in groups.group] == [(0, 3), (1,), (2,), (0, 3)]


def test_members_of_bootstrap_samples_share_rows() -> None:
    groups = OutOfFoldGroups.of(held_out(np.array([[1, 0, 1], [0, 1, 1]], bool)))
    assert groups.method == "jackknife+-after-bootstrap"
    assert [groups.members[g] for g in groups.group] == [(0,), (1,), (0, 1)]


def test_members_that_share_their_validation_rows_are_one_group() -> None:
    groups = OutOfFoldGroups.of(held_out(np.ones((3, 5), bool)))
    assert groups.method == "split conformal"
    assert groups.members == ((0, 1, 2),)


def test_a_group_predicts_the_mean_of_its_members() -> None:
    groups = OutOfFoldGroups.of(held_out(np.array([[1, 0, 1], [0, 1, 1]], bool)))
    predicted = groups.predict(numbers(2), [numbers_of([1.0, 5.0]), numbers_of([3.0, 6.0])])
    assert [predicted[g].values[:, 0].tolist() for g in groups.group] == [[1.0, 5.0], [3.0, 6.0], [2.0, 5.5]]


def test_a_group_predicts_the_mean_of_its_members_with_their_weights() -> None:
    groups = OutOfFoldGroups.of(held_out(np.array([[1, 0, 1], [0, 1, 1]], bool)))
    model = numbers(2)
    weighted = replace(model, spec=model.spec.model_copy(update={"weights": (3.0, 1.0)}))
    predicted = groups.predict(weighted, [numbers_of([1.0, 5.0]), numbers_of([3.0, 6.0])])
    assert [predicted[g].values[:, 0].tolist() for g in groups.group] == [[1.0, 5.0], [3.0, 6.0], [1.5, 5.25]]


def test_the_jackknife_after_bootstrap_is_that_of_its_definition() -> None:
    rng = np.random.default_rng(0)
    mask = rng.random((5, 60)) < 0.4
    mask[0, ~mask.any(axis=0)] = True
    groups, of_members = OutOfFoldGroups.of(held_out(mask)), rng.normal(size=(5, 4))
    predicted = groups.predict(numbers(5), [numbers_of(values) for values in of_members])
    values, residuals = np.stack([item.values[:, 0] for item in predicted]), rng.exponential(size=60)
    scores = SortedScores.of(residuals, groups.group, len(groups))
    for j in range(4):
        centers = np.array([of_members[mask[:, i], j].mean() for i in range(60)])
        assert lower_bounds(scores, values, 0.8)[j] == pytest.approx(np.sort(centers - residuals)[11])
        assert upper_bounds(scores, values, 0.8)[j] == pytest.approx(np.sort(centers + residuals)[48])


def test_of_too_many_groups_a_sample_of_rows_is_used() -> None:
    rng = np.random.default_rng(0)
    few, many = held_out(rng.random((3, 5_000)) < 2), held_out(rng.random((9, 5_000)) < 0.4)
    assert calibration_sample(few) is None
    assert len(OutOfFoldGroups.of(many)) > MAX_GROUPS
    sample = calibration_sample(many)
    assert sample is not None
    assert len(sample) == MAX_ROWS
    assert (np.diff(sample) > 0).all()
