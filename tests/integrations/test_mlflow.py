"""Runs on a real MLflow server, read back by its client."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nncli import cross_validate, track, train
from nncli.api.train import train_events
from nncli.base.errors import NncliError
from nncli.fitting.train.events import Finished, TrackingStopped
from nncli.integrations.mlflow import MLflow
from nncli.nn.training.loop import EpochReport
from nncli.run_directory.history_and_metrics import read_history
from nncli.run_directory.run import Run
from nncli.tracking.run_files import track_search
from nncli.tracking.tracker import TrackerChoice
from nncli.tracking.tracker_thread import CloseTimeouts
from nncli.tracking.training_tracker import track_events
from tests.cli.support import run as run_command
from tests.tracking.mlflow_server import Proxy, client, mlflow_server, runs_of, silent_server, values
from tests.tracking.support import ENSEMBLE, NETWORK, config, trained
from tests.tracking.test_run_files_search import SEARCH, TRIALS
from tests.tuning.finished_searches import search


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for all tests of the module."""
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as server:
        yield server.uri


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An experiment of its own for a test, named as people name it."""
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", tmp_path.name)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
    return tmp_path.name


def losses(run: Path) -> list[tuple[int, float]]:
    history = read_history(run, Run.open(run).load_manifest())
    return [(report.epoch, report.loss) for report in history.reports]


@pytest.mark.slow
def test_a_training_sends_every_epoch_parameters_scores_and_files(tmp_path: Path, uri: str, experiment: str) -> None:
    run = train(config(tmp_path), output=tmp_path / "run", track=[f"mlflow={uri}"]).run
    (sent,) = runs_of(uri, experiment).values()
    assert (sent.info.run_name, sent.info.status) == ("run", "FINISHED")
    assert values(uri, sent, "loss") == losses(run)
    assert values(uri, sent, "best_epoch") == [(5, float(Run.open(run).load_manifest().best_epoch))]
    assert sent.data.params["epochs"] == "5"
    assert sent.data.params["data.target"] == '["species"]'
    assert sent.data.tags["nncli.data.sha256"] == Run.open(run).load_manifest().data.sha256
    assert "validation/accuracy" in sent.data.metrics
    assert [file.path for file in client(uri).list_artifacts(sent.info.run_id)] == ["config.yaml", "metrics.json"]
    assert sent.info.start_time <= sent.info.end_time


@pytest.mark.slow
def test_what_is_sent_afterwards_is_the_same(
    tmp_path: Path, uri: str, experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(config(tmp_path), output=tmp_path / "run", track=[f"mlflow={uri}"]).run
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", f"{experiment}-later")
    track(run, to=[f"mlflow={uri}"])
    (live,), (later,) = runs_of(uri, experiment).values(), runs_of(uri, f"{experiment}-later").values()
    assert later.data.params == live.data.params
    assert later.data.metrics == live.data.metrics
    assert (later.info.start_time, later.info.end_time) == (live.info.start_time, live.info.end_time)
    for metric in live.data.metrics:
        histories = [client(uri).get_metric_history(item.info.run_id, metric) for item in (live, later)]
        first, second = ([(m.step, m.value, m.timestamp) for m in history] for history in histories)
        assert first == second


@pytest.mark.slow
def test_sending_it_twice_changes_nothing(tmp_path: Path, uri: str, experiment: str, penguins: Path) -> None:
    track(penguins, to=[f"mlflow={uri}"])
    (before,) = runs_of(uri, experiment).values()
    copy = shutil.copytree(penguins, tmp_path / "elsewhere" / "run")
    track(copy, to=[f"mlflow={uri}"])
    (after,) = runs_of(uri, experiment).values()
    assert after.data.metrics == before.data.metrics
    assert after.info.run_id == before.info.run_id
    assert values(uri, after, "loss") == losses(penguins)


@pytest.mark.slow
def test_a_resumed_training_continues_its_run(tmp_path: Path, uri: str, experiment: str) -> None:
    run = train(config(tmp_path), output=tmp_path / "run", track=[f"mlflow={uri}"]).run
    train(resume=run, set=["epochs=8"], track=[f"mlflow={uri}"])
    (sent,) = runs_of(uri, experiment).values()
    assert values(uri, sent, "loss") == losses(run)
    assert len(losses(run)) == 8
    assert sent.info.status == "FINISHED"
    assert (sent.data.params["epochs"], sent.data.tags["nncli.changed.epochs"]) == ("5", "8")


@pytest.mark.slow
def test_a_training_that_was_not_tracked_from_its_start_is_sent_whole(
    tmp_path: Path, uri: str, experiment: str
) -> None:
    run = trained(tmp_path)
    train(resume=run, set=["epochs=7"], track=[f"mlflow={uri}"])
    (sent,) = runs_of(uri, experiment).values()
    assert values(uri, sent, "loss") == losses(run)


@pytest.mark.slow
def test_a_stopped_training_is_killed_and_goes_on(tmp_path: Path, uri: str, experiment: str) -> None:
    batches = 0

    def stop() -> bool:
        nonlocal batches
        batches += 1
        return batches > 30

    run = train(config(tmp_path), output=tmp_path / "run", stop=stop, track=[f"mlflow={uri}"]).run
    (sent,) = runs_of(uri, experiment).values()
    assert sent.info.status == "KILLED"
    train(resume=run, track=[f"mlflow={uri}"])
    (sent,) = runs_of(uri, experiment).values()
    assert sent.info.status == "FINISHED"
    assert values(uri, sent, "loss") == losses(run)


@pytest.mark.slow
def test_an_ensemble_is_a_run_with_nested_runs(tmp_path: Path, uri: str, experiment: str) -> None:
    run = train(config(tmp_path, ENSEMBLE), output=tmp_path / "run", track=[f"mlflow={uri}"]).run
    sent = runs_of(uri, experiment)
    assert {*sent} == {"run", "run/members/1", "run/members/2", "run/members/3"}
    for i in ("1", "2", "3"):
        member = sent[f"run/members/{i}"]
        assert member.data.tags["mlflow.parentRunId"] == sent["run"].info.run_id
        assert values(uri, member, "loss") == losses(run / "members" / i)
        assert member.info.status == "FINISHED"
    assert "out_of_fold/accuracy" in sent["run"].data.metrics


@pytest.mark.slow
def test_a_cross_validation_is_a_run_with_nested_runs(tmp_path: Path, uri: str, experiment: str) -> None:
    result = cross_validate(config(tmp_path, NETWORK + "workers: 1\n"), folds=2, output=tmp_path / "cv")
    assert result is not None
    track(tmp_path / "cv", to=[f"mlflow={uri}"])
    sent = runs_of(uri, experiment)
    assert {*sent} == {"cv", "cv/folds/1", "cv/folds/2"}
    assert sent["cv"].data.metrics["mean/accuracy"] == result.means["accuracy"]
    assert sent["cv"].data.params["folds"] == "2"


@pytest.mark.slow
def test_a_search_is_a_run_with_nested_runs(uri: str, experiment: str) -> None:
    for count in (2, 4):  # it is resumed
        track_search(SEARCH, TRIALS[:count], "done", MLflow(uri))
    sent = runs_of(uri, experiment)
    assert {*sent} == {"search", *(f"search/trials/000{i}" for i in range(4))}
    assert values(uri, sent["search"], "best_log_loss") == [(0, 0.5), (1, 0.4), (2, 0.4), (3, 0.4)]
    trial = sent["search/trials/0002"]
    assert trial.data.params == {"learning_rate": "0.3", "trial.state": "pruned"}
    assert trial.data.tags["nncli.trial.state"] == "pruned"
    assert trial.data.tags["mlflow.parentRunId"] == sent["search"].info.run_id
    assert values(uri, trial, "log_loss") == [(2, 0.1)]
    assert sent["search/trials/0003"].info.status == "FAILED"


@pytest.mark.slow
def test_a_search_that_fails_half_way_is_failed_and_a_repeat_completes_it(uri: str, experiment: str) -> None:
    tracker = MLflow(uri)
    refused = replace(TRIALS[1], values=(("no*name", 0.2),))
    with pytest.raises(Exception, match="no"):
        track_search(SEARCH, [TRIALS[0], refused], "done", tracker)
    tracker.close()
    assert {name: run.info.status for name, run in runs_of(uri, experiment).items()} == {
        "search": "FAILED",
        "search/trials/0000": "FINISHED",
        "search/trials/0001": "FAILED",
    }
    track_search(SEARCH, TRIALS[:2], "done", MLflow(uri))
    sent = runs_of(uri, experiment)
    assert {run.info.status for run in sent.values()} == {"FINISHED"}
    assert values(uri, sent["search"], "best_log_loss") == [(0, 0.5), (1, 0.4)]
    assert sent["search/trials/0001"].data.params == {"learning_rate": "0.2", "trial.state": "complete"}


@pytest.mark.slow
def test_the_parameters_of_a_search_have_names_that_mlflow_takes(tmp_path: Path, uri: str, experiment: str) -> None:
    track(search(tmp_path), to=[f"mlflow={uri}"])
    assert {run.info.status for run in runs_of(uri, experiment).values()} == {"FINISHED"}


@pytest.mark.slow
def test_a_folder_as_the_store_is_refused_with_the_database_to_use(penguins: Path, tmp_path: Path) -> None:
    with pytest.raises(NncliError, match=r"sqlite:///mlflow\.db") as failed:
        track(penguins, to=[f"mlflow=file:{tmp_path / 'store'}"])
    assert failed.value.hint is None


@pytest.mark.slow
def test_the_address_and_the_experiment_are_those_of_mlflow(
    tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch, line: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    for variable in ("MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.delenv(variable, raising=False)
    track(line, to=["mlflow"])
    assert values(uri, runs_of(uri, "nncli")["run"], "loss") == losses(line)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", client(uri).create_experiment("by id"))
    track(line, to=["mlflow"])
    assert {*runs_of(uri, "by id")} == {"run"}


@pytest.mark.slow
def test_a_member_of_many_epochs_and_parameters_is_sent_in_parts(tmp_path: Path, uri: str, experiment: str) -> None:
    columns = "".join(f", c{i}: numeric" for i in range(120))
    table = tmp_path / "t.csv"
    names = [f"c{i}" for i in range(120)]
    rows = [",".join(["y", *names]), *(",".join(str((i * j) % 7) for j in range(121)) for i in range(30))]
    table.write_text("\n".join(rows) + "\n")
    text = f"data: {{path: {table}, target: y, columns: {{{columns[2:]}}}}}\nlayers: []\nepochs: 400\nvalidation: 0\n"
    run = train(config(tmp_path, text), output=tmp_path / "run", track=[f"mlflow={uri}"]).run
    (sent,) = runs_of(uri, experiment).values()
    assert len(losses(run)) == 400
    assert values(uri, sent, "loss") == losses(run)


@pytest.mark.slow
def test_nothing_is_printed_but_the_path(tmp_path: Path, uri: str, experiment: str) -> None:
    words = ("--track", f"mlflow={uri}", "--set", "layers=[8]")
    outcome = run_command("train", config(tmp_path), "-o", tmp_path / "run", "-q", *words).check()
    assert outcome.path == tmp_path / "run"
    assert all(line.startswith("warning: ") for line in outcome.err.splitlines())
    assert "MLflow" not in outcome.err


@pytest.mark.slow
def test_a_server_that_never_answers_neither_slows_nor_fails_a_training(tmp_path: Path) -> None:
    with silent_server() as uri:
        started = time.monotonic()
        words = ("--track", f"mlflow={uri}", "--json")
        outcome = run_command("train", config(tmp_path), "-o", tmp_path / "run", *words).check()
        assert time.monotonic() - started < 50
    assert outcome.out.count('"event": "tracking_stopped"') == 1
    assert '"status": "done"' in outcome.out


@pytest.mark.slow
def test_a_server_that_dies_is_one_warning(tmp_path: Path, uri: str, experiment: str) -> None:
    proxy = Proxy(uri)
    text = NETWORK.replace("epochs: 5", "epochs: 60")
    events = track_events(
        train_events(config(tmp_path, text), output=tmp_path / "run"),
        [TrackerChoice.parse(f"mlflow={proxy.uri}")],
        CloseTimeouts(60.0, 2.0, 60.0),
    )
    stops, finished = [], None
    for event in events:
        if isinstance(event, EpochReport) and event.epoch == 30:
            end = time.monotonic() + 60
            while "run" not in _sent(uri, experiment) and time.monotonic() < end:
                time.sleep(0.1)
            proxy.end()
        if isinstance(event, TrackingStopped):
            stops.append(event)
        if isinstance(event, Finished):
            finished = event
    assert finished is not None
    assert finished.status == "done"
    assert len(stops) == 1
    # What is missing is sent afterwards.
    track(tmp_path / "run", to=[f"mlflow={uri}"])
    (sent,) = runs_of(uri, experiment).values()
    assert values(uri, sent, "loss") == losses(tmp_path / "run")


@pytest.mark.slow
def test_the_process_ends_though_the_client_would_try_again_for_minutes(
    tmp_path: Path, uri: str, experiment: str
) -> None:
    proxy = Proxy(uri, max_bytes=9_000)
    started = time.monotonic()
    words = ("--track", f"mlflow={proxy.uri}", "--set", "epochs=100", "-q")
    outcome = run_command("train", config(tmp_path), "-o", tmp_path / "run", *words).check()
    assert time.monotonic() - started < 50
    assert outcome.path == tmp_path / "run"
    assert [line for line in outcome.err.splitlines() if "nncli track" in line]
    assert all(line.startswith("warning: ") for line in outcome.err.splitlines())
    assert _sent(uri, experiment) == {"run"}
    assert len(losses(tmp_path / "run")) == 100


def _sent(uri: str, experiment: str) -> set[str]:
    result = client(uri).get_experiment_by_name(experiment)
    return set() if result is None else {run.info.run_name for run in client(uri).search_runs([result.experiment_id])}


def test_a_server_that_is_not_there_is_an_error_of_track(penguins: Path) -> None:
    with pytest.raises(NncliError) as failed:
        track(penguins, to=["mlflow=http://127.0.0.1:1"])
    assert failed.value.exit_code == 1
    with pytest.raises(OSError, match="port 1"):
        MLflow("http://127.0.0.1:1")
