"""A search as its directory describes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nncli.base.errors import RunError
from nncli.tuning.summary import read_search
from nncli.tuning.trials import Trial, save_trial
from tests.tuning.made_searches import GAIN, made_search, made_trials


@pytest.mark.slow
def test_a_search_that_has_ended_is_described(tmp_path: Path) -> None:
    summary = read_search(made_search(tmp_path, made_trials()))
    assert (summary.status, summary.is_done, summary.is_repeatable) == ("done", True, True)
    assert (summary.metric, summary.higher_is_better) == ("rmse", False)
    assert summary.best is not None
    assert summary.best.number == min(summary.scored, key=lambda trial: trial.score or 0.0).number
    assert summary.first is not None
    assert summary.first.score == 2.0
    assert summary.result is not None
    assert summary.result.gain == GAIN
    assert summary.seconds == sum(trial.seconds for trial in summary.trials)
    assert summary.best_config is not None
    facts = dict(summary.facts())
    assert facts["trials"] == "16 complete, 3 pruned, 1 failed of 5"
    document = summary.json()
    assert document["kind"] == "search"
    assert len(document["trials"]) == 20
    assert document["result"]["gain"]["p"] == GAIN.p


def test_a_search_without_an_end_says_how_to_resume(tmp_path: Path) -> None:
    path = made_search(tmp_path, [*made_trials()[:3], Trial(number=3, values={})], ended=False)
    summary = read_search(path)
    assert (summary.status, summary.result) == ("stopped", None)
    assert summary.resume_command == f"nncli tune --resume {path}"
    assert summary.metric == "rmse"
    assert summary.count("running") == 1


def test_a_search_that_went_on_since_its_end_has_no_result(tmp_path: Path) -> None:
    trials = made_trials()
    path = made_search(tmp_path, trials)
    save_trial(path, trials[1].model_copy(update={"number": 20}))
    assert read_search(path).result is None


def test_a_search_that_has_not_begun_can_be_read(tmp_path: Path) -> None:
    path = made_search(tmp_path, made_trials()[:1], ended=False)
    for file in ("trials/0000.json", "trials.csv", "best.yaml"):
        (path / file).unlink()
    summary = read_search(path)
    assert (summary.trials, summary.best, summary.first, summary.best_config) == ((), None, None, None)
    assert summary.metric == "score"
    assert summary.json()["best"] is None


def test_a_time_limit_that_ended_the_search_is_not_repeatable(tmp_path: Path) -> None:
    assert not read_search(made_search(tmp_path, made_trials(), timed_out=True)).is_repeatable


def test_a_folder_without_a_search_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        read_search(tmp_path)


@pytest.mark.slow
def test_reading_needs_no_optuna(tmp_path: Path) -> None:
    path = made_search(tmp_path, made_trials())
    code = (
        "import sys; from pathlib import Path; from nncli.tuning.summary import read_search\n"
        "read_search(Path(sys.argv[1])); assert not {'optuna', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
