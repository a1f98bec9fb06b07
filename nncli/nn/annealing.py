"""Annealing of a layer's hyper-parameter over the training steps."""

from __future__ import annotations

from math import cos, pi
from typing import Literal, TypeAlias

Annealing: TypeAlias = Literal["constant", "flat_cosine"]
"""How a strength, such as a weight decay's or a dropout's, goes through a training."""


def annealing_factor(course: Annealing, t: float) -> float:
    """What is left of a strength when the share t of the steps has been taken.

    All of it, or with flat_cosine 1 for t < 1/2 and then (1 + cos(pi (2t - 1))) / 2, which ends at 0.
    Holzmüller, Grinsztajn and Steinwart, "Better by default", 2024.
    """
    return 1.0 if course == "constant" or t < 0.5 else (1.0 + cos(pi * (2.0 * min(t, 1.0) - 1.0))) / 2.0
