"""What a search optimizes: a metric of the held-out rows, and the loss of each row, by which trials are compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nncli.base.errors import UsageError, config_error
from nncli.base.spec import Task
from nncli.config.schema import Config
from nncli.fitting.ensemble.out_of_fold import LabeledRows
from nncli.fitting.prepare.validation import CALIBRATED_LOSS, LOSS_NAMES
from nncli.models.predictions import Predictions
from nncli.models.scores import single_metric
from nncli.nn.arrays import Floats
from nncli.nn.losses import MAE, MSE, Loss
from nncli.targets.metrics.calibration import CALIBRATED_LOG_LOSS
from nncli.targets.metrics.classification_resamples import log_loss_per_row
from nncli.targets.metrics.registry import higher_is_better
from nncli.targets.target import Target

PINBALL = "pinball"
_TARGETS = {"classification": "a class", "regression": "a number"}
ABSOLUTE_ERRORS = ("mae", "median_absolute_error", "mape")


@dataclass(frozen=True)
class Objective:
    """The metric of a search. Its `loss` is lower where it is better."""

    metric: str
    loss: Loss

    @classmethod
    def of(cls, name: str | None, config: Config, target: Target, loss: Loss) -> Objective:
        """The metric of that name; None: that of the configuration, or of its loss.

        Raises:
            ConfigError: there is no such metric for the target.
        """
        if name is None:
            monitored = config.metric
            is_loss = monitored in ("auto", CALIBRATED_LOSS, CALIBRATED_LOG_LOSS.name, *LOSS_NAMES)
            name = _metric_of(loss) if is_loss else monitored
        if name != PINBALL or loss.per_row_name != "pinball_loss":
            try:
                single_metric(target, name)
            except UsageError as error:
                raise config_error("tune.metric", error.message, error.hint or "") from error
        return cls(name, loss)

    def check(self, loss: Loss, task: Task) -> None:
        """Check that a trial with this loss can be compared with others.

        Raises:
            ConfigError: it predicts something else.
        """
        if loss.task != task:
            message = f"with the loss {loss.type} the target is not the same: {_TARGETS[loss.task]}"
        elif self.metric == PINBALL and loss.quantile_levels != self.loss.quantile_levels:
            message = f"with the loss {loss.type} other quantiles are predicted than trials are compared by"
        else:
            return
        raise config_error("loss", message, "Remove it from the search space, or set tune.metric to another metric.")

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value of the metric is better."""
        return higher_is_better(self.metric)

    def score(self, predictions: Predictions, rows: LabeledRows) -> float:
        """The metric of some rows; the mean over several targets. NaN where it is undefined."""
        if self.metric == PINBALL:
            return float(np.average(self.loss.per_row(predictions.loss_inputs, rows.y), weights=rows.weights))
        metric = single_metric(predictions.target, self.metric, predictions.decision)
        return float(metric(rows.y, predictions.values, rows.weights))

    def loss_of(self, score: float) -> float:
        """What the samplers minimize."""
        return -score if self.higher_is_better else score

    def row_losses(self, predictions: Predictions, rows: LabeledRows) -> Floats:
        """A loss of each row (rows,) whose mean goes with the metric, for paired tests.

        For classes the log loss, or for accuracy the error; for numbers the squared or absolute error, of several
        targets in units of their spread; for quantiles the pinball loss.
        """
        if predictions.target.task == "classification":
            if self.metric == "accuracy":
                return np.asarray(predictions.classes != rows.y, np.float64)
            return log_loss_per_row(rows.y, predictions.values)
        spread: npt.NDArray[np.float64] = rows.y.std(axis=0)
        unit = np.where(spread > 0, spread, 1.0) if rows.y.shape[1] > 1 else np.ones(1)
        with np.errstate(all="ignore"):
            if self.metric == PINBALL:
                units = unit if predictions.quantiles is None else unit[:, None]
                return self.loss.per_row(predictions.loss_inputs / units, rows.y / unit)
            measure = MAE() if self.metric in ABSOLUTE_ERRORS else MSE()
            return measure.per_row(predictions.values / unit, rows.y / unit)


def _metric_of(loss: Loss) -> str:
    if loss.task == "classification":
        return "log_loss"
    if loss.per_row_name == "pinball_loss":
        return PINBALL
    return "mae" if isinstance(loss, MAE) else "rmse"
