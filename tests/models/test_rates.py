"""Predictions are rates times the exposure of a row, in memory, in programs and in the bounds of intervals."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.analysis.inspection.attribution import attribute
from nncli.analysis.inspection.encoded_rows import EncodedRows
from nncli.data.encoders.numeric import ExposureColumn
from nncli.data.table import Table
from nncli.models.conformal.predictor import ConformalPredictor
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.models.ensemble import AnyModel, Ensemble
from nncli.models.held_out_rows import HeldOutRows, MemberPredictions
from nncli.models.model import Model
from nncli.nn.arrays import Precision
from nncli.nn.inference.small_blocks import MAX_ROWS
from nncli.nn.losses import Loss, PoissonLoss
from nncli.nn.losses.regression import RegressionLoss
from nncli.targets.conformal import Interval
from nncli.targets.number import Rates, RegressionTarget
from tests.api.explained import COLOR, X1, X2, ensemble_of, model_of, table_of
from tests.exporters.support import compute

Floats = npt.NDArray[np.float64]

LOSSES: list[Loss] = [cls() for cls in get_args(RegressionLoss) if cls().deviance_power is not None]
YEARS = ExposureColumn(name="years", center=2.3, scale=1.0, fill_value=2.0, missing_indicator=False)
RATES = Rates(lowest=0.5, highest=1.5)
N = 30


def target_of(rates: Rates | None, scale: float = 1.0) -> RegressionTarget:
    return RegressionTarget(names=("y",), centers=(0.0,), scales=(scale,), rates=rates)


def member_of(loss: Loss, rates: Rates | None, seed: int = 0, precision: Precision = "float64") -> Model:
    years = YEARS.model_copy(update={"center": YEARS.center + 0.1 * seed})  # members have other training rows
    scale = 3.0 if loss.scaling.resolved(loss.type, "auto", has_activation=False) == "mean" else 1.0
    columns = (X1, X2, COLOR, years)
    return model_of(target=target_of(rates, scale), loss=loss, columns=columns, seed=seed, precision=precision)


def model_with(members: int, loss: Loss, rates: Rates | None, precision: Precision) -> AnyModel:
    models = [member_of(loss, rates, i, precision) for i in range(members)]
    if members == 1:
        return models[0]
    joint = models[0].spec.target.joint([model.spec.target for model in models], None)
    return ensemble_of(*models, target=joint, weights=tuple(1.0 + i for i in range(members)))


def rows_of(exposure: float | Floats, n: int = N) -> Table:
    rows = table_of(n)
    return replace(rows, frame=rows.frame.with_columns(years=pl.Series(np.broadcast_to(exposure, n))))


def is_proportional(value: Floats, at_one: Floats, exposure: float) -> bool:
    """Whether a value is that for an exposure of 1 times the exposure, to 1 ulp of float64."""
    return bool((np.abs(value - at_one * exposure) <= np.spacing(np.abs(at_one * exposure))).all())


CASES = (
    st.sampled_from(LOSSES),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from(get_args(Precision)),
    st.floats(1e-6, 1e6, allow_subnormal=False),
)


@pytest.mark.slow
@settings(max_examples=40)
@given(*CASES, st.sampled_from((1, N, MAX_ROWS + 1)))
def test_predictions_are_proportional_to_the_exposure_to_one_ulp(
    loss: Loss, members: int, clips: bool, precision: Precision, exposure: float, rows: int
) -> None:
    model = model_with(members, loss, RATES if clips else Rates(), precision)
    at_one, value = (model.predict(rows_of(e, rows)).values for e in (1.0, exposure))
    assert is_proportional(value, at_one, exposure)
    if clips:
        assert (at_one >= 0.5).all()
        assert (at_one <= 1.5).all()


@pytest.mark.slow
@settings(max_examples=20)
@given(*CASES)
def test_programs_and_intervals_are_proportional_to_the_exposure_to_one_ulp(
    loss: Loss, members: int, clips: bool, precision: Precision, exposure: float
) -> None:
    model = model_with(members, loss, RATES if clips else Rates(), precision)
    predictor = ConformalPredictor.of(model, held_out_rows(model), UncertaintyOptions(interval=0.8))
    once, rows = (rows_of(e) for e in (1.0, exposure))
    of_program, scaled = (compute(model, table, predictor) for table in (once, rows))
    intervals = [predictor.predict(table).of_type(Interval)[0] for table in (once, rows)]
    assert is_proportional(scaled.values, of_program.values, exposure)
    for at_one, value in zip(of_program.bounds[0], scaled.bounds[0], strict=True):
        assert is_proportional(value, at_one, exposure)
    assert is_proportional(intervals[1].lower, intervals[0].lower, exposure)
    assert is_proportional(intervals[1].upper, intervals[0].upper, exposure)
    np.testing.assert_allclose(scaled.values, model.predict(rows).values, rtol=1e-12)
    np.testing.assert_allclose(scaled.bounds[0][0], intervals[1].lower, rtol=1e-9)
    np.testing.assert_allclose(scaled.bounds[0][1], intervals[1].upper, rtol=1e-9)


def held_out_rows(model: AnyModel, n: int = 60) -> HeldOutRows:
    """Rows that the members of a model held out in turn, with targets around their predictions."""
    rng = np.random.default_rng(0)
    table = rows_of(rng.uniform(0.1, 5.0, n), n)
    members = model.members if isinstance(model, Ensemble) else (model,)
    each, fold = [member.predict(table) for member in members], np.arange(n) % len(members)
    values = np.select([fold[:, None] == i for i in range(len(members))], [item.values for item in each])
    return HeldOutRows(
        row_numbers=np.arange(1, n + 1),
        y=values * rng.gamma(4.0, 0.25, (n, 1)),
        weights=None,
        groups=None,
        predictions=replace(model.predict(table), points=values, relative=None),
        members=tuple(
            MemberPredictions(np.flatnonzero(fold == i), item.take(fold == i)) for i, item in enumerate(each)
        ),
        baseline=np.ones(1),
        total=n,
        signs=(1,),
    )


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.type)
def test_rates_without_bounds_are_those_of_an_offset_before_the_link(loss: Loss) -> None:
    table = rows_of(np.geomspace(0.1, 9.0, N))
    rates, offset = (member_of(loss, rates).predict(table).values for rates in (Rates(), None))
    np.testing.assert_allclose(rates, offset, rtol=1e-12)


def test_a_member_of_an_older_version_is_averaged_with_those_that_have_rates() -> None:
    members = [member_of(PoissonLoss(), rates, i) for i, rates in enumerate((None, RATES))]
    table = rows_of(np.geomspace(0.1, 9.0, N))
    expected = np.mean([member.predict(table).values for member in members], axis=0)
    for rates in (None, Rates()):  # the ensemble itself may be of either
        model = ensemble_of(*members, target=target_of(rates))
        np.testing.assert_allclose(model.predict(table).values, expected, rtol=1e-12)
        np.testing.assert_allclose(compute(model, table).values, expected, rtol=1e-12)


def test_contributions_add_up_where_rates_are_clipped() -> None:
    model, table = member_of(PoissonLoss(), RATES), rows_of(np.geomspace(0.1, 9.0, N))
    rows = EncodedRows.of(model, table)
    attributions = attribute(rows, rows)
    predicted = model.predict(table).values[:, 0]
    tolerance = 2e-3 * predicted.std()
    np.testing.assert_allclose(attributions.base + attributions.values.sum(axis=1), predicted, atol=tolerance)


@pytest.mark.parametrize("members", [1, 3])
def test_replacing_the_exposure_of_encoded_rows_predicts_as_rows_that_have_it(members: int) -> None:
    model = model_with(members, PoissonLoss(), RATES, "float32")
    rows = EncodedRows.of(model, rows_of(np.geomspace(0.1, 9.0, N)))
    seven = EncodedRows.of(model, rows_of(7.0, 1)).cells("years", np.array([0]))
    (replaced,) = rows.predict_each("years", [seven])
    assert replaced.values.tolist() == model.predict(rows_of(7.0)).values.tolist()
