"""The class of many rows, in half of the time that their probabilities take.

The networks run in float32, and bound their errors. Rows whose two most probable classes, or whose probability and the
threshold of the decision, are too close for that are predicted in float64, so every row gets the class that `predict`
gives it. Expected costs are computed in float64 only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from nncli.base.threads import limit_blas_threads
from nncli.data.encoders.anomalies import Anomalies
from nncli.data.table import Table
from nncli.models.ensemble import AnyModel, Ensemble, shared_anomalies
from nncli.models.model import Model
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Codes, Floats
from nncli.targets.target import Target

MIN_ROWS = 4_096
"""Rows from which float32 pays off: the bounds of the errors must be prepared."""
MIN_WEIGHTS = 10_000
"""Weights of a network from which its products in float32 save more time than the bounds of their errors take."""
SOFTMAX_SLOPE = 0.5
"""The largest change of a probability with the norm of the change of the scores; see `ClassificationLoss`."""
ROUNDING = 1e-6
"""A limit of the errors of probabilities in float64, rounded to float32."""
MIN_PROBABILITY = 1e-30
"""Below it, rounding to float32 may change a probability so much that a temperature makes it matter."""


@dataclass(frozen=True)
class PredictedClasses:
    """The codes of the predicted classes (rows,), and the anomalies among the rows."""

    target: Target
    classes: Codes
    anomalies: Anomalies = field(default_factory=Anomalies)

    def frame(self, *, proba: bool = False) -> pl.DataFrame:
        """The column `prediction`, as of `Predictions.frame`; there are no probabilities."""
        return pl.DataFrame({"prediction": self.target.class_labels.column(self.classes, "prediction")})


def predict_classes(model: AnyModel, table: Table) -> PredictedClasses | Predictions:
    """Predict the class of every row of a table, as `predict` does; all predictions where that takes no longer.

    Raises:
        DataError: a column is missing, or a cell of a numeric column is not a number.
    """
    target = model.spec.target
    members = model.members if isinstance(model, Ensemble) else (model,)
    decision = model.spec.decision
    is_worth_it = len(table) >= MIN_ROWS and all(m.spec.network.layout.n_decayed >= MIN_WEIGHTS for m in members)
    margin = target.decision_rule.margin(decision)
    if margin is None or not (is_worth_it and all(member.predictor.can_round for member in members)):
        return model.predict(table)
    with limit_blas_threads(1), np.errstate(all="ignore"):
        values, error, anomalies = _approximate(model, members, table)
    codes = target.decision_rule.codes(values, decision)
    uncertain = np.flatnonzero(~(margin(values) > error + ROUNDING))
    if len(uncertain):
        codes[uncertain] = model.predict(table.take(uncertain)).classes
    return PredictedClasses(target, codes, anomalies)


def _approximate(model: AnyModel, members: Sequence[Model], table: Table) -> tuple[Floats, Floats, Anomalies]:
    """Probabilities (rows, classes) from outputs in float32, the bound of their errors (rows,), and the anomalies."""
    target, all_anomalies = model.spec.target, list[Anomalies]()
    values, error = np.zeros((len(table), target.n_outputs)), np.zeros(len(table))
    for i, member in enumerate(members):
        X, codes, anomalies, _ = member.encode(table)
        Z, bound = member.predictor.run_rounded(X, codes)
        predictions, T, share = member.decode(Z), member.spec.temperature, 1.0
        smallest = predictions.values.min(axis=1)
        if isinstance(model, Ensemble):
            predictions, T = predictions.with_temperature(model.spec.temperature), T * model.spec.temperature
            share = model.weights[i] / model.total_weight(range(len(members)))
            smallest = np.minimum(smallest, predictions.values.min(axis=1))
        if T != 1.0:
            bound[smallest < MIN_PROBABILITY] = np.inf
        values += target.align(predictions.values, predictions.target) * share
        error += bound * (SOFTMAX_SLOPE / T * share)
        all_anomalies.append(anomalies)
    return values, error, shared_anomalies(model, table, all_anomalies)
