"""The directory of a search: whole or not there, and resumed only as it was begun."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nncli.base.errors import Location, NncliError, RunError, UsageError
from nncli.config.loading import LoadedConfig
from nncli.config.schema.tune import TuneSection
from nncli.run_directory.filenames import CONFIG, LOCK
from nncli.tuning import trials as module
from nncli.tuning.trials import RECORD, create_directory, new_record, open_directory, search_fingerprints
from tests.assertions import raises
from tests.tuning.searches import loaded

pytest.importorskip("optuna")


@pytest.fixture
def config(tmp_path: Path) -> LoadedConfig:
    return loaded(tmp_path)


def section(config: LoadedConfig) -> TuneSection:
    assert config.tune is not None
    return config.tune


def created(config: LoadedConfig, path: Path) -> Path:
    record = new_record(config.config, section(config), "0" * 64)
    return create_directory(path, config.config, section(config), record)


def test_a_directory_is_read_back_as_it_was_written(config: LoadedConfig, tmp_path: Path) -> None:
    path = created(config, tmp_path / "a" / "found")
    again, record = open_directory(path)
    assert again.tune == config.tune
    assert again.config.model_copy(update={"output": None, "preset": None}) == config.config.model_copy(
        update={"output": None, "preset": None}
    )
    assert record.data_sha256 == "0" * 64
    assert {file.name for file in path.iterdir()} == {CONFIG, RECORD, LOCK}
    assert [file.name for file in path.parent.iterdir()] == ["found"]


def test_a_name_that_is_taken_gets_a_number(config: LoadedConfig, tmp_path: Path) -> None:
    (tmp_path / "found").mkdir()
    (tmp_path / "found-2").write_text("")
    assert created(config, tmp_path / "found") == tmp_path / "found-3"


def test_a_directory_that_cannot_be_written_leaves_nothing(
    config: LoadedConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, text: str, *, in_place: bool) -> None:
        assert in_place
        if path.name == RECORD:
            raise NncliError("no space left on the device", location=Location(source=str(path)))
        path.write_text(text)

    monkeypatch.setattr(module, "write_text", fail)
    before = set(tmp_path.iterdir())
    with raises(NncliError, file=RECORD):
        created(config, tmp_path / "found")
    assert set(tmp_path.iterdir()) == before
    with raises(NncliError, file="found"):
        created(config, tmp_path / "search.yaml" / "found")


def test_a_name_for_no_folder_is_refused(config: LoadedConfig, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        created(config, tmp_path / "..")


def test_only_the_number_of_trials_and_the_time_may_change(config: LoadedConfig) -> None:
    tune = section(config)
    same = search_fingerprints(config.config, tune)
    assert search_fingerprints(config.config, tune.model_copy(update={"trials": 99, "time": "1h"})) == same
    assert search_fingerprints(config.config.model_copy(update={"workers": 7, "output": "x"}), tune) == same
    for changes in ({"lag": 3}, {"folds": 4}, {"metric": "mae"}, {"sampler": "random"}, {"prune": False}):
        assert search_fingerprints(config.config, tune.model_copy(update=changes)) != same
    assert search_fingerprints(config.config.model_copy(update={"seed": 1}), tune) != same


def test_more_trials_can_be_written_into_the_configuration_by_hand(config: LoadedConfig, tmp_path: Path) -> None:
    path = created(config, tmp_path / "found")
    text = (path / CONFIG).read_text()
    (path / CONFIG).write_text(text.replace("trials: 6", "trials: 60"))
    assert section(open_directory(path)[0]).trials == 60
    (path / CONFIG).write_text(text.replace("lag: 2", "lag: 3"))
    with raises(RunError, file=CONFIG):
        open_directory(path)
    (path / CONFIG).write_text(text.replace("folds", "fold"))
    with raises(RunError, file=CONFIG):
        open_directory(path)


def test_a_directory_that_holds_no_search_is_named(config: LoadedConfig, tmp_path: Path) -> None:
    with raises(RunError, file=tmp_path.name):
        open_directory(tmp_path)
    path = created(config, tmp_path / "found")
    for text in ("", "[]", json.dumps({"format": 2})):
        (path / RECORD).write_text(text)
        with raises(RunError, file=RECORD):
            open_directory(path)
