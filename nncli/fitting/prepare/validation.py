"""The validation set, and the monitored metric that chooses the best epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.base.errors import UsageError, config_error
from nncli.config.schema import Config
from nncli.fitting.prepare.encode import PreparedRows
from nncli.models.model import ModelSpec, decode
from nncli.nn.training.arguments import ValidationSet
from nncli.targets.metrics.calibration import CALIBRATED_LOG_LOSS, MANY_CLASSES
from nncli.targets.metrics.registry import BoundMetric, higher_is_better
from nncli.targets.target import Target, TargetKind

LOSS_NAMES = ("loss", "val_loss")
CALIBRATED_LOSS = "calibrated_loss"
"""val_loss, or for classification the log loss after temperature scaling.

With class weights it is val_loss too, which weights the classes as the training does: no temperature brings weighted
probabilities near the real shares, so the calibrated loss would favor a network that has hardly learned."""


MAX_SCORED_CELLS = 1 << 21
"""Cells of rows and MANY_CLASSES or more that are scored after an epoch: all would take longer than the epoch."""


def validation_set(config: Config, spec: ModelSpec, validation: PreparedRows | None) -> ValidationSet | None:
    """The validation rows with the metric of every epoch: the configured one, or else accuracy or RMSE.

    Of many classes it is the metric of as many rows, evenly spaced, as have MAX_SCORED_CELLS.

    Raises:
        ConfigError: there is no such metric.
    """
    name, metric = check_metric(config, spec.target)
    if validation is None:
        return None
    y, weights = validation.y, validation.weights

    def score(Z: npt.NDArray[np.floating[Any]], rows: npt.NDArray[np.int64] | None = None) -> float:
        if Z.shape[1] >= MANY_CLASSES and Z.size > MAX_SCORED_CELLS:
            step = -(-Z.size // MAX_SCORED_CELLS)
            Z, rows = Z[::step], np.arange(len(Z))[::step] if rows is None else rows[::step]
        values = decode(spec, Z).values
        if rows is None:
            return metric(y, values, weights)
        return metric(y[rows], values, None if weights is None else weights[rows])

    return ValidationSet(validation.dataset, name, higher_is_better(name), score)


def check_metric(config: Config, target: Target) -> tuple[str, BoundMetric]:
    """The metric of every epoch with its name: the configured one, or else accuracy or RMSE.

    Raises:
        ConfigError: there is no such metric for the target.
    """
    name = config.metric
    if _chooses_by_calibrated_loss(config, type(target)):
        name = CALIBRATED_LOG_LOSS.name
    elif name in ("auto", CALIBRATED_LOSS, *LOSS_NAMES):
        name = target.default_metric
    try:
        return name, target.metric(name)
    except UsageError as error:
        raise config_error("metric", error.message, error.hint or "") from error


def should_calibrate(config: Config, target: Target, *, has_validation: bool) -> bool:
    """Whether class probabilities are calibrated after the training.

    Raises:
        ConfigError: calibration is configured, and there are no probabilities or no validation rows.
    """
    if config.calibration == "none":
        return False
    if config.calibration == "auto":
        return target.has_probabilities and has_validation
    if not target.has_probabilities:
        raise config_error(
            "calibration", f"the target is a {target.noun}, which has no probabilities", "Remove the key."
        )
    if not has_validation:
        raise config_error("calibration", "it needs validation rows, and validation is 0", "Set validation: 0.2.")
    return True


def monitored_metric(config: Config, kind: TargetKind, *, has_validation: bool) -> str:
    """The name of the value that chooses the best epoch: loss, val_loss, or val_ and a metric.

    Raises:
        ConfigError: it needs validation rows, and there are none.
    """
    if not has_validation and (
        config.metric not in ("auto", "loss", CALIBRATED_LOSS) or (config.metric == "auto" and config.early_stopping)
    ):
        key, what = ("early_stopping", "waiting for val_loss") if config.metric == "auto" else ("metric", config.metric)
        raise config_error(
            key,
            f"{what} needs validation rows, and validation is 0",
            "Set validation: 0.2, or metric: loss.",
        )
    return monitor_name(config, kind, has_validation=has_validation)


def monitor_name(config: Config, kind: TargetKind, *, has_validation: bool) -> str:
    """The name of the monitored value, for a configuration that `monitored_metric` accepts."""
    if config.metric in LOSS_NAMES:
        return config.metric
    if config.metric not in ("auto", CALIBRATED_LOSS):
        return f"val_{config.metric}"
    if not has_validation:
        return "loss"
    return f"val_{CALIBRATED_LOG_LOSS.name}" if _chooses_by_calibrated_loss(config, kind) else "val_loss"


def _chooses_by_calibrated_loss(config: Config, kind: TargetKind) -> bool:
    return config.metric == CALIBRATED_LOSS and kind.has_probabilities and config.class_weight is None
