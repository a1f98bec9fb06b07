"""The programs of models made by hand against their predictions; see test_lowering_tables.py for trained ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nncli.data.encoders.column_types import Column
from nncli.exporters.lowering import lower_model
from nncli.exporters.read_inputs import read_inputs
from nncli.models.ensemble import AnyModel, Ensemble
from nncli.nn.layers.dense import Dense
from nncli.nn.losses import (
    GammaLoss,
    HingeLoss,
    LogNormalLoss,
    MixtureLoss,
    NegativeBinomialLoss,
    NormalLoss,
    PoissonLoss,
    QuantilesLoss,
    StudentTLoss,
    TweedieLoss,
    ZeroInflatedPoissonLoss,
)
from nncli.nn.program.program import run_nodes
from nncli.targets.classes import ClassificationTarget
from nncli.targets.decision import CostMatrix, Decision, RankCuts, Threshold
from nncli.targets.number import RegressionTarget
from nncli.targets.ordinal import OrdinalTarget
from nncli.targets.target import Target
from nncli.targets.threshold_goals import HighestF1
from tests.api.explained import CITY, CLASSES, COLOR, DATE, NUMBER, WORDS, X1, X2, ensemble_of, model_of, table_of
from tests.exporters.support import assert_equal_predictions, compute

TABLE = table_of(300)
HIDDEN = Dense(units=6, activation="tanh")
THREE = ClassificationTarget(name="t", labels=("low", "mid", "up"))
RANKS = OrdinalTarget(name="t", labels=("low", "mid", "up", "top"))
TWO_RANKS = OrdinalTarget(name="t", labels=("low", "top"))
TWO_OF_THREE = ClassificationTarget(name="t", labels=("up", "low"))
CLIPPED = RegressionTarget(
    names=("y", "z"), centers=(10.0, -2.0), scales=(4.0, 0.5), lowest=(8.0, -3.0), highest=(15.0, -1.5)
)


def with_decision(model: AnyModel, decision: Decision) -> AnyModel:
    update = {"decision": decision}
    if isinstance(model, Ensemble):
        return replace(model, spec=model.spec.model_copy(update=update))
    return replace(model, spec=model.spec.model_copy(update=update))


@pytest.mark.parametrize("columns", [[X1, X2], [COLOR], [CITY], [DATE, WORDS], [X1, X2, COLOR, CITY, DATE, WORDS]])
def test_columns_of_every_kind_give_the_predictions_of_a_model(columns: list[Column]) -> None:
    assert_equal_predictions(model_of(HIDDEN, columns=columns), TABLE)


@pytest.mark.parametrize("target", [NUMBER, CLIPPED, CLASSES, THREE, RANKS, TWO_RANKS])
@pytest.mark.parametrize("temperature", [1.0, 0.7, 3.0])
def test_targets_and_temperatures_give_the_predictions_of_a_model(target: Target, temperature: float) -> None:
    assert_equal_predictions(model_of(HIDDEN, target=target, temperature=temperature), TABLE)


@pytest.mark.slow
def test_links_and_quantiles_give_the_predictions_of_a_model() -> None:
    assert_equal_predictions(model_of(HIDDEN, target=NUMBER, loss=PoissonLoss()), TABLE)
    for loss in (GammaLoss(), LogNormalLoss(), TweedieLoss(), NegativeBinomialLoss(), ZeroInflatedPoissonLoss()):
        assert_equal_predictions(model_of(HIDDEN, target=NUMBER, loss=loss), TABLE)
    assert_equal_predictions(model_of(HIDDEN, target=THREE, loss=HingeLoss()), TABLE)
    for quantiles in (QuantilesLoss(), NormalLoss(), StudentTLoss(), MixtureLoss()):
        assert_equal_predictions(model_of(HIDDEN, target=CLIPPED, loss=quantiles), TABLE)


@pytest.mark.parametrize("target", [CLIPPED, CLASSES, THREE, RANKS])
def test_members_are_averaged(target: Target) -> None:
    members = [model_of(HIDDEN, target=target, seed=seed) for seed in range(3)]
    assert_equal_predictions(ensemble_of(*members), TABLE)


def test_members_with_other_classes_columns_and_temperatures_are_averaged() -> None:
    members = [model_of(HIDDEN, target=THREE), model_of(target=TWO_OF_THREE, columns=[X2, CITY], seed=2)]
    ensemble = ensemble_of(*members, temperature=1.7, target=THREE)
    assert_equal_predictions(ensemble, TABLE)
    assert [column.name for column in lower_model(ensemble).inputs] == ["x1", "x2", "colour", "city"]


@pytest.mark.parametrize("target", [CLIPPED, CLASSES, THREE])
def test_members_are_averaged_with_their_weights(target: Target) -> None:
    members = [model_of(HIDDEN, target=target, seed=1, temperature=1.0), model_of(8, target=target, columns=[X2, CITY])]
    ensemble = ensemble_of(*members, weights=(3.0, 0.7))
    assert_equal_predictions(ensemble, TABLE)
    assert not np.allclose(compute(ensemble, TABLE).values, compute(ensemble_of(*members), TABLE).values)


def test_quantiles_of_members_are_averaged_with_their_weights() -> None:
    members = [model_of(HIDDEN, target=CLIPPED, loss=QuantilesLoss(), seed=seed) for seed in range(2)]
    assert_equal_predictions(ensemble_of(*members, weights=(1.0, 4.0)), TABLE)


def test_quantiles_of_members_are_averaged() -> None:
    members = [model_of(HIDDEN, target=CLIPPED, loss=QuantilesLoss(), seed=seed) for seed in range(2)]
    assert_equal_predictions(ensemble_of(*members), TABLE)


@pytest.mark.parametrize("threshold", [0.2, 0.8])
def test_a_threshold_decides_the_class(threshold: float) -> None:
    decision = Threshold(positive="no", threshold=threshold, goal=HighestF1())
    assert_equal_predictions(with_decision(model_of(HIDDEN, target=CLASSES), decision), TABLE)


def test_cuts_of_the_expected_rank_decide() -> None:
    for target, cuts in ((RANKS, (0.9, 1.5, 1.6)), (TWO_RANKS, (0.4,))):
        assert_equal_predictions(with_decision(model_of(HIDDEN, target=target), RankCuts(cuts=cuts)), TABLE)


def test_members_that_lack_a_rank_are_averaged() -> None:
    members = [model_of(HIDDEN, target=RANKS), model_of(target=TWO_RANKS, columns=[X2, CITY], seed=2)]
    assert_equal_predictions(ensemble_of(*members, temperature=1.7, target=RANKS), TABLE)


def test_costs_decide_the_class() -> None:
    costs = ((0.0, 1.0, 9.0), (4.0, 0.0, 1.0), (1.0, 2.0, 0.0))
    decision = CostMatrix(labels=THREE.labels, costs=costs)
    ensemble = ensemble_of(model_of(HIDDEN, target=THREE), model_of(HIDDEN, target=THREE, seed=4))
    assert_equal_predictions(with_decision(ensemble, decision), TABLE)


@pytest.mark.parametrize("target", [NUMBER, CLASSES])
def test_a_row_with_an_infinite_number_has_no_prediction(target: Target) -> None:
    model = model_of(HIDDEN, target=target)
    program = lower_model(model)
    inputs = [column.copy() for column in read_inputs(program, TABLE)]
    inputs[1][5] = np.inf
    values = run_nodes(program, inputs)
    for node in program.output_nodes:
        is_refused = np.isnan(values[node]) | (values[node] == -1.0)
        assert is_refused.all(axis=1).tolist() == [i == 5 for i in range(len(TABLE))]


def test_members_share_equal_constants_and_operations() -> None:
    single = model_of(HIDDEN)
    assert (
        len(lower_model(Ensemble(ensemble_of(single, single).spec, (single, single))).nodes)
        <= len(lower_model(single).nodes) + 4
    )
