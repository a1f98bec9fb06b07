"""What an ensemble needs to know of the table as a whole: what its rows are, and who holds out which of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nncli.config.schema import Config
from nncli.data.encoders.target import ClassificationTarget, RegressionTarget, Target
from nncli.data.sample_weights import Weights, read_weights
from nncli.data.splitting.folds import Fold
from nncli.data.store.column_store import ColumnStore
from nncli.data.store.scratch import Scratch
from nncli.ensemble import AnyModel, Ensemble, EnsembleSpec, align_classes, n_outputs
from nncli.metrics.calibration import Calibration, fit_temperature, smoothed_log_loss
from nncli.model import Model, Predictions
from nncli.nn.losses import Loss
from nncli.pipeline.ensemble.member_config import member_config
from nncli.pipeline.prepare.fit import infer_loss
from nncli.pipeline.prepare.load import load_labelled_rows
from nncli.pipeline.prepare.split import load_validation_file, split_indices, strata_of
from nncli.pipeline.prepare.validation import should_calibrate
from nncli.scoring import ScoreCard, Truth, baseline_predictions, score_card
from nncli.training.state import RandomStreams


def _has_validation(config: Config) -> bool:
    return config.validation != 0.0 or config.bagging_mode != "seeds"


@dataclass(frozen=True)
class EnsembleData:
    """The rows of a table that have a target, for training an ensemble or a cross-validation on them.

    `validation_table` holds the validation rows that have a file of their own. `target` knows every class of the table,
    and leaves numbers unscaled.
    """

    config: Config
    table: ColumnStore
    validation_table: ColumnStore | None
    target: Target
    loss: Loss
    notes: tuple[str, ...]

    @classmethod
    def of(cls, config: Config, scratch: Scratch, *, all_columns: bool = False) -> EnsembleData:
        """Load the table that `config` names, with the columns that training needs, or with `all_columns`.

        Raises:
            ConfigError, DataError: as for a training.
        """
        table = load_labelled_rows(config, config.data.path, scratch, all_columns=all_columns)
        target_columns = table.columns(config.data.target)
        loss, note = infer_loss(config, target_columns)
        target = (
            ClassificationTarget.fit(target_columns, config.data.target[0])
            if loss.task == "classification"
            else RegressionTarget.fit(target_columns, config.data.target, "none")
        )
        validation_table = load_validation_file(config, table, scratch, all_columns=all_columns)
        should_calibrate(config, target, has_validation=_has_validation(config))  # raises an error before training
        notes = (
            *table.header.notes,
            *([note] if note else []),
            *(validation_table.header.notes if validation_table is not None else ()),
        )
        return cls(config, table, validation_table, target, loss, notes)

    @property
    def members(self) -> list[Config]:
        """The configuration of each member, as far as it concerns rows."""
        return [member_config(self.config, i, Path(), 1) for i in range(self.config.members)]

    @property
    def excluded_rows(self) -> npt.NDArray[np.int64]:
        """The positions of the rows that data.leave_out leaves out."""
        fold = self.config.data.leave_out
        none = np.empty(0, np.int64)
        return none if fold is None else fold.split(strata_of(self.config, self.table, self.target.task)).validation

    @property
    def used_rows(self) -> npt.NDArray[np.int64]:
        """The positions of the rows that are trained or validated on."""
        whole = self.config.model_copy(update={"validation": 0.0})
        return split_indices(whole, self.table, self.target.task, RandomStreams.of(0).split).training

    def held_out(self, member: Config) -> npt.NDArray[np.int64]:
        """The positions of the rows that a network of this configuration does not train on, but validates on.

        Raises:
            DataError: there are too few rows.
        """
        return split_indices(member, self.table, self.target.task, RandomStreams.of(member.seed).split).validation

    def without(self, fold: Fold) -> EnsembleData:
        """The same rows, of which a fold is left out."""
        data = self.config.data.model_copy(update={"leave_out": fold})
        return replace(self, config=self.config.model_copy(update={"data": data}))

    @property
    def validation_rows(self) -> int:
        """How many rows any member holds out.

        Raises:
            DataError: there are too few rows for so many members.
        """
        if self.validation_table is not None:
            return len(self.validation_table)
        return len(np.unique(np.concatenate([self.held_out(member) for member in self.members])))

    def build_ensemble(self, members: tuple[Model, ...]) -> BuiltEnsemble:
        """The ensemble of trained members, calibrated if that is wanted, and how good it is.

        It is judged on all rows that are not left out, and on those held out, each by the members that held it out.
        Where the validation rows have a file of their own, all members have held them out.
        """
        spec = EnsembleSpec(
            members=len(members),
            target=self.target,
            loss=self.loss,
            missing_values=self.config.data.missing_values,
            dialect=self.table.header.dialect,
        )
        held, calibration = self.out_of_fold(Ensemble(spec, members)), None
        if held is not None and should_calibrate(self.config, self.target, has_validation=True):
            calibration = held.calibrate()
            spec = spec.model_copy(update={"temperature": calibration.temperature})
        ensemble = Ensemble(spec, members)
        inside = self.table.take(self.used_rows)
        training = self.truth(inside)
        card = self.card(training, training, predict_table(ensemble, inside, self.target))
        on_held = None if held is None else self.card(held.rows, training, held.predicted(spec.temperature))
        return BuiltEnsemble(ensemble, card, on_held, calibration)

    def out_of_fold(self, ensemble: Ensemble) -> OutOfFoldPredictions | None:
        """What members say of the rows that they held out; None where none held out any."""
        if self.validation_table is not None:
            table, positions = self.validation_table, [np.arange(len(self.validation_table))] * len(ensemble.members)
        else:
            table, positions = self.table, [self.held_out(member) for member in self.members]
        if not any(map(len, positions)):
            return None
        said = [
            predict_table(member, table.take(rows), self.target)
            for member, rows in zip(ensemble.members, positions, strict=True)
        ]
        return OutOfFoldPredictions.of(ensemble, table, self.truth(table), positions, said)

    def truth(self, table: ColumnStore) -> LabelledRows:
        """The truth of the rows of a table."""
        return truth_of(table, self.target, self.config)

    def card(self, rows: LabelledRows, training: LabelledRows, predictions: Predictions) -> ScoreCard:
        """Scores on some rows, and what the guess from the training rows scores there."""
        baseline = baseline_predictions(self.target, training.y, training.weights, len(rows.y))
        return score_card(predictions, baseline, rows.y, rows.weights, self.loss)


@dataclass(frozen=True)
class LabelledRows:
    """The truth of some rows, and how much each counts."""

    y: Truth
    weights: Weights | None

    def take(self, rows: npt.NDArray[np.int64]) -> LabelledRows:
        """Those at these positions."""
        return LabelledRows(self.y[rows], None if self.weights is None else self.weights[rows])


def truth_of(table: ColumnStore, target: Target, config: Config) -> LabelledRows:
    """The truth of the rows of a table, and the weights that `config` has them count with."""
    weight = config.data.sample_weight
    weights = read_weights(table.columns([weight]), weight) if weight else None
    return LabelledRows(target.read(table.columns(target.names)), weights)


@dataclass(frozen=True)
class BuiltEnsemble:
    """An ensemble, and how good it is."""

    ensemble: Ensemble
    training: ScoreCard
    validation: ScoreCard | None
    calibration: Calibration | None


@dataclass(frozen=True)
class OutOfFoldPredictions:
    """The rows of a `table` that some member held out, and what each member says of those that it did, at their
    `positions`."""

    ensemble: Ensemble
    table: ColumnStore
    rows: LabelledRows
    positions: tuple[npt.NDArray[np.int64], ...]
    member_predictions: tuple[Predictions, ...]

    @classmethod
    def of(
        cls,
        ensemble: Ensemble,
        table: ColumnStore,
        rows: LabelledRows,
        held: list[npt.NDArray[np.int64]],
        said: list[Predictions],
    ) -> OutOfFoldPredictions:
        """Of all `rows` of a table, those at the positions that each member `held` out."""
        every = np.unique(np.concatenate(held))
        positions = tuple(np.searchsorted(every, some) for some in held)
        return cls(ensemble, table.take(every), rows.take(every), positions, tuple(said))

    @property
    def oof_mask(self) -> npt.NDArray[np.bool_]:
        """(members, rows): which member held out which row."""
        spoken = np.zeros((len(self.positions), len(self.rows.y)), bool)
        for mine, rows in zip(spoken, self.positions, strict=True):
            mine[rows] = True
        return spoken

    def predicted(self, temperature: float) -> Predictions:
        """For every row the mean of the members that held it out."""
        total, counts = np.zeros((len(self.rows.y), self.ensemble.outputs)), np.zeros((len(self.rows.y), 1), np.int64)
        for rows, said in zip(self.positions, self.member_predictions, strict=True):
            total[rows] += said.with_temperature(temperature).values
            counts[rows] += 1
        return self.ensemble.mean(total, counts)

    def calibrate(self) -> Calibration:
        """The temperature of what single members say, where it makes what they say together better."""
        y, weights, rows = self.rows.y, self.rows.weights, np.concatenate(self.positions)
        P = np.concatenate([said.values for said in self.member_predictions])
        T = fit_temperature(P, y[rows], None if weights is None else weights[rows])
        before, after = self.predicted(1.0).values, self.predicted(T).values
        if smoothed_log_loss(y, after, weights) >= smoothed_log_loss(y, before, weights):
            T, after = 1.0, before
        return Calibration.of(T, y, before, after, weights)


def predict_table(model: AnyModel, table: ColumnStore, target: Target) -> Predictions:
    """Predictions of what `target` knows, for all rows of a stored table, which is taken up block by block."""
    values, stop = np.empty((len(table), n_outputs(target))), 0
    said = None
    with np.errstate(all="ignore"):  # what overflows shows in the scores
        for block in table.blocks(model.names):
            start, stop = stop, stop + len(block)
            said = model.predict(block)
            values[start:stop] = align_classes(target, said)
    return Predictions(target, values, said.precision if said else "float64")
