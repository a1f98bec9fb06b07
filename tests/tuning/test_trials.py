"""The records of trials: read back as they were written, whole or not there."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from nncli.base.errors import RunError
from nncli.nn.losses import MSELoss
from nncli.run_directory.run import Run
from nncli.tuning.search_data import Objective
from nncli.tuning.space.build_space import build_space
from nncli.tuning.trials import (
    TRIALS_TABLE,
    Trial,
    clear_leftovers,
    folder_of,
    load_trials,
    record_of,
    save_trial,
    write_trials_table,
)
from tests.assertions import raises
from tests.tuning.searches import loaded

DONE = Trial(
    number=0,
    values={"learning_rate": 0.1 + 0.2, "batch_size": 16},
    state="complete",
    score=1 / 3,
    folds=(0.1, None),
    seconds=0.5,
)


def test_trials_are_read_back_to_the_bit(tmp_path: Path) -> None:
    trials = [DONE, Trial(number=1, values={}), Trial(number=2, values={"x": 1}, state="failed", message="why")]
    for trial in trials:
        save_trial(tmp_path, trial)
    assert load_trials(tmp_path) == trials
    assert [type(value) for value in load_trials(tmp_path)[0].values.values()] == [float, int]


def test_a_directory_without_a_record_is_no_trial(tmp_path: Path) -> None:
    save_trial(tmp_path, DONE)
    folder_of(tmp_path, 1).mkdir()
    assert load_trials(tmp_path) == [DONE]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"number": 0}', '{"number": 1, "values": {}, "state": "odd"}'])
def test_a_damaged_record_is_named(tmp_path: Path, content: str) -> None:
    save_trial(tmp_path, DONE)
    record_of(tmp_path, 1).write_text(content)
    with raises(RunError, file="0001.json"):
        load_trials(tmp_path)


def test_a_record_of_another_trial_is_named(tmp_path: Path) -> None:
    save_trial(tmp_path, DONE)
    record_of(tmp_path, 1).write_bytes(record_of(tmp_path, 0).read_bytes())
    with raises(RunError, file="0001.json"):
        load_trials(tmp_path)


def test_more_than_ten_thousand_trials_have_names_of_their_own(tmp_path: Path) -> None:
    assert record_of(tmp_path, 12_345).name == "12345.json"


def test_the_table_has_finished_trials_with_values_of_few_digits(tmp_path: Path) -> None:
    config = loaded(tmp_path)
    space = build_space(config, config.tune) if config.tune else None
    assert space is not None
    pruned = Trial(number=1, values={"learning_rate": 0.12345678, "batch_size": 32}, state="pruned", folds=(1.0,))
    write_trials_table(tmp_path, [DONE, pruned, Trial(number=2, values={})], space, Objective("rmse", MSELoss()))
    rows = list(csv.reader((tmp_path / TRIALS_TABLE).read_text().splitlines()))
    assert rows == [
        ["trial", "state", "rmse", "folds", "learning_rate", "batch_size"],
        ["0", "complete", repr(1 / 3), "2", "0.3", "16"],
        ["1", "pruned", "", "1", "0.1235", "32"],
    ]


def test_leftovers_of_killed_processes_are_removed_and_those_of_running_ones_stay(tmp_path: Path) -> None:
    trials = [DONE, Trial(number=1, values={})]
    folds = folder_of(tmp_path, 1) / "folds"
    folds.mkdir(parents=True)
    left = [tmp_path / ".best.yaml.1.nncli-tmp", tmp_path / "trials" / ".0001.json.1.nncli-tmp"]
    for file in left:
        file.write_text("half")
    killed, alive = folds / ".1.a.nncli-tmp", folds / ".2.b.nncli-tmp"
    killed.mkdir()
    alive.mkdir()
    (folds / "3").mkdir()
    with Run(alive).locked():
        clear_leftovers(tmp_path, trials)
    assert not any(path.exists() for path in (*left, killed))
    assert alive.exists()
    assert (folds / "3").exists()
