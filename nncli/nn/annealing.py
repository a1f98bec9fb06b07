"""Annealing of a layer's hyper-parameter over the training steps."""

from __future__ import annotations

from math import cos, pi
from typing import Literal, TypeAlias

Annealing: TypeAlias = Literal["constant", "flat_cosine"]
"""How a hyper-parameter, such as a weight decay or a dropout rate, changes during training."""


def annealing_factor(annealing: Annealing, t: float) -> float:
    """The factor of a hyper-parameter after the fraction t of the training steps.

    1, or with flat_cosine 1 for t < 1/2 and then (1 + cos(pi (2t - 1))) / 2, which ends at 0.
    Holzmüller, Grinsztajn and Steinwart, "Better by default", 2024.
    """
    return 1.0 if annealing == "constant" or t < 0.5 else (1.0 + cos(pi * (2.0 * min(t, 1.0) - 1.0))) / 2.0
