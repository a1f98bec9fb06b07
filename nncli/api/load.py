"""A trained model in memory, for repeated predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import polars as pl

from nncli.analysis.evaluation.held_out import sample_weight_column
from nncli.analysis.evaluation.uncertainty import Uncertainty, recorded_config
from nncli.api.evaluate import Evaluation, evaluate_data
from nncli.api.options import EvaluateOptions, PredictOptions
from nncli.api.predict import predict_data
from nncli.api.prediction.tables import TargetModels
from nncli.base.option import CodeOptions, operation
from nncli.data.sources.table_source import TableLocation
from nncli.fitting.conformal import conformal_predictor
from nncli.models.conformal.predictor import ConformalPredictor
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.models.ensemble import AnyModel
from nncli.run_directory.run import Run
from nncli.run_directory.training_rows import TrainingRows

if TYPE_CHECKING:
    from nncli.data.formats.dataframes import Frame


@dataclass(frozen=True)
class Loaded:
    """A trained model or ensemble in memory. Threads may share it and predict at the same time.

    Intervals and sets are calibrated by the files of its `run`. Of several `targets` each has a model of its own; the
    `model` of all is the network that learned them.
    """

    model: AnyModel
    training_rows: TrainingRows | None = None
    sample_weight: str | None = None
    run: Run | None = None
    targets: Mapping[str, Loaded] = field(default_factory=dict)
    _calibrated_models: dict[UncertaintyOptions, ConformalPredictor] = field(
        default_factory=dict, compare=False, repr=False
    )

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the feature columns."""
        return tuple(self.model.names)

    @property
    def target(self) -> tuple[str, ...]:
        """The names of the target columns."""
        return self.model.spec.target.names

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """The class labels, of the training table's type, in the order of the probabilities; None for regression."""
        return tuple(self.model.spec.target.class_labels.every("class")) or None

    @operation(PredictOptions)
    def predict(self, data: TableLocation | Frame, options: PredictOptions) -> pl.DataFrame:
        """Predict every row of a file or a Polars or pandas frame; see `nncli.predict`.

        Raises:
            UsageError: an option does not fit the model, or a level needs more held-out rows than there are.
            RunError: the run has no held-out rows for intervals or sets.
            DataError: a column is missing, or a cell cannot be read and that is an error.
        """
        if self.targets:
            calibrated = {name: (one.model, one._calibrated(of_one)) for name, one, of_one in self._each(options)}
            return predict_data(TargetModels(calibrated), None, data, options)
        return predict_data(self.model, self._calibrated(options.uncertainty), data, options)

    def _each(self, options: UncertaintyOptions) -> Iterator[tuple[str, Loaded, UncertaintyOptions]]:
        """Each of several targets, with the options that fit it."""
        options.uncertainty.check_any([one.model.spec.target for one in self.targets.values()])
        for name, one in self.targets.items():
            yield name, one, options.uncertainty.of_target(one.model.spec.target)

    def _calibrated(self, options: UncertaintyOptions) -> ConformalPredictor | None:
        """The model, calibrated for some levels; the last calibration is kept."""
        if self.run is None or not options.levels:
            options.check(self.model.spec.target)
            return None
        calibrated = self._calibrated_models.get(options) or conformal_predictor(self.run, self.model, options)
        if calibrated is not None:
            self._calibrated_models.clear()
            self._calibrated_models[options] = calibrated
        return calibrated

    @operation(EvaluateOptions)
    def evaluate(self, data: TableLocation | Frame, options: EvaluateOptions) -> Evaluation:
        """Score the model on a table with the target column; see `nncli.evaluate`.

        Raises:
            UsageError: the levels do not fit the task of the model, or its number of calibration rows.
            RunError: the run has no held-out rows for intervals or sets.
            DataError: the table cannot be read, lacks a column, or has a class that is unknown to the model.
        """
        if self.targets:
            each = self._each(options)
            return Evaluation.of_targets({name: one._evaluate(data, options, of_one) for name, one, of_one in each})
        return self._evaluate(data, options, options.uncertainty)

    def _evaluate(self, data: TableLocation | Frame, options: EvaluateOptions, of: UncertaintyOptions) -> Evaluation:
        predictor, uncertainty = self._calibrated(of), None
        if predictor is not None and self.run is not None:
            uncertainty = Uncertainty(predictor, recorded_config(self.run))
        return evaluate_data(self.model, data, options, self.training_rows, self.sample_weight, uncertainty)


def load(run: str | Path, *, code: Sequence[str | PurePath | type] = ()) -> Loaded:
    """Load the trained model of a run directory; of several targets that of each.

    Args:
        code: files of code, or classes of them, that the run needs; they are executed.

    Raises:
        RunError: the run directory is missing, damaged, or not trained yet; a file of code or a package is missing.
        UsageError: a file of code cannot be executed.
    """
    CodeOptions(code=code)
    opened = Run.open(Path(run))
    targets = opened.each_target(lambda _, path: load(path))
    model = opened.load_model(several=True)
    return Loaded(model, opened.load_training_rows(), sample_weight_column(opened), opened, targets)
