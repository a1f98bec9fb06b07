"""A search as a function: its result, and what a resumption changes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nncli import predict, select_ensemble, train, tune
from nncli.api.train import train_events
from nncli.api.tune import TuneEnded, tune_events
from nncli.base.errors import ConfigError, DataError, NncliError, RunError, UsageError
from nncli.base.findings import FindingCode
from nncli.config.loading import load
from nncli.fitting.train.events import Started
from nncli.models.scores import headlines
from nncli.tuning.search import SearchEnded, SearchProgress, SearchStarted, TrialFinished
from nncli.tuning.tune_result import TuneResult
from tests.assertions import raises
from tests.tuning.configs import search_config


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> TuneResult:
    """A search of three trials; not to be changed."""
    folder = tmp_path_factory.mktemp("search")
    result = tune(search_config(folder), output=folder / "t")
    assert result
    return result


def files(path: Path) -> list[bytes]:
    return [(path / name).read_bytes() for name in ("trials.csv", "best.yaml")]


@pytest.mark.slow
def test_the_best_of_the_trials_is_written(done: TuneResult) -> None:
    assert [trial.number for trial in done.trials] == [0, 1, 2, 3]
    assert done.best.score == min(trial.score or 9.0 for trial in done.trials)
    assert done.apparent_gain == (done.trials[0].score or 0.0) - (done.best.score or 0.0) > 0.0
    assert done.best_config == done.path / "best.yaml"
    assert (done.metric, done.higher_is_better, done.folds) == ("log_loss", False, 1)
    assert not done.timed_out
    assert not done.exhausted


@pytest.mark.slow
def test_the_best_configuration_trains_to_the_score_of_its_trial(done: TuneResult, tmp_path: Path) -> None:
    finished = train(done.best_config, output=tmp_path / "run")
    assert finished.validation
    assert dict(headlines(finished.validation.model))["log_loss"] == done.best.score


@pytest.mark.slow
def test_events_are_those_of_the_trials_between_a_start_and_an_end(tmp_path: Path) -> None:
    events = list(tune_events(load(search_config(tmp_path)), output=tmp_path / "t"))
    assert isinstance(events[0], SearchStarted)
    assert events[0].path == tmp_path / "t"
    assert [event.trial.number for event in events if isinstance(event, TrialFinished)] == [0, 1, 2, 3]
    assert {type(event) for event in events[1:-2]} == {SearchProgress, TrialFinished}
    assert isinstance(events[-2], SearchEnded)
    assert isinstance(events[-1], TuneEnded)
    assert events[-1].result


@pytest.mark.slow
def test_a_stopped_search_resumes_to_the_same_files(done: TuneResult, tmp_path: Path) -> None:
    left = 40

    def stop() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    assert tune(search_config(tmp_path), output=tmp_path / "t", stop=stop) is None
    again = tune(resume=tmp_path / "t")
    assert again
    assert again.best.score == done.best.score
    assert files(tmp_path / "t") == files(done.path)


@pytest.mark.slow
def test_more_trials_continue_a_finished_search(tmp_path: Path, done: TuneResult) -> None:
    first = tune(search_config(tmp_path, "trials: 1"), output=tmp_path / "t")
    assert first
    more = tune(resume=tmp_path / "t", trials=3)
    assert more
    assert more.trials[:2] == first.trials
    assert files(tmp_path / "t") == files(done.path)


@pytest.mark.slow
def test_a_time_limit_ends_the_search_and_says_so(tmp_path: Path) -> None:
    config = search_config(tmp_path, "trials: 5000")
    result = tune(config, output=tmp_path / "t", set=["tune.time_limit=1s"])
    assert result
    assert result.timed_out
    assert 1 <= len(result.trials) < 5000
    with raises(NncliError, mentions="time limit"):
        tune(config, output=tmp_path / "u", set=["tune.time_limit=1e-9"])


@pytest.mark.slow
def test_a_search_of_an_older_version_resumes_with_its_time_limit(tmp_path: Path) -> None:
    first = tune(search_config(tmp_path, "trials: 1", "time_limit: 1h"), output=tmp_path / "t")
    assert first
    text = (tmp_path / "t" / "config.yaml").read_text()
    assert 'time_limit: "1h"' in text
    (tmp_path / "t" / "config.yaml").write_text(text.replace("time_limit", "time"))
    more = tune(resume=tmp_path / "t", trials=2)
    assert more
    assert more.trials[:2] == first.trials
    assert 'time_limit: "1h"' in (tmp_path / "t" / "config.yaml").read_text()


@pytest.mark.slow
def test_all_combinations_are_tried_once(tmp_path: Path) -> None:
    search = "search: {epochs: {choices: [1, 2, 3]}}"
    result = tune(search_config(tmp_path, "trials: 9", search), output=tmp_path / "t")
    assert result
    assert result.exhausted
    assert len(result.trials) == 3  # the configuration itself has 3 epochs


def test_a_search_that_cannot_start_leaves_no_directory(tmp_path: Path) -> None:
    for words, error in [
        (["tune.metric=r2"], ConfigError),
        (["tune.sampler=grid"], UsageError),
        (["data.path=none.csv"], DataError),
        (["data.leave_out={folds: 3, fold: 0}"], UsageError),
    ]:
        with pytest.raises(error):
            tune(search_config(tmp_path), output=tmp_path / "t", set=words)
        assert not (tmp_path / "t").exists()


@pytest.mark.slow
def test_only_a_search_is_resumed_and_only_with_its_table(tmp_path: Path, penguins: Path) -> None:
    with raises(RunError):
        tune(resume=penguins)
    table = tmp_path / "table.csv"
    config = search_config(tmp_path, "trials: 1")
    rows = Path(load(config).config.data.path).read_text()
    table.write_text(rows)
    config.write_text(config.read_text().replace(load(config).config.data.path, str(table)))
    assert tune(config, output=tmp_path / "t")
    table.write_text(rows.replace("Adelie", "Gentoo", 1))
    with raises(DataError, file="table.csv"):
        tune(resume=tmp_path / "t", trials=2)


@pytest.mark.slow
def test_settings_and_the_search_space_may_be_arguments(tmp_path: Path) -> None:
    config = load(search_config(tmp_path)).config
    result = tune(
        config,
        search=["learning_rate=0.01..0.1:log", "batch_size=16,32"],
        trials=2,
        folds=2,
        metric="accuracy",
        sampler="random",
        lag=1,
        prune=False,
        output=tmp_path / "t",
    )
    assert result
    assert (result.metric, result.folds, len(result.trials)) == ("accuracy", 2, 3)
    assert set(result.values.labels(result.trials[1])) == {"learning_rate", "batch_size"}


@pytest.mark.slow
def test_limits_of_a_resumption_are_checked(done: TuneResult) -> None:
    with raises(UsageError):
        tune(resume=done.path, trials=0)
    with raises(UsageError, mentions="60s"):
        tune(resume=done.path, time_limit="soon")


def test_a_finished_search_is_not_repeated_and_says_so(done: TuneResult) -> None:
    before = files(done.path)
    events = list(tune_events(resume=done.path))
    assert isinstance(events[0], SearchStarted)
    assert [finding.code for finding in events[0].findings] == [FindingCode.ALREADY_FINISHED]
    assert not any(isinstance(event, TrialFinished) for event in events)
    assert files(done.path) == before


def test_an_ensemble_of_the_trials_predicts_like_any_run(done: TuneResult, tmp_path: Path) -> None:
    ensemble = select_ensemble(done.path, rounds=4, output=tmp_path / "e")
    assert sum(count for _, count in ensemble.picks) <= 4
    assert ensemble.loss <= ensemble.best_loss
    table = load(search_config(tmp_path)).config.data.path
    assert len(predict(ensemble.path, table)) > 200


def test_an_ensemble_needs_a_search_with_a_complete_trial(penguins: Path, tmp_path: Path) -> None:
    with raises(RunError):
        select_ensemble(penguins, output=tmp_path / "e")


def test_a_training_notes_that_it_ignores_the_section(tmp_path: Path) -> None:
    started = next(train_events(search_config(tmp_path), output=tmp_path / "run"))
    assert isinstance(started, Started)
    assert [finding.code for finding in started.findings].count(FindingCode.SEARCH) == 1


def test_a_finished_search_of_more_trials_than_asked_for_says_how_many_it_has(done: TuneResult, tmp_path: Path) -> None:
    path = shutil.copytree(done.path, tmp_path / "t")
    started = next(tune_events(resume=path, trials=2))
    assert isinstance(started, SearchStarted)
    (finding,) = (finding for finding in started.findings if finding.code is FindingCode.ALREADY_FINISHED)
    assert "3 trials" in finding.message
    assert "the 2 " in finding.message
