"""An activation function as a layer of its own."""

from __future__ import annotations

from typing import Literal

from nncli.nn.activations import ElementwiseActivation
from nncli.nn.arrays import Array, BoundLayer
from nncli.nn.layers.base import LayerBase, TrainingContext
from nncli.nn.parameters import ParamViews
from nncli.nn.program.values import Value


class ActivationLayer(LayerBase):
    """Y = f(X), an activation that is not part of a dense layer, for example after a normalization."""

    type: Literal["activation"] = "activation"
    activation: ElementwiseActivation

    def out_features(self, in_features: int) -> int:
        return in_features

    def bind(
        self, p: ParamViews, g: ParamViews, X: Array, *, training: TrainingContext | None, needs_dX: bool
    ) -> BoundLayer:
        return self.activation.bind(X)

    def lower(self, p: ParamViews, x: Value) -> Value:
        return self.activation.lower(x)
