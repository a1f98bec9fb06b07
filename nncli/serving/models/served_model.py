"""A run that is served: its model in memory, which may be replaced between two batches."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Annotated, NamedTuple, TypeAlias
from urllib.parse import quote

import polars as pl

from nncli.api.options import OutputColumns, PredictOptions
from nncli.api.prediction.tables import PredictedFrame, predict_whole_table
from nncli.base.errors import DataError, Location, NncliError, RunError, UsageError
from nncli.base.option import DeclaredOption, Option, declared_options
from nncli.data.encoders.anomalies import Anomalies
from nncli.data.table import Table
from nncli.models.conformal.predictor import ConformalPredictor
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.models.ensemble import AnyModel
from nncli.models.held_out_rows import HeldOutRows
from nncli.nn.inference.small_blocks import SIZES
from nncli.run_directory.manifest import HELD_OUT, Manifest
from nncli.run_directory.monitoring.profiler import Profiler
from nncli.run_directory.monitoring.reference import Reference
from nncli.run_directory.run import Run
from nncli.serving.columns.input_schema import InputSchema
from nncli.serving.columns.row_reader import SOURCE, RowReader
from nncli.serving.models.effects import EffectColumn, effect_columns, effects_of

MAX_CALIBRATIONS = 16
"""Calibrations for different levels that are kept."""
MAX_HELD_OUT = 32_000_000
"""Bytes of held-out rows that are kept in memory, since the run directory may be replaced later. A larger file is read
when it is needed, and refused if it belongs to another model."""
VERSION_LETTERS = 12


class PredictedRows(NamedTuple):
    """The predictions of rows, and the anomalies among the rows."""

    frame: pl.DataFrame
    anomalies: Anomalies


@dataclass(frozen=True)
class ServedModel:
    """The model of a run in memory. Threads may share it.

    The directory may be replaced while it is served, so nothing is read from there later without the checksums of the
    `manifest` that it had.
    """

    name: str
    run: Run
    manifest: Manifest
    model: AnyModel
    schema: InputSchema
    reference: Reference | None = None
    held_out: HeldOutRows | None = None
    loaded: datetime = field(default_factory=lambda: datetime.now(UTC))
    _calibrations: dict[UncertaintyOptions, ConformalPredictor] = field(default_factory=dict, compare=False, repr=False)
    _lock: Lock = field(default_factory=Lock, compare=False, repr=False)

    @classmethod
    def load(cls, name: str, path: Path) -> ServedModel:
        """Load and verify a run.

        Raises:
            RunError: the run directory is missing, damaged, or not trained yet.
        """
        run = Run.open(path)
        manifest = run.load_manifest()
        model, reference = run.load_model(), run.load_reference()
        held_out = run.load_held_out() if _has_few_held_out_rows(path) else None
        if run.load_manifest() != manifest:
            raise RunError(
                "the run was replaced while it was read",
                location=Location(source=str(path)),
                hint="Load it again once it is complete.",
            )
        return cls(name, run, manifest, model, InputSchema.of(model, reference), reference, held_out)

    @property
    def version(self) -> str:
        """The beginning of the checksum of the manifest, which depends on every file that the model was read from."""
        return self.manifest.checksum[:VERSION_LETTERS]

    def warm_up(self) -> None:
        """Predict typical rows, so that the first requests find everything computed that is computed once.

        That is, for each size of small blocks, whether it gives the bits of a large one.
        """
        row = pl.DataFrame({feature.name: [feature.example] for feature in self.schema.features})
        for size in SIZES:
            table = Table(pl.concat([row] * size), "typical rows", dialect=self.model.spec.dialect)
            with suppress(UsageError, DataError):  # no typical value may be known of a column that must have one
                self.predict(table, PredictionOptions())

    @cached_property
    def profiler(self) -> Profiler | None:
        """What profiles the rows that are predicted; None for a run without a reference profile."""
        with suppress(ValueError):  # the reference is that of another model
            return None if self.reference is None else Profiler.of(self.reference, self.model)
        return None

    @cached_property
    def rows(self) -> RowReader:
        """What reads the rows of JSON bodies."""
        return RowReader.of(self.name, self.model, self.schema)

    def predict(self, table: Table, options: PredictionOptions, observe: Observer | None = None) -> PredictedRows:
        """The predictions of every row, as `nncli predict` writes them; with `effects` followed by the effects.

        `observe` is called with the model, the table and its predictions.

        Raises:
            UsageError: the options do not fit the model.
            DataError: a column is missing, or a cell cannot be read.
        """
        conformal = self._calibrated(options.uncertainty)
        columns = PredictOptions(proba=options.proba, at=options.at, flag_unusual=options.flag_unusual)
        predicted = predict_whole_table(self.model, table, columns, conformal=conformal)
        if observe is not None:
            try:
                observe(self, table, predicted)
            except (Exception, pl.exceptions.PanicException):  # an answer does not need metrics
                logging.getLogger(__name__).exception("%d rows are not in the metrics", len(table))
        if not options.effects:
            return PredictedRows(predicted.frame, predicted.summary.anomalies)
        effects = effects_of(self.model, self.schema.inputs, table)
        frame = pl.concat([predicted.frame, effects], how="horizontal")
        return PredictedRows(frame, predicted.summary.anomalies)

    def explained_classes(self, predictions: pl.DataFrame) -> list[str | None]:
        """The class whose probability is explained for each row of the predictions; empty if there are no classes."""
        return self.model.spec.head.explained.labels(predictions)

    @property
    def effect_columns(self) -> tuple[EffectColumn, ...]:
        """The columns that `effects` adds."""
        return effect_columns(self.schema.inputs, self.model)

    def is_calibrated(self, options: UncertaintyOptions) -> bool:
        """Whether nothing has to be calibrated first, which takes long, to predict with these levels."""
        return not options.levels or options in self._calibrations

    def has_uncertainty(self, options: UncertaintyOptions) -> bool:
        """Whether the model has these intervals or sets: it may have too few held-out rows for a level."""
        try:
            self._calibrated(options)
        except NncliError:
            return False
        return True

    def _calibrated(self, options: UncertaintyOptions) -> ConformalPredictor | None:
        options.check(self.model.spec.target)
        if not options.levels:
            return None
        if options.by is not None:
            raise UsageError("intervals by groups need the training table, which a server does not read")
        if (conformal := self._calibrations.get(options)) is not None:
            return conformal
        with self._lock:  # one calibration at a time
            if (conformal := self._calibrations.get(options)) is None:
                conformal = ConformalPredictor.of(self.model, self._held_out_rows(), options)
                while len(self._calibrations) >= MAX_CALIBRATIONS:
                    del self._calibrations[next(iter(self._calibrations))]
                self._calibrations[options] = conformal
            return conformal

    def _held_out_rows(self) -> HeldOutRows:
        """The rows that intervals and sets are calibrated with."""
        rows = self.run.load_held_out(self.manifest) if self.held_out is None else self.held_out
        if rows is None or not len(rows):
            raise UsageError(
                "this model has no intervals or sets: its run keeps no held-out rows to calibrate them with",
                hint="Train it again, with validation rows.",
            )
        return rows


def _has_few_held_out_rows(path: Path) -> bool:
    """Whether the held-out rows of a run may be kept in memory."""
    try:
        return (path / HELD_OUT).stat().st_size <= MAX_HELD_OUT
    except OSError:  # there are none
        return False


Observer: TypeAlias = Callable[[ServedModel, Table, PredictedFrame], object]
"""What is called with the rows that a model predicted, by several threads; it must be quick. Errors are logged."""


@dataclass(frozen=True, kw_only=True)
class PredictionOptions(UncertaintyOptions, OutputColumns):
    """What a request asks for; requests with equal options are predicted together."""

    effects: Annotated[
        bool,
        Option(
            "Add the effect of each column.",
            http="Adds the effect of each column: how the prediction changes if the column has its typical value "
            "instead. For classes, it is the probability of the second of two classes, or of the predicted class. "
            "Typical values, such as those of the example, have no effects.",
        ),
    ] = False


PARAMETERS: dict[str, DeclaredOption] = {
    declared.name: declared for declared in declared_options(PredictionOptions) if declared.option.http is not None
}
"""The parameters of an address by their names, those of all kinds of models."""


def model_path(name: str) -> str:
    """The path below which the endpoints of a model are: `/models/NAME`."""
    return f"/models/{quote(name, safe='')}"


def empty_predictions(model: ServedModel) -> pl.DataFrame:
    """The predictions of a table without rows, with the probabilities of classes: their names and data types."""
    frame = pl.DataFrame({name: pl.Series([], dtype=pl.String) for name in model.model.names})
    options = PredictionOptions(proba="probabilities" in model.model.spec.target.gives)
    return model.predict(Table(frame, SOURCE), options).frame
