"""What every layer answers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from nncli.nn.arrays import Array, BoundLayer
from nncli.nn.parameters import ParamSpec, ParamViews
from nncli.spec import Spec


@dataclass(frozen=True)
class TrainingContext:
    """That a network is bound to be trained, and what is handed to its layers for that.

    `rng` feeds dropout. `progress` (), the share of the training's steps that have been taken, is kept up to date by
    whoever trains; what a layer makes of it may change from step to step, and means nothing to a trained network.
    """

    rng: np.random.Generator
    progress: Array = field(default_factory=lambda: np.zeros(()))


class LayerBase(Spec):
    """What every layer answers: how wide it is, what parameters it wants, and how it is bound."""

    @property
    def mixes_rows(self) -> bool:
        """Whether, in training, a row's output depends on the other rows of its batch."""
        return False

    @property
    def needs_data_init(self) -> bool:
        """Whether where its parameters start depends on the training rows: see `settle`."""
        return False

    def with_defaults(self, defaults: Mapping[str, object]) -> Self:
        """This layer, and those inside it, with the network's defaults in the fields of dense layers that are unset."""
        return self

    def with_auto_units(self, units: int) -> Self:
        """This layer, and those inside it, with `units` in place of `units: auto`."""
        return self

    @abstractmethod
    def out_features(self, in_features: int) -> int:
        """Units of output for `d` units of input. Raises ValueError when the layer cannot follow `d` units."""

    def parameters(self, in_features: int) -> tuple[ParamSpec, ...]:
        """The layer's parameters for `d` units of input."""
        return ()

    @abstractmethod
    def bind(
        self, p: ParamViews, g: ParamViews, X: Array, *, training: TrainingContext | None, needs_dX: bool
    ) -> BoundLayer:
        """Tie the layer to its parameters, its gradients and its input buffer X (rows, d).

        With `training` None, as for prediction, dropout is off and statistics are the running ones. Without `needs_dX`,
        as in the first layer of a network, `backward` leaves out the gradient of the input and returns a buffer that
        means nothing.
        """

    def init_from_data(self, p: ParamViews, X: Array, rng: np.random.Generator) -> Array:
        """Let what of the fresh parameters p is to follow from the data follow from X (rows, d); returns the output."""
        bound = self.bind(p, p, X, training=None, needs_dX=False)  # nothing goes back, so no gradient is written
        bound.forward()
        return bound.Y
