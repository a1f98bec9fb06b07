"""A trained network with its constants folded into fewer arrays.

A scale and the factor 1 / sqrt(d) become part of the weights of a dense layer, its bias a further column of them, and a
piecewise-linear embedding becomes tables. What is left is Z = W [A; 1] and an activation for each dense layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from nncli.nn.activations import ElementwiseActivation, Identity
from nncli.nn.arrays import Array, Precision
from nncli.nn.inference.piecewise_tables import PiecewiseTables
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.residual import ParametricActivation, Scale
from nncli.nn.layers.sequential import ActivationLayer, Dropout
from nncli.nn.network import Network
from nncli.nn.numeric_embeddings import PiecewiseLinear
from nncli.nn.parameters import Parameters, with_prefix


@dataclass(frozen=True)
class Stage:
    """A dense layer of a network, the scales before it and the activation after it, by the names of the parameters.

    `alpha` are the strengths of a parametric activation.
    """

    name: str
    dense: Dense
    inputs: int
    scales: tuple[str, ...] = ()
    activation: ElementwiseActivation | None = None
    alpha: str | None = None

    @property
    def units(self) -> int:
        """The number of outputs."""
        return self.dense.out_features(self.inputs)


def stages_of(network: Network) -> tuple[Stage, ...] | None:
    """The dense layers of a network, or None if it has layers that cannot be folded into them."""
    stages: list[Stage] = []
    scales: tuple[str, ...] = ()
    for name, layer, d in network.sequential.infer_widths(network.input_width):
        if isinstance(layer, Dense):
            own = layer.activation
            stages.append(Stage(name, layer, d, scales, None if isinstance(own, Identity) else own))
            scales = ()
        elif isinstance(layer, Scale):
            scales += (f"{name}.scale",)
        elif isinstance(layer, ActivationLayer | ParametricActivation):
            if scales or not stages or stages[-1].activation is not None:
                return None
            alpha = f"{name}.alpha" if isinstance(layer, ParametricActivation) else None
            stages[-1] = replace(stages[-1], activation=layer.activation, alpha=alpha)
        elif not isinstance(layer, Dropout):
            return None
    return tuple(stages) if network.output_activation is None else None


@dataclass(frozen=True)
class FoldedNetwork:
    """The arrays of a folded network, in the precision of its arithmetic.

    `weights` (units, inputs + 1) of each stage, whose last column is the bias; `strengths` (units, 1) of its
    activation, None where it is not parametric. `tables` are those of a piecewise-linear embedding, `numeric` the
    parameters of any other, and `embeddings` the vectors of each categorical column.
    """

    weights: tuple[Array, ...]
    strengths: tuple[Array | None, ...]
    tables: PiecewiseTables | None
    numeric: Mapping[str, Array]
    embeddings: tuple[Array, ...]

    @classmethod
    def of(
        cls, network: Network, stages: tuple[Stage, ...], parameters: Parameters, precision: Precision
    ) -> FoldedNetwork:
        """Fold the parameters of a network. It is computed in float64, then rounded to `precision`."""
        p = parameters.by_name
        numeric = with_prefix(p, "numeric")
        piecewise = isinstance(network.numeric_embedding, PiecewiseLinear) and bool(numeric)
        return cls(
            weights=tuple(_weights(stage, p).astype(precision, order="C") for stage in stages),
            strengths=tuple(None if s.alpha is None else p[s.alpha].astype(precision)[:, None] for s in stages),
            tables=PiecewiseTables.of(numeric, precision, network.precision) if piecewise else None,
            numeric={} if piecewise else {name: view.astype(precision) for name, view in numeric.items()},
            embeddings=tuple(p[e.param_spec.name].astype(precision) for e in network.embeddings),
        )

    @property
    def nbytes(self) -> int:
        """The size of the weights and of the vectors of categories."""
        return sum(array.nbytes for array in (*self.weights, *self.embeddings))


def _weights(stage: Stage, p: Mapping[str, Array]) -> Array:
    """[W; b] transposed, (units, inputs + 1) in float64."""
    W = p[f"{stage.name}.weight"].astype(np.float64) * stage.dense.factor(stage.inputs)
    for scale in stage.scales:
        W *= p[scale].astype(np.float64)[:, None]
    b = p[f"{stage.name}.bias"] if stage.dense.bias else np.zeros(stage.units)
    return np.vstack([W, b]).T
