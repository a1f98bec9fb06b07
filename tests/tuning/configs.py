"""Configurations with a small search, for tests."""

from __future__ import annotations

from pathlib import Path

from tests.cli.support import DATA

CONFIG = f"""
data: {{path: {DATA}/penguins-train.csv, target: species}}
layers: [4]
epochs: 3
validation: 0.3
workers: 1
"""
LAYERS = "{choices: [[4], [8, {type: dropout, rate: 0.1}]]}"
SEARCH = f"search: {{learning_rate: {{from: 0.001, to: 0.1, scale: log}}, layers: {LAYERS}}}"


def search_config(folder: Path, *settings: str, folds: int | str = "holdout") -> Path:
    """A configuration in a folder, with a search of three trials or other `settings`."""
    lines = {line.partition(":")[0]: line for line in ("trials: 3", f"folds: {folds}", SEARCH, *settings)}
    path = folder / "c.yaml"
    path.write_text("\n  ".join([f"{CONFIG}tune:", *lines.values()]))
    return path
