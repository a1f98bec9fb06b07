"""The layers. A layer holds no arrays: `bind` ties it to views and buffers and returns forward and backward.

In the letters of the textbook: X (rows, d) is the input, W and b the weights and biases, Z = X W + b, Y = f(Z)
the output (rows, units); dY, dZ, dX, dW, db are gradients of the loss. p holds a layer's parameter views and g
the views of their gradients, both by the short names that `slots` gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import sqrt
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from pydantic import Field

from nncli.nn.activations import ElementwiseActivation, Identity
from nncli.nn.arrays import Array, Bound, scalar
from nncli.nn.initializers import Data, Initializer, InitializerBase, Normal, Zeros
from nncli.nn.layer import LayerBase, Training
from nncli.nn.learned import Parametric, Scale
from nncli.nn.masks import bind_draw
from nncli.nn.normalization import BatchNorm, LayerNorm
from nncli.nn.parameters import Group, Slot, Views, under
from nncli.nn.schedules import Course, share_of
from nncli.nn.settling import settle_dense
from nncli.specification import Count, Flag, Share, Shorthand, by_name

Parametrisation: TypeAlias = Literal["standard", "ntk"]


class Dense(LayerBase):
    """Y = f(X W + b). Every unit sees every input.

    With the parametrisation `ntk`, Z = X W / sqrt(d) + b and W starts from N(0, 1), so that one learning rate suits
    layers of any width. Jacot, Gabriel and Hongler, "Neural tangent kernel", 2018. `units: auto` go with the table, and
    must be settled before the layer has a width.
    """

    type: Literal["dense"] = "dense"
    units: Count | Literal["auto"]
    activation: ElementwiseActivation | None = None
    bias: Flag = True
    init: Initializer | None = None
    parametrisation: Parametrisation | None = None

    @property
    def needs_data(self) -> bool:
        return isinstance(self.init, Data)

    def width(self, d: int) -> int:
        if self.units == "auto":
            raise ValueError("the units are not settled yet")
        return self.units

    def _factor(self, d: int) -> float:
        """By what X W is multiplied."""
        return 1.0 / sqrt(max(1, d)) if self.parametrisation == "ntk" else 1.0

    def slots(self, d: int) -> tuple[Slot, ...]:
        usual: InitializerBase = (self.activation or Identity()).default_init
        init = self.init or (Normal(std=1.0) if self.parametrisation == "ntk" else usual)
        units = self.width(d)
        weight = Slot("weight", (d, units), Group.WEIGHT, init)
        return (weight, Slot("bias", (units,), Group.BIAS, Zeros())) if self.bias else (weight,)

    def settle(self, p: Views, X: Array, rng: np.random.Generator) -> Array:
        if self.needs_data:
            settle_dense(p["weight"], p.get("bias"), X, self._factor(X.shape[1]), rng)
        return super().settle(p, X, rng)

    def bind(self, p: Views, g: Views, X: Array, *, training: Training | None, needs_dX: bool) -> Bound:
        W, dW, b, db = p["weight"], g["weight"], p.get("bias"), g.get("bias")
        rows, d = X.shape
        units = self.width(d)
        Z, B = np.empty((rows, units), X.dtype), np.empty((rows if self.bias else 0, units), X.dtype)
        dX = np.empty((rows if needs_dX else 0, d), X.dtype)
        ones, factor = np.ones(rows, X.dtype), scalar(self._factor(d), X)
        XT, WT, scaled = X.T, W.T, self.parametrisation == "ntk"
        Y, activate, df = (self.activation or Identity()).bind(Z, in_place=True)

        def forward() -> None:
            np.dot(X, W, out=Z)  # as np.matmul, with less ado about small matrices
            if scaled:
                np.multiply(Z, factor, out=Z)
            if b is not None:
                np.copyto(B, b)
                np.add(Z, B, out=Z)
            activate()

        def backward(dY: Array) -> Array:
            dZ = df(dY)
            if db is not None:
                np.dot(ones, dZ, out=db)  # the sum over rows, which BLAS does faster than np.sum
            if scaled:
                np.multiply(dZ, factor, out=dZ)
            np.dot(XT, dZ, out=dW)
            if needs_dX:
                np.dot(dZ, WT, out=dX)
            return dX

        return Bound(Y, forward, backward)


class Dropout(LayerBase):
    """Each unit is silenced with probability `rate` while training, and the rest scaled by 1 / (1 - rate).

    Srivastava et al., 2014, in the inverted form: prediction needs no correction. The rate is met within 2^-16. With
    the `schedule` flat_cosine it holds for half of the training's steps, then falls to 0 along half a cosine.
    """

    type: Literal["dropout"] = "dropout"
    rate: Share = 0.5
    schedule: Course = "constant"

    def width(self, d: int) -> int:
        return d

    def bind(self, p: Views, g: Views, X: Array, *, training: Training | None, needs_dX: bool) -> Bound:
        if not training or self.rate == 0.0:
            return Bound(X, lambda: None, lambda dY: dY)
        Y, M, kept = np.empty_like(X), np.empty_like(X), np.empty(X.shape, bool)
        rate, course, progress, scale = self.rate, self.schedule, training.progress, scalar(1.0, X)
        draw = bind_draw(training.rng, kept)

        def forward() -> None:
            scale.fill(1.0 / draw(rate * share_of(course, progress.item())))
            np.copyto(M, kept)
            np.multiply(M, scale, out=M)
            np.multiply(X, M, out=Y)

        def backward(dY: Array) -> Array:
            return np.multiply(dY, M, out=dY)

        return Bound(Y, forward, backward)


class ActivationLayer(LayerBase):
    """Y = f(X), where the activation stands apart from a dense layer, as behind a normalisation."""

    type: Literal["activation"] = "activation"
    activation: ElementwiseActivation

    def width(self, d: int) -> int:
        return d

    def bind(self, p: Views, g: Views, X: Array, *, training: Training | None, needs_dX: bool) -> Bound:
        return self.activation.bind(X)


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
        for _, layer, into in walk_widths(numbered(self.layers), d):
            width = layer.width(into)
        if width != d:
            raise ValueError(
                f"the layers of a residual must end as wide as they begin: {d} units come in, {width} go out"
            )
        return d

    def slots(self, d: int) -> tuple[Slot, ...]:
        return tuple(slots_of(numbered(self.layers), d))

    def settle(self, p: Views, X: Array, rng: np.random.Generator) -> Array:
        return X + settle_chain(numbered(self.layers), p, X, rng)

    def bind(self, p: Views, g: Views, X: Array, *, training: Training | None, needs_dX: bool) -> Bound:
        F, inner_forward, inner_backward = bind_chain(
            numbered(self.layers), p, g, X, training=training, needs_dX=needs_dX
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


Chain: TypeAlias = Sequence[tuple[str, LayerBase]]
"""Layers one behind the other, each with the name that its parameters bear."""


def numbered(layers: Sequence[LayerBase]) -> Chain:
    """The chain `layers.0`, `layers.1` and so on."""
    return [(f"layers.{i}", layer) for i, layer in enumerate(layers)]


def walk_widths(chain: Chain, d: int) -> Iterator[tuple[str, LayerBase, int]]:
    """Each layer with its name and the units that come into it.

    Raises:
        ValueError: a layer cannot follow the one before it; the message names it.
    """
    for name, layer in chain:
        try:
            width = layer.width(d)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        yield name, layer, d
        d = width


def slots_of(chain: Chain, d: int) -> Iterator[Slot]:
    """The parameters of a chain of layers, named `layers.0.weight` and so on."""
    for name, layer, width in walk_widths(chain, d):
        yield from (slot.under(name) for slot in layer.slots(width))


def settle_chain(chain: Chain, p: Views, X: Array, rng: np.random.Generator) -> Array:
    """Settle layers one behind the other, each on the output of those before it; returns the last output."""
    for name, layer in chain:
        X = layer.settle(under(p, name), X, rng)
    return X


def bind_chain(chain: Chain, p: Views, g: Views, X: Array, *, training: Training | None, needs_dX: bool) -> Bound:
    """Bind layers one behind the other: the forwards in a list, the backwards in the same list reversed.

    A layer without parameters, with none before it and no `needs_dX`, has nothing to compute on the way back.
    """
    forwards: list[Callable[[], None]] = []
    backwards: list[Callable[[Array], Array]] = []
    Y, wanted = X, needs_dX
    for name, layer, d in walk_widths(chain, X.shape[1]):
        bound = layer.bind(under(p, name), under(g, name), Y, training=training, needs_dX=wanted)
        Y = bound.Y
        forwards.append(bound.forward)
        has_slots = bool(layer.slots(d))
        if wanted or has_slots:
            backwards.insert(0, bound.backward)
        wanted = wanted or has_slots

    def forward() -> None:
        for step in forwards:
            step()

    def backward(dY: Array) -> Array:
        for step in backwards:
            dY = step(dY)
        return dY

    return Bound(Y, forward, backward)
