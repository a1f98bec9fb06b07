"""Residual blocks, and the union of all layers, which is the registry."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from nncli.nn.arrays import Array, Bound
from nncli.nn.layers.activation import ActivationLayer
from nncli.nn.layers.base import LayerBase, Training
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.dropout import Dropout
from nncli.nn.layers.normalization import BatchNorm, LayerNorm
from nncli.nn.layers.parametric import Parametric, Scale
from nncli.nn.layers.sequential import Sequential
from nncli.nn.parameters import Slot, Views
from nncli.spec import Count, Shorthand, by_name


class Residual(LayerBase):
    """Y = X + F(X), where F is the list of layers inside. He et al., "Deep residual learning", 2016."""

    type: Literal["residual"] = "residual"
    layers: Annotated[tuple[Layer, ...], Field(min_length=1)]

    @property
    def couples_rows(self) -> bool:
        return any(layer.couples_rows for layer in self.layers)

    @property
    def needs_data(self) -> bool:
        return any(layer.needs_data for layer in self.layers)

    def width(self, d: int) -> int:
        width = d
        for _, layer, into in Sequential.of(self.layers).infer_widths(d):
            width = layer.width(into)
        if width != d:
            raise ValueError(
                f"the layers of a residual must end as wide as they begin: {d} units come in, {width} go out"
            )
        return d

    def slots(self, d: int) -> tuple[Slot, ...]:
        return tuple(Sequential.of(self.layers).parameters(d))

    def settle(self, p: Views, X: Array, rng: np.random.Generator) -> Array:
        return X + Sequential.of(self.layers).init_from_data(p, X, rng)

    def bind(self, p: Views, g: Views, X: Array, *, training: Training | None, needs_dX: bool) -> Bound:
        F, inner_forward, inner_backward = Sequential.of(self.layers).bind(
            p, g, X, training=training, needs_dX=needs_dX
        )
        Y, skip = np.empty_like(X), np.empty_like(X)

        def forward() -> None:
            inner_forward()
            np.add(X, F, out=Y)

        def backward(dY: Array) -> Array:
            np.copyto(skip, dY)  # the layers inside may overwrite dY
            dF = inner_backward(dY)
            return np.add(skip, dF, out=skip) if needs_dX else dF

        return Bound(Y, forward, backward)


def _expand(value: Any) -> Any:
    """`64` for `{type: dense, units: 64}`, `batch_norm` for `{type: batch_norm}`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return {"type": "dense", "units": value}
    return by_name(value)


Layer = Annotated[
    Annotated[
        Dense | Dropout | BatchNorm | LayerNorm | Scale | ActivationLayer | Parametric | Residual,
        Field(discriminator="type"),
    ],
    Shorthand(_expand, also=Count),
]

Residual.model_rebuild()
