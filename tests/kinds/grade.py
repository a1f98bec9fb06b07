"""A kind of answer composed of ordered classes: school grades, with the grade points that they are worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nncli.extend import (
    UNSCALED,
    Decision,
    FitOptions,
    Floats,
    OrdinalLoss,
    OrdinalTarget,
    OutputColumn,
    OutputNodes,
    Predicted,
    Table,
    Value,
    join,
)

POINTS = {"F": 0.0, "D": 1.0, "C": 2.0, "B": 3.0, "A": 4.0}


class GradeLoss(OrdinalLoss):
    """The loss of ordered classes, for grades."""

    type: Literal["grade"] = "grade"  # type: ignore[assignment]  # a name of its own
    task: ClassVar[str] = "grade"


class Grade(OrdinalTarget):
    """A grade. `points` are the expected grade points of a row."""

    task: Literal["grade"] = "grade"  # type: ignore[assignment]  # a name of its own
    noun: ClassVar[str] = "grade"

    @classmethod
    def class_order(cls, table: Table, names: tuple[str, ...], options: FitOptions = UNSCALED) -> tuple[str, ...]:
        return tuple(POINTS)

    @classmethod
    def example(cls, signal: Floats, rng: np.random.Generator) -> tuple[NDArray[np.str_], ...]:
        return (np.array([*POINTS])[np.digitize(signal, [-1.5, -0.5, 0.5, 1.5])],)

    def points(self, probabilities: Floats) -> Floats:
        """The expected grade points (rows,) of probabilities (rows, grades)."""
        return np.asarray(probabilities @ np.array([POINTS[label] for label in self.labels]))

    def lower_codes(self, values: Value, decision: Decision | None) -> Value:
        """The operations of the codes, and of the points beside them."""
        of_grades = values * np.array([POINTS[label] for label in self.labels])
        return join([super().lower_codes(values, decision), of_grades.sum()])

    def program_outputs(self, nodes: OutputNodes) -> tuple[OutputColumn, ...]:
        return (*super().program_outputs(nodes), OutputColumn("points", "value", nodes.codes, 1, self.name))

    def columns(self, predictions: Predicted, *, proba: bool = False) -> Mapping[str, pl.Series]:
        return {
            **super().columns(predictions, proba=proba),
            "points": pl.Series(self.points(predictions.values)),
        }
