"""A small search that has ended, for tests of what is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nncli.api.tune import tune_events
from nncli.config.loading import load
from tests.cli.support import DATA

NUMBERS = f"""
data: {{path: {DATA}/linear.csv, target: y}}
layers: [4]
epochs: 2
batch_size: 64
tune:
  trials: 4
  folds: 3
  lag: 1
  search:
    learning_rate: {{from: 1e-5, to: 1.0, scale: log}}
    layers: {{choices: [[4], [8, {{type: dropout, rate: {{from: 0.0, to: 0.5}}}}]]}}
"""


def search(folder: Path, text: str = NUMBERS, assignments: Sequence[str] = ()) -> Path:
    """Run a search to its end; returns its directory."""
    config = folder / "search.yaml"
    config.write_text(text)
    for _ in tune_events(load(config, assignments), output=folder / "search", workers=1):
        pass
    return folder / "search"
