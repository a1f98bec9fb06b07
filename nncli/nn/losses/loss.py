"""The interface of a loss function. A loss reads the network's raw output Z and knows its own link.

Let B be the rows of a batch, w their weights (mean 1 over the training rows), and k the outputs. `forward()` returns
the value that is minimized, (1/B) Σ_i w_i · loss_i; `backward()` returns its derivative dZ (B, k). No other number is
ever reported as the loss.

`per_row(predictions, y)` is the loss of each row for reports, from predictions as `inverse_link` returns them: in the
units of the target, or probabilities.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, Field

from nncli.base.errors import config_error
from nncli.base.median import weighted_quantiles
from nncli.base.spec import Spec, Task
from nncli.base.text import quote
from nncli.nn.arrays import RISING, Array, Floats, Mask, Sign, scalar
from nncli.nn.losses.scaling import Scaling
from nncli.nn.program.values import Value

QuantileLevel = Annotated[float, Field(strict=True, gt=0, lt=1)]
"""The level of a quantile: the share of the values that is below it."""
MEDIAN = 0.5
"""The level of the median."""


def _check_levels(levels: tuple[float, ...]) -> tuple[float, ...]:
    if any(low >= high for low, high in pairwise(levels)):
        raise ValueError("levels must be in ascending order, each one once")
    if MEDIAN not in levels:
        raise ValueError("0.5 must be one of the levels: the median is the prediction")
    return levels


Levels: TypeAlias = Annotated[tuple[QuantileLevel, ...], Field(min_length=2), AfterValidator(_check_levels)]
"""The levels of the quantiles that a loss predicts."""


Kernel: TypeAlias = Literal["mse", "logistic", "softmax", "pinball"]
"""The name of a compiled loop."""


class BoundLoss(NamedTuple):
    """A loss bound to its buffers: `forward()` computes the value; then `backward()` returns dZ."""

    forward: Callable[[], float]
    backward: Callable[[], Array]


class InvalidTarget(NamedTuple):
    """A target that a loss is not for: its row and its column of y, and the message and the hint of the error."""

    row: int
    column: int
    message: str
    hint: str


MIN_PROBABILITY = float(np.finfo(np.float32).tiny)
"""Lower bound of predictions whose logarithm is taken in `per_row`."""


class LossBase(Spec):
    """The interface of a loss function: value, gradient, inverse link and loss per row."""

    plugin_kind: ClassVar[str | None] = "losses"

    foreign_types: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(
            (
                "kaplan_meier",
                "aft",
                "weibull",
                "deephit",
                "pc_hazard",
                "logistic_hazard",
                "nnet_survival",
                "discrete_time",
            ),
            "Use the loss {type: survival, event: COLUMN} for the time to an event, with the column that says whether "
            "it happened.",
        )
        | dict.fromkeys(
            ("coxph", "cox_ph", "deepsurv", "proportional_hazards", "breslow", "efron"),
            "Use the loss {type: cox, event: COLUMN} for proportional hazards.",
        )
        | dict.fromkeys(("corn", "coral", "ordered_logit"), "Use the loss ordinal for ordered classes.")
        | dict.fromkeys(
            ("lambdarank", "ranknet", "ndcg"), "There is no ranking loss: predict the relevance by the loss mse."
        )
        | dict.fromkeys(
            ("mdn", "mixture_density", "gaussian_mixture", "gmm"),
            "Use the loss mixture to predict a mixture of normals.",
        )
        | dict.fromkeys(("gaussian", "crps", "nll", "beta_nll"), "Use the loss normal to predict a distribution.")
        | dict.fromkeys(
            ("binary_crossentropy", "bce", "bce_with_logits", "multilogloss", "multilabel"),
            "Use the loss cross_entropy for a class of each row, or binary_cross_entropy for any number of labels.",
        )
    )
    """Losses of other libraries, and what is written here."""
    task: ClassVar[Task] = "regression"
    scaling: ClassVar[Scaling] = Scaling()
    """How its targets are scaled."""
    starts_at_mean: ClassVar[bool] = False
    """True if a training starts from `initial_outputs` whatever the initializer.

    Others do with the initializer data_dependent, or if there is an exposure.
    """
    valid_targets: ClassVar[str] = ""
    """Which numbers the targets must be, after "needs targets that are"; see `are_valid`."""
    targets_hint: ClassVar[str] = "Use another loss, such as mse."
    has_link: ClassVar[bool] = False
    """True where the loss applies its own link to the raw output, so that no output activation can be set."""
    exposure_in: ClassVar[Literal["link", "targets"]] = "targets"
    """Where an exposure goes: its logarithm is added to the raw output, or targets are divided by it."""
    robust: ClassVar[tuple[str, ...]] = ()
    """The assignments of a loss in which few rows have less weight, for one that predicts the mean."""
    per_row_name: ClassVar[str]
    """Name of the `per_row` values in reports and JSON, such as squared_error."""
    has_distribution: ClassVar[bool] = False
    """Whether it has the CRPS of a row and `cdf`; see distributions.py."""
    is_comparison_measure: ClassVar[bool] = False
    """True if runs that all have this loss are compared by it alone, not by squared and absolute error."""

    keys: ClassVar[frozenset[str]] = frozenset({"data.offset"})
    """Those of the keys data.exposure, data.offset and data.order that it takes."""
    target_keys: ClassVar[tuple[str, ...]] = ()
    """Keys that name columns of the target besides the one that the configuration names as such."""

    @property
    def target_columns(self) -> tuple[str, ...]:
        """The columns that the `target_keys` name."""
        columns = (getattr(self, key) for key in self.target_keys)
        return tuple(name for name in columns if name is not None)

    def naming(self, columns: Sequence[str]) -> Self:
        """The loss that names further columns of the target, in the order of its `target_keys`."""
        return self.model_copy(update=dict(zip(self.target_keys, columns, strict=False)))

    def check_target_columns(self, target: str, others: tuple[str, ...]) -> None:
        """Raise a ValueError unless the columns of a target are `target` and `others`, which the loss names."""
        if not self.target_columns:
            return
        named = {target: "data.target"}
        for key in self.target_keys:
            column = getattr(self, key)
            if column in named:
                raise ValueError(
                    f"{key} names {quote(column)}, which {named[column]} names already; each has its own column"
                )
            if column is not None:
                named[column] = key
        if others != self.target_columns:
            name = self.model_dump()["type"]
            raise ValueError(f"the loss {name} is for one target, such as data.target: {target}")

    def check_output_activation(self, given: object | None) -> None:
        """Raise a ValueError if an output activation is given beside a link of the loss."""
        if given is not None and self.has_link:
            name = self.model_dump()["type"]
            raise ValueError(f"output_activation cannot be set with the loss {name}, which has its own link")

    @property
    def missing_key(self) -> tuple[str, str] | None:
        """What is wrong with a loss that lacks a key it cannot be without, and a hint; None if it lacks none."""
        return None

    def check_complete(self) -> None:
        """Raise a ConfigError if it lacks a key that it cannot be without."""
        if self.missing_key is not None:
            raise config_error("loss", *self.missing_key)

    @property
    def time_bins(self) -> int:
        """The number of bins into which the target divides time; 0 for as many as suit the rows."""
        return 0

    @property
    def parts(self) -> Sequence[Any]:
        """The losses of several targets; none for a loss of one target, or of several numbers alike."""
        return ()

    @property
    def named_targets(self) -> tuple[str, ...]:
        """The names of the targets to which it gives a loss each."""
        return ()

    def of_each(self, count: int) -> Sequence[LossBase]:
        """The loss of each of so many targets."""
        return self.parts or [self] * count

    def of_target(self, name: str) -> LossBase | None:
        """The loss of a target; None if the rows are to say."""
        return self

    def before_fit(self, configured: LossBase | None) -> LossBase | None:
        """The loss by which a configuration tells of which kind each target is: the `configured` one, of one target."""
        return configured

    @property
    def output_spans(self) -> Sequence[slice]:
        """The columns of Z of each of `parts`."""
        return ()

    def formulas(self, outputs: int) -> tuple[str, str]:
        """The formulas of the loss and of its gradient dZ for a number of outputs."""
        return self.formula(), "dZ = dL/dZ"

    def are_valid(self, y: Floats) -> Mask:
        """Whether each target y (rows, targets), a number in its own units, is one that the loss is for."""
        return np.asarray(y >= 0.0) if self.valid_targets else np.ones(y.shape, np.bool_)

    def invalid_target(self, read: Callable[[], Floats]) -> InvalidTarget | None:
        """The first of the targets (rows, targets) that `read` returns, in their units, that the loss is not for."""
        if not self.valid_targets:
            return None
        name, y = self.model_dump()["type"], read()
        for row, j in np.argwhere(~self.are_valid(y))[:1]:
            message = f"{name} needs targets that are {self.valid_targets}, found {y[row, j]:g}"
            hint = self.targets_hint if y[row, j] >= 0.0 else LossBase.targets_hint  # no loss of amounts is for those
            return InvalidTarget(int(row), int(j), message, hint)
        for row, j in np.argwhere(y > self.scaling.largest)[:1]:
            message = f"{name} needs targets up to {self.scaling.largest:g}, found {y[row, j]:g}"
            return InvalidTarget(int(row), int(j), message, "Correct the cell, or write the column in a larger unit.")
        return None

    def target_size(self, value: float) -> float:
        """The size of the targets by the loss of outputs near 0; 1 where that does not tell."""
        return 1.0

    def alternative(self, y: Floats) -> tuple[str, str] | None:
        """The type of a loss that suits numbers y (rows,) better, and why; None if there is nothing to propose."""
        return None

    def with_auto_values(self, read: Callable[[], Floats], w: Floats | None = None) -> Self:
        """The loss with each `auto` value chosen by the targets (rows, targets) that `read` returns, in their units.

        A row of weight 2 in `w` (rows,) counts as two rows.
        """
        return self

    def of_student(self) -> LossBase:
        """The loss of a network that learns the predictions of one with this loss."""
        return self

    def of_distributions(self, distributions: Array) -> LossBase | None:
        """The loss of targets of which each is a distribution (rows, classes): their codes follow those of the classes.

        None but for classes.
        """
        return None

    def first_outputs(
        self, y: Array, w: Floats | None = None, offset: Array | None = None, *, is_needed: bool
    ) -> Array | None:
        """The `initial_outputs` if they are needed, or the loss always starts there; else None."""
        return self.initial_outputs(y, w, offset) if is_needed or self.starts_at_mean else None

    def initial_outputs(self, y: Array, w: Floats | None = None, offset: Array | None = None) -> Array:
        """The outputs (k,) from which a training starts: those of the best constant prediction, or close to them.

        A row of weight 2 in `w` (rows,) counts as two rows. The `offset` (rows,) is added to the first output.
        """
        return np.zeros(self.outputs(y.shape[1]))

    def best_constant(self, y: Floats, w: Floats | None = None) -> Floats | None:
        """The best constant (targets,) for targets y (rows, targets) of weights w (rows,); None if it is the mean."""
        return None

    def best_quantiles(self, y: Floats, w: Floats | None = None) -> Floats | None:
        """The quantiles (targets, levels) of the best constant prediction; None if it has none. See `best_constant`."""
        return weighted_quantiles(y, self.quantile_levels, w) if self.quantile_levels else None

    def kernel(self, outputs: int) -> tuple[Kernel, Array] | None:
        """The name of its compiled loop and the table that it takes, in float32; None if there is no loop for it."""
        return None

    def checked_outputs(self, count: int) -> int:
        """The number of network outputs for `random_targets` of `count` classes or bins."""
        return self.outputs(1)

    def random_targets(self, rng: np.random.Generator, rows: int, count: int) -> npt.NDArray[Any]:
        """Targets of a number, of one of `count` classes, or of so many bins, as a training has them; for checks."""
        return np.abs(rng.normal(size=(rows, 1)))

    def split_targets(self, y: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The targets as `split_points` takes them: numbers (rows, targets), or class codes (rows,)."""
        return y

    def output_signs(self, outputs: int) -> tuple[Sign, ...]:
        """How each output of the network changes if the prediction rises: 1, or 0 if it must not change.

        Raises:
            ValueError: the prediction is not monotone in the outputs.
        """
        return (RISING,) * outputs

    def constant_outputs(self, outputs: int) -> tuple[int, ...]:
        """The positions of those outputs of the network that are the same for all rows."""
        return ()

    @property
    def deviance_power(self) -> float | None:
        """The power p of the variance, mean to the p, of counts and amounts; None for other numbers.

        Such a loss has a log link, so an exposure can be an offset.
        """
        return None

    @property
    def auto_clip_norm(self) -> float | None:
        """The largest norm of the gradient where `clip_norm` is auto; None: no clipping."""
        return None

    @property
    def interval_power(self) -> float | None:
        """The power of the variance by which intervals are wider for higher predictions; None: all are as wide."""
        return None

    @property
    def quantile(self) -> float | None:
        """The quantile that is predicted, for the pinball score; None for all losses but the quantile loss."""
        return None

    @property
    def quantile_levels(self) -> tuple[float, ...]:
        """The levels of the quantiles that are predicted for each target; none but for a loss of several."""
        return ()

    def outputs(self, count: int) -> int:
        """The number of network outputs for `count` targets or classes."""
        return count

    @abstractmethod
    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        """Bind the loss to the raw output Z (B, k), the targets y and the weights w (B,), or None for all 1.

        If the B rows are one shard of a batch, `batch` is the number of rows of the batch: the values of the shards,
        and their gradients, then add up to those of the batch.
        """

    @abstractmethod
    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        """The loss (rows,) of each row, from predictions after the inverse link.

        Regression: `predictions` and `y` are (rows, targets) in the units of the target; a row's loss is the mean over
        its targets. `scale` (targets,) is the standard deviation by which each target was divided for training.
        A loss of several quantiles takes these, (rows, targets, levels), too.
        Classification: `predictions` are probabilities (rows, classes) and `y` class codes (rows,).
        """

    def inverse_link(self, Z: Array) -> npt.NDArray[np.float64]:
        """Predictions from the raw output: numbers in the units of training (B, k), or probabilities (B, classes)."""
        return Z.astype(np.float64)

    def lower_inverse_link(self, z: Value) -> Value:
        """The operations of `inverse_link`."""
        return z

    def quantiles(self, Z: Array) -> npt.NDArray[np.float64] | None:
        """The quantiles (B, targets, levels), ascending, from the raw output; None but for a loss of several."""
        return None

    def lower_quantiles(self, z: Value) -> Value | None:
        """The operations of `quantiles`: (B, targets · levels)."""
        return None

    def cdf(self, quantiles: Floats, y: Floats) -> Floats:
        """The share (rows, targets) of each predicted distribution below y, from quantiles (rows, targets, levels).

        It is uniform between 0 and 1 if the distributions are right: the probability integral transform. Only with
        `has_distribution`.
        """
        raise NotImplementedError

    def standard_deviations(self, quantiles: Floats) -> Floats:
        """Those (rows, targets) of the distributions with these quantiles; only with `has_distribution`."""
        raise NotImplementedError

    def lower_standard_deviations(self, quantiles: Value) -> Value:
        """The operations of `standard_deviations`, from quantiles (rows, targets · levels)."""
        raise NotImplementedError

    def drawn(self, Z: Array) -> Floats:
        """What is drawn (rows,) of outputs over the epochs: the first number or probability."""
        return np.asarray(self.inverse_link(Z)[:, 0])

    def inverse_link_vjp(self, Z: Array, dP: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The gradient with respect to Z (B, k), from that with respect to P = inverse_link(Z)."""
        return dP


def column_sums(y: npt.NDArray[Any], w: Floats | None = None) -> npt.NDArray[np.float64]:
    """The sum of each column of y (rows, columns), whose rows count by w (rows,)."""
    if w is None:
        return np.asarray(y.sum(axis=0, dtype=np.float64))
    return np.asarray(w.astype(np.float64) @ y.astype(np.float64))


def column_means(y: npt.NDArray[Any], w: Floats | None = None) -> npt.NDArray[np.float64]:
    """The mean of each column of y (rows, columns), whose rows count by w (rows,)."""
    if w is None:
        return np.asarray(y.mean(axis=0, dtype=np.float64))
    return np.asarray(column_sums(y, w) / w.sum(dtype=np.float64))


def bind_elementwise(
    Z: Array,
    w: Array | None,
    batch: int | None,
    loss: Callable[[Array], None],
    grad: Callable[[Array], None],
    *,
    targets: int | None = None,
) -> BoundLoss:
    """Bind a loss that is the mean of what `loss(out)` fills, with its derivative from `grad(out)`.

    The sum of a row is divided by the number of `targets`, by default that of the outputs.
    """
    V, dZ, W = np.empty_like(Z), np.empty_like(Z), np.empty_like(Z)
    ones, total, weight = np.ones(Z.size, Z.dtype), V.reshape(-1), None if w is None else w[:, None]
    n = (len(Z) if batch is None else batch) * (int(Z.shape[1]) if targets is None else targets)
    share = scalar(1.0 / n, Z)

    def forward() -> float:
        loss(V)
        if weight is not None:
            np.copyto(W, weight)
            np.multiply(V, W, out=V)
        return float(np.dot(total, ones)) / n

    def backward() -> Array:
        grad(dZ)
        if weight is not None:
            np.multiply(dZ, W, out=dZ)
        return np.multiply(dZ, share, out=dZ)

    return BoundLoss(forward, backward)


def bind_pairs(
    Z: Array,
    y: npt.NDArray[Any],
    w: Array | None,
    batch: int | None,
    terms: Callable[[Floats, Floats, Floats], tuple[Floats, Floats, Floats]],
) -> BoundLoss:
    """Bind a loss with two outputs z and s of each target, computed in float64 in temporary arrays.

    `terms(z, s, y)` are the loss of each target (B, k), and its derivatives with respect to z and s.
    """
    k, G = y.shape[1], np.empty_like(Z)

    def loss(V: Array) -> None:
        z, s = Z[:, :k].astype(np.float64), Z[:, k:].astype(np.float64)
        V[:, :k], G[:, :k], G[:, k:] = terms(z, s, y.astype(np.float64))
        V[:, k:] = 0.0

    def grad(dZ: Array) -> None:
        np.copyto(dZ, G)

    return bind_elementwise(Z, w, batch, loss, grad, targets=k)


def bind_residual(
    Z: Array,
    T: Array,
    w: Array | None,
    batch: int | None,
    loss: Callable[[Array, Array], None],
    grad: Callable[[Array, Array], None],
) -> BoundLoss:
    """Bind a loss that is a function of the residual D = Z - T: `loss(D, out)` and its derivative `grad(D, out)`."""
    D = np.empty_like(Z)

    def loss_of_residual(V: Array) -> None:
        np.subtract(Z, T, out=D)
        loss(D, V)

    return bind_elementwise(Z, w, batch, loss_of_residual, lambda dZ: grad(D, dZ))
