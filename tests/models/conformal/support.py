"""Held-out rows that are written down instead of computed in a training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nncli.data.table import Table
from nncli.models.conformal.calibration import cross_regions
from nncli.models.ensemble import Ensemble
from nncli.models.held_out_rows import HeldOutRows, MemberPredictions
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Codes, Floats
from nncli.nn.losses import Loss
from nncli.targets.conformal import IntervalMethod
from nncli.targets.number import RegressionTarget
from tests.api.explained import ensemble_of, model_of

TARGET = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,))


def numbers_of(values: npt.ArrayLike) -> Predictions:
    """Predictions (rows,) of one number."""
    return Predictions(TARGET, np.asarray(values, np.float64).reshape(-1, 1))


def intervals_of(predictions: Predictions, y: Floats, folds: Codes, level: float, loss: Loss) -> tuple[Floats, Floats]:
    """The ends (rows, targets) of the intervals of rows with the targets y, calibrated by the rows of other folds."""
    intervals = cross_regions(IntervalMethod(), predictions, y, folds, level, loss).intervals
    assert intervals is not None
    return intervals.lower, intervals.upper


def numbers(members: int) -> Ensemble:
    """An ensemble that predicts one number."""
    return ensemble_of(*(model_of(target=TARGET, seed=i) for i in range(members)))


def held_out(mask: npt.NDArray[np.bool_]) -> HeldOutRows:
    """Rows with the target 0 that the members of a mask (members, rows) held out, and predict as 0."""
    n = mask.shape[1]
    return HeldOutRows(
        row_numbers=np.arange(1, n + 1),
        y=np.zeros((n, 1)),
        weights=None,
        groups=None,
        predictions=numbers_of(np.zeros(n)),
        members=tuple(
            MemberPredictions(np.flatnonzero(is_held_out), numbers_of(np.zeros(is_held_out.sum())))
            for is_held_out in mask
        ),
        baseline=np.zeros(1),
        total=n,
    )


def predicted_rows(model: Ensemble, table: Table, mask: npt.NDArray[np.bool_]) -> HeldOutRows:
    """The rows of a labeled table, with the predictions of the members of a mask (members, rows) that held them out."""
    target, T = model.spec.target, model.spec.temperature
    each = [member.predict(table) for member in model.members]
    total = np.sum(
        [item.with_temperature(T).values * is_held_out[:, None] for item, is_held_out in zip(each, mask, strict=True)],
        axis=0,
    )
    members = tuple(
        MemberPredictions(np.flatnonzero(is_held_out), replace(item, points=item.values[is_held_out]))
        for item, is_held_out in zip(each, mask, strict=True)
    )
    return replace(
        held_out(mask),
        y=target.read(table),
        predictions=Predictions(target, total / mask.sum(axis=0)[:, None]),
        members=members,
        baseline=np.zeros(model.spec.target.n_outputs),
    )
