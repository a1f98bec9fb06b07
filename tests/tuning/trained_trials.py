"""Finished trials that the tests select from: two architectures, encoders and sets of features, and an ensemble."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nncli import cross_validate
from nncli.config.loading import load_config
from nncli.config.yaml.writer import dump
from tests.cli.support import DATA

CLASSES = f"""
data: {{path: {DATA}/penguins.csv, target: species, drop: [year]}}
layers: [8]
learning_rate: 0.02
epochs: 4
workers: 1
calibration: temperature
"""
NUMBERS = """
data: {path: TABLE, target: y, sample_weight: w}
layers: [8]
learning_rate: 0.03
epochs: 8
workers: 1
"""
CLASSES_TRIALS = {
    0: ["data.drop=[year,bill_depth_mm,body_mass_g,island,flipper_length_mm]"],
    3: ["layers=[6,6]", "members=2", "encoding.numeric=quantile", "data.drop=[year,island,bill_length_mm]", "epochs=8"],
    7: ["data.drop=[year,flipper_length_mm,island,bill_length_mm]"],
}
NUMBERS_TRIALS = {
    0: ["data.drop=[a]"],
    1: ["data.drop=[b]", "layers=[5,5]", "encoding.numeric=quantile", "loss=mae"],
    2: ["data.drop=[a,b]"],
}
QUANTILES = "loss={type: quantiles, levels: [0.05, 0.5, 0.95]}"


def numbers_table(folder: Path) -> Path:
    """A table of 200 rows, y the sum of a, b and a category, with sample weights."""
    import numpy as np

    rng = np.random.default_rng(5)
    a, b, c = rng.normal(size=200), rng.normal(size=200), rng.choice(["u", "v"], 200)
    y = a + b + (c == "u") + 0.1 * rng.normal(size=200)
    frame = pl.DataFrame({"a": a, "b": b, "c": c, "w": rng.uniform(0.5, 2.0, 200), "y": y})
    frame.write_csv(folder / "numbers.csv")
    return folder / "numbers.csv"


def trial(folder: Path, text: str, number: int, *assignments: str, folds: int = 3) -> Path:
    """A cross-validation of a configuration."""
    (folder / "base.yaml").write_text(text)
    config = load_config(folder / "base.yaml", assignments)
    (folder / "c.yaml").write_text(dump(config.model_dump(mode="json", exclude={"output"})))
    path = folder / f"{number:04}"
    assert cross_validate(folder / "c.yaml", folds=folds, output=path) is not None
    return path


def classes_trials(folder: Path) -> dict[int, Path]:
    """Trials of a classification, by number."""
    return {number: trial(folder, CLASSES, number, *changes) for number, changes in CLASSES_TRIALS.items()}


def numbers_trials(folder: Path, *assignments: str) -> dict[int, Path]:
    """Trials of a regression, by number."""
    text = NUMBERS.replace("TABLE", str(numbers_table(folder)))
    changes = {
        n: [item for item in changes_of_trial if not (assignments and "loss" in item)]
        for n, changes_of_trial in NUMBERS_TRIALS.items()
    }
    return {
        number: trial(folder, text, number, *changes_of_trial, *assignments)
        for number, changes_of_trial in changes.items()
    }
