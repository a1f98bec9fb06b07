"""Where numbers stopped being finite, and why they most likely did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nncli.errors import quoted
from nncli.nn.arrays import Array, Codes
from nncli.nn.network import Network
from nncli.nn.parameters import Parameters, under

FAR = 1e3
"""An input beyond this was not scaled: scaled ones lie within a few units of 0."""


@dataclass(frozen=True)
class Diagnosis:
    """The `layer` by its parameters' name (`layers.0`, `output`), and a likely `cause` with its mend."""

    layer: str
    cause: str


def diagnose(
    network: Network, parameters: Parameters, X: Array, codes: Codes, names: tuple[str, ...], rate: float
) -> Diagnosis:
    """Look at rows X (rows, features), codes (rows, embeddings) after the loss was not finite.

    `names` says what each feature is; `rate` was the learning rate.

    The first layer is named that has a parameter which is not finite or, when all are, whose output is not.
    """
    return Diagnosis(_first_layer(network, parameters, X, codes), _cause(X, names, rate))


def _first_layer(network: Network, parameters: Parameters, X: Array, codes: Codes) -> str:
    for name, values in parameters.named.items():
        if not np.isfinite(values).all():
            return name.rpartition(".")[0] if not name.startswith("embeddings.") else name
    p, g, unused = parameters.named, parameters.gradients, np.random.default_rng(0)
    Y, forward, _ = network.bind_inputs(under(p, "embeddings"), under(g, "embeddings"), X, codes)
    forward()
    for name, layer in network.chain:
        Y, forward, _ = layer.bind(under(p, name), under(g, name), Y, rng=unused, training=False, needs_dX=False)
        forward()
        if not np.isfinite(Y).all():
            return name
    return "output"


def _cause(X: Array, names: tuple[str, ...], rate: float) -> str:
    if X.size and float(np.abs(X).max()) > FAR:
        j = int(np.abs(X).max(axis=0).argmax())
        name = quoted(names[j]) if j < len(names) else f"feature {j + 1}"
        return f"{name} reaches {np.abs(X[:, j]).max():.3g} and is not scaled: use encoding: {{numeric: standard}}"
    mend = "lower learning_rate, or set clip_norm: 1 or on_divergence: halve_rate"
    return f"the learning rate, {rate:g}, is too high: {mend}"
