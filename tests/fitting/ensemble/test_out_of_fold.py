"""What an ensemble knows of its table as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.base.scratch import Scratch
from nncli.config.schema import Config
from nncli.data.splitting.folds import Fold
from nncli.fitting.ensemble.out_of_fold import EnsembleData, predict_table
from nncli.run_directory.loader import read_model
from tests.api.ensembles import config_of
from tests.cli.support import DATA


@pytest.fixture
def scratch() -> Iterator[Scratch]:
    with Scratch() as scratch:
        yield scratch


def test_folds_hold_out_every_row_once(tmp_path: Path, scratch: Scratch) -> None:
    survey = EnsembleData.of(config_of(tmp_path), scratch)
    held = np.concatenate([survey.held_out(member) for member in survey.members])
    assert sorted(held) == list(range(344))
    assert survey.validation_rows == 344
    assert len(survey.excluded_rows) == 0
    assert survey.target.task == "classification"


def test_left_out_rows_are_validation_rows_of_no_member(tmp_path: Path, scratch: Scratch) -> None:
    survey = EnsembleData.of(config_of(tmp_path), scratch).without(Fold(folds=4, fold=1, seed=0))
    held = np.concatenate([survey.held_out(member) for member in survey.members])
    assert sorted(held) == sorted(survey.used_rows)
    assert sorted([*survey.used_rows, *survey.excluded_rows]) == list(range(344))


def test_members_with_other_seeds_have_other_validation_rows(tmp_path: Path, scratch: Scratch) -> None:
    survey = EnsembleData.of(config_of(tmp_path, "bagging=seeds"), scratch)
    first, second, _ = (set(survey.held_out(member)) for member in survey.members)
    assert first != second
    assert 69 < survey.validation_rows < 3 * 69


def test_rows_without_a_target_are_left_out_and_counted(tmp_path: Path, scratch: Scratch) -> None:
    rows = pl.DataFrame({"x": range(30), "y": [None, *(float(i) for i in range(29))]})
    rows.write_csv(tmp_path / "t.csv")
    survey = EnsembleData.of(config_of(tmp_path, f"data={{path: {tmp_path}/t.csv, target: y}}"), scratch)
    assert (survey.table.height, len(survey.table)) == (30, 29)
    assert len(survey.findings) == 1
    assert survey.target.task == "regression"
    assert survey.target.scales == (1.0,)
    assert survey.truth(survey.table).y[:, 0].tolist() == [float(i) for i in range(29)]


def test_stored_rows_get_the_predictions_of_the_table(penguins: Path, scratch: Scratch, tmp_path: Path) -> None:
    config: Config = config_of(tmp_path, f"data.path={DATA}/penguins.csv", "data.drop=[year]")
    survey, model = EnsembleData.of(config, scratch), read_model(penguins)
    predictions = predict_table(model, survey.table, survey.target)
    assert np.array_equal(predictions.values, model.predict(survey.table.columns(model.names)).values)
