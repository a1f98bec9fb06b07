"""A linear model beside a run, on the rows that the run is scored on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.analysis.evaluation import linear_model as module
from nncli.analysis.evaluation.held_out import predict_held_out
from nncli.analysis.evaluation.linear_model import fit_linear_model
from nncli.targets.metrics.classification import accuracy
from tests.analysis.report.support import SMALL, trained_on


def test_the_rows_of_a_network_are_its_validation_rows(penguins: Path, pair: Path) -> None:
    held_out = predict_held_out(penguins)
    result = fit_linear_model(held_out)
    assert result.name == "logistic regression"
    assert result.predictions is not None
    assert result.predictions.values.shape == held_out.predictions.values.shape
    assert accuracy(held_out.y, result.predictions.values) > 0.95
    numbers = fit_linear_model(predict_held_out(pair))
    assert numbers.name == "ridge regression"
    assert numbers.predictions is not None


@pytest.mark.slow
def test_the_rows_of_an_ensemble_are_predicted_out_of_fold(tmp_path: Path) -> None:
    """A feature that is different in every row says nothing of rows that a model was not fitted on."""
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in rng.integers(0, 12, 120)]
    frame = pl.DataFrame({"word": words, "noise": rng.normal(size=120), "label": rng.choice(["a", "b"], 120)})
    held_out = predict_held_out(trained_on(tmp_path, frame, "label", SMALL + "members: 4\nworkers: 1"))
    result = fit_linear_model(held_out)
    assert result.predictions is not None
    assert accuracy(held_out.y, result.predictions.values) < 0.65
    assert result.predictions.values.sum(axis=1) == pytest.approx(np.ones(120))


def test_a_validation_file_is_predicted_by_a_model_of_all_training_rows(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=80)
    frame = pl.DataFrame({"x": x, "label": np.where(x > 0, "a", "b")})
    frame.head(30).write_csv(tmp_path / "held.csv")
    run = trained_on(tmp_path, frame, "label", SMALL + "validation: {path: held.csv}")
    held_out = predict_held_out(run)
    result = fit_linear_model(held_out)
    assert result.predictions is not None
    assert accuracy(held_out.y, result.predictions.values) > 0.9


def test_without_held_out_rows_or_with_too_many_features_there_is_a_reason(
    penguins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pl.DataFrame({"x": [0.5 * i for i in range(40)], "label": ["a", "b"] * 20})
    result = fit_linear_model(predict_held_out(trained_on(tmp_path, frame, "label", SMALL + "validation: 0")))
    assert (result.predictions, result.reason) == (None, "no rows are held out")
    monkeypatch.setattr(module, "MAX_FEATURES", 3)
    assert "more than 3 features" in fit_linear_model(predict_held_out(penguins)).reason


def test_a_large_table_is_sampled_within_the_budget(penguins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held_out = predict_held_out(penguins)
    whole = fit_linear_model(held_out).predictions
    monkeypatch.setattr(module, "MIN_ROWS", 50)
    monkeypatch.setattr(module, "MULTIPLICATIONS", 1.0)
    sampled = fit_linear_model(held_out).predictions
    assert whole is not None
    assert sampled is not None
    assert not np.array_equal(whole.values, sampled.values)
    assert accuracy(held_out.y, sampled.values) > 0.9
