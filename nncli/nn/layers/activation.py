"""An activation function as a layer of its own."""

from __future__ import annotations

from typing import Literal

from nncli.nn.activations import ElementwiseActivation
from nncli.nn.arrays import Array, Bound
from nncli.nn.layers.base import LayerBase, Training
from nncli.nn.parameters import Views


class ActivationLayer(LayerBase):
    """Y = f(X), where the activation stands apart from a dense layer, as behind a normalisation."""

    type: Literal["activation"] = "activation"
    activation: ElementwiseActivation

    def width(self, d: int) -> int:
        return d

    def bind(self, p: Views, g: Views, X: Array, *, training: Training | None, needs_dX: bool) -> Bound:
        return self.activation.bind(X)
