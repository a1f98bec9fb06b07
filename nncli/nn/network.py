"""A network: its input, its layers, and how they are bound to parameters and buffers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nncli.nn.activations import Activation, Identity
from nncli.nn.arrays import Array, Bound, Codes, Precision
from nncli.nn.initializers import Normal
from nncli.nn.layer import Training
from nncli.nn.layers import Chain, Dense, Layer, bind_chain, numbered, slots_of
from nncli.nn.parameters import Group, Layout, Parameters, Slot, Views, under
from nncli.specification import Count, Index, Specification, Text


class Embedding(Specification):
    """A learned vector of `width` numbers for each of `slots` codes of one categorical column."""

    name: Text
    slots: Count
    width: Count


class Network(Specification):
    """`features` numbers and one code per embedding come in; the layers and a dense output follow.

    The output is `outputs` raw numbers, (rows, outputs), passed through `output_activation` where one is forced
    upon it. The loss knows what they mean.
    """

    features: Index
    embeddings: tuple[Embedding, ...] = ()
    layers: tuple[Layer, ...]
    outputs: Count
    output_activation: Activation | None = None
    precision: Precision = "float32"

    @property
    def inputs(self) -> int:
        """Width of the first layer's input: the numbers, then every embedding."""
        return self.features + sum(embedding.width for embedding in self.embeddings)

    @property
    def couples_rows(self) -> bool:
        """Whether, in training, a row's output depends on the other rows of its batch."""
        return any(layer.couples_rows for layer in self.layers)

    @cached_property
    def output(self) -> Dense:
        """The last dense layer; its activation is bound apart, since softmax is allowed only here."""
        f = self.output_activation or Identity()
        return Dense(units=self.outputs, activation=None, init=f.default_init)

    @cached_property
    def chain(self) -> Chain:
        """The hidden layers and the output, by the names of their parameters."""
        return [*numbered(self.layers), ("output", self.output)]

    @cached_property
    def layout(self) -> Layout:
        """Every parameter by name: `embeddings.COLUMN`, `layers.0.weight` …, `output.weight`, `output.bias`.

        Raises:
            ValueError: a layer cannot follow the one before it.
        """
        return Layout(tuple(self._slots()))

    def _slots(self) -> Iterator[Slot]:
        for e in self.embeddings:
            yield Slot(f"embeddings.{e.name}", (e.slots, e.width), Group.EMBEDDING, Normal(std=e.width**-0.5))
        yield from slots_of(self.chain, self.inputs)

    def initialise(self, rng: np.random.Generator) -> Parameters:
        """Fresh parameters, drawn from each layer's initializer."""
        return self.layout.initialise(rng, self.precision)

    def bind(
        self,
        parameters: Parameters,
        rows: int,
        *,
        training: Training | None,
        needs_dX: bool = False,
    ) -> BoundNetwork:
        """Allocate the buffers for `rows` rows and tie every layer to them.

        With `needs_dX`, `backward` returns the gradient with respect to the network's input, (rows, inputs).
        """
        X = np.zeros((rows, self.features), self.precision)
        codes = np.zeros((rows, len(self.embeddings)), np.int64)
        p, g = parameters.named, parameters.gradients
        wide = self.bind_inputs(under(p, "embeddings"), under(g, "embeddings"), X, codes)
        dense = bind_chain(self.chain, p, g, wide.Y, training=training, needs_dX=needs_dX or bool(self.embeddings))
        end = (self.output_activation or Identity()).bind(dense.Y)

        def forward() -> None:
            wide.forward()
            dense.forward()
            end.forward()

        def backward(dZ: Array) -> Array:
            return wide.backward(dense.backward(end.backward(dZ)))

        return BoundNetwork(X, codes, end.Y, forward, backward)

    def bind_inputs(self, p: Views, g: Views, X: Array, codes: Codes) -> Bound:
        """Y = [X, E_1[codes_1], E_2[codes_2], ...]; without embeddings Y is X itself."""
        if not self.embeddings:
            return Bound(X, lambda: None, lambda dY: dY)
        rows, d = X.shape
        Y = np.empty((rows, self.inputs), X.dtype)
        tables = []
        start = d
        for i, e in enumerate(self.embeddings):
            c, looked_up = np.empty(rows, np.int64), np.empty((rows, e.width), X.dtype)
            span = slice(start, start + e.width)
            tables.append((p[e.name], g[e.name], codes[:, i], c, looked_up, Y[:, span], span))
            start += e.width
        numbers = Y[:, :d]

        def forward() -> None:
            np.copyto(numbers, X)
            for E, _, column, c, looked_up, part, _ in tables:
                np.copyto(c, column)  # np.take would copy a column that is not contiguous
                np.take(E, c, axis=0, out=looked_up, mode="clip")
                np.copyto(part, looked_up)

        def backward(dY: Array) -> Array:
            for _, dE, _, c, _, _, span in tables:
                dE.fill(0.0)
                np.add.at(dE, c, dY[:, span])  # a category met twice in a batch counts twice
            return dY

        return Bound(Y, forward, backward)


@dataclass(frozen=True)
class BoundNetwork:
    """A network tied to buffers: fill `X` (rows, features) and `codes` (rows, embeddings), call `forward()`, read `Z`.

    `backward(dZ)` fills the gradient of every parameter.
    """

    X: Array
    codes: Codes
    Z: Array
    forward: Callable[[], None]
    backward: Callable[[Array], Array]
