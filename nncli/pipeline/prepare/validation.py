"""What is watched while a network trains: the validation rows, their metric, and the value whose best epoch counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.config.schema import Config
from nncli.data.encoders.target import Target
from nncli.errors import UsageError, config_error
from nncli.model import ModelSpec, decode
from nncli.pipeline.prepare.encode import PreparedRows
from nncli.scoring import higher_is_better, single_metric
from nncli.training.arguments import ValidationSet

LOSS_NAMES = ("loss", "val_loss")
CALIBRATED_LOSS = "calibrated_loss"
"""val_loss, or for classes what is left of it once the probabilities are calibrated.

With class weights it is val_loss too, which weighs the classes as the training does: no temperature brings weighted
probabilities near to the real shares, so what is left after one would favour a network that has hardly learned."""


def validation_set(config: Config, spec: ModelSpec, held: PreparedRows | None) -> ValidationSet | None:
    """The validation rows with the metric that is shown for every epoch: the one that chooses, or the task's usual one.

    Raises:
        ConfigError: there is no such metric.
    """
    of_classes = spec.target.task == "classification"
    name = config.metric
    if name == CALIBRATED_LOSS and of_classes and config.class_weight is None:
        name = "calibrated_log_loss"
    elif name in ("auto", CALIBRATED_LOSS, *LOSS_NAMES):
        name = "accuracy" if of_classes else "rmse"
    try:
        metric = single_metric(spec.target, name)
    except UsageError as error:
        raise config_error("metric", error.message, error.hint or "") from error
    if held is None:
        return None
    rows = held

    def score(Z: npt.NDArray[np.floating[Any]]) -> float:
        return metric(rows.y, decode(spec, Z).values, rows.weights)

    return ValidationSet(held.dataset, name, higher_is_better(name), score)


def should_calibrate(config: Config, target: Target, *, held: bool) -> bool:
    """Whether probabilities are calibrated in the end.

    Raises:
        ConfigError: they are to be, and there are none, or no rows to do it on.
    """
    if config.calibration == "none":
        return False
    if config.calibration == "auto":
        return target.task == "classification" and held
    if target.task == "regression":
        raise config_error("calibration", "the target is a number, which has no probabilities", "Remove the key.")
    if not held:
        raise config_error("calibration", "it needs validation rows, and validation is 0", "Set validation: 0.2.")
    return True


def monitored_metric(config: Config, holdout: ValidationSet | None) -> str:
    """What chooses the best epoch, as a Plan has it.

    Raises:
        ConfigError: it needs validation rows, and there are none.
    """
    if holdout is None and (
        config.metric not in ("auto", "loss", CALIBRATED_LOSS) or (config.metric == "auto" and config.early_stopping)
    ):
        key, what = ("early_stopping", "waiting for val_loss") if config.metric == "auto" else ("metric", config.metric)
        raise config_error(
            key,
            f"{what} needs validation rows, and validation is 0",
            "Set validation: 0.2, or metric: loss.",
        )
    if config.metric in ("auto", CALIBRATED_LOSS):
        if holdout is None:
            return "loss"
        return "val_calibrated_log_loss" if holdout.metric == "calibrated_log_loss" else "val_loss"
    return config.metric if config.metric in LOSS_NAMES else f"val_{config.metric}"
