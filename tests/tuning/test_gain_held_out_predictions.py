"""Predictions of trials, read from their directories or computed again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from nncli.base.scratch import Scratch
from nncli.config.schema import Config
from nncli.config.schema.tune import TuneSection
from nncli.fitting.ensemble.out_of_fold import EnsembleData
from nncli.tuning.gain import SearchRows, TrialPredictions, TrialReader
from nncli.tuning.search_data import Objective, SearchData
from nncli.tuning.space.build_space import build_space
from nncli.tuning.trials import Trial, folder_of, load_trials, open_directory
from tests.tuning.finished_searches import search


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return search(tmp_path_factory.mktemp("search"), assignments=["tune.trials=2"])


def reader_of(path: Path, scratch: Scratch) -> TrialReader:
    loaded, record = open_directory(path)
    section = loaded.tune or TuneSection()
    space = build_space(loaded, section)
    data = EnsembleData.of(loaded.config, scratch)
    folds = 1 if section.folds == "holdout" else section.folds
    objective = Objective.of(None, loaded.config, data.target, data.loss)

    def config_of(trial: Trial) -> Config:
        return space.trial_config(trial.values)

    return TrialReader(path, SearchData(data, folds, objective, record.data_sha256), config_of)


@pytest.fixture
def reader(path: Path) -> Iterator[TrialReader]:
    with Scratch() as scratch:
        yield reader_of(path, scratch)


@pytest.mark.slow
def test_the_predictions_give_the_recorded_score(path: Path, reader: TrialReader) -> None:
    for trial in load_trials(path):
        read = reader.read(trial)
        assert read.is_predicted.all()
        assert rmse(read, reader.rows) == pytest.approx(trial.score)


@pytest.mark.slow
def test_a_run_gives_the_recorded_score_of_its_validation_rows(tmp_path: Path) -> None:
    path = search(tmp_path, assignments=["tune.folds=holdout", "tune.trials=1"])
    with Scratch() as scratch:
        reader = reader_of(path, scratch)
        for trial in load_trials(path):
            assert rmse(reader.read(trial), reader.rows) == pytest.approx(trial.score)


def rmse(read: TrialPredictions, rows: SearchRows) -> float:
    return float(np.sqrt(np.mean((read.predictions.values - rows.truth.y) ** 2)))


@pytest.mark.slow
def test_rows_have_the_folds_that_their_trials_left_out(path: Path, reader: TrialReader) -> None:
    (first, *_), rows = load_trials(path), reader.rows
    for fold, score in enumerate(first.folds):
        error = (reader.read(first).predictions.values - rows.truth.y)[rows.fold_of == fold]
        assert np.sqrt(np.mean(error**2)) == pytest.approx(score)


@pytest.mark.slow
def test_a_pruned_trial_is_known_on_its_folds_and_filled_by_another(path: Path, reader: TrialReader) -> None:
    first, second, *_ = load_trials(path)
    whole, other = reader.read(second), reader.read(first)
    pruned = reader.read(second.model_copy(update={"state": "pruned", "folds": second.folds[:2]}))
    assert (pruned.is_predicted == (reader.rows.fold_of < 2)).all()
    values = pruned.filled(other).values
    assert np.allclose(values[pruned.is_predicted], whole.predictions.values[pruned.is_predicted])
    assert np.array_equal(values[~pruned.is_predicted], other.predictions.values[~pruned.is_predicted])


def test_predictions_that_are_damaged_are_computed_again(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "search"
    shutil.copytree(path, copy)
    with Scratch() as scratch:
        reader = reader_of(copy, scratch)
        file = folder_of(copy, 1) / "held_out.safetensors"
        trial = load_trials(copy)[1]
        before = reader.read(trial).predictions.values
        content = bytearray(file.read_bytes())
        content[-9] ^= 64
        file.write_bytes(bytes(content))
        assert np.allclose(reader.read(trial).predictions.values, before)
        file.unlink()
        assert np.allclose(reader.read(trial).predictions.values, before)


@pytest.mark.slow
def test_of_too_many_rows_those_that_are_kept_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.models.held_out_rows.MAX_ROWS", 50)
    path = search(tmp_path, assignments=["tune.trials=1"])
    with Scratch() as scratch:
        reader = reader_of(path, scratch)
        trial = load_trials(path)[1]
        read = reader.read(trial)
        assert len(reader.rows) == len(read.is_predicted) == 50
        assert read.is_predicted.all()
        again = reader.read(trial.model_copy(update={"state": "pruned"}))
        assert np.allclose(again.predictions.values, read.predictions.values)
