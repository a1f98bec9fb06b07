"""A network as a sequence of blocks, each a dense layer with what the compiled loops compute in the same pass.

A block is [scale,] dense [, activation] [, dropout], where the activation is that of the dense layer or a layer of its
own:

    Z = factor · (s · X) W + b,    Y = m · (Z + alpha · (f(Z) - Z))

with the scale s, the strength alpha of a parametric activation, and the mask m of dropout, each 1 if it is absent. The
loops get the blocks as tables, with the buffers of a number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

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
from nncli.nn.arrays import zeros_aligned
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.layer import LayerBase
from nncli.nn.layers.residual import ParametricActivation, Scale
from nncli.nn.layers.sequential import ActivationLayer, Dropout
from nncli.nn.network import Network
from nncli.nn.parameters import Parameters

COMPILED_ACTIVATIONS = (Identity, Relu, LeakyRelu, Sigmoid, Tanh, Elu, Selu, Gelu, Silu, Mish)
"""The activations that the loops implement, in the order of their numbers in activations.py."""
FROM_OUTPUT = COMPILED_ACTIVATIONS[:5]
"""Those whose derivative follows from the output alone."""


class UnsupportedError(Exception):
    """The network is no sequence of blocks; the message says what is not supported."""


@dataclass(frozen=True)
class DenseBlock:
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


def blocks_of(network: Network) -> list[DenseBlock]:
    """The blocks of a network.

    Raises:
        UnsupportedError: the network is no sequence of blocks.
    """
    blocks: list[DenseBlock] = []
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


def _dense(name: str, layer: Dense, d: int, scale: str | None) -> DenseBlock:
    activation = _compiled_activation(layer.activation or Identity())
    factor = 1.0 / sqrt(max(1, d)) if layer.parametrization == "ntk" else 1.0
    bias = f"{name}.bias" if layer.bias else None
    return DenseBlock(d, layer.out_features(d), f"{name}.weight", bias, factor, activation, scale)


def _extend(block: DenseBlock, name: str, layer: ActivationLayer | ParametricActivation | Dropout) -> DenseBlock:
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


Integers: TypeAlias = npt.NDArray[np.int64]
Float32s: TypeAlias = npt.NDArray[np.float32]


def hyperparameters(f: ElementwiseActivation) -> tuple[float, float]:
    """H0 and H1 of an activation, as kernels.py numbers the columns."""
    match f:
        case LeakyRelu():
            return f.slope, 0.0
        case Elu():
            return f.alpha, 1.0
        case Selu():
            return f.ALPHA, f.SCALE
        case Relu():
            return 0.0, 0.0
    return 1.0, 0.0


def number_of(f: ElementwiseActivation) -> int:
    """The number of an activation; SELU is an ELU with other hyper-parameters."""
    return COMPILED_ACTIVATIONS.index(Elu if isinstance(f, Selu) else type(f))


@dataclass(frozen=True)
class NetworkArguments:
    """The tables of a network's blocks, by the letters of kernels.py.

    `stored` and `scaled` are the numbers of units whose derivatives are stored, and of weights that are scaled.
    """

    network: Network
    blocks: Integers
    numbers: Float32s
    stored: int
    scaled: int

    @classmethod
    def of(cls, network: Network) -> NetworkArguments:
        """The tables of a network that `blocks_of` supports."""
        offset = _Offsets(network)
        table, numbers = [], []
        stored = scaled = 0
        for i, block in enumerate(blocks_of(network)):
            stores = not block.derivative_from_output
            scales = block.scale is not None or (i == 0 and _embeds(network))
            row = [block.inputs, block.units, offset(block.weight), offset(block.bias), offset(block.scale)]
            row += [
                offset(block.alpha),
                number_of(block.activation),
                stored if stores else -1,
                scaled if scales else -1,
            ]
            table.append(row)
            dropout = block.dropout or Dropout(rate=0.0)
            anneals = dropout.schedule == "flat_cosine"
            numbers.append([block.factor, *hyperparameters(block.activation), dropout.rate, anneals])
            stored += block.units if stores else 0
            scaled += block.inputs * block.units if scales else 0
        return cls(network, np.array(table, np.int64), np.array(numbers, np.float32), stored, scaled)

    @property
    def anneals(self) -> bool:
        """Whether a dropout rate falls to 0."""
        return bool(self.numbers[:, -1].any())

    def bind(
        self, parameters: Parameters, located: Bins, rows: int, seed: np.uint64
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """`net`, with its vectors, buffers for a number of rows and the seed of its dropout, and `inputs`."""
        inputs = InputLayout.of(self.network, rows)
        widths, units = self.blocks[:, 0], self.blocks[:, 1]
        order = np.tile(np.arange(int(widths.max())), (len(self.blocks), 1))
        order[0, : widths[0]] = inputs.order
        A = zeros_aligned(rows * (int(widths[0]) + int(units.sum())), np.float32)
        dA = zeros_aligned(2 * rows * max(int(units.max()), inputs.n_learned), np.float32)
        derivatives = zeros_aligned(2 * rows * self.stored, np.float32).reshape(2, -1)
        scaled, dscaled = (zeros_aligned(self.scaled, np.float32) for _ in range(2))
        ones = np.ones(max(int(units.max()), int(widths.max())), np.float32)
        buffers = (A, dA, derivatives, scaled, dscaled, ones)
        net = (self.blocks, self.numbers, order, parameters.theta, parameters.grad, *buffers, seed)
        return net, inputs.bind(located, rows, int(units[0]))


def _embeds(network: Network) -> bool:
    return bool(network.embeddings or network.embedded_numeric)


LOOK_UP, NUMERIC_LOOK_UP = 7, 11
"""Multiplications of a matrix product that take as long as to add a row of a table to a row and back, per unit."""


@dataclass(frozen=True)
class InputLayout:
    """Which embedded columns are projected, and the order of the rows of the first block's matrix.

    In the order of `order`, (inputs,) rows of W: directly written numbers and categories, `n_learned` together; numbers
    that are passed on; projected numbers and categories. `categories` is the table of inputs.py.
    """

    network: Network
    projects_numbers: bool
    categories: Integers
    order: Integers
    n_learned: int
    n_direct: int

    @classmethod
    def of(cls, network: Network, rows: int) -> InputLayout:
        """The layout that is the fastest for batches of so many rows."""
        offset, C, d = _Offsets(network), len(network.embedded_numeric), network.n_features
        embedding = network.numeric_embedding
        bins, units = (embedding.hidden_width, embedding.out_features) if embedding and C else (0, 1)
        projects = C > 0 and 3 * rows * units > 6 * bins * units + NUMERIC_LOOK_UP * rows
        numbers, passed = np.arange(C * units), np.arange(C * units, d + C * (units - 1))
        learned, projected = ([], [numbers]) if projects else ([numbers], [])
        table, places, start = [], [], d + C * (units - 1)
        for e in network.embeddings:
            n, width, span = e.n_embeddings, e.width, np.arange(start, start + e.width)
            is_projected = 3 * rows * width > 3 * n * width + LOOK_UP * rows
            table.append([offset(f"embeddings.{e.name}"), width, n, -1, -1])
            places.append((4 if is_projected else 3, sum(map(len, projected if is_projected else learned))))
            (projected if is_projected else learned).append(span)
            start += width
        n_learned = sum(map(len, learned))
        n_direct = n_learned + len(passed)
        for row, (column, place) in zip(table, places, strict=True):
            row[column] = place + (n_direct if column == 4 else 0)
        order = np.concatenate([*learned, passed, *projected]).astype(np.int64)
        return cls(network, projects, np.array(table, np.int64).reshape(-1, 5), order, n_learned, n_direct)

    def bind(self, located: Bins, rows: int, units_of_block: int) -> tuple[Any, ...]:
        """The tables and buffers of inputs.py for a number of rows."""
        network, embedding, offset = self.network, self.network.numeric_embedding, _Offsets(self.network)
        passed = np.array(sorted(set(range(network.n_features)) - set(network.embedded_numeric)), np.int64)
        C, K = located.width.shape
        units = embedding.out_features if embedding and C else 0
        at = np.array([offset(f"numeric.{name}") if C else 0 for name in ("slope", "bias", "weight")], np.int64)
        OS, GH = (np.zeros((C, 2 * K, units), np.float32) for _ in range(2))
        bins, fractions = np.zeros((rows, C), np.int64), np.zeros((rows, C), np.float32)
        projected = self.categories[self.categories[:, 3] < 0]
        T = np.zeros((max([2 * K, *projected[:, 2].tolist()]), units_of_block), np.float32)
        sizes = np.array([self.n_learned, self.n_direct, self.projects_numbers, _embeds(network)], np.int64)
        edges = (located.edges, located.width, located.filled)
        tables = (located.columns, passed, units, at, *edges, self.categories, sizes)
        return *tables, OS, bins, fractions, GH, T, located.bins, located.fractions


MAX_LOCATED_BYTES = 64 << 20
"""Bytes of the bins and fractions of all rows; for larger tables they are found in each step."""


@dataclass(frozen=True)
class Bins:
    """The bins of the embedded numbers by the letters of inputs.py, (columns, bins), and those of all rows.

    `width` is 1 in a bin that is empty, where `filled` is 0. `bins` and `fractions` (rows, columns) are empty if they
    are found in each step.
    """

    columns: Integers
    edges: Float32s
    width: Float32s
    filled: Float32s
    bins: npt.NDArray[np.uint8]
    fractions: Float32s

    @classmethod
    def of(cls, network: Network, parameters: Parameters, rows: int) -> Bins:
        """The bins of a network whose edges are placed, with room for those of `rows` rows."""
        columns = np.array(network.embedded_numeric, np.int64)
        edges = np.zeros((0, 2), np.float32)
        if len(columns):
            edges = np.ascontiguousarray(parameters.by_name["numeric.edges"], np.float32)
        width = np.diff(edges, axis=1)
        filled = (width > 0.0).astype(np.float32)
        width[width <= 0.0] = 1.0
        if 5 * rows * len(columns) > MAX_LOCATED_BYTES or width.shape[1] > 256 or not len(columns):
            rows = 0
        shape = (rows, len(columns))
        return cls(columns, edges, width, filled, np.zeros(shape, np.uint8), np.zeros(shape, np.float32))


@dataclass(frozen=True)
class _Offsets:
    """The offset of a parameter in theta by its name; -1 for None."""

    network: Network

    def __call__(self, name: str | None) -> int:
        return -1 if name is None else self.network.layout.spans[name][0].start
