"""The table of layers adds up to what is trained, and the memory is of the order of what is allocated."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from nncli.config.loading import load_config
from nncli.fitting.dry_run import BUFFERS_PER_UNIT, NetworkSize
from nncli.fitting.prepare.prepare import PreparedTraining, prepare
from nncli.nn.layers.layer import TrainingContext
from nncli.nn.training.state import TrainState
from tests.cli.support import DATA

CONFIG = "data: {{path: {table}, target: species}}\n{rest}"
DEEP = "layers: [64, {type: dropout, rate: 0.1}, batch_norm, {type: residual, layers: [64, 64]}, 32]\nbatch_size: 128\n"
EMBEDDED = "quality: fast\nencoding: {categories: {max_one_hot: 1, binary: one_hot}}\n"


def prepared(folder: Path, rest: str) -> PreparedTraining:
    (folder / "c.yaml").write_text(CONFIG.format(table=DATA / "penguins.csv", rest=rest))
    return prepare(load_config(folder / "c.yaml"))


@pytest.mark.parametrize("rest", ["layers: []\n", DEEP, EMBEDDED])
def test_the_parameters_of_the_layers_add_up(tmp_path: Path, rest: str) -> None:
    ready = prepared(tmp_path, rest)
    facts = NetworkSize.of(ready)
    assert sum(layer.parameters for layer in facts.layers) == facts.parameters == ready.spec.network.layout.size
    assert facts.layers[0].units == ready.spec.network.input_width
    assert (facts.layers[-1].name, facts.layers[-1].units) == ("output", 3)


def test_output_shapes_are_those_of_the_buffers(tmp_path: Path) -> None:
    facts = NetworkSize.of(prepared(tmp_path, DEEP))
    assert [(layer.type, layer.units) for layer in facts.layers[1:]] == [
        ("dense", 64),
        ("dropout", 64),
        ("batch_norm", 64),
        ("residual", 64),
        ("dense", 32),
        ("dense", 3),
    ]
    assert facts.as_json["layers"][1] == {
        "name": "layers.0",
        "type": "dense",
        "output_shape": [128, 64],
        "parameters": (facts.layers[0].units + 1) * 64,
    }


@pytest.mark.parametrize("rest", ["layers: [256, 256]\nbatch_size: 256\n", DEEP, EMBEDDED])
def test_memory_estimates_are_close_to_what_is_allocated(tmp_path: Path, rest: str) -> None:
    ready = prepared(tmp_path, rest)
    facts, network, arguments = NetworkSize.of(ready), ready.spec.network, ready.arguments
    tracemalloc.start()
    try:
        state = TrainState.create(network, arguments.optimizer, ready.streams, 1, ready.training.dataset)
        weights = tracemalloc.get_traced_memory()[0]
        bound = network.bind(state.parameters, facts.batch_size, training=TrainingContext(ready.streams.dropout))
        activations = tracemalloc.get_traced_memory()[0] - weights
    finally:
        tracemalloc.stop()
    assert bound.X.shape[0] == facts.batch_size
    assert facts.optimizer_bytes == sum(moment.nbytes for moment in state.moments.values())
    assert facts.parameter_bytes == state.parameters.theta.nbytes + state.parameters.statistics.nbytes
    assert 0.4 < activations / facts.activation_bytes < 1.6, BUFFERS_PER_UNIT


def test_rollback_needs_memory_for_a_copy_of_the_state(tmp_path: Path) -> None:
    plain, back = (
        NetworkSize.of(prepared(tmp_path, rest)) for rest in (DEEP, f"{DEEP}on_divergence: halve_learning_rate\n")
    )
    more = 2 * plain.parameter_bytes + plain.optimizer_bytes
    assert back.memory_bytes - plain.memory_bytes == more
