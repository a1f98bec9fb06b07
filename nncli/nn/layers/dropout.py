"""Dropout, with random masks made from sixteen bits per unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.nn.annealing import Annealing, annealing_factor
from nncli.nn.arrays import Array, BoundLayer, scalar
from nncli.nn.layers.base import LayerBase, TrainingContext
from nncli.nn.parameters import ParamViews
from nncli.spec import Fraction


class Dropout(LayerBase):
    """Each unit is silenced with probability `rate` while training, and the rest scaled by 1 / (1 - rate).

    Srivastava et al., 2014, in the inverted form: prediction needs no correction. The rate is met within 2^-16. With
    the `schedule` flat_cosine it holds for half of the training's steps, then falls to 0 along half a cosine.
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
        Y, M, kept = np.empty_like(X), np.empty_like(X), np.empty(X.shape, bool)
        rate, course, progress, scale = self.rate, self.schedule, training.progress, scalar(1.0, X)
        draw = bind_mask(training.rng, kept)

        def forward() -> None:
            scale.fill(1.0 / draw(rate * annealing_factor(course, progress.item())))
            np.copyto(M, kept)
            np.multiply(M, scale, out=M)
            np.multiply(X, M, out=Y)

        def backward(dY: Array) -> Array:
            return np.multiply(dY, M, out=dY)

        return BoundLayer(Y, forward, backward)


DrawMask: TypeAlias = Callable[[float], float]
"""draw(rate) keeps each unit with probability 1 - rate, within 2^-16, and returns the very probability."""


EVEN = 1 << 15
"""Even thresholds among the numbers of sixteen bits."""


def bind_mask(rng: np.random.Generator, keep: npt.NDArray[np.bool_]) -> DrawMask:
    """Tie the drawing to `kept`, of any shape and without gaps, which it fills."""
    m = -(-keep.size // 12)
    D = np.empty(4 * m)
    words = D.view(np.uint64)
    thirds, fourth = [words[i * m : (i + 1) * m] for i in range(3)], words[3 * m :]
    bits, flat = words[: 3 * m].view(np.uint16)[: keep.size], keep.reshape(-1)
    one, sixteen, threshold = np.array(1.0), np.array(16, np.uint64), np.array(0, np.uint16)

    def draw(rate: float) -> float:
        silenced = min(round(rate * EVEN), EVEN - 1)
        rng.random(out=D)
        np.add(D, one, out=D)
        for words in thirds:  # the fourth's bits 0 to 47, sixteen at a time, come to stand over the constant ones
            np.left_shift(fourth, sixteen, out=fourth)
            np.bitwise_xor(words, fourth, out=words)
        threshold.fill(2 * silenced)
        np.greater_equal(bits, threshold, out=flat)
        return 1.0 - silenced / EVEN

    return draw
