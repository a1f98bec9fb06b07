"""The result of a search as text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nncli.cli.tune_printer import ensemble_text, next_commands, notes_on, result_text
from nncli.tuning.gain import Gain
from nncli.tuning.search import SearchEnded
from nncli.tuning.selected_ensemble import SelectedEnsemble
from nncli.tuning.tune_result import TuneResult
from tests.cli.progress.searches import BETTER, FAILED, FIRST, PRUNED, started


@pytest.fixture
def result(tmp_path: Path) -> TuneResult:
    start = started(tmp_path)
    return TuneResult.of(start, SearchEnded(start.path, (FIRST, BETTER), BETTER))


def test_scores_gain_and_changed_values_stand_beside_those_of_the_configuration(result: TuneResult) -> None:
    lines = [line.split() for line in result_text(result).splitlines() if line]
    assert lines[0][:4] == ["trial", "1", "trial", "0"]
    assert lines[1][:3] == ["log_loss", "0.25", "0.5"]
    assert ["learning_rate", "0.02", "default"] in lines
    assert lines[-1] == [str(result.best_config)]


def test_a_configuration_that_is_the_best_is_no_gain(result: TuneResult) -> None:
    text = result_text(replace(result, best=FIRST))
    assert text.startswith("no trial is better")
    assert text.endswith(str(result.best_config))


def test_a_search_without_incidents_has_no_notes(result: TuneResult) -> None:
    assert [*notes_on(result)] == []


def test_a_time_limit_and_the_end_of_combinations_are_noted(result: TuneResult) -> None:
    (timed_out,) = notes_on(replace(result, timed_out=True))
    assert "not repeatable" in timed_out
    assert "had begun" not in timed_out
    (late,) = notes_on(replace(result, timed_out=True, seconds_late=47.0))
    assert "2 trials, and those that had begun took 47.0 s more" in late
    (exhausted,) = notes_on(replace(result, exhausted=True))
    assert "the only combination" in exhausted
    third = BETTER.model_copy(update={"number": 2})
    (exhausted,) = notes_on(replace(result, exhausted=True, trials=(FIRST, BETTER, third)))
    assert "all 2 combinations" in exhausted


def test_what_comes_next_depends_on_what_was_made_of_the_search(result: TuneResult) -> None:
    report, ensemble = next_commands(result, None, is_trained=False)
    assert report == f"nncli report {result.path}, or nncli train {result.best_config}"
    assert ensemble.startswith(f"nncli tune --resume {result.path} --ensemble 10")
    assert [*next_commands(result, None, is_trained=True)] == []
    (predict,) = next_commands(result, Path("chosen"), is_trained=False)
    assert predict.startswith("nncli predict chosen ")
    _, compare = next_commands(result, Path("chosen"), is_trained=True)
    assert compare.startswith(f"nncli compare {result.trained_run} chosen --data ")


def test_a_search_whose_best_trial_is_no_better_than_the_baseline_is_warned_of(result: TuneResult) -> None:
    score = result.best.score
    assert score is not None
    (note,) = notes_on(replace(result, baseline_score=score))
    assert note.startswith("warning")
    better = score - 0.1 if result.higher_is_better else score + 0.1
    assert not [*notes_on(replace(result, baseline_score=better))]
    assert "baseline" in result_text(replace(result, baseline_score=better))


def test_a_gain_that_is_not_known_has_a_reason(result: TuneResult) -> None:
    (note,) = notes_on(replace(result, message="trials/0002 is damaged"))
    assert note.endswith("trials/0002 is damaged")


def test_the_corrected_gain_has_an_interval_and_a_verdict(result: TuneResult) -> None:
    gain = Gain(trial=1, apparent=0.25, trials=2, rows=99, loss="log loss", estimate=0.2, low=0.1, high=0.3, p=0.01)
    assert "0.1 to 0.3" in result_text(replace(result, corrected_gain=gain))
    assert "): significant (p" in result_text(replace(result, corrected_gain=gain))
    assert "not significant" in result_text(replace(result, corrected_gain=gain.model_copy(update={"p": 0.2})))


def test_the_time_that_pruning_saved_is_noted(result: TuneResult) -> None:
    pruned = PRUNED.model_copy(update={"seconds": 3.0})
    (note,) = notes_on(replace(result, trials=(FIRST, BETTER, pruned)))
    assert note.startswith("pruning ended 1 trial early and saved about 6.0 s, 50%")


def test_reasons_that_differ_in_numbers_are_named_once(result: TuneResult) -> None:
    failed = [FAILED.model_copy(update={"number": i, "message": f"nan at step {i}"}) for i in range(3, 16)]
    (note,) = notes_on(replace(result, trials=(FIRST, BETTER, *failed)))
    assert note == "trials 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 3 more failed: nan at step 3"
    others = [FAILED.model_copy(update={"number": i, "message": "x" * i}) for i in range(3, 8)]
    notes = [*notes_on(replace(result, trials=(FIRST, BETTER, *others)))]
    assert len(notes) == 4
    assert notes[0] == "trial 3 failed: xxx"
    assert notes[-1].startswith("2 more reasons")


def test_an_ensemble_names_its_trials_by_their_picks() -> None:
    ensemble = SelectedEnsemble(Path("run"), ((3, 2), (1, 1)), "log loss", 0.1, 0.2, 3, 0.3)
    assert ensemble_text(ensemble).startswith(
        "ensemble of the trials 3 (2 times), 1\nselected by the log loss; log loss 0.2"
    )
    assert "not better" in ensemble_text(replace(ensemble, best_loss=0.2))
    assert "trial 3" in ensemble_text(replace(ensemble, picks=((3, 10),)))
