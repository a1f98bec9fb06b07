"""The measured networks and their training data."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

RATE = 0.001
MOST_PRODUCTS = 1 << 30
"""Multiplications of one forward pass over the rows of a step's measurement, at most and about."""


@dataclass(frozen=True)
class Size:
    """A network and its batch: `widths` from input to output, where more than one output means classes."""

    widths: tuple[int, ...]
    batch: int

    @classmethod
    def of(cls, text: str) -> Size:
        """Read it as it is spelled in `name`, with or without blanks.

        Raises:
            ValueError: it is spelled otherwise.
        """
        widths, batch = text.split("/")
        return cls(tuple(map(int, widths.split("-"))), int(batch))

    @property
    def name(self) -> str:
        return "-".join(map(str, self.widths)) + f" / {self.batch}"

    @property
    def outputs(self) -> int:
        """Two classes share one output."""
        return 1 if self.widths[-1] == 2 else self.widths[-1]

    @property
    def is_regression(self) -> bool:
        return self.widths[-1] == 1

    @property
    def layers(self) -> list[tuple[int, int]]:
        """Inputs and units of every dense layer."""
        return list(pairwise((*self.widths[:-1], self.outputs)))

    @property
    def steps(self) -> int:
        """Steps of an epoch where one step is measured."""
        products = self.batch * sum(d * units for d, units in self.layers)
        return max(4, min(320, MOST_PRODUCTS // products))

    @property
    def operations(self) -> int:
        """Additions and multiplications in the matrix products of one step.

        Every layer has three products, forward, dW and dX, of which the first layer needs no dX.
        """
        weights = [d * units for d, units in self.layers]
        return 2 * self.batch * (3 * sum(weights) - weights[0])

    def data(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
        """The rows of an epoch of `steps`: X (rows, features) and y: (rows, 1) numbers or (rows,) codes."""
        rng = np.random.default_rng(0)
        X = rng.normal(size=(self.batch * self.steps, self.widths[0])).astype(np.float32)
        if self.is_regression:
            return X, np.sin(X.sum(1, keepdims=True)).astype(np.float32)
        return X, np.argmax(X @ rng.normal(size=(self.widths[0], self.widths[-1])), axis=1)


SIZES = (
    Size((2, 16, 1), 32),
    Size((20, 64, 64, 2), 32),
    Size((100, 256, 256, 10), 256),
    Size((100, 512, 512, 512, 10), 128),
    Size((784, 1024, 1024, 10), 1024),
)
