"""What a search optimizes: a metric of the held-out rows, and the loss of each row, by which trials are compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nncli.base.errors import UsageError, config_error
from nncli.config.schema import Config
from nncli.fitting.ensemble.out_of_fold import LabeledRows
from nncli.fitting.prepare.validation import CALIBRATED_LOSS, LOSS_NAMES
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Floats
from nncli.nn.losses import Loss
from nncli.targets.metrics.calibration import CALIBRATED_LOG_LOSS
from nncli.targets.metrics.registry import higher_is_better
from nncli.targets.number import PINBALL
from nncli.targets.target import Target, TargetKind, kind_of


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
            name = target.loss_metric(loss) if is_loss else monitored
        if name != PINBALL or loss.per_row_name != "pinball_loss":
            try:
                target.metric(name)
            except UsageError as error:
                raise config_error("tune.metric", error.message, error.hint or "") from error
        return cls(name, loss)

    def check(self, loss: Loss, kind: TargetKind) -> None:
        """Check that a trial with this loss can be compared with others.

        Raises:
            ConfigError: it predicts something else.
        """
        if kind_of(loss) is not kind:
            message = f"with the loss {loss.type} the target is not the same: a {kind_of(loss).noun}"
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
        metric = predictions.target.metric(self.metric, predictions.decision)
        return float(metric(rows.y, predictions.values, rows.weights))

    def loss_of(self, score: float) -> float:
        """What the samplers minimize."""
        return -score if self.higher_is_better else score

    def row_losses(self, predictions: Predictions, rows: LabeledRows) -> Floats:
        """A loss of each row (rows,) whose mean goes with the metric, for paired tests.

        For classes the log loss, or for accuracy the error; for numbers the squared or absolute error, of several
        targets in units of their spread; for quantiles the pinball loss.
        """
        return predictions.target.test_losses(self.metric, self.loss, predictions, rows.y)
