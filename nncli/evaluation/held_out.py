"""What a run says of the rows that it did not train on: its table read again, split again, and predicted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.config.schema import Config
from nncli.data.sample_weights import Weights, read_weights
from nncli.data.store.column_store import ColumnStore
from nncli.data.store.scratch import Scratch
from nncli.data.table import Table
from nncli.ensemble import AnyModel, Ensemble
from nncli.errors import DataError
from nncli.model import Model, Predictions
from nncli.nn.losses import Loss
from nncli.pipeline.ensemble.out_of_fold import EnsembleData, LabelledRows, predict_table, truth_of
from nncli.pipeline.prepare.load import load_labelled_rows
from nncli.pipeline.prepare.split import split_table
from nncli.pipeline.train.provenance import check_config_unchanged, check_tables_unchanged
from nncli.runs.manifest import Manifest
from nncli.runs.run import Run
from nncli.scoring import Scores, Truth, baseline_predictions, score
from nncli.training.state import RandomStreams

On: TypeAlias = Literal["validation", "training"]


@dataclass(frozen=True)
class HeldOutPredictions:
    """The rows that a run is judged by, the truth of them, and what it predicts.

    `table` has all columns of the source, also those that were dropped, and `numbers` (rows,) its rows' numbers there,
    from 1. `y` holds codes (rows,) or numbers (rows, targets) in their own units, `weights` (rows,) sample weights.
    The predictions of an ensemble are the mean of those members that never saw the row, which `spoken` (members, rows)
    says where it is not all of them. Where no rows were validated on, these are rows of the `training`, on which a
    network is better than on others: whoever shows it has to say so. `trivial` is what the guess from the training rows
    says of them, that knows no features.
    """

    config: Config
    manifest: Manifest
    model: AnyModel
    table: Table
    numbers: npt.NDArray[np.int64]
    y: Truth
    weights: Weights | None
    predictions: Predictions
    loss: Loss
    split: On
    baseline: Predictions
    spoken: npt.NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def scores(self) -> Scores:
        """Those that metrics.json has of the rows."""
        return score(self.predictions, self.y, self.weights, self.loss)


def predict_held_out(path: str | Path) -> HeldOutPredictions:
    """What the run at `path` says of its validation rows, to the last bit as when it was trained.

    Raises:
        RunError: it is not trained, damaged, or its configuration was changed.
        DataError: a table that it was trained with has changed, is gone, or came from a pipe.
    """
    run = Run.open(Path(path))
    manifest, model = run.load_manifest(), run.load_model()
    config = check_config_unchanged(run, manifest, ())
    _require_tables(config, manifest)
    with Scratch() as scratch:
        said = (
            _of_ensemble(config, model, scratch) if isinstance(model, Ensemble) else _of_network(config, model, scratch)
        )
        table = said.rows.columns(said.rows.header.names)
    weight, target, training = config.data.sample_weight, said.predictions.target, said.training
    return HeldOutPredictions(
        config=config,
        manifest=manifest,
        model=model,
        table=table,
        numbers=np.arange(1, len(table) + 1) if table.numbers is None else table.numbers,
        y=target.read(table),
        weights=read_weights(table, weight) if weight else None,
        predictions=said.predictions,
        loss=model.spec.loss,
        split=said.on,
        baseline=baseline_predictions(target, training.y, training.weights, len(table)),
        spoken=said.spoken,
    )


@dataclass(frozen=True)
class _RowPredictions:
    """What is said of some rows, and who has a say, see `Judged`; and the truth of the `training` rows."""

    rows: ColumnStore
    predictions: Predictions
    on: On
    training: LabelledRows
    spoken: npt.NDArray[np.bool_] | None = None


def _of_network(config: Config, model: Model, scratch: Scratch) -> _RowPredictions:
    """The rows that one network is judged by, and what it says of them."""
    target, rng = model.spec.target, RandomStreams.of(config.seed).split
    table = load_labelled_rows(config, config.data.path, scratch, all_columns=True)
    training, held = split_table(config, table, target.task, rng, scratch, all_columns=True)
    truth, rows = truth_of(training, target, config), training if held is None else held
    return _RowPredictions(
        rows, predict_table(model, rows, target), "training" if held is None else "validation", truth
    )


def _of_ensemble(config: Config, ensemble: Ensemble, scratch: Scratch) -> _RowPredictions:
    """The rows that an ensemble is judged by, and what those of its members say that never saw them."""
    survey = EnsembleData.of(config, scratch, all_columns=True)
    held, inside = survey.out_of_fold(ensemble), survey.table.take(survey.used_rows)
    truth = survey.truth(inside)
    if held is not None:
        return _RowPredictions(
            held.table, held.predicted(ensemble.spec.temperature), "validation", truth, held.oof_mask
        )
    return _RowPredictions(inside, predict_table(ensemble, inside, survey.target), "training", truth)


def _require_tables(config: Config, manifest: Manifest) -> None:
    """Raise a DataError unless the tables are those of the training, and say how to go on without them."""
    try:
        check_tables_unchanged(config, manifest)
    except DataError as error:
        raise DataError(
            f"what the run says of its validation rows cannot be computed again: {error.message}",
            place=error.location,
            hint="Put back the table that it was trained on, or score it on another: nncli evaluate RUN TABLE",
        ) from error
