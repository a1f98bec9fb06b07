"""The focal loss: rows that are predicted well count less."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from nncli.extend import Array, BoundLoss, ClassificationLoss, NonNegativeFloat, bind_elementwise


class Focal(ClassificationLoss):
    """-(1 - p)^gamma log p, with the probability p of the class of the row; gamma: 0 is the cross entropy.

    Lin, Goyal, Girshick, He and Dollár, "Focal loss for dense object detection", 2017. With q = 1 - p, the derivative
    with respect to the output of class k is c ([k is the class] - p_k), c = q^gamma (gamma p log(p) / q - 1).
    """

    type: Literal["focal"] = "focal"
    gamma: NonNegativeFloat = 2.0

    def bind(self, Z: Array, y: Any, w: Array | None, *, batch: int | None = None) -> BoundLoss:
        """Two classes share one output; more have one each."""
        loss, grad = self._of_two(Z, y) if Z.shape[1] == 1 else self._of_several(Z, y)
        return bind_elementwise(Z, w, batch, loss, grad, targets=1)

    def _terms(self, log_p: Array) -> tuple[Callable[[Array], None], Array, Array]:
        """What fills the losses (B,) from log p (B,); with the factors c and the probabilities q of other classes."""
        P, Q, F, C = (np.empty_like(log_p) for _ in range(4))
        gamma, least = self.gamma, float(np.finfo(log_p.dtype).tiny)

        def terms(out: Array) -> None:
            np.exp(log_p, out=P)
            np.expm1(log_p, out=Q)
            np.negative(Q, out=Q)
            np.maximum(Q, least, out=Q)
            np.power(Q, gamma, out=F)
            np.divide(log_p, Q, out=C)
            np.multiply(C, P, out=C)
            np.multiply(C, gamma, out=C)
            np.subtract(C, 1.0, out=C)
            np.multiply(C, F, out=C)
            np.multiply(F, log_p, out=F)
            np.negative(F, out=out)

        return terms, C, Q

    def _of_two(self, Z: Array, y: Any) -> tuple[Callable[[Array], None], Callable[[Array], None]]:
        sign, log_p, zeros, z = np.empty(len(Z), Z.dtype), np.empty(len(Z), Z.dtype), np.zeros(len(Z), Z.dtype), Z[:, 0]
        terms, C, Q = self._terms(log_p)

        def loss(V: Array) -> None:
            np.copyto(sign, y, casting="unsafe")
            np.multiply(sign, -2.0, out=sign)
            np.add(sign, 1.0, out=sign)  # -1 for the second class
            np.multiply(z, sign, out=log_p)
            np.logaddexp(log_p, zeros, out=log_p)
            np.negative(log_p, out=log_p)
            terms(V[:, 0])

        def grad(dZ: Array) -> None:
            np.multiply(C, Q, out=dZ[:, 0])
            np.multiply(dZ[:, 0], sign, out=dZ[:, 0])
            np.negative(dZ, out=dZ)

        return loss, grad

    def _of_several(self, Z: Array, y: Any) -> tuple[Callable[[Array], None], Callable[[Array], None]]:
        rows, classes = Z.shape
        S, P, D = np.empty_like(Z), np.empty_like(Z), np.empty_like(Z)
        largest, total, log_p = np.empty((rows, 1), Z.dtype), np.empty((rows, 1), Z.dtype), np.empty(rows, Z.dtype)
        starts, at = np.arange(rows) * classes, np.empty(rows, np.int64)
        terms, C, _ = self._terms(log_p)

        def loss(V: Array) -> None:
            np.maximum.reduce(Z, 1, keepdims=True, out=largest)
            np.copyto(D, largest)
            np.subtract(Z, D, out=S)
            np.exp(S, out=P)
            np.add.reduce(P, 1, keepdims=True, out=total)
            np.copyto(D, total)
            np.divide(P, D, out=P)
            np.log(D, out=D)
            np.subtract(S, D, out=S)  # the logarithms of the probabilities
            np.add(starts, y, out=at)
            np.take(S.reshape(-1), at, out=log_p, mode="clip")
            np.copyto(V, 0.0)
            terms(V[:, 0])

        def grad(dZ: Array) -> None:
            np.copyto(D, C[:, None])
            np.multiply(P, D, out=dZ)
            np.negative(dZ, out=dZ)
            np.take(dZ.reshape(-1), at, out=log_p, mode="clip")
            np.add(log_p, C, out=log_p)
            np.put(dZ, at, log_p)

        return loss, grad
