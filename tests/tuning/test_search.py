"""A search gives the same results however many workers it has, and wherever it was interrupted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nncli.api.tune import TuneEnded, TuneEvent, tune_events
from nncli.base.errors import DataError, NncliError, RunError
from nncli.nn.training.epoch import DivergedError
from nncli.run_directory.filenames import CONFIG, CROSS_VALIDATION, FOLDS, METRICS
from nncli.tuning.search import SearchEnded, SearchProgress, SearchStarted, TrialFinished
from nncli.tuning.search_data import Objective
from nncli.tuning.trials import BEST, TRIALS_TABLE, Trial, folder_of, load_trials, record_of, save_trial
from tests.assertions import raises
from tests.cli.support import DATA
from tests.tuning.searches import NUMBERS, SPACE, copied, loaded, results, resume_search, run_search

pytest.importorskip("optuna")
DIVERGING = """
tune:
  trials: 5
  folds: 2
  lag: 2
  sampler: grid
  search:
    learning_rate: {choices: [0.1, 1e+29, 0.01, 1e+30, 0.02]}
    batch_size: {choices: [32, 16]}
"""
"""Trials 3 and 4 of a grid diverge."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search of six trials that nobody interrupted."""
    folder = tmp_path_factory.mktemp("search")
    ended = run_search(loaded(folder), folder / "found")
    assert (ended.stopped, ended.timed_out, ended.exhausted) == (False, False, False)
    assert len(ended.trials) == 7
    assert {trial.state for trial in ended.trials} == {"complete", "pruned"}
    return folder / "found"


def files(path: Path) -> set[str]:
    """The files of a search, besides those that are locks and control files."""
    result = (str(file.relative_to(path)) for file in path.rglob("*"))
    return {name for name in result if not name.endswith((".lock", ".work"))}


# --- interruptions: what a SIGKILL may leave, made of a search that is finished


def running(path: Path, number: int) -> None:
    """Make a trial one that is not finished."""
    trial = load_trials(path)[number]
    save_trial(path, Trial(number=number, values=trial.values))


def without_result(path: Path) -> None:
    running(path, 6)


def several_without_result(path: Path) -> None:
    running(path, 5)
    running(path, 6)


def without_scores(path: Path) -> None:
    (folder_of(path, last_complete(path)) / METRICS).unlink()


def last_complete(path: Path) -> int:
    """The last trial that was scored on all folds, made the last one that was begun, and not finished."""
    last = max(int(file.parent.name) for file in path.glob(f"trials/*/{METRICS}"))
    for number in range(last + 1, 7):
        record_of(path, number).unlink()
        shutil.rmtree(folder_of(path, number))
    running(path, last)
    return last


def without_directory(path: Path) -> None:
    running(path, 6)
    shutil.rmtree(folder_of(path, 6))


def with_empty_directory(path: Path) -> None:
    without_directory(path)
    folder_of(path, 6).mkdir()


def with_half_of_the_records(path: Path) -> None:
    with_empty_directory(path)
    shutil.copy(folder_of(path, 5) / CONFIG, folder_of(path, 6))
    (folder_of(path, 6) / f".{CROSS_VALIDATION}.0.nncli-tmp").write_text("{")


def without_a_fold(path: Path) -> None:
    shutil.rmtree(folder_of(path, last_complete(path)) / FOLDS / "2")


def with_a_run_that_was_being_made(path: Path) -> None:
    folds = folder_of(path, last_complete(path)) / FOLDS
    shutil.rmtree(folds / "3")
    (folds / "2").rename(folds / ".2.0.nncli-tmp")


def without_the_last_trial(path: Path) -> None:
    record_of(path, 6).unlink()
    shutil.rmtree(folder_of(path, 6))


def with_a_directory_without_a_record(path: Path) -> None:
    record_of(path, 6).unlink()


def without_tables(path: Path) -> None:
    (path / TRIALS_TABLE).unlink()
    (path / BEST).unlink()


def with_older_tables(path: Path) -> None:
    (path / TRIALS_TABLE).write_text("trial\n")
    (path / BEST).write_text("epochs: 1\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    "interruption",
    [
        without_result,
        several_without_result,
        without_scores,
        without_directory,
        with_empty_directory,
        with_half_of_the_records,
        without_a_fold,
        with_a_run_that_was_being_made,
        without_the_last_trial,
        with_a_directory_without_a_record,
        without_tables,
        with_older_tables,
    ],
)
def test_an_interrupted_search_resumes_to_the_same_results_and_files(
    finished: Path, tmp_path: Path, interruption: Callable[[Path], None]
) -> None:
    path = copied(finished, tmp_path / "again")
    interruption(path)
    ended = resume_search(path)
    assert results(path) == results(finished)
    assert files(path) == files(finished)
    assert [trial.score for trial in ended.trials] == [trial.score for trial in load_trials(finished)]


@pytest.mark.slow
def test_a_record_that_follows_from_an_unfinished_trial_is_refused(finished: Path, tmp_path: Path) -> None:
    path = copied(finished, tmp_path / "again")
    running(path, 2)
    with raises(RunError, file="0004.json"):
        resume_search(path)


def test_a_trial_that_is_finished_is_not_touched_by_a_resume(finished: Path, tmp_path: Path) -> None:
    path = copied(finished, tmp_path / "again")
    shutil.rmtree(folder_of(path, 0))
    resume_search(path)
    assert results(path) == results(finished)
    assert not folder_of(path, 0).exists()


@pytest.mark.slow
@pytest.mark.parametrize("batches", [1, 40, 75, 120])
def test_a_search_that_is_stopped_resumes_to_the_same_results(finished: Path, tmp_path: Path, batches: int) -> None:
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        return calls > batches

    ended = run_search(loaded(tmp_path), tmp_path / "stopped", stop=stop)
    assert ended.stopped
    resume_search(tmp_path / "stopped")
    assert results(tmp_path / "stopped") == results(finished)


@pytest.mark.slow
def test_events_that_are_closed_save_the_search(finished: Path, tmp_path: Path) -> None:
    events = tune_events(loaded(tmp_path), output=tmp_path / "closed", workers=1)
    for event in events:
        if isinstance(event, TrialFinished):
            break
    events.close()
    assert not (tmp_path / "closed" / ".work").exists()
    resume_search(tmp_path / "closed")
    assert results(tmp_path / "closed") == results(finished)


@pytest.mark.slow
def test_more_trials_are_those_of_a_search_that_had_them_from_the_start(finished: Path, tmp_path: Path) -> None:
    short = loaded(tmp_path, NUMBERS + SPACE.replace("trials: 6", "trials: 2"))
    assert len(run_search(short, tmp_path / "short").trials) == 3
    assert len(resume_search(tmp_path / "short", trials=6).trials) == 7
    assert results(tmp_path / "short") == results(finished)


# --- events


@pytest.mark.slow
def test_events_come_in_order_and_name_each_trial_once(tmp_path: Path) -> None:
    events: list[TuneEvent] = []
    run_search(loaded(tmp_path), tmp_path / "found", on_event=events.append)
    started, ended, tuned = events[0], events[-2], events[-1]
    assert isinstance(tuned, TuneEnded)
    assert isinstance(started, SearchStarted)
    assert (started.trials, started.folds, started.workers, started.metric) == (6, 3, 1, "rmse")
    assert isinstance(ended, SearchEnded)
    finished = [event for event in events if isinstance(event, TrialFinished)]
    assert [event.trial.number for event in finished] == list(range(7))
    assert ended.best == [event.trial for event in finished if event.is_best][-1]
    assert ended.trials == tuple(event.trial for event in finished)
    progress = [event for event in events if isinstance(event, SearchProgress)]
    assert all(len(event.running) <= 2 for event in progress)
    assert {trial.folds_done for event in progress for trial in event.running} == {0, 1, 2}


def test_a_pruned_trial_is_no_better_than_the_best_and_has_fewer_folds(finished: Path) -> None:
    trials = load_trials(finished)
    best = min(trial.score or 0.0 for trial in trials if trial.state == "complete")
    for trial in trials:
        if trial.state == "pruned":
            assert 1 <= len(trial.folds) < 3
            assert trial.estimated_score is not None
            assert trial.estimated_score > best
        else:
            assert len(trial.folds) == 3
            assert trial.seconds > 0.0


@pytest.mark.slow
def test_without_pruning_all_trials_are_complete(finished: Path, tmp_path: Path) -> None:
    ended = run_search(loaded(tmp_path, NUMBERS + SPACE + "  prune: false\n"), tmp_path / "found")
    assert {trial.state for trial in ended.trials} == {"complete"}


@pytest.mark.slow
def test_a_space_that_is_exhausted_ends_the_search_also_when_it_is_resumed(tmp_path: Path) -> None:
    text = NUMBERS + "tune: {trials: 9, folds: 2, search: {batch_size: {choices: [16, 32, 64]}}}"
    ended = run_search(loaded(tmp_path, text), tmp_path / "found")
    assert ended.exhausted
    assert [trial.values for trial in ended.trials[1:]] != []
    assert len(ended.trials) == 3  # 64 is the configuration itself
    assert resume_search(tmp_path / "found", trials=50) == ended


@pytest.mark.slow
def test_after_its_time_no_trial_begins_and_a_resume_goes_on(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "found"
    limited = loaded(tmp_path, NUMBERS + SPACE + "  time_limit: 1h\n")
    late: list[bool] = []

    class Limit:
        """A limit that is over once trial 2 is finished."""

        def __init__(self, seconds: float) -> None:
            assert seconds == 3600.0

        @property
        def left(self) -> float:
            return -1.0 if late else 1.0

    def end(event: TuneEvent) -> None:
        if isinstance(event, TrialFinished) and event.trial.number == 2:
            late.append(True)

    monkeypatch.setattr("nncli.tuning.prepared_search.TimeLimit", Limit)
    ended = run_search(limited, path, on_event=end)
    assert ended.timed_out
    assert not ended.stopped
    assert [trial.is_finished for trial in ended.trials] == [True] * len(ended.trials)
    assert 3 <= len(ended.trials) < 7
    late.clear()
    resume_search(path)
    assert results(path) == results(finished)


# --- failures


@pytest.mark.slow
@pytest.mark.parametrize("prune", ["true", "false"])
def test_a_trial_that_diverges_fails_and_the_search_goes_on(tmp_path: Path, prune: str) -> None:
    config = loaded(tmp_path, NUMBERS + DIVERGING + f"  prune: {prune}\n")
    ended = run_search(config, tmp_path / "here")
    assert [trial.state == "failed" for trial in ended.trials] == [False, False, False, True, True, False]
    assert ended.trials[3].message
    assert (ended.trials[3].score, ended.trials[3].folds) == (None, ())
    run_search(config, tmp_path / "there", workers=2)
    assert results(tmp_path / "there") == results(tmp_path / "here")
    assert [trial.state for trial in load_trials(tmp_path / "there")] == [trial.state for trial in ended.trials]


def test_a_configuration_that_diverges_itself_is_an_error(tmp_path: Path) -> None:
    config = loaded(tmp_path, NUMBERS.replace("0.05", "1e+30") + DIVERGING)
    with pytest.raises(DivergedError):
        run_search(config, tmp_path / "found")
    assert load_trials(tmp_path / "found")[0].state == "running"


@pytest.mark.slow
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_trial_without_a_finite_score_fails_and_is_never_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    score, calls = Objective.score, 0

    def undefined(self: Objective, *arguments: object) -> float:
        nonlocal calls
        calls += 1
        return value if calls % 9 == 5 else score(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Objective, "score", undefined)
    ended = run_search(loaded(tmp_path, NUMBERS + SPACE + "  prune: false\n"), tmp_path / "found")
    states = {trial.state for trial in ended.trials}
    assert states == {"complete", "failed"}
    assert ended.best is not None
    assert ended.best.state == "complete"
    monkeypatch.setattr(Objective, "score", score)
    assert list(ended.trials) == load_trials(tmp_path / "found")


def test_a_metric_that_is_undefined_for_the_configuration_itself_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Objective, "score", lambda *_: float("nan"))
    with raises(NncliError, mentions="rmse"):
        run_search(loaded(tmp_path), tmp_path / "found")


@pytest.mark.slow
@pytest.mark.parametrize("change", ["removed", "other values", "another column"])
def test_a_table_that_changes_ends_the_search_and_fails_no_trial(finished: Path, tmp_path: Path, change: str) -> None:
    table = tmp_path / "linear.csv"
    content = (DATA / "linear.csv").read_text()
    table.write_text(content)
    config = loaded(tmp_path, NUMBERS.replace(f"{DATA}/linear.csv", str(table)) + SPACE)

    def damage(event: TuneEvent) -> None:
        if isinstance(event, TrialFinished) and event.trial.number == 2:
            if change == "removed":
                table.unlink()
            else:
                table.write_text(content.replace("x1", "x3") if change == "another column" else content + "1,1,1\n")

    with raises(DataError, file="linear.csv"):
        run_search(config, tmp_path / "found", on_event=damage)
    assert "failed" not in {trial.state for trial in load_trials(tmp_path / "found")}
    table.write_text(content)
    resume_search(tmp_path / "found")
    assert results(tmp_path / "found")[0] == results(finished)[0]
