"""What is embedded in the input of the first layer: numeric features, and categories."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nncli.base.spec import PositiveInt, PositiveSetting, Spec, StrictStr
from nncli.nn.arrays import Array, Codes
from nncli.nn.initializers import Normal
from nncli.nn.numeric_embeddings import NumericEmbeddingBase
from nncli.nn.parameters import ParamGroup, ParamSpec, ParamViews

GROUP_VALUES = 1 << 17
"""Intermediate values of the numeric columns that are embedded together in prediction: 1 MB in float64."""


class Embedding(Spec):
    """A learned vector of `width` numbers for each of `n_embeddings` codes of one categorical column.

    It starts from N(0, std²); without init_std std is 1 / sqrt(width), which gives vectors of length about 1.
    """

    name: StrictStr
    n_embeddings: PositiveInt
    width: PositiveInt
    init_std: PositiveSetting | None = None

    @property
    def param_spec(self) -> ParamSpec:
        """The parameter of the embedding."""
        init = Normal(std=self.init_std or self.width**-0.5)
        return ParamSpec(f"embeddings.{self.name}", (self.n_embeddings, self.width), ParamGroup.EMBEDDING, init)


def bind_numeric(
    embedding: NumericEmbeddingBase,
    numeric: Sequence[int],
    p: ParamViews,
    g: ParamViews,
    X: Array,
    Y: Array,
    *,
    needs_dX: bool,
) -> tuple[Callable[[], None], Callable[[Array], Array]]:
    """Fill Y (rows, columns · units + rest) from X (rows, features): the columns `numeric`, embedded, then the rest.

    `backward` takes dY, no wider than Y, and returns dX (rows, features) if `needs_dX`.
    """
    (rows, d), columns, units = X.shape, len(numeric), embedding.out_features
    embedded_columns = np.array(numeric, np.intp)
    other_columns = np.array(sorted(set(range(d)) - set(numeric)), np.intp)
    values, rest = np.empty((rows, columns), X.dtype), np.empty((rows, len(other_columns)), X.dtype)
    x = np.ones((columns, 2, rows), X.dtype)
    dE = np.empty((columns, units, rows), X.dtype)
    dX = np.empty((rows if needs_dX else 0, d), X.dtype)
    E, forward_columns, backward_columns = embedding.bind(p, g, x, needs_dx=needs_dX)
    split = columns * units
    embedded, passed = Y[:, :split].reshape(rows, columns, units), Y[:, split:]
    numbers, valuesT, ET = x[:, 0], values.T, E.transpose(2, 0, 1)

    def forward() -> None:
        np.take(X, embedded_columns, axis=1, out=values, mode="clip")
        np.copyto(numbers, valuesT)
        forward_columns()
        np.copyto(embedded, ET)
        np.take(X, other_columns, axis=1, out=rest, mode="clip")
        np.copyto(passed, rest)

    def backward(dY: Array) -> Array:
        np.copyto(dE, dY[:, :split].reshape(rows, columns, units).transpose(1, 2, 0))
        dx = backward_columns(dE)
        if needs_dX:
            dX[:, embedded_columns], dX[:, other_columns] = dx.T, dY[:, split:]
        return dX

    return forward, backward


def bind_numeric_forward(
    embedding: NumericEmbeddingBase, numeric: Sequence[int], p: ParamViews, X: Array, Y: Array
) -> Callable[[], None]:
    """The forward pass of `bind_numeric` with the same bits, in groups of columns that share buffers of a few MB."""
    (rows, d), columns, units = X.shape, len(numeric), embedding.out_features
    other_columns = np.array(sorted(set(range(d)) - set(numeric)), np.intp)
    most = max(1, GROUP_VALUES // max(1, rows * max(embedding.hidden_width, units)))
    size = -(-columns // -(-columns // most))
    starts = [min(start, columns - size) for start in range(0, columns, size)]  # the last two groups may overlap
    groups = [(slice(start, start + size), np.array(numeric[start : start + size], np.intp)) for start in starts]
    values, rest = np.empty((rows, size), X.dtype), np.empty((rows, len(other_columns)), X.dtype)
    x = np.ones((size, 2, rows), X.dtype)
    group_p = {name: np.empty((size, *view.shape[1:]), view.dtype) for name, view in p.items()}
    E, forward_columns, _ = embedding.bind(group_p, group_p, x, needs_dx=False)  # backward is not called
    split = columns * units
    embedded, passed = Y[:, :split].reshape(rows, columns, units), Y[:, split:]
    numbers, valuesT, ET = x[:, 0], values.T, E.transpose(2, 0, 1)

    def forward() -> None:
        for span, positions in groups:
            for name, view in p.items():
                np.copyto(group_p[name], view[span])
            np.take(X, positions, axis=1, out=values, mode="clip")
            np.copyto(numbers, valuesT)
            forward_columns()
            np.copyto(embedded[:, span], ET)
        np.take(X, other_columns, axis=1, out=rest, mode="clip")
        np.copyto(passed, rest)

    return forward


def bind_categorical(
    embeddings: Sequence[Embedding], p: ParamViews, g: ParamViews, codes: Codes, Y: Array
) -> tuple[Callable[[], None], Callable[[Array], None]]:
    """Fill Y (rows, widths) with the vector of every code in codes (rows, embeddings); `backward` takes dY."""
    forwards, backwards = [], []
    start = 0
    for i, e in enumerate(embeddings):
        span = slice(start, start + e.width)
        look_up, learn = _bind_category(p[e.name], g[e.name], codes[:, i], Y[:, span])
        forwards.append(look_up)
        backwards.append((learn, span))
        start += e.width

    def forward() -> None:
        for look_up in forwards:
            look_up()

    def backward(dY: Array) -> None:
        for learn, span in backwards:
            learn(dY[:, span])

    return forward, backward


def _bind_category(E: Array, dE: Array, column: Codes, Y: Array) -> tuple[Callable[[], None], Callable[[Array], None]]:
    """Y (rows, width) = E[column]; back, each row's dY is added to the vector that it looked up.

    np.add.at is much faster for single numbers than for rows, so it gets the index of every number.
    """
    rows, width = Y.shape
    c, start, looked_up = np.empty(rows, np.int64), np.empty(rows, np.int64), np.empty((rows, width), Y.dtype)
    places, within = np.empty((rows, width), np.int64), np.tile(np.arange(width), (rows, 1))
    numbers, place, number, starts = dE.reshape(-1), places.reshape(-1), looked_up.reshape(-1), start[:, None]

    def forward() -> None:
        np.copyto(c, column)  # np.take would copy a column that is not contiguous
        np.take(E, c, axis=0, out=looked_up, mode="clip")
        np.copyto(Y, looked_up)

    def backward(dY: Array) -> None:
        np.multiply(c, width, out=start)
        np.copyto(places, starts)
        np.add(places, within, out=places)
        np.copyto(looked_up, dY)
        numbers.fill(0.0)
        np.add.at(numbers, place, number)  # a category that occurs twice in a batch counts twice

    return forward, backward
