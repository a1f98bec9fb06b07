"""What comes into the first layer: numbers, embedded or as they are, then the embeddings of categories."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nncli.nn.arrays import Array, BoundLayer, Codes
from nncli.nn.initializers import Normal
from nncli.nn.numeric_embeddings import NumericEmbeddingBase
from nncli.nn.parameters import ParamGroup, ParamSpec, ParamViews, with_prefix
from nncli.spec import PositiveFloat, PositiveInt, Spec, StrictStr


class Embedding(Spec):
    """A learned vector of `width` numbers for each of `slots` codes of one categorical column.

    It starts from N(0, std²); std None is 1 / sqrt(width), vectors of length 1.
    """

    name: StrictStr
    n_embeddings: PositiveInt
    width: PositiveInt
    init_std: PositiveFloat | None = None

    @property
    def slot(self) -> ParamSpec:
        """Its parameter."""
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
    """Fill Y (rows, columns · units + others) from X (rows, features): the columns `numeric`, embedded, then the rest.

    `backward` takes dY, no wider than Y, and returns dX (rows, features) if `needs_dX`.
    """
    (rows, d), columns, units = X.shape, len(numeric), embedding.out_features
    here = np.array(numeric, np.intp)
    there = np.array(sorted(set(range(d)) - set(numeric)), np.intp)
    found, others = np.empty((rows, columns), X.dtype), np.empty((rows, len(there)), X.dtype)
    x = np.ones((columns, 2, rows), X.dtype)
    dE = np.empty((columns, units, rows), X.dtype)
    dX = np.empty((rows if needs_dX else 0, d), X.dtype)
    E, forward_columns, backward_columns = embedding.bind(p, g, x, needs_dx=needs_dX)
    split = columns * units
    embedded, passed = Y[:, :split].reshape(rows, columns, units), Y[:, split:]
    numbers, foundT, ET = x[:, 0], found.T, E.transpose(2, 0, 1)

    def forward() -> None:
        np.take(X, here, axis=1, out=found, mode="clip")
        np.copyto(numbers, foundT)
        forward_columns()
        np.copyto(embedded, ET)
        np.take(X, there, axis=1, out=others, mode="clip")
        np.copyto(passed, others)

    def backward(dY: Array) -> Array:
        np.copyto(dE, dY[:, :split].reshape(rows, columns, units).transpose(1, 2, 0))
        dx = backward_columns(dE)
        if needs_dX:
            dX[:, here], dX[:, there] = dx.T, dY[:, split:]
        return dX

    return forward, backward


def bind_categorical(
    embeddings: Sequence[Embedding], p: ParamViews, g: ParamViews, codes: Codes, Y: Array
) -> tuple[Callable[[], None], Callable[[Array], None]]:
    """Fill Y (rows, widths) with the vector of every code in codes (rows, embeddings); `backward` takes dY."""
    forwards, backwards = [], []
    start = 0
    for i, e in enumerate(embeddings):
        span = slice(start, start + e.width)
        forward_one, backward_one = _bind_category(p[e.name], g[e.name], codes[:, i], Y[:, span])
        forwards.append(forward_one)
        backwards.append((backward_one, span))
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

    np.add.at adds one number at a time much faster than a row at a time: so it is told the place of every number.
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
        np.add.at(numbers, place, number)  # a category met twice in a batch counts twice

    return forward, backward


def bind_inputs(
    embeddings: Sequence[Embedding],
    numeric_embedding: NumericEmbeddingBase | None,
    numeric: Sequence[int],
    p: ParamViews,
    g: ParamViews,
    X: Array,
    codes: Codes,
    *,
    needs_dX: bool,
) -> BoundLayer:
    """Y = [X, E_1[codes_1], E_2[codes_2], ...], where the `numeric` columns of X may be embedded, and then stand first.

    With nothing to embed Y is X itself. `backward` returns the gradient with respect to X if `needs_dX`.
    """
    rows, d = X.shape
    embeds = numeric_embedding is not None and bool(numeric)
    if not embeddings and not embeds:
        return BoundLayer(X, lambda: None, lambda dY: dY)
    units = numeric_embedding.out_features if numeric_embedding is not None and embeds else 1
    split = d + len(numeric) * (units - 1) if embeds else d
    Y = np.empty((rows, split + sum(e.width for e in embeddings)), X.dtype)
    numbers = Y[:, :split]
    look_up, learn = bind_categorical(
        embeddings, with_prefix(p, "embeddings"), with_prefix(g, "embeddings"), codes, Y[:, split:]
    )
    if numeric_embedding is not None and embeds:
        mine, theirs = with_prefix(p, "numeric"), with_prefix(g, "numeric")
        embed, spread = bind_numeric(numeric_embedding, numeric, mine, theirs, X, numbers, needs_dX=needs_dX)
    else:

        def embed() -> None:
            np.copyto(numbers, X)

        def spread(dY: Array) -> Array:
            return dY

    def forward() -> None:
        embed()
        look_up()

    def backward(dY: Array) -> Array:
        learn(dY[:, split:])
        return spread(dY[:, :split])

    return BoundLayer(Y, forward, backward)
