"""A network as tables for the compiled loops, and the buffers of a number of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.nn.activations import ElementwiseActivation, Elu, LeakyRelu, Relu, Selu
from nncli.nn.arrays import zeros_aligned
from nncli.nn.network import Network
from nncli.nn.numeric_embeddings import PiecewiseLinear
from nncli.nn.parameters import Parameters
from nncli.training.compiled.blocks import COMPILED_ACTIVATIONS, Block, blocks_of

Integers: TypeAlias = npt.NDArray[np.int64]
Numbers: TypeAlias = npt.NDArray[np.float32]


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
    """The tables of a network, by the letters of kernels.py and inputs.py.

    `stored` and `scaled` are the numbers of units whose derivatives are stored, and of weights that are scaled.
    """

    network: Network
    blocks: Integers
    numbers: Numbers
    embeddings: Integers
    span: Integers
    stored: int
    scaled: int

    @classmethod
    def of(cls, network: Network) -> NetworkArguments:
        """The tables of a network that `blocks_of` supports."""
        offset = _Offsets(network)
        table, numbers = [], []
        stored = scaled = 0
        for block in blocks_of(network):
            stores, scales = not block.derivative_from_output, block.scale is not None
            row = [block.inputs, block.units, offset(block.weight), offset(block.bias), offset(block.scale)]
            row += [
                offset(block.alpha),
                number_of(block.activation),
                stored if stores else -1,
                scaled if scales else -1,
            ]
            table.append(row)
            numbers.append([block.factor, *hyperparameters(block.activation), *_dropout(block)])
            stored += block.units if stores else 0
            scaled += block.inputs * block.units if scales else 0
        embeddings = [(offset(f"embeddings.{e.name}"), e.width) for e in network.embeddings]
        units = network.numeric_embedding.out_features if network.numeric_embedding else 0
        begin = min((at for at, _ in embeddings), default=0)
        sizes = [e.n_embeddings * e.width for e in network.embeddings]
        span = [len(network.embedded_numeric) * units, sum(e.width for e in network.embeddings), begin]
        return cls(
            network,
            np.array(table, np.int64),
            np.array(numbers, np.float32),
            np.array(embeddings, np.int64).reshape(-1, 2),
            np.array([*span, begin + sum(sizes)], np.int64),
            stored,
            scaled,
        )

    @property
    def anneals(self) -> bool:
        """Whether a dropout rate falls to 0."""
        return bool(self.numbers[:, -1].any())

    def bind(self, parameters: Parameters, rows: int, seed: np.uint64) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """`net`, with its vectors, buffers for a number of rows and the seed of its dropout, and `inputs`."""
        units = self.blocks[:, 1]
        widest = max(int(units.max()), int(self.span[:2].max()))
        A = zeros_aligned(rows * (self.network.input_width + int(units.sum())), np.float32)
        dA = zeros_aligned(2 * rows * widest, np.float32)
        derivatives = zeros_aligned(2 * rows * self.stored, np.float32).reshape(2, -1)
        scaled, ones = zeros_aligned(self.scaled, np.float32), np.ones(int(units.max()), np.float32)
        theta, grad = parameters.theta, parameters.grad
        net = (self.blocks, self.numbers, self.span, theta, grad, A, dA, derivatives, scaled, ones, seed)
        return net, self._inputs(parameters, rows)

    def _inputs(self, parameters: Parameters, rows: int) -> tuple[Any, ...]:
        """The embeddings of numbers and categories, and their buffers: see inputs.py."""
        network, embedding = self.network, self.network.numeric_embedding
        columns = np.array(network.embedded_numeric, np.int64)
        passed = np.array(sorted(set(range(network.n_features)) - set(network.embedded_numeric)), np.int64)
        C, K, units, at = len(columns), 1, 0, np.zeros(3, np.int64)
        edges = np.zeros((0, 2), np.float32)
        if C and isinstance(embedding, PiecewiseLinear):
            K, units = embedding.bins, embedding.out_features
            offset = _Offsets(network)
            at = np.array([offset(f"numeric.{name}") for name in ("slope", "bias", "weight")], np.int64)
            edges = np.ascontiguousarray(parameters.by_name["numeric.edges"], np.float32)
        width = np.diff(edges, axis=1)
        filled = (width > 0.0).astype(np.float32)
        width[width <= 0.0] = 1.0
        O, S, G, H = (np.zeros((C, K, units), np.float32) for _ in range(4))  # noqa: E741 - the letters of inputs.py
        bins, fractions = np.zeros((rows, C), np.int64), np.zeros((rows, C), np.float32)
        return columns, passed, units, at, edges, width, filled, self.embeddings, O, S, bins, fractions, G, H


def _dropout(block: Block) -> tuple[float, float]:
    if block.dropout is None:
        return 0.0, 0.0
    return block.dropout.rate, float(block.dropout.schedule == "flat_cosine")


@dataclass(frozen=True)
class _Offsets:
    """The offset of a parameter in theta by its name; -1 for None."""

    network: Network

    def __call__(self, name: str | None) -> int:
        return -1 if name is None else self.network.layout.spans[name][0].start
