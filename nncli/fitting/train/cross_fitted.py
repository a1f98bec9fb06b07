"""Cross-fitted predictions of the validation rows of one network: other rows chose the epoch and the temperature."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nncli.fitting.prepare.encode import PreparedRows
from nncli.fitting.prepare.prepare import PreparedTraining
from nncli.models.model import decode
from nncli.models.predictions import Predictions
from nncli.nn.training.cross_fit import CrossFit, number_of_parts, part_numbers
from nncli.targets.metrics.calibration import Calibration, fit_temperature
from nncli.targets.metrics.classification import log_loss


@dataclass(frozen=True)
class CrossFittedPredictions:
    """Predictions for scoring, and the `temperature` of the model, fitted to all validation rows at its best epoch.

    `calibration` is None without temperature scaling. The predictions are `optimistic` if the rows themselves chose the
    epoch or the temperature: there is one row, the training began with an older version, or they chose the epoch of a
    teacher.
    """

    predictions: Predictions
    temperature: float
    calibration: Calibration | None
    optimistic: bool


def cross_fit_predictions(
    prepared: PreparedTraining, rows: PreparedRows, at_best_epoch: Predictions, cross_fit: CrossFit | None
) -> CrossFittedPredictions:
    """The predictions of the validation rows, from those of the best epoch if these rows chose nothing.

    The temperature is 1 unless the temperatures that fit the other rows lower the log loss.
    """
    taught = prepared.distilled is not None and prepared.distilled.optimistic
    optimistic, uncalibrated = taught or prepared.arguments.monitor != "loss", at_best_epoch
    if cross_fit is not None and all(cross_fit.epochs):
        optimistic = taught
        with np.errstate(all="ignore"):
            uncalibrated = decode(prepared.spec, cross_fit.Z)
    if prepared.config.calibration == "none":
        return CrossFittedPredictions(uncalibrated, 1.0, None, optimistic)
    temperature = fit_temperature(at_best_epoch.values, rows.y, rows.weights)
    calibrated = cross_fit_temperature(uncalibrated, rows)
    if log_loss(rows.y, calibrated.values, rows.weights) >= log_loss(rows.y, uncalibrated.values, rows.weights):
        temperature, calibrated = 1.0, uncalibrated
    calibration = Calibration.of(temperature, rows.y, uncalibrated.values, calibrated.values, rows.weights)
    return CrossFittedPredictions(calibrated, temperature, calibration, optimistic or len(rows) == 1)


def cross_fit_temperature(predictions: Predictions, rows: PreparedRows) -> Predictions:
    """Calibrate the predictions of each part of rows with the temperature that fits the other parts."""
    if number_of_parts(len(rows)) == 1:
        return predictions.with_temperature(fit_temperature(predictions.values, rows.y, rows.weights))
    number, values = part_numbers(len(rows)), predictions.values.copy()
    for part in range(number_of_parts(len(rows))):
        others, own = np.flatnonzero(number != part), np.flatnonzero(number == part)
        weights = None if rows.weights is None else rows.weights[others]
        T = fit_temperature(predictions.values[others], rows.y[others], weights)
        values[own] = replace(predictions, values=predictions.values[own]).with_temperature(T).values
    return replace(predictions, values=values)
