"""Small searches that several tests run, stop and compare."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from nncli.api.tune import TuneEvent, tune_events
from nncli.config.loading import LoadedConfig, load
from nncli.tuning.search import SearchEnded
from nncli.tuning.trials import BEST, TRIALS_TABLE
from tests.cli.support import DATA

NUMBERS = f"""
data: {{path: {DATA}/linear.csv, target: y}}
layers: []
optimizer: sgd
learning_rate: 0.05
epochs: 3
batch_size: 64
"""
SPACE = """
tune:
  trials: 6
  folds: 3
  lag: 2
  search:
    learning_rate: {from: 0.001, to: 0.5, scale: log}
    batch_size: {from: 16, to: 64, step: 16}
"""


def loaded(folder: Path, text: str = NUMBERS + SPACE, *assignments: str) -> LoadedConfig:
    """A configuration with a search space, written into a folder and loaded."""
    path = folder / "search.yaml"
    path.write_text(text)
    return load(path, assignments)


def run_search(
    config: LoadedConfig,
    output: Path,
    workers: int = 1,
    scheduler: str | None = None,
    on_event: Callable[[TuneEvent], None] = lambda event: None,
    stop: Callable[[], bool] = lambda: False,
) -> SearchEnded:
    """Run a search to its end."""
    for event in tune_events(config, output=output, workers=workers, scheduler=scheduler, stop=stop):
        on_event(event)
        if isinstance(event, SearchEnded):
            ended = event
    return ended


def resume_search(
    path: Path, workers: int = 1, trials: int | None = None, stop: Callable[[], bool] = lambda: False
) -> SearchEnded:
    """Resume a search, and run it to its end."""
    *_, ended, _ = tune_events(resume=path, workers=workers, trials=trials, stop=stop)
    assert isinstance(ended, SearchEnded)
    return ended


def results(path: Path) -> tuple[bytes, bytes]:
    """What must not depend on the number of workers, nor on interruptions."""
    return (path / TRIALS_TABLE).read_bytes(), (path / BEST).read_bytes()


def copied(path: Path, to: Path) -> Path:
    """A copy of the directory of a search."""
    shutil.copytree(path, to)
    return to
