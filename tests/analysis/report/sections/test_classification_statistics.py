"""Curves, bins and intervals, checked by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from nncli.analysis.report.sections.classification import calibration_bins, class_curves
from nncli.targets.metrics.intervals import max_error_rate
from nncli.targets.views import OneClass


@pytest.mark.parametrize("weighted", [False, True])
def test_the_curve_is_that_of_scikit_learn(weighted: bool) -> None:
    rng = np.random.default_rng(0)
    p = rng.random(200).round(1)
    positive = rng.random(200) < p
    weight = rng.random(200) + 0.1 if weighted else None
    result = class_curves(OneClass(positive, p, weight))
    assert result is not None
    false_rate, true_rate, _ = roc_curve(positive, p, sample_weight=weight, drop_intermediate=False)
    assert result.false_rate == pytest.approx(false_rate)
    assert result.true_rate == pytest.approx(true_rate)
    assert result.area == pytest.approx(roc_auc_score(positive, p, sample_weight=weight))
    assert result.average_precision == pytest.approx(average_precision_score(positive, p, sample_weight=weight))


def test_a_class_without_rows_or_with_all_has_no_curve() -> None:
    p = np.array([0.1, 0.9])
    assert class_curves(OneClass(np.array([True, True]), p, None)) is None
    assert class_curves(OneClass(np.array([False, False]), p, None)) is None
    assert class_curves(OneClass(np.array([True, False]), p, np.array([0.0, 1.0]))) is None


def test_bins_have_mean_predictions_and_observed_frequencies() -> None:
    p = np.array([0.05, 0.1, 0.1000001, 0.95, 1.0])
    true = np.array([False, True, True, True, False])
    first, second, last = calibration_bins(p, true, None)
    assert (first.rows, second.rows, last.rows) == (2, 1, 2)
    assert (first.mean_predicted, last.mean_predicted) == pytest.approx((0.075, 0.975))
    assert (first.observed, second.observed, last.observed) == (0.5, 1.0, 0.5)
    weighted = calibration_bins(p, true, np.array([3.0, 1, 0, 1, 1]))
    assert [item.rows for item in weighted] == [2, 2]
    assert weighted[0].observed == 0.25


def test_the_error_rate_of_faultless_rows_has_an_upper_bound() -> None:
    assert max_error_rate(100) == pytest.approx(0.0295, abs=1e-4)
    assert max_error_rate(1) == pytest.approx(0.95)
