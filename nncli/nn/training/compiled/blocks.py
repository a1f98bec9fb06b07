"""A network as a sequence of blocks, each a dense layer with what the compiled loops compute in the same pass.

A block is [scale,] dense [, activation] [, dropout], where the activation is that of the dense layer or a layer of its
own:

    Z = factor · (s · X) W + b,    Y = m · (Z + alpha · (f(Z) - Z))

with the scale s, the strength alpha of a parametric activation, and the mask m of dropout, each 1 if it is absent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt

from nncli.nn.activations import (
    ElementwiseActivation,
    Elu,
    Gelu,
    Identity,
    LeakyRelu,
    Mish,
    Relu,
    Selu,
    Sigmoid,
    Silu,
    Tanh,
)
from nncli.nn.layers.base import LayerBase
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.residual import ParametricActivation, Scale
from nncli.nn.layers.sequential import ActivationLayer, Dropout
from nncli.nn.network import Network

COMPILED_ACTIVATIONS = (Identity, Relu, LeakyRelu, Sigmoid, Tanh, Elu, Selu, Gelu, Silu, Mish)
"""The activations that the loops implement, in the order of their numbers in activations.py."""
FROM_OUTPUT = COMPILED_ACTIVATIONS[:5]
"""Those whose derivative follows from the output alone."""


class UnsupportedError(Exception):
    """The network is no sequence of blocks; the message says what is not supported."""


@dataclass(frozen=True)
class Block:
    """A dense layer of `inputs` units; `scale`, `bias` and `alpha` are names of parameters, None if absent."""

    inputs: int
    units: int
    weight: str
    bias: str | None
    factor: float
    activation: ElementwiseActivation
    scale: str | None = None
    alpha: str | None = None
    dropout: Dropout | None = None

    @property
    def derivative_from_output(self) -> bool:
        """Whether the derivative dY/dZ follows from Y, so that `forward` need not store it."""
        return isinstance(self.activation, FROM_OUTPUT) and self.alpha is None and self.dropout is None


def blocks_of(network: Network) -> list[Block]:
    """The blocks of a network.

    Raises:
        UnsupportedError: the network is no sequence of blocks.
    """
    blocks: list[Block] = []
    scale: str | None = None
    for name, layer, d in network.sequential.infer_widths(network.input_width):
        match layer:
            case Scale() if scale is None:
                scale = f"{name}.scale"
            case Dense():
                blocks.append(_dense(name, layer, d, scale))
                scale = None
            case ActivationLayer() | ParametricActivation() | Dropout() if blocks and scale is None:
                blocks[-1] = _extend(blocks[-1], name, layer)
            case ActivationLayer() | ParametricActivation() | Dropout() | Scale():
                raise _misplaced(layer)
            case _:
                raise UnsupportedError(f"a layer of type {layer.model_dump()['type']}")
    return blocks


def _dense(name: str, layer: Dense, d: int, scale: str | None) -> Block:
    activation = _compiled_activation(layer.activation or Identity())
    factor = 1.0 / sqrt(max(1, d)) if layer.parametrization == "ntk" else 1.0
    bias = f"{name}.bias" if layer.bias else None
    return Block(d, layer.out_features(d), f"{name}.weight", bias, factor, activation, scale)


def _extend(block: Block, name: str, layer: ActivationLayer | ParametricActivation | Dropout) -> Block:
    """The block with the layer that follows it."""
    if isinstance(layer, Dropout):
        if block.dropout is not None:
            raise _misplaced(layer)
        return block if layer.rate == 0.0 else replace(block, dropout=layer)
    if block.dropout is not None or block.alpha is not None or not isinstance(block.activation, Identity):
        raise _misplaced(layer)
    activation = _compiled_activation(layer.activation)
    alpha = f"{name}.alpha" if isinstance(layer, ParametricActivation) else None
    return replace(block, activation=activation, alpha=alpha)


def _compiled_activation(activation: ElementwiseActivation) -> ElementwiseActivation:
    if not isinstance(activation, COMPILED_ACTIVATIONS):
        raise UnsupportedError(f"the activation {activation.type}")
    return activation


def _misplaced(layer: LayerBase) -> UnsupportedError:
    return UnsupportedError(f"a layer of type {layer.model_dump()['type']} in this place")
