"""The network: input, layers, and their binding to parameters and buffers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from nncli.base.spec import NonNegativeInt, PositiveInt, Spec
from nncli.nn.activations import Activation, Identity
from nncli.nn.arrays import Array, BoundLayer, Codes, Precision, Sign
from nncli.nn.embeddings import Embedding, bind_categorical, bind_numeric, bind_numeric_forward
from nncli.nn.initializers import Initializer
from nncli.nn.layers.dense import Dense, Parametrization
from nncli.nn.layers.layer import TrainingContext, Units, watch_output
from nncli.nn.layers.residual import Layer
from nncli.nn.layers.sequential import Sequential
from nncli.nn.numeric_embeddings import NumericEmbedding
from nncli.nn.parameters import ParameterBounds, Parameters, ParamGroup, ParamLayout, ParamSpec, ParamViews, with_prefix
from nncli.nn.program.values import Value, floor, join
from nncli.nn.split_points import split_points

OUTPUT_STEP = 2.0**-40
"""The step of the outputs of a monotone network in prediction."""


class Network(Spec):
    """A feed-forward network of `n_features` numbers and one code per embedding, hidden layers and a dense output.

    `numeric_features` are the positions of the features that are numbers, not 0/1 indicators; they go through
    the `numeric_embedding`, if there is one. `output_init` and `output_parametrization` are those of the last layer.

    The output is (rows, n_outputs) of raw numbers, passed through `output_activation` if one is set. The loss applies
    its link to them. The feature at the position `offset` is added to the first output, and is 0 to all layers.

    With `monotone`, the direction of each feature (1 increasing, -1 decreasing, 0 free), the outputs with the sign 1
    never fall if a feature changes in its direction, those with -1 never rise, and those with 0 do not depend on such
    features: the parameters stay within `bounds`. The `constant_outputs` depend on no feature at all. `interactions`
    are sets of features, and of embeddings, numbered after these; the outputs are sums of a function of each set.
    """

    n_features: NonNegativeInt
    embeddings: tuple[Embedding, ...] = ()
    layers: tuple[Layer, ...]
    n_outputs: PositiveInt
    output_activation: Activation | None = None
    precision: Precision = "float32"
    numeric_features: tuple[NonNegativeInt, ...] = ()
    numeric_embedding: NumericEmbedding | None = None
    output_init: Initializer | None = None
    output_parametrization: Parametrization | None = None
    offset: NonNegativeInt | None = None
    monotone: tuple[Sign, ...] = ()
    output_signs: tuple[Sign, ...] = ()
    constant_outputs: tuple[NonNegativeInt, ...] = ()
    interactions: tuple[tuple[NonNegativeInt, ...], ...] = ()

    @model_validator(mode="after")
    def _numeric_columns_are_features(self) -> Network:
        if list(self.numeric_features) != sorted({i for i in self.numeric_features if i < self.n_features}):
            raise ValueError(f"numeric must be ascending positions among the {self.n_features} features")
        if self.offset is not None and (self.offset >= self.n_features or self.offset in self.numeric_features):
            raise ValueError("the offset must be a feature that is not embedded")
        return self

    @property
    def input_width(self) -> int:
        """Width of the first layer's input: numeric features, embedded or not, then the embeddings of categories."""
        extra = len(self.numeric_features) * (self.numeric_embedding.out_features - 1) if self.numeric_embedding else 0
        return self.n_features + extra + sum(embedding.width for embedding in self.embeddings)

    @property
    def embedded_numeric(self) -> tuple[int, ...]:
        """The positions in X of the features that are embedded."""
        return self.numeric_features if self.numeric_embedding else ()

    @property
    def monotone_columns(self) -> tuple[bool, ...]:
        """Whether each of the features that are embedded is monotone."""
        return tuple(bool(self.monotone and self.monotone[j]) for j in self.embedded_numeric)

    @property
    def needs_data_init(self) -> bool:
        """Whether the initialization depends on the training rows; see `init_from_data`."""
        embedding = self.numeric_embedding
        return any(layer.needs_data_init for _, layer in self.sequential.named_layers) or bool(
            self.embedded_numeric and embedding and embedding.needs_data_init
        )

    @property
    def max_width(self) -> int:
        """The largest number of values per row anywhere in the network."""
        units = (spec.shape[-1] for spec in self.layout.specs if spec.group is ParamGroup.WEIGHT)
        return max(self.embedding_values, self.input_width, *units)

    @property
    def units(self) -> int:
        """The number of units of all layers."""
        return sum(spec.shape[-1] for spec in self.layout.specs if spec.group is ParamGroup.WEIGHT)

    @property
    def embedding_values(self) -> int:
        """The number of intermediate values per row of the numeric embedding."""
        return len(self.embedded_numeric) * (self.numeric_embedding.hidden_width if self.numeric_embedding else 0)

    @property
    def mixes_rows(self) -> bool:
        """Whether a row's output in training depends on the other rows of its batch."""
        return any(layer.mixes_rows for layer in self.layers)

    @cached_property
    def output(self) -> Dense:
        """The last dense layer. Its activation is bound separately, since softmax is allowed only here."""
        init = None if self.output_parametrization == "ntk" else (self.output_activation or Identity()).default_init
        return Dense(units=self.n_outputs, init=self.output_init or init, parametrization=self.output_parametrization)

    @cached_property
    def sequential(self) -> Sequential:
        """The hidden layers and the output, by the names of their parameters."""
        return Sequential.of(self.layers, self.output)

    @cached_property
    def layout(self) -> ParamLayout:
        """Every parameter by name: `numeric.weight` …, `embeddings.COLUMN`, `layers.0.weight` …, `output.bias`.

        Raises:
            ValueError: a layer cannot follow the one before it.
        """
        return ParamLayout(tuple(self._param_specs()))

    @cached_property
    def bounds(self) -> tuple[Array, Array] | None:
        """The lowest and the highest theta (size,); None if all is free.

        The sign of a unit says how it depends on the monotone features. A unit depends on units of the same sign with
        weights of at least 0, on those of the other sign with weights of at most 0, and on those of sign 0 with any.
        A unit of sign 0 depends on none of the others. So every path from a feature to an output has its direction.
        After Runje and Shankaranarayana, "Constrained monotonic neural networks", 2023.

        Raises:
            ValueError: a layer breaks it; the message names it.
        """
        restrictions = (*filter(None, self.monotone), *self.interactions, *self.constant_outputs)
        if not restrictions:
            return None
        low, high = self.layout.empty(self.precision), self.layout.empty(self.precision)
        low.theta.fill(-np.inf)
        high.theta.fill(np.inf)
        bounds, embedded, width = ParameterBounds(low.by_name, high.by_name), self.embedded_numeric, 1
        if self.numeric_embedding and embedded:
            width = self.numeric_embedding.out_features
            try:
                self.numeric_embedding.bound(bounds.within("numeric"), np.array(self.monotone_columns))
            except ValueError as error:
                raise ValueError(f"numeric_embedding: {error}") from error
        if any(self.monotone) and self.output_activation is not None and not self.output_activation.is_monotone:
            raise ValueError(f"output_activation: {self.output_activation.type} can break `monotone`")
        d, n_sets = self.n_features, max(1, len(self.interactions))
        numbers = [np.repeat(embedded, width).astype(np.intp), np.delete(np.arange(d), embedded)]
        of_units = np.concatenate([*numbers, *(np.full(e.width, d + i) for i, e in enumerate(self.embeddings))])
        signs, sets = np.zeros(d + len(self.embeddings), np.int8), np.ones((d + len(self.embeddings), n_sets), np.bool_)
        signs[: len(self.monotone)] = self.monotone
        for j, positions in enumerate(self.interactions):
            sets[:, j] = np.isin(np.arange(len(sets)), positions)
        outputs = Units(np.zeros(self.n_outputs, np.int8), np.zeros((self.n_outputs, n_sets), np.bool_))
        outputs.signs[: len(self.output_signs)] = self.output_signs
        self.sequential.bound(bounds, Units(signs[of_units], sets[of_units]), outputs)
        for bound in (low, high):
            bound.by_name["output.weight"][:, list(self.constant_outputs)] = 0.0
        return low.theta, high.theta

    @property
    def starts_constant(self) -> bool:
        """Whether a training starts from the best constant prediction: the weights of the output layer start at 0.

        Random outputs of standard deviation 1 would be e times too large or small for every third row of a loss with a
        log link, and a small or noisy table has no steps to unlearn them.
        """
        return self.output.needs_data_init and self.output_activation is None

    def _param_specs(self) -> Iterator[ParamSpec]:
        if self.numeric_embedding and self.embedded_numeric:
            yield from (
                spec.with_prefix("numeric") for spec in self.numeric_embedding.parameters(len(self.embedded_numeric))
            )
        for embedding in self.embeddings:
            yield embedding.param_spec
        yield from self.sequential.parameters(self.input_width)

    def initialize(self, rng: np.random.Generator) -> Parameters:
        """New parameters, drawn from each layer's initializer."""
        parameters = self.layout.initialize(rng, self.precision)
        if self.bounds is not None:
            low, high = self.bounds
            theta = parameters.theta
            theta[...] = np.where((theta < low) | (theta > high), -theta, theta).clip(low, high)
        return parameters

    def init_from_data(
        self,
        parameters: Parameters,
        X: Array,
        codes: Codes,
        rng: np.random.Generator,
        y: npt.NDArray[Any] | None = None,
    ) -> None:
        """Initialize the data-dependent part of new parameters from X (rows, features), codes, and targets if any.

        Layer by layer, each from the output of the initialized layers before it.
        """
        p, X = parameters.by_name, np.ascontiguousarray(X, self.precision)
        if self.numeric_embedding and self.embedded_numeric:
            columns = list(self.embedded_numeric)
            splits = () if y is None else split_points(X, y, columns, self.numeric_embedding.n_splits)
            self.numeric_embedding.init_from_data(with_prefix(p, "numeric"), X[:, columns], splits)
        first = self.bind_inputs(p, p, X, codes, forward_only=True)
        first.forward()
        self.sequential.init_from_data(p, first.Y, rng)
        if self.starts_constant:
            p["output.weight"][...] = 0.0
            p["output.bias"][...] = 0.0

    def bind(
        self,
        parameters: Parameters,
        rows: int,
        *,
        training: TrainingContext | None,
        needs_dX: bool = False,
        forward_only: bool = False,
    ) -> BoundNetwork:
        """Allocate the buffers for `rows` rows and bind every layer to them.

        With `needs_dX`, `backward` returns the gradient with respect to X (rows, features). With `forward_only` it
        must not be called: the forward pass has the same bits and needs less memory.
        """
        X = np.zeros((rows, self.n_features), self.precision)
        codes = np.zeros((rows, len(self.embeddings)), np.int64)
        p, g = parameters.by_name, parameters.gradients
        first = self.bind_inputs(p, g, X, codes, needs_dX=needs_dX, forward_only=forward_only)
        has_embeddings = bool(self.embeddings or self.embedded_numeric) and not forward_only
        if has_embeddings:
            first = watch_output(first, training and training.within("input"))
        dense = self.sequential.bind(p, g, first.Y, training=training, needs_dX=needs_dX or has_embeddings)
        last = (self.output_activation or Identity()).bind(dense.Y)
        if self.output_activation is not None:
            last = watch_output(last, training and training.within("output_activation"))
        add_offset = self.bind_offset(X, last.Y)

        def forward() -> None:
            first.forward()
            dense.forward()
            last.forward()
            add_offset()

        def backward(dZ: Array) -> Array:
            if self.offset is None or not needs_dX:
                return first.backward(dense.backward(last.backward(dZ)))
            dx = dZ[:, 0].copy()  # a layer may change dZ
            dX = first.backward(dense.backward(last.backward(dZ)))
            dX[:, self.offset] = dx
            return dX

        return BoundNetwork(X, codes, last.Y, forward, backward)

    def bind_offset(self, X: Array, Z: Array) -> Callable[[], None]:
        """What adds the offset in X (rows, features) to the first column of Z (rows, outputs)."""
        if self.offset is None:
            return lambda: None
        x, z = X[:, self.offset], Z[:, 0]

        def add() -> None:
            np.add(z, x, out=z)

        return add

    def lower(
        self, parameters: Parameters, X: Value | None, vectors: Sequence[Value], *, adds_offset: bool = True
    ) -> Value:
        """The operations from X (rows, features) and the vectors of the embedded categories to the output.

        X is None if there are no features but those. Where X is not finite, the output is NaN. The offset is added if
        `adds_offset`.
        """
        p, x = parameters.by_name, X
        if X is not None and self.offset is not None:
            X = X.columns([-1 if j == self.offset else j for j in range(X.width)])
        parts = [] if X is None else [X]
        if X is not None and self.numeric_embedding and self.embedded_numeric:
            rest = sorted(set(range(self.n_features)) - set(self.embedded_numeric))
            embedded = self.numeric_embedding.lower(with_prefix(p, "numeric"), X.columns(self.embedded_numeric))
            parts = [embedded, X.columns(rest)] if rest else [embedded]
        z = self.sequential.lower(p, join([*parts, *vectors]))
        z = z if x is None else z + (x - x).sum()
        z = (self.output_activation or Identity()).lower(z)
        if x is not None and self.offset is not None and adds_offset:
            first = z.columns([0]) + x.columns([self.offset])
            z = join([first, z.columns(range(1, z.width))]) if z.width > 1 else first
        return floor(z / OUTPUT_STEP + 0.5) * OUTPUT_STEP if self.monotone else z

    def round_outputs(self, Z: Array) -> Array:
        """Z (rows, outputs) of a monotone network in steps that no link reorders by its rounding; else Z itself."""
        return np.floor(Z / OUTPUT_STEP + 0.5) * OUTPUT_STEP if self.monotone else Z

    def bind_inputs(
        self,
        p: ParamViews,
        g: ParamViews,
        X: Array,
        codes: Codes,
        *,
        needs_dX: bool = False,
        forward_only: bool = False,
    ) -> BoundLayer:
        """The input of the first layer: Y = [X, E_1[codes_1], E_2[codes_2], ...], (rows, inputs).

        The `embedded_numeric` columns of X come first. Without embeddings Y is X itself. `backward` returns the
        gradient with respect to X if `needs_dX`; with `forward_only` it must not be called.
        """
        if self.offset is not None:
            unmasked, mask = X, np.arange(self.n_features) != self.offset
            X = np.zeros_like(unmasked)
            rest = self.model_copy(update={"offset": None})
            layer = rest.bind_inputs(p, g, X, codes, needs_dX=needs_dX, forward_only=forward_only)

            def masked_forward() -> None:
                np.copyto(X, unmasked, where=mask)
                layer.forward()

            return BoundLayer(layer.Y, masked_forward, layer.backward)
        embedding, numeric = self.numeric_embedding, self.embedded_numeric
        if not self.embeddings and not numeric:
            return BoundLayer(X, lambda: None, lambda dY: dY)
        Y = np.empty((len(X), self.input_width), X.dtype)
        split = self.input_width - sum(e.width for e in self.embeddings)
        numbers, categories = Y[:, :split], Y[:, split:]
        vectors, gradients = with_prefix(p, "embeddings"), with_prefix(g, "embeddings")
        look_up, learn = bind_categorical(self.embeddings, vectors, gradients, codes, categories)
        embed: Callable[[], None] = partial(np.copyto, numbers, X)
        spread: Callable[[Array], Array] | None = None
        if embedding is not None and numeric:
            p, g = with_prefix(p, "numeric"), with_prefix(g, "numeric")
            if forward_only:
                embed = bind_numeric_forward(embedding, numeric, p, X, numbers)
            else:
                embed, spread = bind_numeric(embedding, numeric, p, g, X, numbers, needs_dX=needs_dX)

        def forward() -> None:
            embed()
            look_up()

        def backward(dY: Array) -> Array:
            learn(dY[:, split:])
            return dY[:, :split] if spread is None else spread(dY[:, :split])

        return BoundLayer(Y, forward, backward)


@dataclass(frozen=True)
class BoundNetwork:
    """A network bound to buffers: fill `X` (rows, features) and `codes` (rows, embeddings), call `forward()`, read `Z`.

    `backward(dZ)` fills the gradient of every parameter; it must not be called if the network is bound `forward_only`.
    """

    X: Array
    codes: Codes
    Z: Array
    forward: Callable[[], None]
    backward: Callable[[Array], Array]


@dataclass(frozen=True)
class LayerSize:
    """A layer: the prefix of its parameters' names, its type, its units and the number of its trained parameters."""

    name: str
    type: str
    units: int
    parameters: int


def layer_sizes(network: Network) -> tuple[LayerSize, ...]:
    """The input with its embeddings, then every layer to the output."""
    input_parameters = sum(
        prod(spec.shape) for spec in network.layout.specs if spec.group in (ParamGroup.EMBEDDING, ParamGroup.NUMERIC)
    )
    embeds = network.embeddings or network.embedded_numeric
    layers = [LayerSize("input", "embedding" if embeds else "input", network.input_width, input_parameters)]
    for name, layer, d in network.sequential.infer_widths(network.input_width):
        trained = sum(prod(spec.shape) for spec in layer.parameters(d) if spec.group is not ParamGroup.STATISTIC)
        layers.append(LayerSize(name, str(layer.model_dump()["type"]), layer.out_features(d), trained))
    return tuple(layers)
