"""Losses of classes: the raw output Z is (B, k), the targets are class codes y (B,), or ranks of ordered classes.

Each class has a row in a small table of targets T (classes, k), so that label smoothing, ±1 and one-hot targets are the
same code: a look-up.
"""

from __future__ import annotations

from math import log
from typing import Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.base.spec import Fraction, Task
from nncli.nn.activations import Sigmoid, Softmax, Softplus
from nncli.nn.arrays import RISING, Array, Floats, Sign, scalar
from nncli.nn.losses.loss import MIN_PROBABILITY, BoundLoss, Kernel, LossBase, bind_elementwise, column_sums
from nncli.nn.losses.scaling import NoScaling, Scaling
from nncli.nn.program.values import Value, exp, join


class ClassificationLoss(LossBase):
    """A loss of class codes. Two classes share one output; more classes have one output each."""

    task: ClassVar[Task] = "classification"
    keys: ClassVar[frozenset[str]] = frozenset()
    has_link: ClassVar[bool] = True
    scaling: ClassVar[Scaling] = NoScaling()
    per_row_name: ClassVar[str] = "log_loss"

    def drawn(self, Z: Array) -> Floats:
        """The probability of the second of two classes, or the likeliest class."""
        P = self.inverse_link(Z)
        return np.asarray(P[:, 1] if P.shape[1] == 2 else P.argmax(1).astype(np.float64))

    def of_student(self) -> LossBase:
        return CrossEntropyLoss()

    def of_distributions(self, distributions: Array) -> LossBase:
        return SoftCrossEntropyLoss.of(distributions)

    def initial_outputs(self, y: Array, w: Floats | None = None, offset: Array | None = None) -> Floats:
        """The outputs of the shares of the classes, each with one row more."""
        return self.outputs_of_shares(np.bincount(y, w) + np.float64(1.0))

    @staticmethod
    def outputs_of_shares(n: Floats) -> Floats:
        """The outputs for classes of n (K,) rows: their logarithms with the mean 0, or the log-odds of two."""
        logs = np.log(n)
        return np.asarray(logs[1:] - logs[0] if len(logs) == 2 else logs - logs.mean())

    def checked_outputs(self, count: int) -> int:
        return self.outputs(count)

    def random_targets(self, rng: np.random.Generator, rows: int, count: int) -> npt.NDArray[Any]:
        return rng.integers(0, count, rows)

    def outputs(self, count: int) -> int:
        return 1 if count == 2 else count

    def output_signs(self, outputs: int) -> tuple[Sign, ...]:
        if outputs > 1:
            raise ValueError(f"a target of {outputs} classes without an order has no direction")
        return super().output_signs(outputs)

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        """The log loss (rows,) in nats, without label smoothing, for every classification loss: an ensemble has
        probabilities and no margins."""
        return np.asarray(-np.log(np.maximum(predictions[np.arange(len(predictions)), y], MIN_PROBABILITY)))

    def inverse_link(self, Z: Array) -> npt.NDArray[np.float64]:
        """Softmax of the scores; for two classes the first has score 0, which is the logistic function."""
        S = Z.astype(np.float64)
        if S.shape[1] == 1:
            S = np.concatenate([np.zeros_like(S), S], axis=1)
        S -= np.ascontiguousarray(S.T).max(axis=0)[:, None]  # a maximum along short rows takes twenty times as long
        np.exp(S, out=S)
        # NumPy adds up to seven numbers of a row in the same order as it adds columns, which is ten times as fast.
        few = S.shape[1] < 8
        S /= np.ascontiguousarray(S.T).sum(axis=0)[:, None] if few else S.sum(axis=1, keepdims=True)
        return S

    def lower_inverse_link(self, z: Value) -> Value:
        scores = z.columns([-1, 0]) if z.width == 1 else z
        return Softmax().lower(scores)

    def inverse_link_vjp(self, Z: Array, dP: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """dS_k = p_k (dP_k - Σ_j p_j dP_j); the first of two classes has no output."""
        P = self.inverse_link(Z)
        dS = np.asarray(P * (dP - (P * dP).sum(axis=1, keepdims=True)))
        return dS[:, 1:] if Z.shape[1] == 1 else dS


class CrossEntropyLoss(ClassificationLoss):
    """-Σ_k t_k log p_k with p = softmax(z), or, for two classes, p = sigmoid(z).

    With `label_smoothing` s, t is (1 - s) · one-hot + s / K (Szegedy et al., 2016). The derivative is p - t.
    """

    type: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: Fraction = 0.0

    def formulas(self, outputs: int) -> tuple[str, str]:
        if outputs == 1:
            return "L = 1/B Σᵢ (-t log p - (1 - t) log (1 - p)), p = σ(z)", "dZ = 1/B (p - t)"
        return "L = -1/B Σᵢₖ tᵢₖ log pᵢₖ, pₖ = exp(zₖ) / Σₘ exp(zₘ)", "dZ = 1/B (P - T)"

    def kernel(self, outputs: int) -> tuple[Kernel, Array]:
        return "logistic" if outputs == 1 else "softmax", self.targets(outputs, np.dtype(np.float32))

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        bind = self._bind_logistic if Z.shape[1] == 1 else self._bind_softmax
        return bind(Z, y, w, self.targets(Z.shape[1], Z.dtype), len(Z) if batch is None else batch)

    def targets(self, k: int, dtype: np.dtype[Any]) -> Array:
        """T (classes, k): the target row of each class."""
        s = self.label_smoothing
        if k == 1:
            return np.array([[s / 2.0], [1.0 - s / 2.0]], dtype)
        table = np.full((k, k), s / k, dtype)
        np.fill_diagonal(table, (1.0 - s) + s / k)
        return table

    def _bind_softmax(self, Z: Array, y: npt.NDArray[Any], w: Array | None, targets: Array, B: int) -> BoundLoss:
        T, P, V, R = np.empty_like(Z), np.empty_like(Z), np.empty_like(Z), np.empty_like(Z)
        r, row_loss = np.empty((len(Z), 1), Z.dtype), np.empty(len(Z), Z.dtype)
        weight = np.ones(len(Z), Z.dtype) if w is None else w
        share = scalar(1.0 / B, Z)
        # A smaller probability vanishes beside 1, but its gradient would become subnormal on its way back through the
        # network, and many processors compute with subnormal numbers a hundred times as slowly.
        min_logit = np.full_like(Z, 2.0 * log(np.finfo(Z.dtype).eps))

        def forward() -> float:
            targets.take(y, 0, T, "clip")
            np.maximum.reduce(Z, 1, keepdims=True, out=r)
            np.copyto(R, r)
            np.subtract(Z, R, out=V)
            np.maximum(V, min_logit, out=P)
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


class HingeLoss(ClassificationLoss):
    """max(0, 1 - t z) with t = +1 for the class and -1 for the others, averaged over the outputs.

    Its margins are not probabilities; the softmax of the margins is used as such.
    """

    type: Literal["hinge"] = "hinge"

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        k = Z.shape[1]
        targets = (np.array([[-1.0], [1.0]]) if k == 1 else 2.0 * np.eye(k) - 1.0).astype(Z.dtype)
        T, M, over = np.empty_like(Z), np.empty_like(Z), np.empty(Z.shape, bool)

        def loss(V: Array) -> None:
            targets.take(y, 0, T, "clip")
            np.multiply(T, Z, out=V)
            np.subtract(1.0, V, out=V)
            np.greater(V, 0.0, out=over)
            np.copyto(M, over)  # M = [1 - t z > 0]
            np.multiply(V, M, out=V)

        def grad(dZ: Array) -> None:
            np.multiply(T, M, out=dZ)
            np.negative(dZ, out=dZ)

        return bind_elementwise(Z, w, batch, loss, grad)


class OrdinalLoss(ClassificationLoss):
    """Ordered classes: -log P(y), P(y > k | y ≥ k) = σ(zₖ), so P(y > k) = σ(z₀) … σ(zₖ) falls in k whatever z is.

    -log P(y) = Σ_{k<y} -log σ(zₖ) - log(1 - σ(z_y)): output k is learned from the rows with y ≥ k alone, whether they
    are above k (CORN). The derivative by zₖ is σ(zₖ) - [y > k] for k ≤ y, else 0. Shi, Cao and Raschka, "Deep neural
    networks for rank-consistent ordinal regression based on conditional probabilities", 2021.
    """

    type: Literal["ordinal"] = "ordinal"
    task: ClassVar[Task] = "ordinal"
    keys: ClassVar[frozenset[str]] = frozenset({"data.order"})
    starts_at_mean: ClassVar[bool] = True

    def formulas(self, outputs: int) -> tuple[str, str]:
        """The formulas of the loss and of its gradient."""
        return "L = 1/B Σᵢ Σ_{k≤yᵢ} (log(1 + exp(zᵢₖ)) - [yᵢ > k] zᵢₖ)", "dZ = 1/B [y ≥ k] (σ(Z) - [y > k])"

    def outputs(self, count: int) -> int:
        return count - 1

    def output_signs(self, outputs: int) -> tuple[Sign, ...]:
        return (RISING,) * outputs

    def of_student(self) -> LossBase:
        return self

    def of_distributions(self, distributions: Array) -> LossBase:
        return SoftOrdinalLoss.of(distributions)

    def targets(self, classes: int, dtype: npt.DTypeLike) -> Array:
        """T (classes, classes): the probabilities of the ranks for each target, one-hot here."""
        return np.eye(classes, dtype=dtype)

    @staticmethod
    def outputs_of_shares(n: Floats) -> Floats:
        """The outputs (K - 1,) for classes of n (K,) rows: log(those above / those of the class)."""
        return np.asarray(np.log(n[::-1].cumsum()[-2::-1] / n[:-1]))

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        T = self.targets(Z.shape[1] + 1, Z.dtype)
        all_above = T[:, ::-1].cumsum(axis=1)[:, -2::-1]  # P(y > k)
        all_reached = all_above + T[:, :-1]  # P(y ≥ k)
        above, reached = np.empty_like(Z), np.empty_like(Z)
        L, softplus, _ = Softplus().bind(Z)
        P, sigmoid, _ = Sigmoid().bind(Z)

        def loss(V: Array) -> None:
            all_above.take(y, 0, above, "clip")
            all_reached.take(y, 0, reached, "clip")
            softplus()
            np.multiply(reached, L, out=V)
            np.multiply(above, Z, out=L)
            np.subtract(V, L, out=V)

        def grad(dZ: Array) -> None:
            sigmoid()
            np.multiply(reached, P, out=dZ)
            np.subtract(dZ, above, out=dZ)

        return bind_elementwise(Z, w, batch, loss, grad, targets=1)

    def inverse_link(self, Z: Array) -> npt.NDArray[np.float64]:
        """P(y = k) = σ(z₀) … σ(zₖ₋₁) (1 - σ(zₖ)), a product of numbers above 0, so that small ones are exact too."""
        Z = Z.astype(np.float64)
        P = np.ones((len(Z), Z.shape[1] + 1))
        with np.errstate(over="ignore"):
            for k, z in enumerate(Z.T):
                P[:, k + 1] = P[:, k] / (1.0 + np.exp(-z))
                P[:, k] /= 1.0 + np.exp(z)
        return P

    def lower_inverse_link(self, z: Value) -> Value:
        up, down = (1.0 / (1.0 + exp(z * sign)) for sign in (-1.0, 1.0))
        reached, parts = up.columns([0]), [down.columns([0])]
        for k in range(1, z.width):
            parts.append(reached * down.columns([k]))
            reached = reached * up.columns([k])
        return join([*parts, reached])

    def inverse_link_vjp(self, Z: Array, dP: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """dzₖ = (1 - σ(zₖ)) Σ_{j>k} pⱼ dPⱼ - σ(zₖ) pₖ dPₖ."""
        A = self.inverse_link(Z) * dP
        S = 1.0 / (1.0 + np.exp(-Z.astype(np.float64)))
        later = A[:, ::-1].cumsum(axis=1)[:, -2::-1]
        return np.asarray((1.0 - S) * later - S * A[:, :-1])


class SoftCrossEntropyLoss(CrossEntropyLoss):
    """-Σ_k t_k log p_k for rows with target distributions t. Hinton, Vinyals and Dean, 2015.

    The table of targets has a row for each class, one-hot, and then one for each distribution. So the target of a row
    is its class, or the code of its distribution. No configuration names this loss, since the distributions are data.
    """

    _table: Array

    @classmethod
    def of(cls, distributions: Array) -> Self:
        """The loss for distributions (rows, classes)."""
        loss, classes = cls(), distributions.shape[1]
        soft = distributions[:, 1:] if classes == 2 else distributions  # two classes share an output
        loss._table = np.concatenate([CrossEntropyLoss().targets(loss.outputs(classes), soft.dtype), soft])
        return loss

    def targets(self, k: int, dtype: np.dtype[Any]) -> Array:
        return self._table.astype(dtype, copy=False)

    def initial_outputs(self, y: Array, w: Floats | None = None, offset: Array | None = None) -> Floats:
        n = column_sums(self._table[y], w)
        rows = len(y) if w is None else w.sum(dtype=np.float64)
        return self.outputs_of_shares(1.0 + (np.append(rows - n, n) if len(n) == 1 else n))


class SoftOrdinalLoss(OrdinalLoss):
    """The expected loss of ordered classes for rows with target distributions; see `SoftCrossEntropyLoss`."""

    _table: Array

    @classmethod
    def of(cls, distributions: Array) -> Self:
        """The loss for distributions (rows, classes)."""
        loss, classes = cls(), distributions.shape[1]
        loss._table = np.concatenate([np.eye(classes, dtype=distributions.dtype), distributions])
        return loss

    def targets(self, classes: int, dtype: npt.DTypeLike) -> Array:
        return self._table.astype(dtype, copy=False)

    def initial_outputs(self, y: Array, w: Floats | None = None, offset: Array | None = None) -> Floats:
        return self.outputs_of_shares(1.0 + column_sums(self._table[y], w))


ClassLoss: TypeAlias = CrossEntropyLoss | HingeLoss | OrdinalLoss
"""The registry of losses of classes."""
