"""Networks as sequences of blocks, and what is none."""

from __future__ import annotations

from typing import Any

import pytest

from nncli.nn.activations import Identity, Mish, Relu
from nncli.nn.network import Network
from nncli.nn.training.compiled.blocks import UnsupportedError, blocks_of

DROPOUT = {"type": "dropout", "rate": 0.2}
MISH = {"type": "parametric_activation", "activation": "mish"}
RELU = {"type": "activation", "activation": "relu"}
LINE = {"type": "dense", "units": 4, "activation": "identity"}


def network_of(*layers: Any, **options: Any) -> Network:
    return Network.model_validate({"n_features": 3, "layers": layers, "n_outputs": 2} | options)


def test_a_plain_network_has_a_block_for_each_dense_layer() -> None:
    first, last = blocks_of(network_of({"type": "dense", "units": 4, "activation": "relu"}))
    assert (first.inputs, first.units, first.weight, first.bias) == (3, 4, "layers.0.weight", "layers.0.bias")
    assert (first.factor, first.activation, first.scale, first.alpha, first.dropout) == (1.0, Relu(), None, None, None)
    assert (last.inputs, last.units, last.weight, last.activation) == (4, 2, "output.weight", Identity())
    assert first.derivative_from_output
    assert last.derivative_from_output


def test_scale_activation_and_dropout_belong_to_the_block_of_their_dense_layer() -> None:
    line = LINE | {"parametrization": "ntk", "bias": False}
    first, second, last = blocks_of(network_of("scale", line, MISH, DROPOUT, line, RELU))
    assert (first.scale, first.weight, first.bias, first.alpha) == (
        "layers.0.scale",
        "layers.1.weight",
        None,
        "layers.2.alpha",
    )
    assert first.factor == pytest.approx(3**-0.5)
    assert first.activation == Mish()
    assert first.dropout is not None
    assert first.dropout.rate == 0.2
    assert not first.derivative_from_output
    assert (second.scale, second.alpha, second.dropout, second.activation) == (None, None, None, Relu())
    assert second.derivative_from_output
    assert last.weight == "output.weight"


def test_dropout_of_rate_0_is_left_out() -> None:
    assert blocks_of(network_of(LINE, DROPOUT | {"rate": 0.0}, DROPOUT))[0].dropout is not None
    assert blocks_of(network_of(LINE, DROPOUT | {"rate": 0.0}))[0].derivative_from_output


@pytest.mark.parametrize(
    "layers",
    [
        [DROPOUT],
        [RELU],
        [MISH, LINE],
        ["scale", "scale"],
        ["scale", DROPOUT, LINE],
        [LINE, DROPOUT, DROPOUT],
        [LINE, DROPOUT, MISH],
        [LINE, MISH, RELU],
        [{"type": "dense", "units": 4, "activation": "relu"}, MISH],
    ],
    ids=str,
)
def test_layers_in_another_order_are_named(layers: list[Any]) -> None:
    with pytest.raises(UnsupportedError, match=r"^a layer of type .* in this place$"):
        blocks_of(network_of(*layers))


@pytest.mark.parametrize("layer", ["batch_norm", {"type": "residual", "layers": [3]}])
def test_other_layers_are_named(layer: Any) -> None:
    with pytest.raises(UnsupportedError, match=r"^a layer of type (batch_norm|residual)$"):
        blocks_of(network_of(layer))


@pytest.mark.parametrize("layer", [LINE | {"activation": "softplus"}, MISH | {"activation": "softplus"}])
def test_an_activation_that_is_not_compiled_is_named(layer: Any) -> None:
    with pytest.raises(UnsupportedError, match=r"^the activation softplus$"):
        blocks_of(network_of(LINE, layer))
