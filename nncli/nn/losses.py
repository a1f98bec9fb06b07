"""The losses. A loss owns its head: it is handed the network's raw output Z and knows its own link.

Let B be the rows of a batch, w their weights (mean 1 over the training rows), and k the outputs. `forward()` returns
the value that is minimised, (1/B) Σ_i w_i · loss_i; `backward()` returns its derivative dZ (B, k). Nothing else
is ever reported as "the loss".

`per_row(predictions, y)` is the loss of each row for reports, from predictions as `inverse_link` returns them: in the
units of the target, or probabilities.

Numbers come as y (B, k). Classes come as codes y (B,), and each class has a row in a small table of targets T
(classes, k), so that label smoothing, logistic ±1 and one-hot are the same code: a look-up.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from math import log
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from nncli.nn.activations import Sigmoid, Softplus
from nncli.nn.arrays import Array, scalar
from nncli.spec import Fraction, NameShorthand, PositiveFloat, Spec, Task


class BoundLoss(NamedTuple):
    """A loss tied to its buffers: `forward()` computes the value; then `backward()` returns dZ."""

    forward: Callable[[], float]
    backward: Callable[[], Array]


Floats = npt.NDArray[np.float64]

MIN_PROBABILITY = float(np.finfo(np.float32).tiny)
"""Lower bound of predictions whose logarithm is taken in `per_row`."""


class LossBase(Spec):
    """The interface of a loss function: value, gradient, inverse link and loss per row."""

    task: ClassVar[Task] = "regression"
    needs_unscaled_targets: ClassVar[bool] = False
    """True where the target may not be standardised, because the loss gives its zero a meaning."""
    nonnegative_targets: ClassVar[bool] = False
    has_link: ClassVar[bool] = False
    """True where the loss applies its own link to the raw output, so that no output activation can be set."""
    per_row_name: ClassVar[str]
    """Name of the `per_row` values in reports and JSON, such as squared_error."""
    is_comparison_measure: ClassVar[bool] = False
    """True if runs that all have this loss are compared by it alone, not by squared and absolute error."""

    @property
    def quantile(self) -> float | None:
        """The quantile that is predicted, for the pinball score; None for all losses but the quantile loss."""
        return None

    def outputs(self, count: int) -> int:
        """Width of the network's output for `count` targets or classes."""
        return count

    @abstractmethod
    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        """Tie the loss to the raw output Z (B, k), the targets y and the weights w (B,), or None for all 1.

        `batch` says of how many rows these B are a part, where they are not all: the values of a batch's parts, and
        the gradients they lead to, then add up to the batch's.
        """

    @abstractmethod
    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        """The loss (rows,) of each row, from predictions after the inverse link.

        Regression: `predictions` and `y` are (rows, targets) in the units of the target; a row's loss is the mean over
        its targets. `scale` (targets,) is the standard deviation by which each target was divided for training.
        Classification: `predictions` are probabilities (rows, classes) and `y` class codes (rows,).
        """

    def inverse_link(self, Z: Array) -> npt.NDArray[np.float64]:
        """What the raw output means: numbers in the units trained on (B, k), or probabilities (B, classes)."""
        return Z.astype(np.float64)

    def inverse_link_vjp(self, Z: Array, dP: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The gradient with respect to Z (B, k), from that with respect to P = predict(Z)."""
        return dP


def _count(Z: Array, batch: int | None) -> int:
    """Numbers that a batch's mean is taken over, (rows of the batch) · k."""
    k: int = Z.shape[1]
    return (len(Z) if batch is None else batch) * k


def _bind_residual(
    Z: Array,
    T: Array,
    w: Array | None,
    batch: int | None,
    loss: Callable[[Array, Array], None],
    slope: Callable[[Array, Array], None],
) -> BoundLoss:
    """A loss that is a function of the residual D = Z - T: `loss(D, out)` and its derivative `slope(D, out)`."""
    D, V, dZ = np.empty_like(Z), np.empty_like(Z), np.empty_like(Z)
    ones, total = np.ones(Z.size, Z.dtype), V.reshape(-1)
    W, weight = np.empty_like(Z), None if w is None else w[:, None]
    n = _count(Z, batch)
    share = scalar(1.0 / n, Z)

    def forward() -> float:
        np.subtract(Z, T, out=D)
        loss(D, V)
        if weight is not None:
            np.copyto(W, weight)
            np.multiply(V, W, out=V)
        return float(np.dot(total, ones)) / n

    def backward() -> Array:
        slope(D, dZ)
        if weight is not None:
            np.multiply(dZ, W, out=dZ)
        return np.multiply(dZ, share, out=dZ)

    return BoundLoss(forward, backward)


class MSE(LossBase):
    """Mean squared error, (z - y)². Its best constant is the mean."""

    type: Literal["mse"] = "mse"
    per_row_name: ClassVar[str] = "squared_error"

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        def loss(D: Array, V: Array) -> None:
            np.multiply(D, D, out=V)

        def grad(D: Array, dZ: Array) -> None:
            np.add(D, D, out=dZ)

        return _bind_residual(Z, y, w, batch, loss, grad)

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        D = predictions - y
        return np.asarray((D * D).mean(axis=1))


class MAE(LossBase):
    """Mean absolute error, |z - y|. Its best constant is the median."""

    type: Literal["mae"] = "mae"
    per_row_name: ClassVar[str] = "absolute_error"
    is_comparison_measure: ClassVar[bool] = True

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        def loss(D: Array, V: Array) -> None:
            np.abs(D, out=V)

        def grad(D: Array, dZ: Array) -> None:
            np.sign(D, out=dZ)

        return _bind_residual(Z, y, w, batch, loss, grad)

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        return np.asarray(np.abs(predictions - y).mean(axis=1))


class Huber(LossBase):
    """d²/2 within `delta`, delta (|d| - delta/2) beyond: squares for the near, absolutes for the far. Huber, 1964.

    With c = d clipped to ±delta both are c (d - c/2), and the derivative is c. `delta` is in standard deviations of
    the target where the target is standardised.
    """

    type: Literal["huber"] = "huber"
    per_row_name: ClassVar[str] = "huber"
    delta: PositiveFloat = 1.0

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        delta, C = self.delta, np.empty_like(Z)

        def loss(D: Array, V: Array) -> None:
            np.clip(D, -delta, delta, out=C)
            np.multiply(C, -0.5, out=V)
            np.add(V, D, out=V)
            np.multiply(V, C, out=V)

        def grad(D: Array, dZ: Array) -> None:
            np.copyto(dZ, C)

        return _bind_residual(Z, y, w, batch, loss, grad)

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        D = predictions - y
        C = D.clip(-self.delta * scale, self.delta * scale)
        return np.asarray((C * (D - C / 2.0)).mean(axis=1))


class Quantile(LossBase):
    """The pinball loss: q (y - z) below the target, (1 - q) (z - y) above. Its best constant is the q-quantile.

    Koenker and Bassett, 1978. With d = z - y it is d ([d > 0] - q).
    """

    type: Literal["quantile"] = "quantile"
    per_row_name: ClassVar[str] = "pinball_loss"
    is_comparison_measure: ClassVar[bool] = True
    q: Annotated[float, Field(strict=True, gt=0, lt=1)] = 0.5

    @property
    def quantile(self) -> float | None:
        return self.q

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        q, over = self.q, np.empty(Z.shape, bool)

        def grad(D: Array, dZ: Array) -> None:
            np.greater(D, 0.0, out=over)
            np.copyto(dZ, over)
            np.subtract(dZ, q, out=dZ)

        def loss(D: Array, V: Array) -> None:
            grad(D, V)
            np.multiply(V, D, out=V)

        return _bind_residual(Z, y, w, batch, loss, grad)

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        D = predictions - y
        return np.asarray((D * ((D > 0.0) - self.q)).mean(axis=1))


class Poisson(LossBase):
    """Counts y ~ Poisson(eᶻ): eᶻ - y z, the negative log-likelihood without log y!. The link is exp."""

    type: Literal["poisson"] = "poisson"
    per_row_name: ClassVar[str] = "poisson"
    needs_unscaled_targets: ClassVar[bool] = True
    nonnegative_targets: ClassVar[bool] = True
    has_link: ClassVar[bool] = True

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        E, V, W = np.empty_like(Z), np.empty_like(Z), np.empty_like(Z)
        ones, total, n = np.ones(Z.size, Z.dtype), V.reshape(-1), _count(Z, batch)
        weight = None if w is None else w[:, None]

        def forward() -> float:
            np.exp(Z, out=E)
            np.multiply(y, Z, out=V)
            np.subtract(E, V, out=V)
            if weight is not None:
                np.copyto(W, weight)
                np.multiply(V, W, out=V)
            return float(np.dot(total, ones)) / n

        def backward() -> Array:
            np.subtract(E, y, out=E)
            if weight is not None:
                np.multiply(E, W, out=E)
            return np.multiply(E, 1.0 / n, out=E)

        return BoundLoss(forward, backward)

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        return np.asarray((predictions - y * np.log(np.maximum(predictions, MIN_PROBABILITY))).mean(axis=1))

    def inverse_link(self, Z: Array) -> npt.NDArray[np.float64]:
        return np.exp(Z.astype(np.float64))

    def inverse_link_vjp(self, Z: Array, dP: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(dP * self.inverse_link(Z))


class ClassificationLoss(LossBase):
    """A loss over classes: two of them share one output, more have one each."""

    task: ClassVar[Task] = "classification"
    has_link: ClassVar[bool] = True
    per_row_name: ClassVar[str] = "log_loss"

    def outputs(self, count: int) -> int:
        return 1 if count == 2 else count

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        """The log loss (rows,) in nats, without label smoothing, for every classification loss: an ensemble has
        probabilities and no margins."""
        return np.asarray(-np.log(np.maximum(predictions[np.arange(len(predictions)), y], MIN_PROBABILITY)))

    def inverse_link(self, Z: Array) -> npt.NDArray[np.float64]:
        """Softmax of the scores; for two classes the first has score 0, which is the logistic function."""
        S = Z.astype(np.float64)
        if S.shape[1] == 1:
            S = np.concatenate([np.zeros_like(S), S], axis=1)
        S -= np.ascontiguousarray(S.T).max(axis=0)[:, None]  # along short rows it takes twenty times as long
        np.exp(S, out=S)
        # NumPy adds up to seven numbers of a row one after another, as it adds columns, which is ten times as fast.
        few = S.shape[1] < 8
        S /= np.ascontiguousarray(S.T).sum(axis=0)[:, None] if few else S.sum(axis=1, keepdims=True)
        return S

    def inverse_link_vjp(self, Z: Array, dP: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """dS_k = p_k (dP_k - Σ_j p_j dP_j); of two classes the first has no output."""
        P = self.inverse_link(Z)
        dS = np.asarray(P * (dP - (P * dP).sum(axis=1, keepdims=True)))
        return dS[:, 1:] if Z.shape[1] == 1 else dS


class CrossEntropy(ClassificationLoss):
    """-Σ_k t_k log p_k with p = softmax(z), or, for two classes, p = sigmoid(z).

    With `label_smoothing` s, t is (1 - s) · one-hot + s / K (Szegedy et al., 2016). The derivative is p - t.
    """

    type: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: Fraction = 0.0

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        bind = self._bind_logistic if Z.shape[1] == 1 else self._bind_softmax
        return bind(Z, y, w, self.targets(Z.shape[1], Z.dtype), len(Z) if batch is None else batch)

    def targets(self, k: int, dtype: np.dtype[Any]) -> Array:
        """T (classes, k): what each class's row of outputs is to become."""
        s = self.label_smoothing
        if k == 1:
            return np.array([[s / 2.0], [1.0 - s / 2.0]], dtype)
        return ((1.0 - s) * np.eye(k) + s / k).astype(dtype)

    def _bind_softmax(self, Z: Array, y: npt.NDArray[Any], w: Array | None, targets: Array, B: int) -> BoundLoss:
        T, P, V, R = np.empty_like(Z), np.empty_like(Z), np.empty_like(Z), np.empty_like(Z)
        r, row_loss = np.empty((len(Z), 1), Z.dtype), np.empty(len(Z), Z.dtype)
        weight = np.ones(len(Z), Z.dtype) if w is None else w
        share = scalar(1.0 / B, Z)
        # A probability below that is nothing beside 1, but its slope would be subnormal on its way back through the
        # network, and many processors compute with subnormal numbers a hundred times as slowly.
        least = np.full_like(Z, 2.0 * log(np.finfo(Z.dtype).eps))

        def forward() -> float:
            targets.take(y, 0, T, "clip")
            np.maximum.reduce(Z, 1, keepdims=True, out=r)
            np.copyto(R, r)
            np.subtract(Z, R, out=V)
            np.maximum(V, least, out=P)
            np.exp(P, out=P)
            np.add.reduce(P, 1, keepdims=True, out=r)
            np.copyto(R, r)
            np.divide(P, R, out=P)
            np.log(R, out=R)
            np.subtract(V, R, out=V)  # V = log p
            np.multiply(V, T, out=V)
            np.add.reduce(V, 1, out=row_loss)
            return -float(np.dot(row_loss, weight)) / B

        def backward() -> Array:
            np.subtract(P, T, out=P)
            if w is not None:
                np.copyto(R, w[:, None])
                np.multiply(P, R, out=P)
            return np.multiply(P, share, out=P)

        return BoundLoss(forward, backward)

    def _bind_logistic(self, Z: Array, y: npt.NDArray[Any], w: Array | None, targets: Array, B: int) -> BoundLoss:
        T, V = np.empty_like(Z), np.empty_like(Z)
        L, softplus, _ = Softplus().bind(Z)
        P, sigmoid, _ = Sigmoid().bind(Z)
        weight, row_loss = np.ones(len(Z), Z.dtype) if w is None else w, V.reshape(-1)
        share = scalar(1.0 / B, Z)

        def forward() -> float:  # -t log p - (1 - t) log(1 - p) = softplus(z) - t z
            targets.take(y, 0, T, "clip")
            softplus()
            np.multiply(T, Z, out=V)
            np.subtract(L, V, out=V)
            return float(np.dot(row_loss, weight)) / B

        def backward() -> Array:
            sigmoid()
            np.subtract(P, T, out=V)
            if w is not None:
                np.multiply(V, w[:, None], out=V)
            return np.multiply(V, share, out=V)

        return BoundLoss(forward, backward)


class Hinge(ClassificationLoss):
    """max(0, 1 - t z) with t = +1 for the class and -1 for the others, averaged over the outputs.

    Its margins are not probabilities; where those are asked for, softmax of the margins stands in.
    """

    type: Literal["hinge"] = "hinge"

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        k = Z.shape[1]
        targets = (np.array([[-1.0], [1.0]]) if k == 1 else 2.0 * np.eye(k) - 1.0).astype(Z.dtype)
        T, V, M, W = np.empty_like(Z), np.empty_like(Z), np.empty_like(Z), np.empty_like(Z)
        ones, total, over = np.ones(Z.size, Z.dtype), V.reshape(-1), np.empty(Z.shape, bool)
        n = _count(Z, batch)
        weight = None if w is None else w[:, None]

        def forward() -> float:
            targets.take(y, 0, T, "clip")
            np.multiply(T, Z, out=V)
            np.subtract(1.0, V, out=V)
            np.greater(V, 0.0, out=over)
            np.copyto(M, over)  # M = [1 - t z > 0]
            np.multiply(V, M, out=V)
            if weight is not None:
                np.copyto(W, weight)
                np.multiply(V, W, out=V)
            return float(np.dot(total, ones)) / n

        def backward() -> Array:
            np.multiply(T, M, out=V)
            if weight is not None:
                np.multiply(V, W, out=V)
            return np.multiply(V, -1.0 / n, out=V)

        return BoundLoss(forward, backward)


Loss = Annotated[
    Annotated[
        MSE | MAE | Huber | Quantile | Poisson | CrossEntropy | Hinge,
        Field(discriminator="type"),
    ],
    NameShorthand,
]
