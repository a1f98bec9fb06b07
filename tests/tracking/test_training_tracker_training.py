"""Tracking a training while it runs: a tracker that fails or hangs does not matter to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from nncli.api.train import train_events
from nncli.base.findings import FindingCode
from nncli.fitting.train.events import Event, Finished, Started, TrackingStopped
from nncli.nn.training.epoch import DivergedError
from nncli.nn.training.health import Health
from nncli.tracking.tracker import TrackerChoice
from nncli.tracking.tracker_thread import CloseTimeouts
from nncli.tracking.training_tracker import track_events
from tests.tracking.support import ENSEMBLE, NETWORK, Memory, config

CHOICE = TrackerChoice.parse("mlflow=http://127.0.0.1:9")
TIMEOUTS = CloseTimeouts(5.0, 0.3, 10.0)


class Broken(Memory):
    """A tracker that fails, or hangs, in one of its methods."""

    def __init__(self, method: str, freed: threading.Event | None = None) -> None:
        super().__init__()
        self._method, self._freed = method, freed

    def __getattribute__(self, name: str) -> Any:
        if name == object.__getattribute__(self, "__dict__").get("_method"):
            freed = self._freed
            if freed is None:
                raise ConnectionError(f"no {name}")
            freed.wait(30)
        return super().__getattribute__(name)


def use(monkeypatch: pytest.MonkeyPatch, tracker: Memory) -> None:
    """Let every choice open this tracker."""

    def opened(choice: TrackerChoice, run: Path) -> Memory:
        return tracker

    monkeypatch.setattr(TrackerChoice, "open", opened)


def events_of(folder: Path, text: str = NETWORK, **options: Any) -> Generator[Event, None, None]:
    return track_events(train_events(config(folder, text), output=folder / "run", **options), [CHOICE], TIMEOUTS)


def all_of(events: Generator[Event, None, None]) -> list[Event]:
    return [*events]


def stops(events: Sequence[Event]) -> list[TrackingStopped]:
    return [event for event in events if isinstance(event, TrackingStopped)]


def test_the_events_of_a_training_pass_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory()
    use(monkeypatch, memory)
    events = [*events_of(tmp_path)]
    names = [type(event).__name__ for event in events if not isinstance(event, Health)]
    assert names == ["Started", *["EpochReport"] * 5, "Finished"]
    assert [*memory.values("run", "loss")] == [1, 2, 3, 4, 5]
    assert memory.calls == ["start run", "end run", "close"]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["start", "log", "flush", "end", "close"])
@pytest.mark.parametrize("text", [NETWORK, ENSEMBLE])
def test_a_tracker_that_fails_is_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, text: str
) -> None:
    use(monkeypatch, Broken(method))
    *others, finished = events_of(tmp_path, text)
    assert isinstance(finished, Finished)
    assert finished.status == "done"
    (stop,) = stops(others)
    assert (stop.finding.level, stop.finding.code) == ("warning", FindingCode.TRACKING)
    assert "nncli track" in stop.finding.hint
    assert "http://127.0.0.1:9" in stop.finding.hint


@pytest.mark.slow
@pytest.mark.parametrize("method", ["start", "log", "end"])
def test_a_tracker_that_hangs_is_one_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    freed = threading.Event()
    use(monkeypatch, Broken(method, freed))
    start = time.monotonic()
    *others, finished = events_of(tmp_path)
    assert time.monotonic() - start < 10
    assert isinstance(finished, Finished)
    assert len(stops(others)) == 1
    freed.set()


@pytest.mark.slow
def test_the_result_is_the_same_with_a_tracker_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Broken("log"))
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    for _ in events_of(tmp_path / "a"):
        pass
    for _ in train_events(config(tmp_path / "b"), output=tmp_path / "b" / "run"):
        pass
    weights = [(tmp_path / folder / "run" / "model.safetensors").read_bytes() for folder in ("a", "b")]
    assert weights[0] == weights[1]


def test_a_training_that_is_stopped_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory()
    use(monkeypatch, memory)
    for event in events_of(tmp_path):
        if isinstance(event, Started):
            break  # as a second signal does, the generator is closed
    deadline = time.monotonic() + 10
    while "run" not in memory.endings and time.monotonic() < deadline:
        time.sleep(0.01)
    assert memory.endings["run"].outcome == "stopped"


def test_a_training_that_diverges_is_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory()
    use(monkeypatch, memory)
    text = "data: {path: DATA/linear.csv, target: y}\nlayers: []\nloss: mse\noptimizer: sgd\nlearning_rate: 1e30\n"
    with pytest.raises(DivergedError):
        all_of(events_of(tmp_path, text))
    assert memory.endings["run"].outcome == "failed"


def test_a_tracker_that_fails_at_the_end_of_a_training_that_diverges_is_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Broken("end"))
    text = "data: {path: DATA/linear.csv, target: y}\nlayers: []\nloss: mse\noptimizer: sgd\nlearning_rate: 1e30\n"
    result: list[Event] = []
    with pytest.raises(DivergedError):
        result.extend(events_of(tmp_path, text))
    assert len(stops(result)) == 1


@pytest.mark.slow
def test_without_trackers_nothing_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.tracking.training_tracker.TrackerThreads", None)
    events = [*track_events(train_events(config(tmp_path), output=tmp_path / "run"), [])]
    assert len([event for event in events if not isinstance(event, Health)]) == 7
