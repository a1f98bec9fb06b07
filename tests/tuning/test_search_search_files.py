"""The table of a search is written now and then while trials run, and at its end in any case."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.nn.losses import MSELoss
from nncli.tuning import search as module
from nncli.tuning.search import SearchFiles
from nncli.tuning.search_data import Objective
from nncli.tuning.space.build_space import build_space
from nncli.tuning.trials import TRIALS_TABLE, Trial
from tests.tuning.searches import loaded


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time; change it."""
    now = [100.0]
    monkeypatch.setattr("nncli.tuning.search.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def files(tmp_path: Path) -> SearchFiles:
    config = loaded(tmp_path)
    assert config.tune is not None
    return SearchFiles(tmp_path, build_space(config, config.tune), Objective("rmse", MSELoss()))


TRIALS = [Trial(number=number, values={}, state="complete", score=1.0) for number in range(9)]


def rows(files: SearchFiles) -> int:
    return len((files.path / TRIALS_TABLE).read_text().splitlines()) - 1


def test_the_table_is_written_at_most_every_other_second_and_at_the_end(files: SearchFiles, clock: list[float]) -> None:
    files.save_table(TRIALS[:1])
    files.save_table(TRIALS[:2])
    assert rows(files) == 1
    clock[0] += module.SECONDS_BETWEEN_TABLES
    files.save_table(TRIALS[:3])
    assert rows(files) == 3
    files.save_table(TRIALS[:4], is_last=True)
    assert rows(files) == 4


def test_a_table_that_takes_long_is_written_less_often(
    files: SearchFiles, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def write(path: Path, trials: list[Trial], *_: object) -> None:
        clock[0] += 1.0
        written.append(len(trials))

    monkeypatch.setattr(module, "write_trials_table", write)
    files.save_table(TRIALS[:1])
    clock[0] += 0.9 / module.SHARE_OF_TABLES
    files.save_table(TRIALS[:2])
    clock[0] += 0.2 / module.SHARE_OF_TABLES
    files.save_table(TRIALS[:3])
    assert written == [1, 3]
