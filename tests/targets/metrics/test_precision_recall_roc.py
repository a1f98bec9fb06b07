"""The area under the ROC curve agrees with scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as theirs
from hypothesis import given

from nncli.targets.metrics.precision_recall import bootstrap_roc_auc, roc_auc
from tests.targets.metrics.cases import Classified, assert_same, classified, quickly, their, weights


@pytest.mark.slow
@quickly
@given(classified())
def test_roc_auc_agrees_with_scikit_learn_class_by_class(case: Classified) -> None:
    classes = [1] if case.K == 2 else range(case.K)
    defined = [k for k in classes if 0 < (case.y == k).sum() < len(case.y)]
    for weight in weights(case.counts):
        area = roc_auc(case.y, case.P, weight)
        if not defined:
            assert area is None
            continue
        each = [their(theirs.roc_auc_score, case.y == k, case.P[:, k], sample_weight=weight) for k in defined]
        assert area is not None
        assert_same(area, np.mean(each))


def test_roc_auc_of_many_classes_is_scikit_learns_macro_one_against_the_rest() -> None:
    rng = np.random.default_rng(3)
    P = rng.dirichlet([1, 1, 1, 1], 200)
    y = rng.permutation(np.arange(200) % 4)
    wanted = theirs.roc_auc_score(y, P, multi_class="ovr", average="macro")
    area = roc_auc(y, P)
    assert area is not None
    assert_same(area, wanted)


def test_resamples_of_too_many_cells_have_no_area() -> None:
    y, P = np.array([0, 1] * 11_000), np.full((22_000, 2), 0.5)
    assert np.isnan(bootstrap_roc_auc(y, P, np.ones((1, len(y))))).all()
    assert bootstrap_roc_auc(y[:10], P[:10], np.ones((1, 10))) == 0.5
