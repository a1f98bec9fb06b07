"""The event files, read back by TensorBoard's own reader."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from nncli import train
from nncli.integrations.tensorboard import TensorBoard
from nncli.run_directory.history_and_metrics import read_health, read_history
from nncli.run_directory.run import Run
from nncli.tracking.tracker import Ending, Point, TrackedRun
from nncli.tracking.training_tracker import track_finished_run
from tests.tracking.support import ENSEMBLE, config, read_events, scalars, trained


def session(folder: Path, part: str) -> HParamsPluginData:
    """What a folder tells the tab HParams."""
    content = read_events(folder).SummaryMetadata(f"_hparams_/{part}").plugin_data.content
    return HParamsPluginData.FromString(content)


def losses(run: Path) -> list[tuple[int, float]]:
    """Steps and losses of a run directory, as precise as TensorBoard keeps them."""
    history = read_history(run, Run.open(run).load_manifest())
    return [(report.epoch, float(np.float32(report.loss))) for report in history.reports]


def written(events: dict[str, list[tuple[int, float, float]]], metric: str) -> list[tuple[int, float]]:
    return [(step, value) for step, value, _ in events[metric]]


@pytest.mark.slow
def test_a_training_writes_every_epoch_beside_the_run(tmp_path: Path) -> None:
    run = train(config(tmp_path), output=tmp_path / "run", track=["tensorboard"]).run
    events = scalars(tmp_path / "tensorboard" / "run")
    assert written(events, "loss") == losses(run)
    assert len(losses(run)) == 5
    assert {*events} >= {"val_loss", "val_accuracy", "learning_rate", "penalty", "validation/accuracy", "best_epoch"}
    times = [time for _, _, time in events["loss"]]
    assert times == sorted(times)


@pytest.mark.slow
def test_the_health_of_each_layer_is_in_scalars_and_histograms(tmp_path: Path) -> None:
    run = train(config(tmp_path), output=tmp_path / "run", track=["tensorboard"]).run
    health = read_health(run, Run.open(run).load_manifest())
    events = read_events(tmp_path / "tensorboard" / "run")
    for layer in ("layers.0", "output"):
        recorded = [part for moment in health for part in moment.layers if part.name == layer]
        norms = [(event.step, event.value) for event in events.Scalars(f"health/{layer}/weight_norm")]
        assert norms == [(m.epoch, float(np.float32(p.weight_norm))) for m, p in zip(health, recorded, strict=True)]
        for name in ("z", "gradient", "weight"):
            histograms = events.Histograms(f"health/{layer}/{name}")
            assert [event.step for event in histograms] == [0, 1, 4]
            for event, part in zip(histograms, recorded, strict=True):
                histogram, quantiles = event.histogram_value, getattr(part, f"{name}_quantiles")
                assert (histogram.min, histogram.max) == (quantiles[0], quantiles[-1])
                assert tuple(histogram.bucket_limit) == quantiles
                assert histogram.num == sum(histogram.bucket) == pytest.approx(100.0)
    assert "health/input/weight" not in events.Tags()["histograms"]


@pytest.mark.slow
def test_what_is_written_afterwards_is_the_same(tmp_path: Path) -> None:
    run = train(config(tmp_path), output=tmp_path / "run", track=[f"tensorboard={tmp_path / 'live'}"]).run
    tracker = TensorBoard(tmp_path / "later")
    track_finished_run(run, tracker)
    tracker.close()
    assert scalars(tmp_path / "live" / "run") == scalars(tmp_path / "later" / "run")
    for part in ("session_start_info", "experiment", "session_end_info"):
        assert session(tmp_path / "live" / "run", part) == session(tmp_path / "later" / "run", part)


def test_parameters_and_final_scores_are_in_the_tab_hparams(tmp_path: Path, penguins: Path) -> None:
    track_finished_run(penguins, TensorBoard(tmp_path))
    parameters = session(tmp_path / "run", "session_start_info").session_start_info.hparams
    assert parameters["optimizer.momentum"].number_value == 0.9
    assert parameters["optimizer.type"].string_value == "sgd"
    metrics = {info.name.tag for info in session(tmp_path / "run", "experiment").experiment.metric_infos}
    assert metrics >= {"validation/accuracy", "training/accuracy"}
    assert metrics <= {*scalars(tmp_path / "run")}
    assert session(tmp_path / "run", "session_end_info").session_end_info.status == 1  # success
    assert {*read_events(tmp_path / "run").Tags()["tensors"]} == {"parameters/text_summary", "tags/text_summary"}


@pytest.mark.slow
@pytest.mark.parametrize("set_back", [0.0, 7200.0])
def test_a_resumed_training_has_every_step_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_back: float
) -> None:
    run = train(config(tmp_path), output=tmp_path / "run", track=["tensorboard"]).run
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - set_back)
    train(resume=run, set=["epochs=8"], track=["tensorboard"])
    events = scalars(tmp_path / "tensorboard" / "run")
    assert written(events, "loss") == losses(run)
    assert len(losses(run)) == 8
    assert [step for step, _, _ in events["validation/accuracy"]] == [8]
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1


def test_a_training_that_goes_back_has_the_repeated_steps_once(tmp_path: Path) -> None:
    tracker, run = TensorBoard(tmp_path), TrackedRun("key", "run", 0.0)
    tracker.start(run)
    tracker.log(run, [Point("loss", step, 1.0, float(step)) for step in (1, 2, 3)])
    tracker.rewind(run, 1)
    tracker.log(run, [Point("loss", step, 2.0, float(step)) for step in (2, 3)])
    tracker.end(run, Ending("done", 9.0))
    assert written(scalars(tmp_path / "run"), "loss") == [(1, 1.0), (2, 2.0), (3, 2.0)]


@pytest.mark.slow
def test_an_ensemble_has_a_folder_for_every_member(tmp_path: Path) -> None:
    run = train(config(tmp_path, ENSEMBLE), output=tmp_path / "run", track=["tensorboard"]).run
    folder = tmp_path / "tensorboard" / "run"
    assert "out_of_fold/accuracy" in scalars(folder)
    for i in ("1", "2", "3"):
        assert written(scalars(folder / "members" / i), "loss") == losses(run / "members" / i)


def test_runs_of_one_name_have_folders_of_their_own(tmp_path: Path, penguins: Path, line: Path) -> None:
    for path in (penguins, line, penguins):
        track_finished_run(path, TensorBoard(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"run", "run-2"}
    assert len(scalars(tmp_path / "run-2")["loss"]) == 20


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, line: Path) -> None:
    (tmp_path / "run").mkdir()
    track_finished_run(line, TensorBoard(tmp_path))
    assert not list((tmp_path / "run").iterdir())
    assert "loss" in scalars(tmp_path / "run-2")


@pytest.mark.parametrize(("outcome", "status"), [("done", 1), ("failed", 2), ("stopped", 0)])
def test_the_outcome_is_the_status_of_the_session(tmp_path: Path, outcome: str, status: int) -> None:
    tracker, run = TensorBoard(tmp_path), TrackedRun("key", "run", 5.0, (("a", True), ("b", 1), ("c", "x|y")))
    tracker.start(run)
    tracker.start(run)
    tracker.end(run, Ending(outcome, 7.0))  # type: ignore[arg-type]
    end = session(tmp_path / "run", "session_end_info").session_end_info
    assert (end.status, end.end_time_secs) == (status, 7.0)


def test_what_is_flushed_can_be_read_while_the_training_goes_on(tmp_path: Path) -> None:
    tracker, run = TensorBoard(tmp_path), TrackedRun("key", "run", 0.0)
    tracker.start(run)
    tracker.log(run, [Point("loss", 1, 1.0, 1.0)])
    tracker.flush()
    assert written(scalars(tmp_path / "run"), "loss") == [(1, 1.0)]
    tracker.close()


@pytest.mark.slow
def test_the_run_directory_holds_no_event_file(tmp_path: Path) -> None:
    plain, tracked = trained(tmp_path, name="plain"), train(config(tmp_path), output=tmp_path / "run").run
    assert {path.name for path in plain.iterdir()} == {path.name for path in tracked.iterdir()}
