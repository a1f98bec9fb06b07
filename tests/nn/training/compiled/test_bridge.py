"""Trainings by compiled loops: NumPy's within float32, the same bits however they are cut, and stopped in time.

Tolerances are what some steps in float32 make of sums in another order.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.base.scratch import Scratch
from nncli.nn.batches.batches import Batches
from nncli.nn.batches.dataset import Dataset
from nncli.nn.layers.layer import TrainingContext
from nncli.nn.losses import CrossEntropyLoss, LossBase, MSELoss, QuantileLoss, QuantilesLoss
from nncli.nn.network import Network
from nncli.nn.optim.optimizers import Adam, AdamW, Sgd
from nncli.nn.optim.schedules import ConstantRate, CosineRate, CoslogRate, ReduceOnPlateau
from nncli.nn.parameters import Parameters
from nncli.nn.training import loop
from nncli.nn.training.arguments import TrainingArguments
from nncli.nn.training.compiled.support import unsupported_reason
from nncli.nn.training.epoch import DivergedError, LoopSignal
from nncli.nn.training.loop import CheckpointDue, EpochReport, LearningRateHalved, fit
from nncli.nn.training.state import RandomStreams, Snapshot, TrainState
from tests.nn.batches.test_disk_shuffle import kept
from tests.nn.training.test_step import example_rows

pytest.importorskip("numba")
pytest.importorskip("scipy")

from nncli.nn.training.compiled import blocks, kernels
from nncli.nn.training.compiled import bridge as compiled

ROWS = 45


def dense(units: int, activation: Any, **options: Any) -> dict[str, Any]:
    return {"type": "dense", "units": units, "activation": activation, **options}


def network_of(*layers: Any, features: int = 3, outputs: int = 1, precision: str = "float32") -> Network:
    parts = {"n_features": features, "layers": layers, "n_outputs": outputs, "precision": precision}
    return Network.model_validate(parts)


SMOOTH = [dense(7, "tanh"), dense(5, "sigmoid"), dense(4, "identity")]
NETWORKS = {
    "linear": network_of(),
    "one_feature": network_of(dense(4, "tanh"), features=1),
    "relu": network_of(dense(16, "relu"), dense(8, "relu")),
    "leaky": network_of(dense(8, "leaky_relu"), dense(6, {"type": "leaky_relu", "slope": 0.2})),
    "smooth": network_of(*SMOOTH),
    "no_bias": network_of(dense(6, "relu", bias=False), dense(5, "tanh"), dense(3, "tanh", bias=False)),
    "narrow": network_of(dense(1, "tanh"), dense(1, "leaky_relu")),
    "wide": network_of(dense(130, "relu"), features=40),
}


def preset_network(*, dropout: float = 0.0, outputs: int = 1, bins: int = 6, width: int = 3) -> Network:
    """A small network of the preset `tabular`: numbers and flags, two categorical columns, and two hidden layers."""
    hidden = [
        {"type": "dense", "units": 7, "activation": "identity", "parametrization": "ntk"},
        {"type": "parametric_activation", "activation": "mish"},
        {"type": "dropout", "rate": dropout, "schedule": "flat_cosine"},
    ]
    return Network.model_validate(
        {
            "n_features": 5,
            "embeddings": [
                {"name": "a", "n_embeddings": 4, "width": 3, "init_std": 1.0},
                {"name": "b", "n_embeddings": 9, "width": 2},
            ],
            "layers": ["scale", *hidden, *hidden],
            "n_outputs": outputs,
            "numeric_features": [0, 2, 3],
            "numeric_embedding": {"type": "piecewise_linear", "bins": bins, "width": width},
            "output_parametrization": "ntk",
        }
    )


PRESET = preset_network()


def projected_network(*, outputs: int = 1, dropout: float = 0.0) -> Network:
    """A network whose numbers, and the first of whose categorical columns, are projected in batches of 40 rows."""
    document = preset_network(bins=3, width=16, outputs=outputs, dropout=dropout).model_dump()
    document["embeddings"] = [
        {"name": "a", "n_embeddings": 3, "width": 9},
        {"name": "b", "n_embeddings": 50, "width": 4},
        {"name": "c", "n_embeddings": 4, "width": 8},
    ]
    return Network.model_validate(document)


PROJECTED = projected_network()
GROUPS = {
    "type": "adamw",
    "beta2": 0.95,
    "weight_decay": 0.02,
    "decay_schedule": "flat_cosine",
    "param_groups": {
        "scale": {"learning_rate_multiplier": 6.0, "weight_decay_multiplier": 36.0},
        "bias": {"learning_rate_multiplier": 0.1},
        "alpha": {"learning_rate_multiplier": 0.1, "weight_decay_multiplier": 0.01},
        "numeric": {"learning_rate_multiplier": 0.1, "weight_decay_multiplier": 0.01},
    },
}


def arguments_of(network: Network, loss: LossBase | None = None, **options: Any) -> TrainingArguments:
    settings: dict[str, Any] = {
        "batch_size": 8,
        "epochs": 4,
        "optimizer": Adam(),
        "schedule": ConstantRate(peak=0.01),
        "backend": "numba",
    }
    arguments = TrainingArguments(network=network, loss=loss or MSELoss(), **settings | options)
    assert unsupported_reason(arguments.network, arguments.loss, arguments.optimizer) is None
    return arguments


def fresh(arguments: TrainingArguments, dataset: Dataset | None = None) -> TrainState:
    return TrainState.create(arguments.network, arguments.optimizer, RandomStreams.of(1), arguments.n_shards, dataset)


def trained(arguments: TrainingArguments, dataset: Dataset, **options: Any) -> tuple[TrainState, list[EpochReport]]:
    state = fresh(arguments, dataset)
    events = fit(arguments, state, dataset, **options)
    return state, [replace(event, seconds=0.0) for event in events if isinstance(event, EpochReport)]


def bits(state: TrainState) -> Any:
    snapshot = state.snapshot()
    return snapshot.metadata, {name: array.tobytes() for name, array in snapshot.arrays.items()}


def assert_alike(arguments: TrainingArguments, dataset: Dataset) -> None:
    """The arguments leads to the losses and weights that the same arguments leads to with NumPy."""
    state, reports = trained(arguments, dataset)
    other, expected = trained(replace(arguments, backend="numpy"), dataset)
    np.testing.assert_allclose([r.loss for r in reports], [r.loss for r in expected], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose([r.penalty for r in reports], [r.penalty for r in expected], rtol=1e-4)
    np.testing.assert_allclose(state.parameters.theta, other.parameters.theta, rtol=1e-3, atol=2e-5)
    assert (state.step, state.epoch, state.position) == (other.step, other.epoch, other.position)
    assert state.first_loss == pytest.approx(other.first_loss, rel=1e-5, abs=1e-8)


PARTS = pytest.mark.parametrize("parts", [1, 2, 3])


# --- NumPy's numbers


@pytest.mark.slow
@PARTS
@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize("network", [pytest.param(n, id=name) for name, n in NETWORKS.items()])
def test_a_network_learns_what_it_learns_with_numpy(network: Network, weighted: bool, parts: int) -> None:
    arguments = arguments_of(network, n_shards=parts)
    assert_alike(arguments, example_rows(network, arguments.loss, ROWS, weighted=weighted))


@pytest.mark.slow
@PARTS
@pytest.mark.parametrize(
    ("loss", "outputs"),
    [
        (MSELoss(), 4),
        (QuantileLoss(q=0.75), 2),
        (QuantilesLoss(), 6),
        (CrossEntropyLoss(), 1),
        (CrossEntropyLoss(label_smoothing=0.1), 1),
        (CrossEntropyLoss(), 3),
        (CrossEntropyLoss(), 20),
    ],
    ids=str,
)
@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
def test_a_loss_leads_where_it_leads_with_numpy(loss: LossBase, outputs: int, weighted: bool, parts: int) -> None:
    network = network_of(dense(8, "tanh"), outputs=outputs)
    assert_alike(arguments_of(network, loss, n_shards=parts), example_rows(network, loss, ROWS, weighted=weighted))


@pytest.mark.slow
@PARTS
@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": Sgd()},
        {"optimizer": Sgd(momentum=0.9)},
        {"optimizer": Sgd(momentum=0.9, nesterov=True), "clip_norm": 0.5},
        {"optimizer": AdamW(weight_decay=0.5)},
        {"optimizer": Adam(beta1=0.5, beta2=0.9, epsilon=1e-4), "l1": 1e-3},
        {"l2": 0.1},
        {"l1": 1e-3, "l2": 1e-2, "clip_norm": 0.1},
        {"schedule": CosineRate(peak=0.05, warmup_steps=7)},
        {"schedule": ReduceOnPlateau(peak=0.05, patience=1, warmup_steps=3)},
        {
            "schedule": CoslogRate(peak=0.05, first_cycle=1.0),
            "optimizer": AdamW(weight_decay=5.0, decay_schedule="flat_cosine"),
        },
        {"batch_size": 1},
        {"batch_size": 44},
        {"batch_size": 45},
        {"batch_size": 1000},
    ],
    ids=str,
)
def test_an_option_does_what_it_does_with_numpy(options: dict[str, Any], parts: int) -> None:
    network = network_of(dense(8, "tanh"))
    assert_alike(arguments_of(network, n_shards=parts, **options), example_rows(network, MSELoss(), ROWS))


@pytest.mark.slow
@PARTS
@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize(
    ("loss", "outputs"), [(MSELoss(), 2), (CrossEntropyLoss(label_smoothing=0.1), 1), (CrossEntropyLoss(), 4)]
)
def test_the_preset_learns_what_it_learns_with_numpy(loss: LossBase, outputs: int, weighted: bool, parts: int) -> None:
    network = preset_network(outputs=outputs)
    arguments = arguments_of(network, loss, n_shards=parts, optimizer=AdamW.model_validate(GROUPS), l2=1e-4)
    assert_alike(arguments, example_rows(network, loss, ROWS, weighted=weighted))


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize(
    ("loss", "outputs"), [(MSELoss(), 2), (CrossEntropyLoss(label_smoothing=0.1), 1), (CrossEntropyLoss(), 4)]
)
def test_projected_columns_learn_what_they_learn_with_numpy(loss: LossBase, outputs: int, parts: int) -> None:
    network = projected_network(outputs=outputs)
    optimizer = AdamW.model_validate(GROUPS)
    arguments = arguments_of(network, loss, n_shards=parts, optimizer=optimizer, batch_size=80, epochs=6)
    assert_alike(arguments, example_rows(network, loss, 200, weighted=True))


def test_bins_that_are_found_in_each_step_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    result = []
    for limit in (blocks.MAX_LOCATED_BYTES, 0):
        monkeypatch.setattr(blocks, "MAX_LOCATED_BYTES", limit)
        result.append([bits(trained(cut, examples_of(cut))[0]) for cut in (DROPPING, PROJECTING)])
    assert result[0] == result[1]


@pytest.mark.parametrize(
    "layers",
    [
        [dense(6, "mish"), dense(5, "gelu", parametrization="ntk"), dense(4, "elu")],
        ["scale", dense(6, "selu"), "scale", dense(5, "silu", bias=False)],
        [dense(6, None), {"type": "activation", "activation": "tanh"}, dense(5, None, bias=False), "scale"],
        ["scale"],
    ],
    ids=str,
)
def test_scales_and_activations_learn_what_they_learn_with_numpy(layers: list[Any]) -> None:
    network = network_of(*layers)
    assert_alike(arguments_of(network), example_rows(network, MSELoss(), ROWS))


@pytest.mark.parametrize("options", [{"n_features": 0, "numeric_features": []}, {"embeddings": []}, {"bins": 1}])
def test_inputs_of_one_kind_learn_what_they_learn_with_numpy(options: dict[str, Any]) -> None:
    document = PRESET.model_dump()
    if "bins" in options:
        document["numeric_embedding"]["bins"] = options.pop("bins")
    network = Network.model_validate(document | options)
    assert_alike(arguments_of(network), example_rows(network, MSELoss(), ROWS))


@pytest.mark.parametrize("value", [1e6, -1e6, 0.0])
def test_numbers_beyond_all_bins_and_columns_of_few_values_learn_what_they_learn_with_numpy(value: float) -> None:
    dataset = example_rows(PRESET, MSELoss(), ROWS)
    dataset.X[:, 2] = dataset.X[:, 2] > 0.5  # two values
    dataset.X[:, 3] = 7.0
    outside = dataset.X.copy()
    outside[5, 0] = value
    arguments = arguments_of(PRESET, optimizer=Sgd(), schedule=ConstantRate(peak=1e-12))
    result = []
    for backend in ("numba", "numpy"):
        state = fresh(replace(arguments, backend=backend), dataset)  # the bins are those of the rows without `value`
        reports = list(fit(replace(arguments, backend=backend), state, replace(dataset, X=outside)))
        result.append([report.loss for report in reports if isinstance(report, EpochReport)])
    np.testing.assert_allclose(result[0], result[1], rtol=1e-5)


@pytest.mark.slow
@given(
    widths=st.lists(st.integers(1, 9), max_size=3),
    kinds=st.lists(st.sampled_from(["tanh", "sigmoid", "relu", "identity", "leaky_relu"]), min_size=3, max_size=3),
    bias=st.lists(st.booleans(), min_size=3, max_size=3),
    features=st.integers(1, 5),
    outputs=st.integers(1, 4),
    batch=st.integers(1, 20),
    classes=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_any_plain_network_learns_what_it_learns_with_numpy(
    widths: list[int], kinds: list[str], bias: list[bool], features: int, outputs: int, batch: int, classes: bool
) -> None:
    layers = [dense(u, kind, bias=b) for u, kind, b in zip(widths, kinds, bias, strict=False)]
    network = network_of(*layers, features=features, outputs=outputs)
    loss = CrossEntropyLoss() if classes else MSELoss()
    arguments = arguments_of(network, loss, batch_size=batch, epochs=2, optimizer=Sgd(momentum=0.5))
    assert_alike(arguments, example_rows(network, loss, 20))


def test_one_compilation_does_for_every_training() -> None:
    for network in (NETWORKS["linear"], network_of(4, outputs=3), PRESET, preset_network(outputs=3)):
        for loss in (MSELoss(), CrossEntropyLoss()):
            for parts in (1, 2):
                dataset = example_rows(network, loss, ROWS, weighted=parts == 1)
                trained(arguments_of(network, loss, epochs=1, n_shards=parts, optimizer=Sgd()), dataset)
                trained(arguments_of(network, loss, epochs=1, n_shards=parts, clip_norm=1.0, l1=1.0), dataset)
    assert len(kernels.train_batches.signatures) == 1  # type: ignore[attr-defined]


# --- backward is the derivative of forward


def compiled_gradient(arguments: TrainingArguments, parameters: Parameters, batches: Batches) -> float:
    """The loss of the first batch; its gradient is in the parameters' `grad`."""
    inputs, rows = compiled.kernel_inputs(arguments, parameters, batches), batches.batch_size
    state = replace(fresh(arguments), parameters=parameters)
    return compiled.bind_gradient(arguments, inputs, batches, state, 0, parameters, slice(0, rows), rows)(0)


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize(
    ("loss", "outputs"), [(MSELoss(), 2), (CrossEntropyLoss(label_smoothing=0.1), 1), (CrossEntropyLoss(), 4)]
)
@pytest.mark.parametrize("name", ["linear", "smooth", "relu", "preset", "projected"])
def test_the_gradient_is_the_derivative_of_the_loss_in_float64(
    name: str, loss: LossBase, outputs: int, weighted: bool
) -> None:
    network, n = {**NETWORKS, "preset": PRESET, "projected": PROJECTED}[name], 40 if name == "projected" else 11
    network = network.model_copy(update={"n_outputs": outputs})
    network = Network.model_validate(network.model_dump())
    double = Network.model_validate(network.model_dump() | {"precision": "float64"})
    dataset = example_rows(network, loss, n, weighted=weighted)
    parameters = network.initialize(np.random.default_rng(3))
    network.init_from_data(parameters, dataset.X, dataset.codes, np.random.default_rng(5))
    batches = Batches(dataset, n, np.random.default_rng(4))
    batches.shuffle()
    value = compiled_gradient(arguments_of(network, loss), parameters, batches)

    exact = double.layout.empty("float64")
    exact.theta[...] = parameters.theta
    exact.statistics[...] = parameters.statistics
    bound = double.bind(exact, n, training=TrainingContext(np.random.default_rng(0)))
    bound.X[...] = dataset.X[batches.order]
    bound.codes[...] = dataset.codes[batches.order]
    w = None if dataset.weights is None else dataset.weights[batches.order].astype(float)
    y = dataset.y[batches.order]
    head = loss.bind(bound.Z, y.astype(float) if loss.task == "regression" else y, w)

    def at() -> float:
        bound.forward()
        return head.forward()

    assert value == pytest.approx(at(), rel=1e-5)
    for i in range(exact.theta.size):
        middle, values = exact.theta[i], []
        for t in (middle - 1e-6, middle + 1e-6):
            exact.theta[i] = t
            values.append(at())
        exact.theta[i] = middle
        assert parameters.grad[i] == pytest.approx((values[1] - values[0]) / 2e-6, rel=1e-4, abs=1e-6)


# --- the same bits however it is cut

CUT = arguments_of(network_of(*SMOOTH, outputs=3), CrossEntropyLoss(), optimizer=AdamW(), l2=1e-3, clip_norm=1.0)
EXAMPLES = example_rows(CUT.network, CUT.loss, ROWS, weighted=True)
DROPPING = arguments_of(
    preset_network(dropout=0.3, outputs=3), CrossEntropyLoss(), optimizer=AdamW.model_validate(GROUPS), epochs=4
)
PROJECTING = arguments_of(
    projected_network(dropout=0.3), MSELoss(), optimizer=AdamW.model_validate(GROUPS), epochs=4, batch_size=40
)
BOTH = pytest.mark.parametrize("cut", [CUT, DROPPING], ids=["plain", "preset"])


def examples_of(arguments: TrainingArguments) -> Dataset:
    return example_rows(arguments.network, arguments.loss, ROWS, weighted=True)


@pytest.mark.parametrize("schedule", [ConstantRate(peak=0.01), CosineRate(peak=0.05, warmup_steps=7)])
@pytest.mark.parametrize("ahead", [2, 3, 5, 10**9])
@BOTH
def test_stretches_of_any_length_give_the_same_bits(cut: TrainingArguments, ahead: int, schedule: Any) -> None:
    arguments, examples = replace(cut, schedule=schedule, epochs=8), examples_of(cut)
    asked: list[int] = []

    def after_batch(step: int) -> LoopSignal:
        asked.append(step)
        return LoopSignal.CONTINUE

    state, reports = trained(arguments, examples, max_batches=lambda step: ahead, after_batch=after_batch)
    single, expected = trained(arguments, examples)
    assert bits(state) == bits(single)
    assert reports == expected
    assert len(asked) < 48  # so they were stretches
    assert asked == sorted(set(asked))


@PARTS
@BOTH
def test_the_same_seed_gives_the_same_bits(cut: TrainingArguments, parts: int) -> None:
    arguments, examples = replace(cut, n_shards=parts), examples_of(cut)
    assert bits(trained(arguments, examples)[0]) == bits(trained(arguments, examples)[0])


@pytest.mark.parametrize("parts", [2, 3])
@BOTH
def test_the_bits_do_not_depend_on_the_number_of_threads(
    cut: TrainingArguments, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(loop, "available_cpus", lambda threads=threads: threads)
        result.append(bits(trained(replace(cut, n_shards=parts), examples_of(cut))[0]))
    assert result[0] == result[1] == result[2]


def resumed(arguments: TrainingArguments, state: TrainState, dataset: Dataset) -> tuple[TrainState, list[EpochReport]]:
    """From what a file would bring back."""
    snapshot, other = state.snapshot().copy(), fresh(arguments)
    other.restore(Snapshot(snapshot.arrays, json.loads(json.dumps(snapshot.metadata))))
    events = fit(arguments, other, dataset, max_batches=lambda step: 4)
    return other, [replace(event, seconds=0.0) for event in events if isinstance(event, EpochReport)]


@pytest.mark.slow
@PARTS
@BOTH
def test_stopped_at_any_step_and_resumed_it_ends_in_the_same_bits(cut: TrainingArguments, parts: int) -> None:
    arguments, examples = replace(cut, n_shards=parts), examples_of(cut)
    whole, expected = trained(arguments, examples)
    state, reports = fresh(arguments, examples), 0
    for event in fit(arguments, state, examples, after_batch=lambda step: LoopSignal.CHECKPOINT):
        reports += isinstance(event, EpochReport)
        assert isinstance(event, EpochReport | CheckpointDue)
        other, rest = resumed(arguments, state, examples)
        assert bits(other) == bits(whole)
        assert rest == expected[reports:]
    assert bits(state) == bits(whole)


@pytest.mark.parametrize("interval", [1, 4, 5, 7])
def test_a_pause_is_met_at_its_very_step(interval: int) -> None:
    met: list[int] = []

    def after_batch(step: int) -> LoopSignal:
        if step % interval:
            return LoopSignal.CONTINUE
        met.append(step)
        return LoopSignal.CHECKPOINT

    trained(CUT, EXAMPLES, after_batch=after_batch, max_batches=lambda step: interval - step % interval)
    assert met == list(range(interval, 25, interval))


def test_dropout_draws_anew_in_every_step_layer_and_shard_and_ends_with_its_schedule() -> None:
    network = preset_network(dropout=0.5)
    dataset = example_rows(network, MSELoss(), 8)
    state = fresh(arguments_of(network, n_shards=2), dataset)
    batches = Batches(dataset, 8, np.random.default_rng(0))
    arguments = arguments_of(network, n_shards=2)
    inputs = compiled.kernel_inputs(arguments, state.parameters, batches)

    def value(step: int, progress: float, shard: int = 0) -> float:
        state.step = step
        state.progress.fill(progress)
        gradient = compiled.bind_gradient(arguments, inputs, batches, state, shard, state.parameters, slice(0, 8), 8)
        return gradient(0)

    assert len({value(step, 0.0, shard) for step in range(4) for shard in (0, 1)}) == 8
    assert value(2, 0.0) == value(2, 0.3)
    assert len({value(step, 1.0, shard) for step in range(4) for shard in (0, 1)}) == 1


@pytest.mark.parametrize("parts", [1, 2])
def test_rows_in_files_give_the_same_bits_as_rows_in_memory(parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.nn.batches.disk_shuffle.WINDOW_BYTES", 700)
    for cut in (DROPPING, PROJECTING):
        arguments, examples = replace(cut, n_shards=parts), examples_of(cut)
        whole, expected = trained(arguments, examples)
        with Scratch() as scratch:
            state = TrainState.create(
                arguments.network, arguments.optimizer, RandomStreams.of(1), arguments.n_shards, examples
            )
            events = list(fit(arguments, state, kept(examples, scratch), max_batches=lambda step: 3))
        assert bits(state) == bits(whole)
        assert [replace(event, seconds=0.0) for event in events if isinstance(event, EpochReport)] == expected


# --- what diverges


def said(arguments: TrainingArguments, dataset: Dataset, **options: Any) -> tuple[str, Any]:
    """The message of a training that diverges, and the state that it leaves."""
    state = fresh(arguments)
    with pytest.raises(DivergedError) as caught:
        list(fit(arguments, state, dataset, **options))
    return str(caught.value), (state.step, state.position, state.epoch, state.early_stopping.best_epoch)


@PARTS
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e38])
@pytest.mark.parametrize("row", [0, 17, 44])
@pytest.mark.parametrize("where", ["X", "y"])
def test_a_loss_that_is_not_finite_stops_at_its_step_with_the_words_of_numpy(
    parts: int, value: float, row: int, where: str
) -> None:
    arguments = arguments_of(network_of(dense(5, "relu")), n_shards=parts)
    dataset = example_rows(arguments.network, arguments.loss, ROWS)
    getattr(dataset, where)[row, 0] = value
    result = said(arguments, dataset, max_batches=lambda step: 10**9)
    assert result == said(replace(arguments, backend="numpy"), dataset)
    assert "the loss became" in result[0]


@pytest.mark.parametrize("clip_norm", [None, 1.0])
@PARTS
def test_a_gradient_that_is_not_finite_stops_at_its_step_with_the_words_of_numpy(
    parts: int, clip_norm: float | None
) -> None:
    arguments = arguments_of(network_of(), CrossEntropyLoss(), n_shards=parts, clip_norm=clip_norm, epochs=3)
    dataset = example_rows(arguments.network, arguments.loss, ROWS)
    dataset.X[...] = np.abs(dataset.X) * 1e-3
    dataset.X[13] = [3e38, 0.0, 0.0]
    state = fresh(arguments)
    state.parameters.theta[...] = 0.0  # z is 0, the loss log 2, and dW beyond float32 once weights are heavy
    dataset = replace(dataset, weights=np.where(np.arange(ROWS) == 13, 100.0, 1.0).astype(np.float32))
    words = []
    for backend in ("numba", "numpy"):
        other = fresh(arguments)
        other.restore(state.snapshot())
        with pytest.raises(DivergedError, match="the gradient is no longer a finite number at step") as caught:
            list(fit(replace(arguments, backend=backend), other, dataset, max_batches=lambda step: 10**9))
        words.append((str(caught.value), other.step))
    assert words[0] == words[1]


@pytest.mark.parametrize("rate", [1e3, 1e8, 1e25, 1e30])
@pytest.mark.parametrize("layers", [(), (dense(6, "relu"),), (dense(6, "tanh"),)])
def test_a_reckless_rate_stops_where_it_stops_with_numpy(rate: float, layers: Any) -> None:
    arguments = arguments_of(network_of(*layers), optimizer=Sgd(), schedule=ConstantRate(peak=rate), epochs=30)
    dataset = example_rows(arguments.network, arguments.loss, ROWS)
    assert said(arguments, dataset, max_batches=lambda step: 10**9) == said(
        replace(arguments, backend="numpy"), dataset
    )


def test_a_training_that_goes_back_does_so_as_with_numpy() -> None:
    arguments = arguments_of(
        network_of(), optimizer=Sgd(), schedule=ConstantRate(peak=50.0), epochs=6, rollback_on_divergence=True
    )
    dataset = example_rows(arguments.network, arguments.loss, ROWS)
    result = []
    for backend in ("numba", "numpy"):
        events = fit(replace(arguments, backend=backend), fresh(arguments), dataset, max_batches=lambda step: 10**9)
        result.append([(e.epoch, e.factor, e.reason) for e in events if isinstance(e, LearningRateHalved)])
    assert result[0] == result[1] != []


# --- in time


@pytest.mark.slow
def test_a_wish_to_stop_is_asked_for_every_tenth_of_a_second() -> None:
    network = network_of(dense(32, "tanh"), features=8)
    arguments = arguments_of(network, batch_size=4, epochs=10**6)
    dataset = example_rows(network, arguments.loss, 40_000)
    seen: list[float] = []

    def after_batch(step: int) -> LoopSignal:
        seen.append(time.thread_time())  # this thread's own work, whoever else is at work
        return LoopSignal.STOP if seen[-1] - seen[0] > 0.5 else LoopSignal.CONTINUE

    list(fit(arguments, fresh(arguments), dataset, after_batch=after_batch, max_batches=lambda step: 10**9))
    assert len(seen) > 5
    assert float(np.median(np.diff(seen))) < 0.1
    assert float(np.max(np.diff(seen)[3:])) < 0.25
