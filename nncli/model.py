"""A trained model: encoder, network and loss, and what they make of a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.data.encoding import Encoder
from nncli.data.examples import Examples
from nncli.data.table import Table
from nncli.data.targets import ClassTarget, NumberTarget, Target
from nncli.nn.inference import BLOCK_ROWS, Inference
from nncli.nn.losses import Loss
from nncli.nn.network import Network
from nncli.nn.parameters import Parameters
from nncli.specification import Specification, Text

FORMAT: Literal[1] = 1
"""The version of model.json; raised whenever an older nncli could not read what a newer one writes."""


class ModelSpec(Specification):
    """All of a model but its weights. `missing` are the spellings of a missing cell that it was trained with."""

    format: Literal[1] = FORMAT
    encoder: Encoder
    target: Target
    network: Network
    loss: Loss
    missing: tuple[Text, ...]


@dataclass(frozen=True)
class Predictions:
    """What a model says of some rows: numbers in the target's own units (rows, targets), or probabilities
    (rows, classes)."""

    target: Target
    values: npt.NDArray[np.float64]

    def frame(self, *, proba: bool = False) -> pl.DataFrame:
        """`prediction`, or `prediction_TARGET` for several; with `proba` also `proba_CLASS` for each class."""
        if isinstance(self.target, NumberTarget):
            names = self.target.names
            titles = ["prediction"] if len(names) == 1 else [f"prediction_{name}" for name in names]
            return pl.DataFrame({title: self.values[:, j] for j, title in enumerate(titles)})
        columns = {"prediction": self.target.decode(self.values.argmax(axis=1), "prediction")}
        if proba:
            for j, label in enumerate(self.target.labels):
                columns[f"proba_{label}"] = pl.Series(self.values[:, j])
        return pl.DataFrame(columns)


@dataclass(frozen=True)
class Model:
    """A model ready to predict."""

    spec: ModelSpec
    parameters: Parameters

    @cached_property
    def _inference(self) -> Inference:
        return Inference(self.spec.network, self.parameters)

    @property
    def columns(self) -> list[str]:
        """The columns that a table must have."""
        return self.spec.encoder.names

    def predict(self, table: Table) -> Predictions:
        """Predict every row of a table, in order. The target's column is not needed, other columns are ignored.

        The last bits of a matrix product depend on a row's place in its block, so that place is made to depend on
        the row's number alone: however a table is cut into chunks, its predictions are the same to the bit.

        Raises:
            DataError: a column is missing, or a cell of a numeric column is not a number.
        """
        X, codes = self.spec.encoder.encode(table, self.spec.network.precision)
        before = (table.first_row - 1) % BLOCK_ROWS
        if before:
            X, codes = np.pad(X, ((before, 0), (0, 0))), np.pad(codes, ((before, 0), (0, 0)))
        return self.decode(self._inference.run(X, codes)[before:])

    def predict_examples(self, examples: Examples) -> Predictions:
        """Predict rows that are encoded already."""
        return self.decode(self._inference.run(examples.X, examples.codes))

    def decode(self, Z: npt.NDArray[np.floating[Any]]) -> Predictions:
        """What raw outputs (rows, outputs) mean."""
        return decode(self.spec.loss, self.spec.target, Z)


def decode(loss: Loss, target: Target, Z: npt.NDArray[np.floating[Any]]) -> Predictions:
    """What raw outputs (rows, outputs) mean: the loss's link, then the target's own units."""
    values = loss.predict(Z)
    return Predictions(target, values if isinstance(target, ClassTarget) else target.decode(values))
