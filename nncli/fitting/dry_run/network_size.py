"""The layers of a network, and the memory of the network and its training."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from nncli.nn.network import Network
from nncli.nn.parameters import ParamGroup
from nncli.nn.training.state import MAX_INIT_BYTES, MAX_INIT_ROWS

if TYPE_CHECKING:
    from nncli.fitting.prepare.prepare import PreparedTraining

LIBRARY_BYTES = 110 << 20
"""Memory of a process before it reads a table: Python, NumPy, Polars and their buffers."""
BUFFERS_PER_UNIT = 4
"""Numbers for each unit and row of a batch: input, output and their gradients."""
MAX_READING_BYTES, READING_FACTOR = 128 << 20, 8
"""Memory of the table while it is read and encoded: a multiple of the encoded rows, up to a maximum."""
INIT_BUFFERS = 10
"""Layer outputs that are held during a data-dependent initialization."""


@dataclass(frozen=True)
class LayerSize:
    """A layer: the prefix of its parameters' names, its type, its units and the number of its trained parameters."""

    name: str
    type: str
    units: int
    parameters: int


@dataclass(frozen=True)
class NetworkSize:
    """The layers of a network and bytes of its parameters, its optimizer state and the activations of a batch.

    `memory_bytes` is an estimate of the peak memory of one training.
    """

    layers: tuple[LayerSize, ...]
    parameters: int
    batch_size: int
    parameter_bytes: int
    optimizer_bytes: int
    activation_bytes: int
    memory_bytes: int

    @classmethod
    def of(cls, prepared: PreparedTraining) -> NetworkSize:
        """The sizes of a network that is ready to be trained, without allocating it."""
        arguments, network = prepared.arguments, prepared.spec.network
        batch = min(arguments.batch_size, len(prepared.training))
        item, size = np.dtype(network.precision).itemsize, network.layout.size
        statistics = sum(prod(spec.shape) for spec in network.layout.specs if spec.group is ParamGroup.STATISTIC)
        optimizer_bytes = len(arguments.optimizer.state) * size * item
        weights = (size + statistics) * item
        # weights, gradient, best weights and, beside these, a gradient that is allocated and never touched
        state = (
            3 * weights + optimizer_bytes + (2 * weights + optimizer_bytes if arguments.rollback_on_divergence else 0)
        )
        layers = layer_sizes(network)
        activations = BUFFERS_PER_UNIT * batch * item * sum(layer.units for layer in layers)
        rows = 0
        for side in filter(None, (prepared.training, prepared.validation)):
            dataset = side.dataset
            feature_bytes = 0 if dataset.storage is not None else dataset.X.nbytes + dataset.codes.nbytes
            weight_bytes = 0 if dataset.weights is None else dataset.weights.nbytes
            rows += feature_bytes + dataset.y.nbytes + side.y.nbytes + weight_bytes
        init_bytes = min(MAX_INIT_BYTES, min(MAX_INIT_ROWS, len(prepared.training)) * network.max_width * item)
        initialization = INIT_BUFFERS * init_bytes if network.needs_data_init else 0
        predicted = len(prepared.training) * network.n_outputs * np.dtype(np.float64).itemsize * 2
        return cls(
            layers=layers,
            parameters=size,
            batch_size=batch,
            parameter_bytes=weights,
            optimizer_bytes=optimizer_bytes,
            activation_bytes=activations,
            memory_bytes=LIBRARY_BYTES
            + max(min(MAX_READING_BYTES, READING_FACTOR * rows), predicted, initialization)
            + rows
            + state
            + activations,
        )

    @property
    def as_json(self) -> dict[str, Any]:
        """As a JSON object."""
        layers = [
            {
                "name": layer.name,
                "type": layer.type,
                "output_shape": [self.batch_size, layer.units],
                "parameters": layer.parameters,
            }
            for layer in self.layers
        ]
        return {
            "layers": layers,
            "parameters": self.parameters,
            "parameter_bytes": self.parameter_bytes,
            "optimizer_bytes": self.optimizer_bytes,
            "activation_bytes": self.activation_bytes,
        }


def layer_sizes(network: Network) -> tuple[LayerSize, ...]:
    """The input with its embeddings, then every layer to the output."""
    input_parameters = sum(
        prod(spec.shape) for spec in network.layout.specs if spec.group in (ParamGroup.EMBEDDING, ParamGroup.NUMERIC)
    )
    embeds = network.embeddings or network.embedded_numeric
    layers = [LayerSize("input", "embedding" if embeds else "input", network.input_width, input_parameters)]
    for name, layer, d in network.sequential.infer_widths(network.input_width):
        trained = sum(prod(spec.shape) for spec in layer.parameters(d) if spec.group is not ParamGroup.STATISTIC)
        layers.append(LayerSize(name, str(layer.model_dump()["type"]), layer.out_features(d), trained))
    return tuple(layers)
