"""Intervals of counts and amounts are wider for higher predictions, in memory, in programs and in reports."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nncli.models.conformal.predictor import ConformalPredictor
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.nn.losses import GammaLoss, Loss, MSELoss, NegativeBinomialLoss, PoissonLoss, TweedieLoss
from nncli.targets.conformal import Interval, IntervalMethod
from nncli.targets.number import RegressionTarget
from tests.api.explained import ensemble_of, model_of, table_of
from tests.exporters.support import compute
from tests.models.conformal.support import intervals_of, numbers_of, predicted_rows

AMOUNT = RegressionTarget(names=("y",), centers=(0.0,), scales=(3.0,))
N, FOLDS = 120, 4
MASK = np.arange(FOLDS)[:, None] == np.arange(N) % FOLDS
FOLD = np.arange(2_000) % 5


@pytest.mark.parametrize("loss", [GammaLoss(), TweedieLoss(), NegativeBinomialLoss()])
def test_a_program_has_the_intervals_of_the_predictor(loss: Loss) -> None:
    model = ensemble_of(*(model_of(target=AMOUNT, loss=loss, seed=i) for i in range(FOLDS)))
    table, new = table_of(N), table_of(30, seed=2)
    rows = predicted_rows(model, table, MASK)
    rows = replace(rows, y=rows.predictions.values * np.random.default_rng(0).gamma(2.0, 0.5, (N, 1)), signs=(1,))
    predictor = ConformalPredictor.of(model, rows, UncertaintyOptions(interval=(0.8, 0.9)))
    computed = compute(model, new, predictor)
    for interval, (lower, upper) in zip(predictor.predict(new).of_type(Interval), computed.bounds, strict=True):
        np.testing.assert_allclose(lower, interval.lower, rtol=1e-9)
        np.testing.assert_allclose(upper, interval.upper, rtol=1e-9)
        assert (interval.lower >= 0.0).all()


def test_bounds_of_amounts_are_a_factor_from_the_prediction() -> None:
    m = np.exp(np.linspace(0.0, 5.0, len(FOLD)))
    y = m * np.random.default_rng(0).gamma(4.0, 0.25, len(FOLD))
    lower, upper = intervals_of(numbers_of(m), y[:, None], FOLD, 0.9, GammaLoss())
    for bound in (lower, upper):
        factors = bound[:, 0] / m
        assert factors.max() / factors.min() < 1.2  # those of five folds
    np.testing.assert_allclose(m / lower[:, 0], upper[:, 0] / m)


@pytest.mark.parametrize(
    ("loss", "even"), [(GammaLoss(), True), (TweedieLoss(), True), (MSELoss(), False), (PoissonLoss(), False)]
)
def test_the_dearest_fifth_is_covered_as_often_as_the_others(loss: Loss, even: bool) -> None:
    m = np.exp(np.linspace(0.0, 5.0, len(FOLD)))
    power = 2.0 if isinstance(loss, GammaLoss) else 1.5
    noise = np.random.default_rng(1).normal(0.0, 0.15, len(FOLD))
    y = np.maximum(m + noise * m ** (power / 2.0), 1e-3)
    lower, upper = intervals_of(numbers_of(m), y[:, None], FOLD, 0.9, loss)
    covered = ((lower[:, 0] <= y) & (y <= upper[:, 0]))[-len(FOLD) // 5 :].mean()
    assert (abs(covered - 0.9) < 0.05) == even


def test_quantiles_keep_their_own_widths() -> None:
    assert IntervalMethod().fitted(0.9, numbers_of([1.0, 2.0]), MSELoss()).power is None
    assert IntervalMethod().fitted(0.9, numbers_of([1.0, 2.0]), GammaLoss()).is_log
