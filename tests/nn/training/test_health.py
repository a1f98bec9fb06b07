"""The health of a training is that of its network, gradients and steps, and measuring it changes nothing."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import pytest

from nncli.nn.activations import Relu, Sigmoid, Tanh
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.layer import TrainingContext
from nncli.nn.optim.optimizers import Sgd
from nncli.nn.optim.schedules import ConstantRate
from nncli.nn.training.health import HEALTH_LEVELS, Health, HealthMonitor, LayerHealth
from nncli.nn.training.state import TrainState
from tests.nn.training.helpers import FULL, arguments_of, bits, fresh, network_of, rows_of, train


def measured(state: TrainState, **options: Any) -> Health:
    arguments = arguments_of(**options)
    return HealthMonitor(arguments, state, rows_of(arguments)).measure()


def layer(health: Health, name: str) -> LayerHealth:
    return next(part for part in health.layers if part.name == name)


@pytest.mark.parametrize("options", [{"network": FULL}, {"l2": 0.1, "clip_norm": 0.5}])
def test_measuring_changes_nothing_in_the_training(options: dict[str, Any]) -> None:
    arguments = arguments_of(**options)
    state, _ = train(arguments)
    before = bits(state), state.parameters.grad.tobytes()
    monitor = HealthMonitor(arguments, state, rows_of(arguments))
    first, again = monitor.measure(), monitor.measure()
    assert (bits(state), state.parameters.grad.tobytes()) == before
    assert first == again


def test_z_a_loss_and_gradient_are_those_of_the_network() -> None:
    arguments = arguments_of(Dense(units=5, activation=Tanh()), {"type": "residual", "layers": [
        {"type": "dense", "units": 5, "activation": "relu"}, {"type": "parametric_activation", "activation": "mish"},
    ]}, batch_size=29)  # fmt: skip
    state, dataset = fresh(arguments), rows_of(arguments)
    health = HealthMonitor(arguments, state, dataset).measure()
    assert [part.name for part in health.layers] == ["input", "layers.0", "layers.1.layers.0", "output"]
    rng, losses, norms = np.random.default_rng(0), [], []
    for _ in range(2):
        rows = np.sort(rng.integers(29, size=29))
        parameters = replace(state.parameters, grad=np.zeros_like(state.parameters.grad))
        bound = arguments.network.bind(parameters, 29, training=TrainingContext(rng))
        bound.X[...] = dataset.X[rows]
        head = arguments.loss.bind(bound.Z, dataset.y[rows], None)
        bound.forward()
        losses.append(head.forward())
        outputs = bound.Z.copy()
        bound.backward(head.backward())
        norms.append(np.linalg.norm(parameters.grad))
    assert health.loss == pytest.approx(np.mean(losses))
    assert health.gradient_norm == pytest.approx(np.sqrt(np.mean(np.square(norms))))
    W, b = state.parameters.by_name["layers.0.weight"], state.parameters.by_name["layers.0.bias"]
    Z = dataset.X @ W + b
    first = layer(health, "layers.0")
    assert first.z_std == pytest.approx(Z.std(), rel=0.2)
    assert first.a_std == pytest.approx(np.tanh(Z).std(), rel=0.2)
    assert first.weight_norm == pytest.approx(np.linalg.norm(W))
    assert layer(health, "output").z_mean == pytest.approx(outputs.mean(), abs=0.2)


def test_the_update_is_that_of_the_optimizer_after_decay_and_clipping() -> None:
    arguments = arguments_of(optimizer=Sgd(), schedule=ConstantRate(peak=0.5), clip_norm=1e-3, batch_size=29)
    health = HealthMonitor(arguments, fresh(arguments), rows_of(arguments)).measure()
    updates = [part.update_norm for part in health.layers]
    assert np.linalg.norm(updates) == pytest.approx(0.5 * 1e-3, rel=0.3)  # the biases have the rest
    assert health.learning_rate == 0.5
    assert health.clipped == 1.0
    assert layer(health, "output").update_ratio == pytest.approx(updates[-1] / layer(health, "output").weight_norm)


def test_dead_units_and_saturated_values_are_counted() -> None:
    relu = arguments_of(Dense(units=4, activation=Relu()))
    state = fresh(relu)
    assert layer(HealthMonitor(relu, state, rows_of(relu)).measure(), "layers.0").dead == 0.0
    state.parameters.by_name["layers.0.bias"][:3] = -100.0
    health = layer(HealthMonitor(relu, state, rows_of(relu)).measure(), "layers.0")
    assert (health.dead, health.saturated) == (0.75, None)
    sigmoid = arguments_of(Dense(units=4, activation=Sigmoid()))
    state = fresh(sigmoid)
    state.parameters.by_name["layers.0.bias"][:2] = 6.0
    health = layer(HealthMonitor(sigmoid, state, rows_of(sigmoid)).measure(), "layers.0")
    assert health.saturated == pytest.approx(0.5, abs=0.1)
    assert health.dead == 0.0
    assert layer(measured(fresh(arguments_of())), "output").dead is None


def test_quantiles_are_of_weights_gradient_and_z() -> None:
    arguments = arguments_of(Dense(units=5, activation=Tanh()), batch_size=29)
    state, dataset = fresh(arguments), rows_of(arguments)
    first = layer(HealthMonitor(arguments, state, dataset).measure(), "layers.0")
    W, b = state.parameters.by_name["layers.0.weight"], state.parameters.by_name["layers.0.bias"]
    assert first.weight_quantiles == tuple(np.quantile(W, HEALTH_LEVELS, method="nearest").tolist())
    Z = dataset.X @ W + b
    assert Z.min() <= first.z_quantiles[0] < first.z_quantiles[3] < first.z_quantiles[-1] <= Z.max()
    assert first.gradient_quantiles == tuple(sorted(first.gradient_quantiles))
    assert max(map(abs, first.gradient_quantiles)) <= 2.0 * first.gradient_norm


def test_quantiles_of_large_layers_are_those_of_a_sample() -> None:
    arguments = arguments_of(Dense(units=4096))
    state = fresh(arguments)
    W = state.parameters.by_name["layers.0.weight"]
    first = layer(HealthMonitor(arguments, state, rows_of(arguments)).measure(), "layers.0")
    assert first.weight_quantiles == pytest.approx(np.quantile(W, HEALTH_LEVELS).tolist(), abs=0.1 * float(np.ptp(W)))


def test_gradient_noise_is_none_for_a_full_batch_and_falls_with_the_batch_size() -> None:
    network = network_of()
    noise = {}
    for batch in (8, 32, 400):
        arguments = arguments_of(network=network, batch_size=batch)
        noise[batch] = HealthMonitor(arguments, fresh(arguments), rows_of(arguments, 400)).measure().gradient_noise
    assert noise[400] == 0.0
    assert 0.0 < noise[32] < noise[8] < inf
    assert noise[8] / noise[32] == pytest.approx(2.0, rel=0.01)  # of the same 32 rows


def test_a_training_is_measured_before_it_and_after_powers_of_two_or_of_four_if_it_is_tiny() -> None:
    for rows, expected in ((400, [0, 1, 2, 4, 8, 16, 32]), (160, [0, 1, 4, 16])):
        arguments = arguments_of(batch_size=8)
        monitor = HealthMonitor(arguments, fresh(arguments), rows_of(arguments, rows))
        assert [epoch for epoch in range(40) if monitor.is_due(epoch)] == expected
