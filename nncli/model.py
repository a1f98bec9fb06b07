"""A trained model (encoder, network and loss), and its predictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.data.arrays import Codes, Matrix
from nncli.data.batches.dataset import Dataset
from nncli.data.columns.cell_errors import CellErrors
from nncli.data.columns.hashing import Hashes
from nncli.data.dialect import PLAIN_NUMBERS, CsvDialect
from nncli.data.encoders.anomalies import Anomalies
from nncli.data.encoders.encoder import Encoded, Encoder
from nncli.data.encoders.invalid_cells import InvalidCells
from nncli.data.encoders.target import Target
from nncli.data.table import Table
from nncli.decision import Decision, decide
from nncli.errors import CellError
from nncli.metrics.calibration import apply_temperature
from nncli.nn.arrays import Array, Precision
from nncli.nn.losses import MEDIAN, Loss
from nncli.nn.network import Network
from nncli.nn.parameters import Parameters
from nncli.nn.predictor import BLOCK_ROWS, Predictor
from nncli.spec import PositiveFloat, Spec, StrictStr
from nncli.text import percent_digits
from nncli.utils.threads import ConcurrentCalls, limit_blas_threads

Version = Literal[1]
FORMAT: Version = 1
"""The format of a run directory. It is raised by a change of what is written; every format is read for ever."""

WORTH_A_SECOND_THREAD = 1 << 26
"""Multiplications for half of the rows from which a second thread pays off."""
_CALLS = ConcurrentCalls()


class ModelSpec(Spec):
    """A model without its weights.

    `missing_values` are the spellings of a missing cell in training, `dialect` is that of the training table, and
    `temperature` calibrates the class probabilities, and a `decision` makes classes of them.
    """

    format: Version = FORMAT
    encoder: Encoder
    target: Target
    network: Network
    loss: Loss
    missing_values: tuple[StrictStr, ...]
    dialect: CsvDialect = PLAIN_NUMBERS
    temperature: PositiveFloat = 1.0
    decision: Decision | None = None


@dataclass(frozen=True)
class Predictions:
    """Predictions: numbers in the target's own units (rows, targets), or probabilities (rows, classes).

    `anomalies` are the unexpected values in the rows, such as unseen categories. A `decision` makes classes of the
    probabilities; without one the most probable class is predicted. A loss of several quantiles predicts `quantiles`
    (rows, targets, levels), ascending, of which `values` are the medians.
    """

    target: Target
    values: npt.NDArray[np.float64]
    precision: Precision = "float64"
    anomalies: Anomalies = field(default_factory=Anomalies)
    decision: Decision | None = None
    quantiles: npt.NDArray[np.float64] | None = None
    levels: tuple[float, ...] = ()

    @property
    def classes(self) -> npt.NDArray[np.int64]:
        """The codes of the predicted classes (rows,)."""
        assert self.target.task == "classification"
        return decide(self.values, self.target.labels, self.decision)

    @classmethod
    def of_quantiles(
        cls, target: Target, quantiles: npt.NDArray[np.float64], levels: tuple[float, ...], precision: Precision
    ) -> Predictions:
        """The predictions with these quantiles (rows, targets, levels)."""
        medians = np.ascontiguousarray(quantiles[:, :, levels.index(MEDIAN)])
        return cls(target, medians, precision, quantiles=quantiles, levels=levels)

    @property
    def loss_inputs(self) -> npt.NDArray[np.float64]:
        """What the loss of each row is computed from: the quantiles, or without them the values."""
        return self.values if self.quantiles is None else self.quantiles

    def take(self, rows: npt.NDArray[np.int64 | np.bool_]) -> Predictions:
        """The rows at these positions, or of a mask."""
        quantiles = None if self.quantiles is None else self.quantiles[rows]
        return replace(self, values=self.values[rows], quantiles=quantiles)

    def with_rows(self, rows: slice | npt.NDArray[np.int64 | np.bool_], other: Predictions) -> Predictions:
        """A copy in which some rows are those of `other`, in order."""
        values, quantiles = self.values.copy(), None if self.quantiles is None else self.quantiles.copy()
        values[rows] = other.values
        if quantiles is not None:
            quantiles[rows] = other.quantiles
        return replace(self, values=values, quantiles=quantiles)

    def with_temperature(self, T: float) -> Predictions:
        """Temperature scaling of the probabilities, rounded to the precision: less confident for T above 1."""
        if T == 1.0:
            return self
        values = apply_temperature(self.values, T).astype(self.precision).astype(np.float64)
        return replace(self, values=values)

    def frame(self, *, proba: bool = False) -> pl.DataFrame:
        """`prediction`, or `prediction_TARGET` for several; with `proba` also `proba_CLASS` for each class."""
        if self.target.task == "regression":
            names = self.target.names
            titles = ["prediction"] if len(names) == 1 else [f"prediction_{name}" for name in names]
            numbers = {title: self.values[:, j] for j, title in enumerate(titles)}
            return pl.DataFrame(numbers | self._quantile_columns(names))
        columns = {"prediction": self.target.decode(self.classes, "prediction")}
        if proba:
            for j, label in enumerate(self.target.labels):
                columns[f"proba_{label}"] = pl.Series(self.values[:, j].astype(self.precision))
        return pl.DataFrame(columns)

    def _quantile_columns(self, names: Sequence[str]) -> dict[str, npt.NDArray[np.float64]]:
        """`quantile_05` for the level 0.05, or `quantile_05_TARGET` for several targets."""
        if self.quantiles is None:
            return {}
        return {
            f"quantile_{percent_digits(level)}" + (f"_{name}" if len(names) > 1 else ""): self.quantiles[:, j, k]
            for j, name in enumerate(names)
            for k, level in enumerate(self.levels)
        }


def stack_predictions(blocks: Iterable[Predictions], rows: int) -> Predictions | None:
    """The predictions of consecutive blocks of `rows` rows together, without anomalies; None without a block."""
    stacked, stop = None, 0
    for block in blocks:
        if stacked is None:
            shape = () if block.quantiles is None else block.quantiles.shape[1:]
            stacked = replace(
                block,
                values=np.empty((rows, block.values.shape[1])),
                quantiles=None if block.quantiles is None else np.empty((rows, *shape)),
                anomalies=Anomalies(),
            )
        start, stop = stop, stop + len(block.values)
        stacked.values[start:stop] = block.values
        if stacked.quantiles is not None:
            stacked.quantiles[start:stop] = block.quantiles
    return stacked


@dataclass(frozen=True)
class Model:
    """A trained model in memory."""

    spec: ModelSpec
    parameters: Parameters

    @property
    def numeric(self) -> frozenset[str]:
        """The columns whose cells are plain numbers, without a unit."""
        return frozenset(column.name for column in self.spec.encoder.columns if column.accepts_plain_numbers)

    @property
    def names(self) -> list[str]:
        """The names of the feature columns."""
        return self.spec.encoder.names

    def hash_rows(self, table: Table) -> Hashes:
        """A hash of the features and the target of each row (rows,); see runs/training_rows.py."""
        return self.spec.encoder.hash_rows(table, self.spec.target)

    @cached_property
    def _inference(self) -> Predictor:
        return Predictor(self.spec.network, self.parameters, final=True)

    def predict(self, table: Table) -> Predictions:
        """Predict every row of a table, in order. The target column is not needed; other columns are ignored.

        Threads may predict at the same time. A row's prediction has the same bits whatever the other rows are; see
        nncli/nn/predictor.py.

        Raises:
            DataError: a column is missing, or a cell of a numeric column is not a number.
        """
        with _CALLS.begin() as others:
            X, codes, anomalies = self.encode(table)
            with limit_blas_threads(1):
                Z = self._run(X, codes, 1 if others else 2)
        return replace(self.decode(Z), anomalies=anomalies)

    def encode(self, table: Table) -> Encoded:
        """The features of a table, encoded for the network.

        Raises:
            CellError: a cell cannot be read.
            DataError: a column is missing.
        """
        table.require_features(self.names)
        try:
            return self.spec.encoder.encode(table, self.spec.network.precision)
        except CellError as error:
            raise error.for_model() from None

    def invalid_cells(self, table: Table) -> InvalidCells:
        """The cells of a table that `predict` refuses."""
        return InvalidCells.of(table, self.cell_errors(table))

    def cell_errors(self, table: Table) -> Iterator[tuple[str, list[CellErrors]]]:
        """The name of each feature column, and the errors of its cells.

        Raises:
            DataError: a column is missing, or its type is not supported.
        """
        for column in self.spec.encoder.columns:
            yield column.name, column.cell_errors(table, self.spec.network.precision)

    def _run(self, X: Matrix, codes: Codes, threads: int) -> Array:
        """The raw outputs (rows, outputs); half of the rows on a second thread if there is much to compute.

        While another call predicts, there is no second thread: it would gain nothing, and needs buffers of its own.
        The BLAS must be limited to one thread: its threads would synchronize, spinning, at every small product.
        """
        half = len(X) // (2 * BLOCK_ROWS) * BLOCK_ROWS
        if threads == 1 or half * self.spec.network.layout.n_decayed < WORTH_A_SECOND_THREAD:
            return self._inference.run(X, codes)
        Z = np.empty((len(X), self.spec.network.n_outputs))
        with ThreadPoolExecutor(1, "nncli half") as thread:
            second = thread.submit(copy_context().run, self._inference.run, X[half:], codes[half:], Z[half:])
            self._inference.run(X[:half], codes[:half], Z[:half])
            second.result()
        return Z

    def predict_dataset(self, dataset: Dataset, threads: int = 1) -> Predictions:
        """Predict encoded rows, on one thread, or on two if that pays off and `threads` allows it."""
        return self.decode(self._run(dataset.X, dataset.codes, threads))

    @property
    def can_round(self) -> bool:
        """Whether `run_rounded` is possible."""
        return self._inference.can_round

    def run_rounded(self, X: Matrix, codes: Codes) -> tuple[Array, Array]:
        """The raw outputs in float32, and bounds of their errors (rows,); see `Predictor.run_rounded`."""
        return self._inference.run_rounded(X, codes)

    def decode(self, Z: npt.NDArray[np.floating[Any]]) -> Predictions:
        """Predictions from raw outputs (rows, outputs)."""
        return decode(self.spec, Z)


def decode(spec: ModelSpec, Z: npt.NDArray[np.floating[Any]]) -> Predictions:
    """Predictions from raw outputs (rows, outputs): the loss's inverse link, rounding, then temperature or unscaling.

    Values are rounded to the precision of the training, so two machines whose matrix products differ in the last place
    of a float64 give the same predictions.
    """
    precision = spec.network.precision
    quantiles = spec.loss.quantiles(Z)
    if quantiles is not None and spec.target.task == "regression":
        by_target = quantiles.swapaxes(1, 2).astype(precision).astype(np.float64)
        own = np.ascontiguousarray(spec.target.decode(by_target).swapaxes(1, 2))
        return Predictions.of_quantiles(spec.target, own, spec.loss.quantile_levels, precision)
    values = spec.loss.inverse_link(Z).astype(precision).astype(np.float64)
    if spec.target.task == "regression":
        return Predictions(spec.target, spec.target.decode(values), precision)
    return Predictions(spec.target, values, precision, decision=spec.decision).with_temperature(spec.temperature)
