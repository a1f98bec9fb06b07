from __future__ import annotations

from pathlib import Path
from statistics import stdev

import numpy as np
import polars as pl
import pytest

from nncli.base.errors import DataError, RunError
from nncli.config.schema import Config
from nncli.fitting.ensemble.cross_validation import CrossValidation, FoldScores, open_record, start_record
from nncli.models.predictions import Predictions
from nncli.models.scores import score
from nncli.nn.losses import MSELoss
from nncli.run_directory.filenames import CROSS_VALIDATION
from nncli.run_directory.manifest import CONFIG
from nncli.targets.number import RegressionTarget
from nncli.targets.target_base import Scores
from tests.assertions import raises


@pytest.fixture
def config(tmp_path: Path) -> Config:
    pl.DataFrame({"x": range(20), "y": range(20)}).write_csv(tmp_path / "t.csv")
    return Config.model_validate({"data": {"path": str(tmp_path / "t.csv"), "target": "y"}, "layers": []})


def test_each_repeat_has_all_folds_and_its_own_seed(config: Config, tmp_path: Path) -> None:
    _, record = start_record(tmp_path / "cv", config, 3, 2)
    folds = record.of(7)
    assert [(fold.fold, fold.seed) for fold in folds] == [(0, 7), (1, 7), (2, 7), (0, 8), (1, 8), (2, 8)]
    assert {fold.folds for fold in folds} == {3}


def test_a_record_is_written_to_a_free_directory_and_read_back(config: Config, tmp_path: Path) -> None:
    (tmp_path / "cv").mkdir()
    run, record = start_record(tmp_path / "cv", config, 3, 1)
    assert run.path == tmp_path / "cv-2"
    assert open_record(run.path)[1] == record


def test_a_changed_configuration_or_table_is_refused_where_it_was_changed(config: Config, tmp_path: Path) -> None:
    run, _ = start_record(tmp_path / "cv", config, 3, 1)
    text = (run.path / CONFIG).read_text()
    (run.path / CONFIG).write_text(text.replace("seed: 0", "seed: 1"))
    with raises(RunError, file="config.yaml"):
        open_record(run.path)
    (run.path / CONFIG).write_text(text)
    (tmp_path / "t.csv").write_text("x,y\n1,2\n")
    with raises(DataError, file="t.csv"):
        open_record(run.path)
    (run.path / CROSS_VALIDATION).write_text("[]")
    with raises(RunError, file="cross-validation.json"):
        open_record(run.path)


def scores_of(error: float) -> Scores:
    target, y = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,)), np.arange(4.0)[:, None]
    return score(Predictions(target, y + error), y, None, MSELoss())


def test_the_json_has_mean_and_standard_deviation_over_the_folds_and_the_out_of_fold_scores() -> None:
    folds = tuple(FoldScores(1, i + 1, 4, scores_of(error)) for i, error in enumerate([1.0, 2.0, 6.0]))
    document = CrossValidation(folds, scores_of(3.0), pl.DataFrame({"row": range(12)})).json()
    assert document["mean"]["mae"] == pytest.approx(3.0)
    assert document["std"]["mae"] == pytest.approx(stdev([1.0, 2.0, 6.0]))
    assert document["out_of_fold"]["rows"] == 12
    assert document["out_of_fold"]["metrics"]["mae"] == pytest.approx(3.0)
    assert [fold["fold"] for fold in document["folds"]] == [1, 2, 3]
