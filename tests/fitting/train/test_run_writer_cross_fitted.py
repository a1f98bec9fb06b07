"""The predictions of the validation rows of one network that are scored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nncli.config.loading import load_config
from nncli.fitting.prepare.encode import PreparedRows
from nncli.fitting.prepare.prepare import PreparedTraining, prepare
from nncli.fitting.train.run_writer import cross_fit_predictions, cross_fit_temperature
from nncli.models.predictions import Predictions
from nncli.nn.training.early_stopping import CrossFit, part_numbers
from tests.cli.support import DATA


def prepared(tmp_path: Path, rest: str = "") -> tuple[PreparedTraining, PreparedRows, Predictions]:
    """A training with its validation rows, and overconfident predictions of them, a third of them wrong."""
    (tmp_path / "c.yaml").write_text(f"data: {{path: {DATA}/penguins.csv, target: species}}\nlayers: [4]\n{rest}")
    training = prepare(load_config(tmp_path / "c.yaml"))
    rows = training.validation
    assert rows is not None
    guessed = np.where(np.arange(len(rows)) % 3 == 0, (rows.y + 1) % 3, rows.y)
    P = 0.998 * np.eye(3)[guessed] + 0.002 / 3
    return training, rows, Predictions(training.spec.target, P)


@pytest.mark.slow
def test_a_training_without_cross_fitted_outputs_is_optimistic_if_the_rows_chose_the_epoch(tmp_path: Path) -> None:
    training, rows, best = prepared(tmp_path)
    assert cross_fit_predictions(training, rows, best, None).optimistic
    training, rows, best = prepared(tmp_path, "metric: loss\n")
    assert not cross_fit_predictions(training, rows, best, None).optimistic


def test_the_kept_outputs_are_scored_once_every_part_has_an_epoch(tmp_path: Path) -> None:
    training, rows, best = prepared(tmp_path)
    state = CrossFit.of(np.full((len(rows), 3), 0.5, np.float32))
    assert state is not None
    assert cross_fit_predictions(training, rows, best, state).optimistic  # no epoch yet
    state.choices = [replace(choice, best_epoch=1) for choice in state.choices]
    result = cross_fit_predictions(training, rows, best, state)
    assert not result.optimistic
    np.testing.assert_allclose(result.predictions.values, 1 / 3, rtol=1e-6)


def test_the_temperature_of_a_part_does_not_depend_on_its_own_rows(tmp_path: Path) -> None:
    _, rows, best = prepared(tmp_path)
    part = part_numbers(len(rows)) == 0
    changed = replace(rows, y=np.where(part, (rows.y + 1) % 3, rows.y))
    before, after = cross_fit_temperature(best, rows).values, cross_fit_temperature(best, changed).values
    np.testing.assert_array_equal(before[part], after[part])
    assert (before[~part] != after[~part]).any()


def test_a_temperature_is_fitted_where_probabilities_are_too_confident(tmp_path: Path) -> None:
    training, rows, best = prepared(tmp_path, "metric: loss\ncalibration: temperature\n")
    result = cross_fit_predictions(training, rows, best, None)
    assert result.temperature > 1.5
    assert result.calibration is not None
    assert result.calibration.log_loss_after < result.calibration.log_loss_before
