"""What every layer answers."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from nncli.nn.arrays import Array, Bound
from nncli.nn.parameters import Slot, Views
from nncli.specification import Specification


class LayerBase(Specification):
    """What every layer answers: how wide it is, what parameters it wants, and how it is bound."""

    @property
    def couples_rows(self) -> bool:
        """Whether, in training, a row's output depends on the other rows of its batch."""
        return False

    @abstractmethod
    def width(self, d: int) -> int:
        """Units of output for `d` units of input. Raises ValueError when the layer cannot follow `d` units."""

    def slots(self, d: int) -> tuple[Slot, ...]:
        """The layer's parameters for `d` units of input."""
        return ()

    @abstractmethod
    def bind(self, p: Views, g: Views, X: Array, *, rng: np.random.Generator, training: bool, needs_dX: bool) -> Bound:
        """Tie the layer to its parameters, its gradients and its input buffer X (rows, d).

        `rng` feeds dropout; `training` chooses between batch and running statistics; without `needs_dX`, as in
        the first layer of a network, `backward` leaves out the gradient of the input and returns a buffer that
        means nothing.
        """
