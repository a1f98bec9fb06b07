"""The training loop: what it reports, when it ends, and what it keeps."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.nn.activations import Tanh
from nncli.nn.inference.predictor import InferenceSession
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.normalization import BatchNorm
from nncli.nn.layers.sequential import Dropout
from nncli.nn.optim.optimizers import Adam, Sgd
from nncli.nn.optim.schedules import ConstantRate, CosineRate, ReduceOnPlateau, StepRate
from nncli.nn.training.arguments import ValidationSet
from nncli.nn.training.epoch import LoopSignal
from nncli.nn.training.loop import CheckpointDue, EpochReport, fit
from tests.nn.training.helpers import (
    arguments_of,
    bits,
    fresh,
    network_of,
    reports_of,
    rows_of,
    scripted,
    train,
    validation_set_of,
)

# --- what is reported -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize("batch_size", [8, 29, 1000])
def test_the_loss_is_the_mean_of_what_each_step_minimized_before_it_moved(weighted: bool, batch_size: int) -> None:
    arguments = arguments_of(
        network=network_of(), optimizer=Sgd(), schedule=ConstantRate(peak=0.1), batch_size=batch_size, l2=0.3
    )
    dataset = rows_of(arguments, weighted=weighted)
    state = fresh(arguments)
    W, b = state.parameters.by_name["output.weight"].copy(), state.parameters.by_name["output.bias"].copy()
    shuffle = deepcopy(state.streams.shuffle)
    w = np.ones(29) if dataset.weights is None else dataset.weights

    expected = []
    for _ in range(3):
        order = np.arange(29)
        shuffle.shuffle(order)
        total = 0.0
        for start in range(0, 29, batch_size):
            at = order[start : start + batch_size]
            D = dataset.X[at] @ W + b - dataset.y[at]
            total += float((w[at, None] * D**2).sum())
            dZ = 2.0 * w[at, None] * D / len(at)
            W, b = W - 0.1 * (dataset.X[at].T @ dZ + 0.3 * W), b - 0.1 * dZ.sum(axis=0)
        expected.append((total / 29, 0.15 * float((W**2).sum())))

    result = [(report.loss, report.penalty) for report in reports_of(arguments, state, dataset)]
    np.testing.assert_allclose(result, expected, rtol=1e-10)
    np.testing.assert_allclose(state.parameters.by_name["output.weight"], W, rtol=1e-10)


def test_without_l1_and_l2_the_penalty_is_zero() -> None:
    assert [report.penalty for report in train(arguments_of())[1]] == [0.0] * 3


def test_the_penalty_is_that_of_the_weights_at_the_end_of_the_epoch() -> None:
    arguments = arguments_of(l1=0.01, l2=0.1)
    state = fresh(arguments)
    for report in reports_of(arguments, state, rows_of(arguments)):
        w = state.parameters.theta[: state.parameters.layout.n_decayed]
        assert report.penalty == pytest.approx(0.01 * float(np.abs(w).sum()) + 0.05 * float((w**2).sum()))


def test_the_validation_loss_is_that_of_the_present_weights_with_dropout_off() -> None:
    arguments = arguments_of(Dense(units=6, activation=Tanh()), BatchNorm(), Dropout(rate=0.5))
    validation_set = validation_set_of(arguments, lambda Z, rows=None: float(Z.sum()))
    state = fresh(arguments)
    for report in reports_of(arguments, state, rows_of(arguments), validation_set):
        dataset = validation_set.dataset
        Z = InferenceSession(arguments.network, state.parameters).run(dataset.X, dataset.codes)
        assert report.val_loss == pytest.approx(float(((Z - dataset.y) ** 2).mean()), rel=1e-12)
        assert report.metric == pytest.approx(float(Z.sum()), rel=1e-12)


def test_the_validation_loss_is_weighted_as_its_rows_are() -> None:
    arguments = arguments_of(epochs=1)
    validation_set = ValidationSet(
        rows_of(arguments, 17, seed=9, weighted=True), "mean", False, lambda Z, rows=None: float(Z.mean())
    )
    state, (report,) = train(arguments, validation_set=validation_set)
    dataset = validation_set.dataset
    assert dataset.weights is not None
    Z = InferenceSession(arguments.network, state.parameters).run(dataset.X, dataset.codes)
    assert report.val_loss == pytest.approx(float((dataset.weights[:, None] * (Z - dataset.y) ** 2).mean()), rel=1e-12)


def test_without_validation_rows_there_is_no_validation_loss() -> None:
    for report in train(arguments_of())[1]:
        assert report.val_loss is None
        assert report.metric is None


def test_epochs_count_from_one_and_the_rate_is_that_of_the_last_step() -> None:
    arguments = arguments_of(schedule=StepRate(peak=0.8, factor=0.5, every=1))
    reports = train(arguments)[1]
    assert [report.epoch for report in reports] == [1, 2, 3]
    assert [report.learning_rate for report in reports] == [0.8, 0.4, 0.2]
    assert all(report.seconds >= 0.0 for report in reports)


def test_the_optimizer_counts_its_steps_from_one() -> None:
    arguments = arguments_of(epochs=1, batch_size=29, optimizer=Adam(), schedule=ConstantRate(peak=0.01))
    state = fresh(arguments)
    before = state.parameters.theta.copy()
    list(fit(arguments, state, rows_of(arguments)))
    # Adam's corrected first step is rate · g / (|g| + epsilon), of the length of the rate whatever the gradient
    np.testing.assert_allclose(np.abs(state.parameters.theta - before), 0.01, rtol=1e-4)


def test_a_network_learns() -> None:
    arguments = arguments_of(epochs=60, schedule=CosineRate(peak=0.03))
    reports = train(arguments, rows_of(arguments, 200))[1]
    assert reports[-1].loss < 0.1 * reports[0].loss


# --- when it ends, what it keeps ------------------------------------------------------------------------------------


@pytest.mark.parametrize("patience", [1, 2, 4])
def test_training_stops_after_exactly_patience_epochs_without_a_better_one(patience: int) -> None:
    arguments = arguments_of(epochs=50, monitor="val_mean", patience=patience)
    validation_set = validation_set_of(arguments, scripted([5.0, 4.0, 3.0] + [3.0] * 50))
    state, reports = train(arguments, validation_set=validation_set)
    assert len(reports) == state.epoch == 3 + patience
    assert state.early_stopping.best_epoch == 3


def test_without_patience_all_epochs_are_run() -> None:
    arguments = arguments_of(epochs=12, monitor="val_mean")
    assert len(train(arguments, validation_set=validation_set_of(arguments, scripted([1.0] * 12)))[1]) == 12


def test_a_gain_below_min_delta_does_not_keep_it_going() -> None:
    arguments = arguments_of(epochs=50, monitor="val_mean", patience=3, min_delta=0.5)
    values = [10.0 - 0.1 * i for i in range(50)]  # never half a point in three epochs, in five more than that
    assert len(train(arguments, validation_set=validation_set_of(arguments, scripted(values)))[1]) == 4


@pytest.mark.parametrize("higher", [False, True])
def test_the_best_weights_are_those_of_the_best_epoch(higher: bool) -> None:
    values = [3.0, 1.0, 2.0, 1.0, 4.0]  # the least, and the first of it: epoch 2; the greatest: epoch 5
    arguments = arguments_of(Dense(units=3), BatchNorm(), epochs=5, monitor="val_mean")
    state = fresh(arguments)
    validation_set = validation_set_of(arguments, scripted(values), higher_is_better=higher)
    seen = {}
    for report in reports_of(arguments, state, rows_of(arguments), validation_set):
        seen[report.epoch] = (state.parameters.theta.copy(), state.parameters.statistics.copy(), report.is_best)
    best = 5 if higher else 2
    assert state.early_stopping.best_epoch == best
    np.testing.assert_array_equal(state.best.theta, seen[best][0])
    np.testing.assert_array_equal(state.best.statistics, seen[best][1])
    assert [epoch for epoch, (_, _, is_best) in seen.items() if is_best] == ([1, 5] if higher else [1, 2])


@pytest.mark.parametrize(("watched", "with_holdout"), [("loss", True), ("loss", False), ("val_loss", True)])
def test_the_watched_value_decides(watched: str, with_holdout: bool) -> None:
    arguments = arguments_of(epochs=8, monitor=watched, schedule=ConstantRate(peak=0.2))
    validation_set = validation_set_of(arguments, scripted([0.0] * 8)) if with_holdout else None
    state, reports = train(arguments, validation_set=validation_set)
    values = [report.val_loss if watched == "val_loss" else report.loss for report in reports]
    assert state.early_stopping.best == min(v for v in values if v is not None)
    assert values.index(state.early_stopping.best) + 1 == state.early_stopping.best_epoch


def test_the_plateau_sees_the_watched_value() -> None:
    schedule = ReduceOnPlateau(peak=0.1, factor=0.5, patience=1)
    arguments = arguments_of(epochs=5, monitor="val_mean", schedule=schedule)
    validation_set = validation_set_of(arguments, scripted([3.0, 3.0, 2.0, 2.0, 2.0]))
    # an epoch's rate is that before its own value is seen
    assert [r.learning_rate for r in train(arguments, validation_set=validation_set)[1]] == [
        0.1,
        0.1,
        0.05,
        0.05,
        0.025,
    ]


@given(after=st.integers(1, 12))
@settings(max_examples=12, deadline=None)
def test_stop_ends_after_the_present_batch(after: int) -> None:
    arguments = arguments_of()  # four batches an epoch
    state = fresh(arguments)
    events = list(
        fit(
            arguments,
            state,
            rows_of(arguments),
            after_batch=lambda step: LoopSignal.STOP if step == after else LoopSignal.CONTINUE,
        )
    )
    reports = [event for event in events if isinstance(event, EpochReport)]
    assert state.step == after
    assert (state.epoch, state.position) == (len(reports), after % 4) == divmod(after, 4)
    assert [event for event in events if isinstance(event, CheckpointDue)] == (
        [CheckpointDue(after)] if after % 4 else []
    )


@given(pauses=st.sets(st.integers(1, 12)))
@settings(max_examples=20, deadline=None)
def test_a_wish_to_pause_is_met_after_its_batch_and_changes_nothing(pauses: set[int]) -> None:
    arguments = arguments_of()
    state, paused = fresh(arguments), []
    for event in fit(
        arguments,
        state,
        rows_of(arguments),
        after_batch=lambda n: LoopSignal.CHECKPOINT if n in pauses else LoopSignal.CONTINUE,
    ):
        if isinstance(event, CheckpointDue):
            assert event.step == state.step
            paused.append(event.step)
    assert paused == sorted(step for step in pauses if step % 4)  # at an epoch's end its report is the pause
    assert bits(state) == bits(train(arguments)[0])


def test_a_stopped_epoch_changes_nothing_that_was_kept() -> None:
    arguments = arguments_of()
    state = fresh(arguments)
    reports = reports_of(
        arguments,
        state,
        rows_of(arguments),
        after_batch=lambda step: LoopSignal.STOP if step == 6 else LoopSignal.CONTINUE,
    )
    next(reports)
    best, watch = state.best.theta.copy(), state.early_stopping
    assert list(reports) == []
    assert state.step == 6
    np.testing.assert_array_equal(state.best.theta, best)
    assert (state.early_stopping, state.epoch) == (watch, 1)


def test_nothing_is_done_before_the_first_report_is_asked_for_or_after_the_last() -> None:
    arguments = arguments_of()
    state = fresh(arguments)
    before = bits(state)
    reports = reports_of(arguments, state, rows_of(arguments))
    assert bits(state) == before
    next(reports)
    assert (state.epoch, state.step) == (1, 4)
    list(reports)
    done = bits(state)
    assert list(fit(arguments, state, rows_of(arguments))) == []  # a finished training is finished
    assert bits(state) == done


def test_a_training_out_of_patience_stays_so_when_resumed() -> None:
    arguments = arguments_of(epochs=50, monitor="val_mean", patience=2)
    state, _ = train(arguments, validation_set=validation_set_of(arguments, scripted([1.0] * 50)))
    assert list(fit(arguments, state, rows_of(arguments), validation_set_of(arguments, scripted([1.0] * 50)))) == []
