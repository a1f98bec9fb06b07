"""A trained run as an object: read once, it predicts as often as it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from nncli.commands.evaluate import Evaluation, evaluate_data
from nncli.commands.predict import Tell, predict_data
from nncli.ensemble import AnyModel
from nncli.runs.run import Run

if TYPE_CHECKING:
    from nncli.data.io.dataframes import Frame


@dataclass(frozen=True)
class Loaded:
    """A trained model, or an ensemble, in memory. Threads may share it, and predict side by side."""

    model: AnyModel

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that it predicts from."""
        return tuple(self.model.names)

    @property
    def target(self) -> tuple[str, ...]:
        """The column that it predicts, or the columns."""
        return self.model.spec.target.names

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """The classes, of the type that the training table had, in the order of the probabilities; None for numbers."""
        target = self.model.spec.target
        if target.task == "regression":
            return None
        return tuple(target.decode(np.arange(len(target.labels)), "class"))

    def predict(
        self,
        data: str | Path | Frame,
        *,
        proba: bool = False,
        keep: Sequence[str] = (),
        tell: Tell | None = None,
    ) -> pl.DataFrame:
        """Predict every row of a file, or of a frame of Polars or pandas; see `nncli.predict`.

        Raises:
            UsageError: `proba` of a model that predicts numbers.
            DataError: a column is missing, or a cell of a numeric column is not a number.
        """
        return predict_data(self.model, data, proba=proba, keep=keep, tell=tell)

    def evaluate(self, data: str | Path | Frame) -> Evaluation:
        """Score it on a table that has the target's column; see `nncli.evaluate`.

        Raises:
            DataError: the table cannot be read, lacks a column, or has a class that was not in training.
        """
        return evaluate_data(self.model, data)


def load(run: str | Path) -> Loaded:
    """Read the trained model of a run directory, to predict with it from memory.

    Raises:
        RunError: the run directory is missing, damaged, or not trained yet.
    """
    return Loaded(Run.open(Path(run)).load_model())
