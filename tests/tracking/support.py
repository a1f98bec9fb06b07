"""What the tests of tracking share: small trainings, a tracker that remembers, and TensorBoard's own reader."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nncli import train
from nncli.tracking.tracker import Ending, Point, TrackedRun
from tests.cli.support import DATA

NETWORK = """
data: {path: DATA/penguins.csv, target: species, drop: [year]}
layers: [4]
l2: 0.001
epochs: 5
"""
ENSEMBLE = NETWORK + "members: 3\nworkers: 1\n"
REGRESSION = "data: {path: DATA/linear.csv, target: [x2, y]}\nlayers: [4]\nepochs: 2\n"


def config(folder: Path, text: str = NETWORK, name: str = "config.yaml") -> Path:
    """A configuration file."""
    path = folder / name
    path.write_text(text.replace("DATA", str(DATA)))
    return path


def trained(folder: Path, text: str = NETWORK, name: str = "run") -> Path:
    """A run directory."""
    return train(config(folder, text), output=folder / name).run


@dataclass
class Memory:
    """A tracker that keeps its points in memory, each step once."""

    runs: dict[str, TrackedRun] = field(default_factory=dict)
    points: dict[str, dict[tuple[str, int], Point]] = field(default_factory=dict)
    endings: dict[str, Ending] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def start(self, run: TrackedRun) -> None:
        assert run.parent is None or run.parent.name in self.runs
        self.calls.append(f"start {run.name}")
        self.runs[run.name] = run
        self.points[run.name] = {}

    def log(self, run: TrackedRun, points: Sequence[Point]) -> None:
        assert points
        for point in points:
            assert (point.metric, point.step) not in self.points[run.name]
            self.points[run.name][point.metric, point.step] = point

    def rewind(self, run: TrackedRun, step: int) -> None:
        self.calls.append(f"rewind {run.name} {step}")
        kept = self.points[run.name].items()
        self.points[run.name] = {key: point for key, point in kept if point.step <= step}

    def end(self, run: TrackedRun, ending: Ending) -> None:
        assert run.name not in self.endings
        self.calls.append(f"end {run.name}")
        self.endings[run.name] = ending

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.calls.append("close")

    def values(self, name: str, metric: str) -> dict[int, float]:
        """The values of a metric by step."""
        return {point.step: point.value for point in self.points[name].values() if point.metric == metric}


def read_events(folder: Path) -> Any:
    """The events of a folder, by TensorBoard's own reader."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0, "histograms": 0})
    return events.Reload()


def scalars(folder: Path) -> dict[str, list[tuple[int, float, float]]]:
    """Step, value and time of all points of a folder, by metric."""
    events = read_events(folder)
    return {
        tag: [(Scalar.step, Scalar.value, Scalar.wall_time) for Scalar in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }
