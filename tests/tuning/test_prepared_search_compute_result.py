"""The result that a search writes where it ends."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nncli.api.tune import tune
from nncli.config.loading import load
from nncli.run_directory.filenames import METRICS
from nncli.tuning.summary import load_result
from nncli.tuning.trials import folder_of
from tests.tuning.finished_searches import search


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return search(tmp_path_factory.mktemp("search"))


@pytest.fixture
def copy(path: Path, tmp_path: Path) -> Path:
    shutil.copytree(path, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.slow
def test_a_search_that_has_ended_keeps_its_result(path: Path) -> None:
    result = load_result(path)
    assert result is not None
    assert (result.metric, result.higher_is_better) == ("rmse", False)
    assert result.trials == 5 == result.complete + result.pruned + result.failed
    assert result.importance is None
    assert result.best_score <= result.first_score
    assert result.gain is not None
    assert result.gain.trial == result.best_trial
    assert result.gain.apparent == pytest.approx(result.first_score - result.best_score)


@pytest.mark.slow
def test_the_command_returns_the_gain(path: Path, tmp_path: Path) -> None:
    tuned = tune(load(path.parent / "search.yaml"), output=tmp_path / "again", workers=2)
    assert tuned is not None
    result = load_result(path)
    assert result is not None
    assert tuned.corrected_gain == result.gain
    assert (tmp_path / "again" / METRICS).read_bytes() == (path / METRICS).read_bytes()


@pytest.mark.slow
def test_a_search_that_is_resumed_at_its_end_has_the_same_result(copy: Path) -> None:
    before = (copy / METRICS).read_bytes()
    (copy / METRICS).unlink()
    tune(resume=copy, workers=1)
    assert (copy / METRICS).read_bytes() == before


@pytest.mark.slow
def test_a_search_that_is_stopped_has_no_result(copy: Path) -> None:
    assert tune(resume=copy, trials=6, workers=1, stop=lambda: True) is None
    assert load_result(copy) is None


def test_a_trial_that_cannot_be_read_leaves_the_gain_unknown(copy: Path) -> None:
    result = load_result(copy)
    assert result is not None
    for trial in range(5):
        shutil.rmtree(folder_of(copy, trial) / "folds")
        (folder_of(copy, trial) / "held_out.safetensors").unlink(missing_ok=True)
    tuned = tune(resume=copy, workers=1)
    damaged = load_result(copy)
    assert tuned is not None
    assert damaged is not None
    assert damaged.gain is None
    assert damaged.message
    assert damaged.best_trial == result.best_trial
