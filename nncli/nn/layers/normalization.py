"""Batch and layer normalization: H is the input with mean 0 and variance 1, Y = gamma · H + beta."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias

import numpy as np
from pydantic import Field

from nncli.base.spec import PositiveSetting
from nncli.nn.arrays import Array, BoundLayer
from nncli.nn.initializers import Constant, Zeros
from nncli.nn.layers.layer import LayerBase, TrainingContext
from nncli.nn.parameters import ParamGroup, ParamSpec, ParamViews
from nncli.nn.program.values import Value, sqrt


class BatchNorm(LayerBase):
    """Y = gamma · (X - mean) / sqrt(var + epsilon) + beta, with the statistics of the batch.

    Ioffe and Szegedy, 2015. Running statistics r ← (1 - momentum) r + momentum · batch (variance with n - 1) serve
    prediction. A batch of one row has no variance: the output is beta, and the running statistics do not change.
    """

    type: Literal["batch_norm"] = "batch_norm"
    mixes_units: ClassVar[bool] = False
    momentum: Annotated[float, Field(strict=True, gt=0, le=1)] = 0.1
    epsilon: PositiveSetting = 1e-5

    @property
    def mixes_rows(self) -> bool:
        return True

    def parameters(self, in_features: int) -> tuple[ParamSpec, ...]:
        return (
            ParamSpec("gamma", (in_features,), ParamGroup.SCALE, Constant(value=1.0)),
            ParamSpec("beta", (in_features,), ParamGroup.BIAS, Zeros()),
            ParamSpec("running_mean", (in_features,), ParamGroup.STATISTIC, Zeros()),
            ParamSpec("running_variance", (in_features,), ParamGroup.STATISTIC, Constant(value=1.0)),
        )

    def bind(
        self, p: ParamViews, g: ParamViews, X: Array, *, training: TrainingContext | None, needs_dX: bool
    ) -> BoundLayer:
        gamma, beta, dgamma, dbeta = p["gamma"], p["beta"], g["gamma"], g["beta"]
        running_mean, running_variance = p["running_mean"], p["running_variance"]
        (n, d), m, epsilon = X.shape, self.momentum, self.epsilon
        Y, H, D = np.empty_like(X), np.empty_like(X), np.empty_like(X)
        mean, inverse, s = np.empty(d, X.dtype), np.empty(d, X.dtype), np.empty(d, X.dtype)

        def blend(running: Array, value: Array, factor: float) -> None:
            np.multiply(running, 1.0 - m, out=running)
            np.multiply(value, factor * m, out=s)
            np.add(running, s, out=running)

        def forward() -> None:
            if training:
                np.add.reduce(X, 0, out=mean)
                np.divide(mean, n, out=mean)
                np.copyto(D, mean)
                np.subtract(X, D, out=H)
                np.multiply(H, H, out=D)
                np.add.reduce(D, 0, out=inverse)
                np.divide(inverse, n, out=inverse)  # the variance, for now
                if n > 1:
                    blend(running_mean, mean, 1.0)
                    blend(running_variance, inverse, n / (n - 1))
            else:
                np.copyto(D, running_mean)
                np.subtract(X, D, out=H)
                np.copyto(inverse, running_variance)
            np.add(inverse, epsilon, out=inverse)
            np.sqrt(inverse, out=inverse)
            np.divide(1.0, inverse, out=inverse)
            np.copyto(D, inverse)
            np.multiply(H, D, out=H)
            np.copyto(D, gamma)
            np.multiply(H, D, out=Y)
            np.copyto(D, beta)
            np.add(Y, D, out=Y)

        def backward(dY: Array) -> Array:
            # dX = gamma / sqrt(var + epsilon) · (dY - mean(dY) - H · mean(dY · H)); the means only in training
            np.add.reduce(dY, 0, out=dbeta)
            np.multiply(dY, H, out=D)
            np.add.reduce(D, 0, out=dgamma)
            if training:
                np.divide(dgamma, n, out=s)
                np.copyto(D, s)
                np.multiply(H, D, out=D)
                np.subtract(dY, D, out=dY)
                np.divide(dbeta, n, out=s)
                np.copyto(D, s)
                np.subtract(dY, D, out=dY)
            np.multiply(gamma, inverse, out=s)
            np.copyto(D, s)
            return np.multiply(dY, D, out=dY)

        return BoundLayer(Y, forward, backward)

    def lower(self, p: ParamViews, x: Value) -> Value:
        inverse = 1.0 / np.sqrt(p["running_variance"].astype(np.float64) + self.epsilon)
        return (x - p["running_mean"]) * inverse * p["gamma"] + p["beta"]


class LayerNorm(LayerBase):
    """Y = gamma · (x - mean(x)) / sqrt(var(x) + epsilon) + beta, within each row. Ba, Kiros and Hinton, 2016."""

    type: Literal["layer_norm"] = "layer_norm"
    epsilon: PositiveSetting = 1e-5

    def parameters(self, in_features: int) -> tuple[ParamSpec, ...]:
        return (
            ParamSpec("gamma", (in_features,), ParamGroup.SCALE, Constant(value=1.0)),
            ParamSpec("beta", (in_features,), ParamGroup.BIAS, Zeros()),
        )

    def bind(
        self, p: ParamViews, g: ParamViews, X: Array, *, training: TrainingContext | None, needs_dX: bool
    ) -> BoundLayer:
        gamma, beta, dgamma, dbeta = p["gamma"], p["beta"], g["gamma"], g["beta"]
        (n, d), epsilon = X.shape, self.epsilon
        Y, H, D = np.empty_like(X), np.empty_like(X), np.empty_like(X)
        inverse, r = np.empty((n, 1), X.dtype), np.empty((n, 1), X.dtype)

        def row_mean(A: Array) -> Array:
            np.add.reduce(A, 1, keepdims=True, out=r)
            return np.divide(r, d, out=r)

        def forward() -> None:
            np.copyto(D, row_mean(X))
            np.subtract(X, D, out=H)
            np.multiply(H, H, out=D)
            np.add(row_mean(D), epsilon, out=inverse)
            np.sqrt(inverse, out=inverse)
            np.divide(1.0, inverse, out=inverse)
            np.copyto(D, inverse)
            np.multiply(H, D, out=H)
            np.copyto(D, gamma)
            np.multiply(H, D, out=Y)
            np.copyto(D, beta)
            np.add(Y, D, out=Y)

        def backward(dY: Array) -> Array:
            # with G = gamma · dY: dX = (G - mean(G) - H · mean(G · H)) / sqrt(var + epsilon)
            np.add.reduce(dY, 0, out=dbeta)
            np.multiply(dY, H, out=D)
            np.add.reduce(D, 0, out=dgamma)
            np.copyto(D, gamma)
            np.multiply(dY, D, out=dY)
            np.multiply(dY, H, out=D)
            np.copyto(D, row_mean(D))
            np.multiply(H, D, out=D)
            np.copyto(H, row_mean(dY))  # H is free now
            np.subtract(dY, H, out=dY)
            np.subtract(dY, D, out=dY)
            np.copyto(D, inverse)
            return np.multiply(dY, D, out=dY)

        return BoundLayer(Y, forward, backward)

    def lower(self, p: ParamViews, x: Value) -> Value:
        d = x.width
        g = x - x.sum() / d
        return g * (1.0 / sqrt((g * g).sum() / d + self.epsilon)) * p["gamma"] + p["beta"]


Normalization: TypeAlias = BatchNorm | LayerNorm
"""The registry of normalization layers."""
