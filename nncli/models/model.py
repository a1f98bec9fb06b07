"""A trained model: encoder, network and loss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from nncli.base.errors import CellError
from nncli.base.spec import PositiveFloat, Spec, StrictStr
from nncli.base.threads import ConcurrentCalls, limit_blas_threads
from nncli.data.columns.hashing import Hashes, combine_columns, sum_of_numbers
from nncli.data.columns.parsing import CellErrors
from nncli.data.dialect import PLAIN_NUMBERS, CsvDialect
from nncli.data.encoders.anomalies import Anomalies, InvalidCells
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.row_context import RowContext
from nncli.data.encoders.small_batch_encoder import SmallBatchEncoder
from nncli.data.store.column_store import NO_COLUMNS, DenseColumns
from nncli.data.table import Table
from nncli.models.predictions import Predictions
from nncli.nn.arrays import DIRECTIONS, Array, Codes, Direction, Mask, Matrix
from nncli.nn.batches.dataset import Dataset
from nncli.nn.inference.predictor import BLOCK_ROWS, InferenceSession
from nncli.nn.inference.small_blocks import MAX_ROWS
from nncli.nn.losses import Loss
from nncli.nn.network import Network
from nncli.nn.parameters import Parameters
from nncli.targets.decision import Decision
from nncli.targets.head import Head
from nncli.targets.target import Target

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

    @property
    def head(self) -> Head:
        """The target with the loss, as the parts that other rooms call."""
        return self.target.head(self.loss)

    @property
    def monotone(self) -> dict[str, Direction]:
        """The columns in which the prediction is monotone, each with its direction."""
        directions = {sign: direction for direction, sign in DIRECTIONS.items()}
        signs = self.network.monotone or (0,) * self.encoder.width
        places = self.encoder.places
        return {c.name: directions[signs[place.start]] for place, c in places if c.width and signs[place.start]}

    @property
    def interactions(self) -> tuple[tuple[str, ...], ...]:
        """The sets of columns that act together; none if all may."""
        positions = self.encoder.positions.items()
        return tuple(
            tuple(name for name, places in positions if not members.isdisjoint(places))
            for members in map(frozenset, self.network.interactions)
        )


class ModelInput(NamedTuple):
    """Encoded rows, with what their answers are relative to; None without."""

    X: Matrix
    codes: Codes
    anomalies: Anomalies
    context: RowContext | None


@dataclass(frozen=True)
class Model:
    """A trained model in memory."""

    spec: ModelSpec
    parameters: Parameters

    @property
    def plain_number_columns(self) -> frozenset[str]:
        """The columns whose cells are plain numbers, without a unit."""
        return frozenset(column.name for column in self.spec.encoder.columns if column.accepts_plain_numbers)

    @property
    def names(self) -> list[str]:
        """The names of the feature columns."""
        return self.spec.encoder.names

    def hash_rows(self, table: Table) -> Hashes:
        """A hash of the features and the target of each row (rows,); see nncli/run_directory/training_rows.py."""
        return hash_rows(self.spec.encoder, self.spec.target, table)

    @cached_property
    def predictor(self) -> InferenceSession:
        """The network in prediction mode, for `inputs`."""
        network = self.spec.network.model_copy(update={"offset": None}) if self._omits_offset else self.spec.network
        return InferenceSession(network, self.parameters, final=True)

    @property
    def _omits_offset(self) -> bool:
        return self.spec.target.is_relative and self.spec.network.offset is not None

    def inputs(self, X: Matrix) -> Matrix:
        """X (rows, features) as the predictor takes it: without the offset if predictions are relative to the exposure.

        Layers see 0 in its place, in training too.
        """
        if not self._omits_offset:
            return X
        X = X.copy()
        X[:, self.spec.network.offset] = 0.0
        return X

    def part(self, j: int) -> Model:
        """The model of one of several targets: the network with the outputs of that target alone."""
        spec = self.spec
        loss, outputs = spec.loss.parts[j], spec.loss.output_spans[j]
        fields = {name: getattr(spec.network, name) for name in Network.model_fields}
        of_target = {
            "n_outputs": outputs.stop - outputs.start,
            "output_signs": spec.network.output_signs[outputs],
            "constant_outputs": loss.constant_outputs(outputs.stop - outputs.start),
        }
        network = Network(**fields | of_target)
        parameters = network.layout.empty(network.precision)
        for name, view in parameters.by_name.items():
            whole = self.parameters.by_name[name]
            view[...] = whole if whole.shape == view.shape else whole[..., outputs]
        update = {"target": spec.target.parts[j].target, "loss": loss, "network": network}
        return Model(spec.model_copy(update=update), parameters)

    @cached_property
    def _small_batch_encoder(self) -> SmallBatchEncoder:
        return SmallBatchEncoder(self.spec.encoder, self.spec.network.precision)

    def predict(self, table: Table) -> Predictions:
        """Predict every row of a table, in order. The target column is not needed; other columns are ignored.

        Threads may predict at the same time. A row's prediction has the same bits whatever the other rows are; see
        nncli/nn/inference/predictor.py.

        Raises:
            DataError: a column is missing, or a cell of a numeric column is not a number.
        """
        return self.predict_encoded(self.encode(table))

    def predict_encoded(self, encoded: ModelInput) -> Predictions:
        """Predict encoded rows; see `predict`."""
        X, codes, anomalies, context = encoded
        with _CALLS.begin() as others:
            Z = self._run(X, codes, 1 if others else 2)
        return replace(self.decode(Z, context), anomalies=anomalies)

    def encode(self, table: Table) -> ModelInput:
        """The features of a table, encoded for the network.

        Raises:
            CellError: a cell cannot be read.
            DataError: a column is missing.
        """
        table.require_features(self.names)
        try:
            if len(table) <= MAX_ROWS:
                encoded = self._small_batch_encoder.encode(table)
            else:
                encoded = self.spec.encoder.encode(table, self.spec.network.precision)
            return ModelInput(*encoded, self.spec.encoder.context(table))
        except CellError as error:
            raise error.for_model() from None

    def anomalies(self, table: Table) -> Anomalies:
        """The anomalies of a table, without predicting it; see `encode` for the errors."""
        with np.errstate(all="ignore"):  # a value far out of the training range may overflow
            return self.encode(table).anomalies

    def unusual_cells(self, table: Table, names: Iterable[str]) -> dict[str, Mask]:
        """Whether each cell (rows,) of the columns `names` is an anomaly; see `encode` for the errors."""
        columns = {column.name: column for column in self.spec.encoder.columns}
        return {name: columns[name].unusual_cells(table) for name in names}

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
        The BLAS is limited to one thread: its threads would synchronize, spinning, at every small product, and they
        give other bits.
        """
        X, half = self.inputs(X), len(X) // (2 * BLOCK_ROWS) * BLOCK_ROWS
        if threads == 1 or half * self.spec.network.layout.n_decayed < WORTH_A_SECOND_THREAD:
            with limit_blas_threads(1):
                return self.predictor.run(X, codes)
        Z = np.empty((len(X), self.spec.network.n_outputs))
        with limit_blas_threads(1), ThreadPoolExecutor(1, "nncli half") as thread:
            second = thread.submit(copy_context().run, self.predictor.run, X[half:], codes[half:], Z[half:])
            self.predictor.run(X[:half], codes[:half], Z[:half])
            second.result()
        return Z

    def predict_dataset(self, dataset: Dataset, threads: int = 1, context: RowContext | None = None) -> Predictions:
        """Predict encoded rows with what their answers are relative to, None for a model without.

        It is done on one thread, or on two if that pays off and `threads` allows it.
        """
        return self.decode(self._run(dataset.X, dataset.codes, threads), context)

    def decode(self, Z: npt.NDArray[np.floating[Any]], context: RowContext | None = None) -> Predictions:
        """Predictions from the raw outputs (rows, outputs) of the predictor, and what they are relative to, if any."""
        return decode(self.spec, Z, context, has_offset=False)


def hash_rows(encoder: Encoder, target: Target, table: Table, dense: DenseColumns = NO_COLUMNS) -> Hashes:
    """A hash of the features and the target of each row (rows,), by value, whatever the order of the columns.

    Columns of numbers may be in `dense` instead of the table.

    Raises:
        DataError: a column is missing, or a cell cannot be read.
    """
    in_dense = set(dense.names)
    numbers = DenseColumns.of(table, [name for name in encoder.numeric_names if name not in in_dense])
    in_dense.update(numbers.names)
    rest = [column for column in encoder.columns if column.name not in in_dense]
    names = [*(column.name for column in rest), *target.names]
    cells = [*(column.hash_cells(table) for column in rest), *target.hash_cells(table)]
    return combine_columns(names, cells, [sum_of_numbers(*part) for part in (dense, numbers) if part.names])


def decode(
    spec: ModelSpec, Z: npt.NDArray[np.floating[Any]], context: RowContext | None = None, *, has_offset: bool = True
) -> Predictions:
    """Predictions from raw outputs (rows, outputs): the loss's inverse link, rounding, then temperature or unscaling.

    Relative values are clipped, and last put in the context of their rows. With a log link, outputs are for the
    exposure of the row if they have the offset, as in training; without, for the encoder's usual exposure.

    Values are rounded to the precision of the training, so two machines whose matrix products differ in the last place
    of a float64 give the same predictions.
    """
    precision, Z = spec.network.precision, spec.network.round_outputs(Z)
    quantiles, relative_to = spec.loss.quantiles(Z), context if spec.target.is_relative else None
    if quantiles is not None:
        by_target = quantiles.swapaxes(1, 2).astype(precision).astype(np.float64)
        values = np.ascontiguousarray(spec.target.decode(by_target).swapaxes(1, 2))
    else:
        values = spec.target.decode(spec.loss.inverse_link(Z).astype(precision).astype(np.float64))
    if relative_to is not None:
        if spec.encoder.exposure is not None:
            values = relative_to.relative(values) if has_offset else values / spec.encoder.exposure.center
        values = spec.target.clip_relative(values)
    predictions = Predictions(
        *(spec.target, values, precision),
        decision=spec.decision,
        levels=spec.loss.quantile_levels,
        context=context,
        loss=spec.loss,
    ).with_temperature(spec.temperature)
    return predictions if relative_to is None else predictions.in_context(relative_to)
