"""The training loop: what it reports, when it ends, what it keeps, and that it can be resumed to the bit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.data.examples import Examples
from nncli.errors import NncliError
from nncli.nn.activations import Tanh
from nncli.nn.inference import Inference
from nncli.nn.layers import Dense, Dropout, Layer
from nncli.nn.losses import CrossEntropy, Mse
from nncli.nn.network import Embedding, Network
from nncli.nn.normalization import BatchNorm
from nncli.nn.optimizers import Adam, Optimizer, Sgd
from nncli.nn.schedules import ConstantRate, CosineRate, ReduceOnPlateau, StepRate
from nncli.training.epoch import DivergedError, Wish
from nncli.training.loop import EpochReport, Paused, RateHalved, fit
from nncli.training.plan import Holdout, Plan
from nncli.training.state import State, Streams
from tests.unions import members, tag


def network_of(*layers: Any, **options: Any) -> Network:
    return Network.model_validate({"features": 3, "layers": layers, "outputs": 1, "precision": "float64", **options})


def plan_of(*layers: Any, network: Network | None = None, **options: Any) -> Plan:
    return Plan(
        network=network or network_of(*(layers or (Dense(units=5, activation=Tanh()),))),
        loss=options.pop("loss", Mse()),
        optimizer=options.pop("optimizer", Adam()),
        schedule=options.pop("schedule", ConstantRate(initial=0.01)),
        batch_size=options.pop("batch_size", 8),
        epochs=options.pop("epochs", 3),
        **options,
    )


def reports_of(
    plan: Plan,
    state: State,
    examples: Examples,
    holdout: Holdout | None = None,
    *,
    after_batch: Callable[[int], Wish] = lambda step: Wish.GO_ON,
) -> Iterator[EpochReport]:
    """What `fit` reports, without its pauses."""
    events = fit(plan, state, examples, holdout, after_batch=after_batch)
    return (event for event in events if isinstance(event, EpochReport))


def rows_of(plan: Plan, n: int = 29, *, seed: int = 0, weighted: bool = False) -> Examples:
    rng, network = np.random.default_rng(seed), plan.network
    X = rng.normal(size=(n, network.features)).astype(network.precision)
    y = np.tanh(X[:, :1] - 0.5 * X[:, 1:2] ** 2) + rng.normal(0.0, 0.1, (n, 1))
    return Examples(
        X,
        np.array([[rng.integers(e.slots) for e in network.embeddings] for _ in range(n)], np.int64),
        (y[:, 0] > 0).astype(np.int64) if plan.loss.task == "classes" else y.astype(network.precision),
        rng.uniform(0.5, 1.5, n).astype(network.precision) if weighted else None,
    )


def holdout_of(plan: Plan, score: Callable[[Any], float] = lambda Z: float(Z.mean()), **options: Any) -> Holdout:
    return Holdout(rows_of(plan, 17, seed=9), "mean", options.get("higher_is_better", False), score)


def fresh(plan: Plan, seed: int = 0) -> State:
    return State.fresh(plan.network, plan.optimizer, Streams.of(seed))


def train(
    plan: Plan, examples: Examples | None = None, holdout: Holdout | None = None, *, seed: int = 0
) -> tuple[State, list[EpochReport]]:
    state = fresh(plan, seed)
    return state, list(reports_of(plan, state, examples or rows_of(plan), holdout))


def bits(state: State) -> tuple[Any, ...]:
    """All that a state holds, comparable."""
    p, b, s = state.parameters, state.best, state.streams
    return (
        p.theta.tobytes(),
        p.statistics.tobytes(),
        b.theta.tobytes(),
        b.statistics.tobytes(),
        {name: moment.tobytes() for name, moment in state.moments.items()},
        [g.bit_generator.state for g in (s.split, s.init, s.shuffle, s.dropout)],
        (state.step, state.epoch, state.watch, state.plateau),
    )


def restored(plan: Plan, state: State) -> State:
    """A new state with the values of `state`: what comes back from a checkpoint."""
    other = fresh(plan, seed=123)
    other.parameters.copy_from(state.parameters)
    other.best.copy_from(state.best)
    moments, streams = ({n: m.copy() for n, m in state.moments.items()}, deepcopy(state.streams))
    return replace(state, parameters=other.parameters, best=other.best, moments=moments, streams=streams)


def timeless(reports: list[EpochReport]) -> list[EpochReport]:
    return [replace(report, seconds=0.0) for report in reports]


# --- what is reported -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize("batch_size", [8, 29, 1000])
def test_the_loss_is_the_mean_of_what_each_step_minimised_before_it_moved(weighted: bool, batch_size: int) -> None:
    plan = plan_of(
        network=network_of(), optimizer=Sgd(), schedule=ConstantRate(initial=0.1), batch_size=batch_size, l2=0.3
    )
    examples = rows_of(plan, weighted=weighted)
    state = fresh(plan)
    W, b = state.parameters.named["output.weight"].copy(), state.parameters.named["output.bias"].copy()
    shuffle = deepcopy(state.streams.shuffle)
    w = np.ones(29) if examples.weights is None else examples.weights

    expected = []
    for _ in range(3):
        order = np.arange(29)
        shuffle.shuffle(order)
        total = 0.0
        for start in range(0, 29, batch_size):
            at = order[start : start + batch_size]
            D = examples.X[at] @ W + b - examples.y[at]
            total += float((w[at, None] * D**2).sum())
            dZ = 2.0 * w[at, None] * D / len(at)
            W, b = W - 0.1 * (examples.X[at].T @ dZ + 0.3 * W), b - 0.1 * dZ.sum(axis=0)
        expected.append((total / 29, 0.15 * float((W**2).sum())))

    found = [(report.loss, report.penalty) for report in reports_of(plan, state, examples)]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    np.testing.assert_allclose(state.parameters.named["output.weight"], W, rtol=1e-10)


def test_without_l1_and_l2_the_penalty_is_zero() -> None:
    assert [report.penalty for report in train(plan_of())[1]] == [0.0] * 3


def test_the_penalty_is_that_of_the_weights_at_the_end_of_the_epoch() -> None:
    plan = plan_of(l1=0.01, l2=0.1)
    state = fresh(plan)
    for report in reports_of(plan, state, rows_of(plan)):
        w = state.parameters.theta[: state.parameters.layout.decayed]
        assert report.penalty == pytest.approx(0.01 * float(np.abs(w).sum()) + 0.05 * float((w**2).sum()))


def test_the_validation_loss_is_that_of_the_present_weights_with_dropout_off() -> None:
    plan = plan_of(Dense(units=6, activation=Tanh()), BatchNorm(), Dropout(rate=0.5))
    holdout = holdout_of(plan, lambda Z: float(Z.sum()))
    state = fresh(plan)
    for report in reports_of(plan, state, rows_of(plan), holdout):
        examples = holdout.examples
        Z = Inference(plan.network, state.parameters).run(examples.X, examples.codes)
        assert report.val_loss == pytest.approx(float(((Z - examples.y) ** 2).mean()), rel=1e-12)
        assert report.metric == pytest.approx(float(Z.sum()), rel=1e-12)


def test_the_validation_loss_is_weighted_as_its_rows_are() -> None:
    plan = plan_of(epochs=1)
    holdout = Holdout(rows_of(plan, 17, seed=9, weighted=True), "mean", False, lambda Z: float(Z.mean()))
    state, (report,) = train(plan, holdout=holdout)
    examples = holdout.examples
    assert examples.weights is not None
    Z = Inference(plan.network, state.parameters).run(examples.X, examples.codes)
    assert report.val_loss == pytest.approx(
        float((examples.weights[:, None] * (Z - examples.y) ** 2).mean()), rel=1e-12
    )


def test_without_validation_rows_there_is_no_validation_loss() -> None:
    for report in train(plan_of())[1]:
        assert report.val_loss is None
        assert report.metric is None


def test_epochs_count_from_one_and_the_rate_is_that_of_the_last_step() -> None:
    plan = plan_of(schedule=StepRate(initial=0.8, factor=0.5, every=1))
    reports = train(plan)[1]
    assert [report.epoch for report in reports] == [1, 2, 3]
    assert [report.learning_rate for report in reports] == [0.8, 0.4, 0.2]
    assert all(report.seconds >= 0.0 for report in reports)


def test_the_optimizer_counts_its_steps_from_one() -> None:
    plan = plan_of(epochs=1, batch_size=29, optimizer=Adam(), schedule=ConstantRate(initial=0.01))
    state = fresh(plan)
    before = state.parameters.theta.copy()
    list(fit(plan, state, rows_of(plan)))
    # Adam's corrected first step is rate · g / (|g| + epsilon), of the length of the rate whatever the gradient
    np.testing.assert_allclose(np.abs(state.parameters.theta - before), 0.01, rtol=1e-4)


def test_a_network_learns() -> None:
    plan = plan_of(epochs=60, schedule=CosineRate(initial=0.03))
    reports = train(plan, rows_of(plan, 200))[1]
    assert reports[-1].loss < 0.1 * reports[0].loss


# --- when it ends, what it keeps ------------------------------------------------------------------------------------


def scripted(values: list[float]) -> Callable[[Any], float]:
    """A score that follows a script, whatever the network says."""
    script = iter(values)
    return lambda Z: next(script)


@pytest.mark.parametrize("patience", [1, 2, 4])
def test_training_stops_after_exactly_patience_epochs_without_a_better_one(patience: int) -> None:
    plan = plan_of(epochs=50, watched="val_mean", patience=patience)
    holdout = holdout_of(plan, scripted([5.0, 4.0, 3.0] + [3.0] * 50))
    state, reports = train(plan, holdout=holdout)
    assert len(reports) == state.epoch == 3 + patience
    assert state.watch.best_epoch == 3


def test_without_patience_all_epochs_are_run() -> None:
    plan = plan_of(epochs=12, watched="val_mean")
    assert len(train(plan, holdout=holdout_of(plan, scripted([1.0] * 12)))[1]) == 12


def test_a_gain_below_min_delta_does_not_keep_it_going() -> None:
    plan = plan_of(epochs=50, watched="val_mean", patience=3, min_delta=0.5)
    values = [10.0 - 0.1 * i for i in range(50)]  # never half a point in three epochs, in five more than that
    assert len(train(plan, holdout=holdout_of(plan, scripted(values)))[1]) == 4


@pytest.mark.parametrize("higher", [False, True])
def test_the_best_weights_are_those_of_the_best_epoch(higher: bool) -> None:
    values = [3.0, 1.0, 2.0, 1.0, 4.0]  # the least, and the first of it: epoch 2; the greatest: epoch 5
    plan = plan_of(Dense(units=3), BatchNorm(), epochs=5, watched="val_mean")
    state = fresh(plan)
    holdout = holdout_of(plan, scripted(values), higher_is_better=higher)
    seen = {}
    for report in reports_of(plan, state, rows_of(plan), holdout):
        seen[report.epoch] = (state.parameters.theta.copy(), state.parameters.statistics.copy(), report.is_best)
    best = 5 if higher else 2
    assert state.watch.best_epoch == best
    np.testing.assert_array_equal(state.best.theta, seen[best][0])
    np.testing.assert_array_equal(state.best.statistics, seen[best][1])
    assert [epoch for epoch, (_, _, is_best) in seen.items() if is_best] == ([1, 5] if higher else [1, 2])


@pytest.mark.parametrize(("watched", "with_holdout"), [("loss", True), ("loss", False), ("val_loss", True)])
def test_the_watched_value_decides(watched: str, with_holdout: bool) -> None:
    plan = plan_of(epochs=8, watched=watched, schedule=ConstantRate(initial=0.2))
    holdout = holdout_of(plan, scripted([0.0] * 8)) if with_holdout else None
    state, reports = train(plan, holdout=holdout)
    values = [report.val_loss if watched == "val_loss" else report.loss for report in reports]
    assert state.watch.best == min(v for v in values if v is not None)
    assert values.index(state.watch.best) + 1 == state.watch.best_epoch


def test_the_plateau_sees_the_watched_value() -> None:
    schedule = ReduceOnPlateau(initial=0.1, factor=0.5, patience=1)
    plan = plan_of(epochs=5, watched="val_mean", schedule=schedule)
    holdout = holdout_of(plan, scripted([3.0, 3.0, 2.0, 2.0, 2.0]))
    # an epoch's rate is that before its own value is seen
    assert [r.learning_rate for r in train(plan, holdout=holdout)[1]] == [0.1, 0.1, 0.05, 0.05, 0.025]


@given(after=st.integers(1, 12))
@settings(max_examples=12, deadline=None)
def test_stop_ends_after_the_present_batch(after: int) -> None:
    plan = plan_of()  # four batches an epoch
    state = fresh(plan)
    events = list(fit(plan, state, rows_of(plan), after_batch=lambda step: Wish.STOP if step == after else Wish.GO_ON))
    reports = [event for event in events if isinstance(event, EpochReport)]
    assert state.step == after
    assert (state.epoch, state.position) == (len(reports), after % 4) == divmod(after, 4)
    assert [event for event in events if isinstance(event, Paused)] == ([Paused(after)] if after % 4 else [])


@given(pauses=st.sets(st.integers(1, 12)))
@settings(max_examples=20, deadline=None)
def test_a_wish_to_pause_is_met_after_its_batch_and_changes_nothing(pauses: set[int]) -> None:
    plan = plan_of()
    state, paused = fresh(plan), []
    for event in fit(plan, state, rows_of(plan), after_batch=lambda n: Wish.PAUSE if n in pauses else Wish.GO_ON):
        if isinstance(event, Paused):
            assert event.step == state.step
            paused.append(event.step)
    assert paused == sorted(step for step in pauses if step % 4)  # at an epoch's end its report is the pause
    assert bits(state) == bits(train(plan)[0])


def test_a_stopped_epoch_changes_nothing_that_was_kept() -> None:
    plan = plan_of()
    state = fresh(plan)
    reports = reports_of(plan, state, rows_of(plan), after_batch=lambda step: Wish.STOP if step == 6 else Wish.GO_ON)
    next(reports)
    best, watch = state.best.theta.copy(), state.watch
    assert list(reports) == []
    assert state.step == 6
    np.testing.assert_array_equal(state.best.theta, best)
    assert (state.watch, state.epoch) == (watch, 1)


def test_nothing_is_done_before_the_first_report_is_asked_for_or_after_the_last() -> None:
    plan = plan_of()
    state = fresh(plan)
    before = bits(state)
    reports = reports_of(plan, state, rows_of(plan))
    assert bits(state) == before
    next(reports)
    assert (state.epoch, state.step) == (1, 4)
    list(reports)
    done = bits(state)
    assert list(fit(plan, state, rows_of(plan))) == []  # a finished training is finished
    assert bits(state) == done


def test_a_training_out_of_patience_stays_so_when_resumed() -> None:
    plan = plan_of(epochs=50, watched="val_mean", patience=2)
    state, _ = train(plan, holdout=holdout_of(plan, scripted([1.0] * 50)))
    assert list(fit(plan, state, rows_of(plan), holdout_of(plan, scripted([1.0] * 50)))) == []


# --- divergence -----------------------------------------------------------------------------------------------------


def test_a_nan_in_the_data_is_met_at_its_step() -> None:
    plan = plan_of(epochs=5, batch_size=29)
    examples = rows_of(plan)
    examples.X[3, 1] = np.nan
    with pytest.raises(
        DivergedError, match=r"the loss became nan at step 1 \(epoch 1\), first in layers.0; nothing was kept"
    ):
        train(plan, examples)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_huge_learning_rate_diverges_and_the_error_names_step_epoch_and_rate(precision: Any) -> None:
    network = network_of(Dense(units=5), Dense(units=5), precision=precision)
    plan = plan_of(network=network, optimizer=Sgd(), schedule=ConstantRate(initial=1e30), epochs=50)
    state = fresh(plan)
    with pytest.raises(DivergedError) as caught:
        list(fit(plan, state, rows_of(plan)))
    assert f"at step {state.step} (epoch {state.epoch + 1})" in str(caught.value)
    assert state.step > 1
    assert "1e+30" in str(caught.value.hint)
    assert isinstance(caught.value, NncliError)


def poisoned(plan: Plan) -> tuple[Examples, Callable[[int], Wish]]:
    """Rows that are numbers for two epochs of four steps and no numbers from then on."""
    examples = rows_of(plan)

    def after_batch(step: int) -> Wish:
        if step == 8:
            examples.X[...] = np.nan
        return Wish.GO_ON

    return examples, after_batch


def test_what_was_best_before_a_divergence_is_kept() -> None:
    plan = plan_of(epochs=9)
    state = fresh(plan)
    examples, after_batch = poisoned(plan)
    reports = reports_of(plan, state, examples, after_batch=after_batch)
    assert [next(reports).epoch, next(reports).epoch] == [1, 2]
    best = state.best.theta.copy()
    with pytest.raises(
        DivergedError, match=r"at step 9 \(epoch 3\), first in layers.0; the weights of epoch 2 were kept"
    ):
        next(reports)
    assert state.epoch == 2
    np.testing.assert_array_equal(state.best.theta, best)


@pytest.mark.parametrize("epochs", [1, 5])
def test_weights_that_overflow_in_the_last_step_of_an_epoch_are_never_kept_as_the_best(epochs: int) -> None:
    plan = plan_of(
        network=network_of(precision="float32"),
        optimizer=Sgd(),
        schedule=ConstantRate(initial=1e300),
        batch_size=29,
        epochs=epochs,
    )
    state = fresh(plan)
    with pytest.raises(DivergedError, match=r"a weight .* at step 1 \(epoch 1\), first in output; nothing was kept"):
        list(fit(plan, state, rows_of(plan)))
    assert np.isfinite(state.best.theta).all()


# --- to the bit -----------------------------------------------------------------------------------------------------

FULL = network_of(
    {"type": "dense", "units": 6, "activation": "gelu"},
    "batch_norm",
    {"type": "residual", "layers": [6, {"type": "dropout", "rate": 0.3}]},
    {"type": "dropout", "rate": 0.5},
    embeddings=(Embedding(name="a", slots=4, width=2),),
    precision="float32",
)


def full_plan(**options: Any) -> Plan:
    return plan_of(network=FULL, loss=CrossEntropy(label_smoothing=0.1), **{"l2": 1e-3, "clip_norm": 1.0, **options})


@pytest.mark.parametrize("optimizer", [cls() for cls in members(Optimizer)], ids=lambda o: tag(type(o)))
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(optimizer: Any) -> None:
    plan = full_plan(optimizer=optimizer)
    holdout = holdout_of(plan)
    first, reports = train(plan, holdout=holdout, seed=4)
    second, again = train(plan, holdout=holdout, seed=4)
    assert bits(first) == bits(second)
    assert timeless(reports) == timeless(again)
    assert bits(train(plan, holdout=holdout, seed=5)[0]) != bits(first)


@pytest.mark.parametrize("optimizer", [cls() for cls in members(Optimizer)], ids=lambda o: tag(type(o)))
@pytest.mark.parametrize("k", [1, 3, 5])
def test_k_epochs_and_then_the_rest_are_one_run_to_the_bit(optimizer: Any, k: int) -> None:
    schedule = ReduceOnPlateau(initial=0.01, patience=1, warmup=6)
    plan = full_plan(optimizer=optimizer, epochs=5, schedule=schedule, watched="val_loss", patience=4)
    whole, reports = train(plan, holdout=holdout_of(plan))
    parts = fresh(plan)
    found = list(reports_of(replace(plan, epochs=k), parts, rows_of(plan), holdout_of(plan)))
    found += list(reports_of(plan, parts, rows_of(plan), holdout_of(plan)))
    assert bits(parts) == bits(whole)
    assert timeless(found) == timeless(reports)


def test_a_training_taken_up_between_two_reports_goes_on_as_if_nothing_had_been() -> None:
    plan = full_plan(epochs=6, schedule=CosineRate(initial=0.01))
    whole, _ = train(plan)
    state = fresh(plan)
    reports = reports_of(plan, state, rows_of(plan))
    next(reports)
    next(reports)
    saved = restored(plan, state)
    list(fit(plan, saved, rows_of(plan)))
    assert bits(saved) == bits(whole)


def test_validation_never_changes_the_training() -> None:
    plan = full_plan(epochs=4, watched="val_loss")
    without, reports = train(plan)
    with_rows, watched = train(plan, holdout=holdout_of(plan))
    assert with_rows.parameters.theta.tobytes() == without.parameters.theta.tobytes()
    assert with_rows.parameters.statistics.tobytes() == without.parameters.statistics.tobytes()
    assert bits(with_rows)[5] == bits(without)[5]
    assert [r.loss for r in watched] == [r.loss for r in reports]


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_dropout_leaves_the_order_of_the_rows_alone(rate: float) -> None:
    def shuffles(rate: float) -> list[Any]:
        """The state of the shuffle stream after every batch."""
        plan = plan_of(Dense(units=4), Dropout(rate=rate))
        state, seen = fresh(plan), []

        def after_batch(step: int) -> Wish:
            seen.append(state.streams.shuffle.bit_generator.state)
            return Wish.GO_ON

        list(fit(plan, state, rows_of(plan), after_batch=after_batch))
        return seen

    assert shuffles(0.0) == shuffles(rate)


def test_dropout_leaves_the_starting_weights_alone() -> None:
    with_dropout = plan_of(Dense(units=5), Dropout(rate=0.5))
    without = plan_of(Dense(units=5), Dropout(rate=0.0))
    assert fresh(with_dropout).parameters.theta.tobytes() == fresh(without).parameters.theta.tobytes()
    assert train(with_dropout)[0].streams.shuffle.random() == train(without)[0].streams.shuffle.random()


def test_without_dropout_the_dropout_stream_is_never_drawn_from() -> None:
    plan = plan_of()
    assert train(plan)[0].streams.dropout.random() == Streams.of(0).dropout.random()


def test_the_batch_size_leaves_the_order_of_the_rows_alone() -> None:
    states = [train(plan_of(batch_size=size))[0].streams.shuffle.random() for size in (1, 8, 29)]
    assert len(set(states)) == 1


def test_the_examples_are_left_as_they_were() -> None:
    plan = full_plan()
    examples, untouched = rows_of(plan, weighted=True), rows_of(plan, weighted=True)
    train(plan, examples, holdout_of(plan))
    for name in ("X", "codes", "y", "weights"):
        np.testing.assert_array_equal(getattr(examples, name), getattr(untouched, name))


def test_one_row_can_be_trained_on() -> None:
    plan = full_plan(epochs=3)
    _, reports = train(plan, rows_of(plan, 1))
    assert all(math.isfinite(report.loss) for report in reports)


def test_a_batch_of_one_row_left_over_is_trained_on_too() -> None:
    plan = full_plan(epochs=2, batch_size=8)
    state, reports = train(plan, rows_of(plan, 25))
    assert state.step == 2 * 4
    assert all(math.isfinite(report.loss) for report in reports)


@pytest.mark.parametrize("layer", members(Layer), ids=tag)
def test_every_layer_can_be_trained(layer: type[Any]) -> None:
    needed: dict[str, dict[str, Any]] = {
        "dense": {"units": 4},
        "activation": {"activation": "relu"},
        "residual": {"layers": [3]},
    }
    plan = plan_of(layer.model_validate(needed.get(tag(layer), {})), epochs=2)
    assert all(math.isfinite(report.loss) for report in train(plan)[1])


# --- going back -----------------------------------------------------------------------------------------------------


def wild(**options: Any) -> Plan:
    network = network_of(Dense(units=5, activation=Tanh()), Dense(units=5), precision="float32")
    return plan_of(
        network=network,
        optimizer=Sgd(),
        schedule=ConstantRate(initial=options.pop("rate", 50.0)),
        epochs=options.pop("epochs", 8),
        go_back=True,
        **options,
    )


def test_going_back_halves_the_rate_and_trains_all_epochs() -> None:
    plan = wild()
    state = fresh(plan)
    events = list(fit(plan, state, rows_of(plan)))
    halvings = [event for event in events if isinstance(event, RateHalved)]
    assert [event.factor for event in halvings] == [0.5 ** (n + 1) for n in range(len(halvings))]
    assert halvings
    assert state.rate_factor == halvings[-1].factor
    assert (state.epoch, state.step) == (8, 8 * 4)
    last = events[-1]
    assert isinstance(last, EpochReport)
    assert last.loss < 2.0
    assert last.learning_rate == 50.0 * state.rate_factor


def test_an_epoch_that_is_on_its_way_to_diverge_is_not_gone_back_to() -> None:
    plan = wild(epochs=30)
    state = fresh(plan)
    lasting: list[EpochReport] = []
    for event in fit(plan, state, rows_of(plan)):
        if isinstance(event, EpochReport):
            lasting.append(event)
            assert state.good is not None
        elif isinstance(event, RateHalved):
            del lasting[event.epoch :]
            assert not lasting or lasting[-1].loss <= state.first_loss
    assert [report.epoch for report in lasting] == list(range(1, 31))


def test_what_diverges_at_any_rate_fails_in_the_end() -> None:
    plan = wild()
    examples = rows_of(plan)
    examples.X[3, 1] = np.nan
    state = fresh(plan)
    with pytest.raises(DivergedError):
        list(fit(plan, state, examples))
    assert state.rate_factor == 2.0**-20


def test_a_plan_that_goes_back_changes_nothing_where_nothing_diverges() -> None:
    plan = full_plan(epochs=4)
    assert bits(train(replace(plan, go_back=True))[0]) == bits(train(plan)[0])
