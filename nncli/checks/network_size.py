"""A network's layers, and the memory that it and its training take."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from nncli.nn.network import Network
from nncli.nn.parameters import ParamGroup
from nncli.pipeline.prepare.prepare import PreparedTraining
from nncli.training.state import MAX_INIT_BYTES, MAX_INIT_ROWS

LIBRARIES = 110 << 20
"""Bytes that a process has taken before it knows of a table: Python, NumPy, Polars and their buffers."""
BUFFERS = 4
"""Numbers kept for each unit and row of a batch: what goes in, what comes out, and the gradient of either."""
READING, TIMES = 128 << 20, 8
"""Bytes of the table that are held while it is read and encoded, at most, or so many times what its rows become."""
SETTLING = 10
"""Layers' outputs that are held while first weights are made to follow from the data."""


@dataclass(frozen=True)
class LayerFacts:
    """A layer by the name that its parameters bear, its type, its units and its trained parameters."""

    name: str
    type: str
    units: int
    parameters: int


@dataclass(frozen=True)
class NetworkFacts:
    """A network's layers, and bytes: of its parameters, of what the optimizer keeps, of all buffers of a batch.

    `memory_bytes` estimates the most that one training takes. `batch` are the rows of a batch.
    """

    layers: tuple[LayerFacts, ...]
    parameters: int
    batch: int
    parameter_bytes: int
    optimizer_bytes: int
    activation_bytes: int
    memory_bytes: int

    @classmethod
    def of(cls, prepared: PreparedTraining) -> NetworkFacts:
        """The facts of a network that is ready to be trained, none of it allocated."""
        plan, network = prepared.arguments, prepared.spec.network
        batch = min(plan.batch_size, len(prepared.training))
        item, size = np.dtype(network.precision).itemsize, network.layout.size
        statistics = sum(prod(slot.shape) for slot in network.layout.slots if slot.group is ParamGroup.STATISTIC)
        moments = len(plan.optimizer.state) * size * item
        weights = (size + statistics) * item
        # the present weights, their gradient, the best ones and the gradient beside these, which is never touched
        state = 3 * weights + moments + (2 * weights + moments if plan.rollback_on_divergence else 0)
        layers = tuple(_layers(network))
        activations = BUFFERS * batch * item * sum(layer.units for layer in layers)
        rows = 0
        for side in filter(None, (prepared.training, prepared.validation)):
            examples = side.dataset
            held = 0 if examples.storage is not None else examples.X.nbytes + examples.codes.nbytes
            weighs = 0 if examples.weights is None else examples.weights.nbytes
            rows += held + examples.y.nbytes + side.y.nbytes + weighs
        settled = min(MAX_INIT_BYTES, min(MAX_INIT_ROWS, len(prepared.training)) * network.max_width * item)
        settling = SETTLING * settled if network.needs_data_init else 0
        predicted = len(prepared.training) * network.n_outputs * np.dtype(np.float64).itemsize * 2
        return cls(
            layers=layers,
            parameters=size,
            batch=batch,
            parameter_bytes=weights,
            optimizer_bytes=moments,
            activation_bytes=activations,
            memory_bytes=LIBRARIES + max(min(READING, TIMES * rows), predicted, settling) + rows + state + activations,
        )

    @property
    def as_json(self) -> dict[str, Any]:
        """As a JSON object."""
        layers = [
            {
                "name": layer.name,
                "type": layer.type,
                "output_shape": [self.batch, layer.units],
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


def _layers(network: Network) -> list[LayerFacts]:
    """What comes in, embedded or not, then every layer to the output."""
    entered = sum(
        prod(slot.shape) for slot in network.layout.slots if slot.group in (ParamGroup.EMBEDDING, ParamGroup.NUMERIC)
    )
    embeds = network.embeddings or network.embedded_numeric
    layers = [LayerFacts("input", "embedding" if embeds else "numbers", network.input_width, entered)]
    for name, layer, d in network.sequential.infer_widths(network.input_width):
        trained = sum(prod(slot.shape) for slot in layer.parameters(d) if slot.group is not ParamGroup.STATISTIC)
        layers.append(LayerFacts(name, str(layer.model_dump()["type"]), layer.out_features(d), trained))
    return layers
