"""Which coverage is guaranteed, by the configuration and by how the members hold out rows."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from nncli.config.schema import Config
from nncli.models.conformal.groups import Method
from nncli.models.conformal.predictor import coverage_bound, guarantee
from nncli.targets.classes import ClassificationTarget
from nncli.targets.number import RegressionTarget
from nncli.targets.target import KINDS, TargetKind


def config(**keys: Any) -> Config:
    data = {"path": "t.csv", "target": "y", **keys.pop("data", {})}
    return Config.model_validate({"data": data, **keys})


def test_split_conformal_prediction_has_the_level() -> None:
    result = guarantee(config(metric="loss"), RegressionTarget, "split conformal", 0.9, 100, 1)
    assert (result.coverage, result.reason) == (0.9, None)


def test_folds_have_twice_the_error_and_a_term_of_the_rows() -> None:
    result = guarantee(config(metric="loss", members=8), RegressionTarget, "CV+", 0.9, 993, 7)
    # 1 - 0.2 - 1.8 * 6 / 1000
    assert result.coverage == pytest.approx(0.7892)


def test_for_folds_of_one_size_it_is_theorem_4_of_barber_et_al() -> None:
    n, folds, alpha = 350, 7, 0.1
    first_term = 2.0 * (1.0 - 1.0 / folds) / (n / folds + 1.0)
    assert coverage_bound(1.0 - alpha, n, folds) == pytest.approx(1.0 - 2.0 * alpha - (1.0 - alpha) * first_term)


@pytest.mark.parametrize(
    ("keys", "kind", "method", "mentions"),
    [
        ({}, RegressionTarget, "CV+", "epoch"),
        ({"metric": "rmse"}, RegressionTarget, "split conformal", "epoch"),
        ({"metric": "loss", "calibration": "temperature"}, ClassificationTarget, "CV+", "temperature"),
        ({"calibration": "auto"}, ClassificationTarget, "CV+", "epoch and the temperature"),
        ({"metric": "loss", "data": {"group": "who"}}, RegressionTarget, "CV+", "'who'"),
        ({"metric": "loss", "data": {"time": "when"}}, RegressionTarget, "split conformal", "'when'"),
        ({"metric": "loss"}, RegressionTarget, "jackknife+-after-bootstrap", "networks"),
        (
            {"metric": "loss", "teacher": {"path": "r", "refit": True}},
            RegressionTarget,
            "split conformal",
            "another network",
        ),
        ({"metric": "loss", "teacher": {"path": "r"}}, RegressionTarget, "split conformal", "learned from a run"),
    ],
)
def test_rows_that_chose_or_depend_have_no_guarantee(
    keys: dict[str, Any], kind: TargetKind, method: Method, mentions: str
) -> None:
    result = guarantee(config(**keys), kind, method, 0.9, 1_000, 7)
    assert result.coverage is None
    assert mentions in str(result.reason)
    assert "not guaranteed" in result.sentence


def test_the_training_rows_may_choose_the_epoch() -> None:
    for kind in KINDS.values():
        assert guarantee(config(metric="loss"), kind, "CV+", 0.9, 1_000, 7).coverage is not None
    both = config(metric="loss", calibration="auto")
    assert guarantee(both, RegressionTarget, "CV+", 0.9, 1_000, 7).coverage is not None  # which has no temperature


def test_an_unreadable_configuration_has_no_guarantee() -> None:
    assert guarantee(None, RegressionTarget, "CV+", 0.9, 1_000, 7).coverage is None


def test_too_few_rows_for_the_bound_have_no_guarantee() -> None:
    result = guarantee(config(metric="loss", members=8), RegressionTarget, "CV+", 0.9, 6, 7)
    assert result.coverage is None
    assert "6 calibration rows" in str(result.reason)


def test_the_advice_leads_to_a_guarantee() -> None:
    result = guarantee(config(calibration="auto"), ClassificationTarget, "CV+", 0.9, 1_000, 7)
    assert result.advice is not None
    settings = dict(setting.split("=") for setting in re.findall(r"--set (\S+=\w+)", result.advice))
    assert guarantee(config(**settings), ClassificationTarget, "CV+", 0.9, 1_000, 7).coverage is not None


def test_simulated_fold_p_values_keep_the_bound_with_models_that_differ_by_fold() -> None:
    rng, (n, folds), misses = np.random.default_rng(0), (70, 7), []
    fold = np.arange(n) % folds
    for _ in range(2_000):
        center, scale = rng.normal(size=folds), rng.exponential(size=folds)
        residual = np.abs(rng.normal(size=n) - center[fold]) * scale[fold]
        of_new_row = np.abs(rng.normal() - center) * scale
        misses.append(1 + int((residual >= of_new_row[fold]).sum()) <= 0.1 * (n + 1))
    assert 1.0 - np.mean(misses) >= coverage_bound(0.9, n, folds)
