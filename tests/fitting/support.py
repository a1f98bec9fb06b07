"""Small runs that teach, and students of them that are trained within a second."""

from __future__ import annotations

from pathlib import Path

from nncli import distill, train
from tests.api.ensembles import written
from tests.cli.support import DATA

QUICK = ("epochs=3", "teacher.swapped_rows=1", "numeric_embedding=null", "learning_rate=0.01", "batch_size=64")
"""Assignments for a student that need not be good."""


def teacher(folder: Path, *assignments: str) -> Path:
    """A run of three members that tell species of penguins apart, each of which holds out a fold."""
    folder.mkdir(exist_ok=True)
    return train(written(folder, *assignments), output=folder / "teacher").run


def number_teacher(folder: Path, *assignments: str) -> Path:
    """A run of three members that predict a number."""
    path = folder / "line.yaml"
    path.write_text(f"data: {{path: {DATA}/linear.csv, target: y}}\nlayers: [4]\nepochs: 5\nmembers: 3\nworkers: 1\n")
    return train(path, output=folder / "teacher", set=assignments).run


def student(run: Path, *assignments: str, units: int = 8) -> Path:
    """A student of a run, quickly trained, beside it."""
    return distill(run, units=units, set=(*QUICK, *assignments)).run
