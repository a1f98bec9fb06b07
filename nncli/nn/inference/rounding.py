"""A bound of the rounding errors of a network in float32, by the usual worst-case analysis.

With u = 2⁻²⁴ and γ_k = k u / (1 - k u), a product of k terms, added in any order, is off by at most γ_k |W| |a|;
an error of its input grows at most by the spectral norm of W, and by the largest slope of the activation. All norms are
Euclidean, over the units of one row. Higham, "Accuracy and stability of numerical algorithms", 2002, chapter 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nncli.nn.activations import ElementwiseActivation, Identity, Mish, Relu
from nncli.nn.arrays import Array
from nncli.nn.inference.folding import FoldedNetwork, Stage

U = 2.0**-24
SLOPES: dict[type, tuple[float, float]] = {Identity: (1.0, 1.0), Relu: (0.0, 1.0), Mish: (-0.1135, 1.0890)}
"""The lowest and the highest slope of the activations whose error is known."""
ACTIVATION_ERROR = 64.0 * U
"""The error of one of these activations, relative to its input, for a strength of 0; that of Mish is below 30 u."""
SLACK = 1.001
"""For the rounding of the bounds themselves."""
SQUARINGS = 5


@dataclass(frozen=True)
class RoundedStage:
    """A dense layer and its activation in float32.

    The error of its output is at most `gain` times that of its input, plus `product` times the norm of its input, plus
    `bias`, plus `activation` times the norm of what the activation gets.
    """

    weights: Array
    strengths: Array | None
    gain: float
    product: float
    bias: float
    activation: float

    @classmethod
    def of(cls, activation: ElementwiseActivation | None, W: Array, strengths: Array | None) -> RoundedStage:
        """Round the weights and the strengths of a stage in float64."""
        k = W.shape[1] * U
        lowest, highest = SLOPES[type(activation or Identity())]
        alpha = np.ones(1) if strengths is None else strengths
        slope = float(np.abs([1.0 + alpha * (lowest - 1.0), 1.0 + alpha * (highest - 1.0)]).max())
        return cls(
            W.astype(np.float32),
            None if strengths is None else strengths.astype(np.float32),
            SLACK * slope * spectral_norm(W[:, :-1]),
            SLACK * slope * (k / (1.0 - k) + 2.0 * U) * spectral_norm(np.abs(W[:, :-1])),
            SLACK * slope * (k / (1.0 - k) + 2.0 * U) * float(np.linalg.norm(W[:, -1])),
            0.0 if activation is None else ACTIVATION_ERROR * (1.0 + float(np.abs(alpha).max())),
        )


def rounded_stages(folded: FoldedNetwork, stages: tuple[Stage, ...]) -> tuple[RoundedStage, ...]:
    """The stages of a network that was folded in float64, in float32."""
    arrays = zip(stages, folded.weights, folded.strengths, strict=True)
    return tuple(RoundedStage.of(stage.activation, W, strengths) for stage, W, strengths in arrays)


def has_bound(stages: tuple[Stage, ...]) -> bool:
    """Whether the errors of a network in float32 can be bounded."""
    return all(stage.activation is None or type(stage.activation) in SLOPES for stage in stages)


def spectral_norm(W: Array) -> float:
    """An upper bound of the spectral norm, above it by at most 6 % for 256 units.

    ‖W‖ = ‖G^m‖^(1/2m) <= ‖G^m‖_F^(1/2m) with G = W Wᵀ and m = 2^SQUARINGS.
    """
    G = W @ W.T if len(W) <= W.shape[1] else W.T @ W
    log_norm, power = 0.0, 0.5
    for _ in range(SQUARINGS):
        norm = float(np.linalg.norm(G))
        if norm == 0.0 or not np.isfinite(norm):
            return norm
        log_norm += power * np.log(norm)
        G = G / norm
        G, power = G @ G, power / 2.0
    return float(np.exp(log_norm + power * np.log(np.linalg.norm(G)))) * SLACK
