"""Compiled optimizers, penalties and clipping: one pass over each group of parameters."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from nncli.nn.training.compiled.jit import Doubles, Floats, compiled

SGD, ADAM = range(2)


@compiled
def penalize(theta: Floats, grad: Floats, l1: float, l2: float) -> None:
    """dw += l1 · sign(w) + l2 · w."""
    a, b = np.float32(l1), np.float32(l2)
    for i in range(len(theta)):
        grad[i] += a * np.sign(theta[i]) + b * theta[i]


@compiled
def finite(grad: Floats) -> bool:
    """Whether all of a vector is finite: one pass of BLAS if its squares can be summed."""
    return bool(np.isfinite(np.dot(grad, grad))) or bool(np.isfinite(grad).all())


@compiled
def clip(grad: Floats, max_norm: float) -> None:
    """Scale `grad` down to the Euclidean norm `max_norm` if it is longer."""
    total = 0.0
    for i in range(len(grad)):
        total += np.float64(grad[i]) * np.float64(grad[i])
    if total > max_norm * max_norm:
        factor = np.float32(max_norm / sqrt(total))
        for i in range(len(grad)):
            grad[i] *= factor


@compiled
def sgd(theta: Floats, grad: Floats, v: Floats, momentum: float, nesterov: float, rate: float) -> None:
    """v ← momentum v + g; theta ← theta - rate · v, or, with nesterov, - rate · (g + momentum v)."""
    mu, eta = np.float32(momentum), np.float32(rate)
    if momentum == 0.0:
        for i in range(len(theta)):
            theta[i] -= eta * grad[i]
        return
    for i in range(len(theta)):
        v[i] = mu * v[i] + grad[i]
        theta[i] -= eta * (mu * v[i] + grad[i] if nesterov > 0.0 else v[i])


@compiled
def adam(theta: Floats, grad: Floats, M: Floats, V: Floats, h: Doubles, rate: float, t: int, shrinkage: float) -> None:
    """Adam with the moments as nncli/nn/optim/optimizers.py keeps them, after theta ← shrinkage · theta.

    h is beta1, beta2, epsilon.
    """
    beta1, beta2, epsilon = h[0], h[1], h[2]
    c = sqrt((1.0 - beta2) / (1.0 - beta2**t))
    e, eta = np.float32(epsilon / c), np.float32(rate * (1.0 - beta1) / (1.0 - beta1**t) / c)
    b1, b2, s = np.float32(beta1), np.float32(beta2), np.float32(shrinkage)
    for i in range(len(theta)):
        M[i] = b1 * M[i] + grad[i]
        V[i] = b2 * V[i] + grad[i] * grad[i]
        theta[i] = s * theta[i] - eta * (M[i] / (np.sqrt(V[i]) + e))


@compiled
def optimizer_step(theta: Floats, grad: Floats, optimizer: Any, rate: float, annealing: float, t: int) -> None:
    """One step of the `optimizer`.

    It is a tuple of two state vectors (the same one twice for SGD), its number, its hyper-parameters h, and the groups:
    their starts and stops (groups, 2), and their multipliers of the rate and their weight decays (groups, 2).
    `annealing` is the factor of a weight decay that falls to 0, for which h[3] is 1.
    """
    M, V, number, h, spans, multipliers = optimizer
    strength = rate * annealing if h[3] > 0.0 else rate
    for g in range(len(spans)):
        a, b, eta = spans[g, 0], spans[g, 1], rate * multipliers[g, 0]
        if number == SGD:
            sgd(theta[a:b], grad[a:b], M[a:b], h[0], h[1], eta)
        else:
            adam(theta[a:b], grad[a:b], M[a:b], V[a:b], h, eta, t, 1.0 - strength * multipliers[g, 1])
