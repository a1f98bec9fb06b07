"""Dropout, with random masks made from sixteen bits per unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.base.spec import Fraction
from nncli.nn.annealing import Annealing, annealing_factor
from nncli.nn.arrays import Array, BoundLayer, scalar
from nncli.nn.layers.base import LayerBase, TrainingContext
from nncli.nn.parameters import ParamViews
from nncli.nn.program.values import Value


class Dropout(LayerBase):
    """Each unit is set to 0 with probability `rate` in training, and the others are scaled by 1 / (1 - rate).

    Srivastava et al., 2014, in the inverted form: prediction needs no correction. The rate is exact within 2^-16. With
    the `schedule` flat_cosine it holds for half of the training steps, then falls to 0 along half a cosine.
    """

    type: Literal["dropout"] = "dropout"
    rate: Fraction = 0.5
    schedule: Annealing = "constant"

    def out_features(self, in_features: int) -> int:
        return in_features

    def bind(
        self, p: ParamViews, g: ParamViews, X: Array, *, training: TrainingContext | None, needs_dX: bool
    ) -> BoundLayer:
        if not training or self.rate == 0.0:
            return BoundLayer(X, lambda: None, lambda dY: dY)
        Y, M, keep = np.empty_like(X), np.empty_like(X), np.empty(X.shape, bool)
        rate, schedule, progress, scale = self.rate, self.schedule, training.progress, scalar(1.0, X)
        draw = bind_mask(training.rng, keep)

        def forward() -> None:
            scale.fill(1.0 / draw(rate * annealing_factor(schedule, progress.item())))
            np.copyto(M, keep)
            np.multiply(M, scale, out=M)
            np.multiply(X, M, out=Y)

        def backward(dY: Array) -> Array:
            return np.multiply(dY, M, out=dY)

        return BoundLayer(Y, forward, backward)

    def lower(self, p: ParamViews, x: Value) -> Value:
        return x


DrawMask: TypeAlias = Callable[[float], float]
"""draw(rate) keeps each unit with probability 1 - rate, within 2^-16, and returns the exact probability."""


EVEN = 1 << 15
"""Even thresholds among the numbers of sixteen bits."""


def bind_mask(rng: np.random.Generator, keep: npt.NDArray[np.bool_]) -> DrawMask:
    """Bind the drawing of masks to `keep`, a contiguous array of any shape, which it fills."""
    m = -(-keep.size // 12)
    D = np.empty(4 * m)
    words = D.view(np.uint64)
    thirds, fourth = [words[i * m : (i + 1) * m] for i in range(3)], words[3 * m :]
    bits, flat = words[: 3 * m].view(np.uint16)[: keep.size], keep.reshape(-1)
    one, sixteen, threshold = np.array(1.0), np.array(16, np.uint64), np.array(0, np.uint16)

    def draw(rate: float) -> float:
        n_dropped = min(round(rate * EVEN), EVEN - 1)
        rng.random(out=D)
        np.add(D, one, out=D)
        for words in thirds:  # bits 0 to 47 of the fourth, sixteen at a time, replace the constant ones
            np.left_shift(fourth, sixteen, out=fourth)
            np.bitwise_xor(words, fourth, out=words)
        threshold.fill(2 * n_dropped)
        np.greater_equal(bits, threshold, out=flat)
        return 1.0 - n_dropped / EVEN

    return draw
