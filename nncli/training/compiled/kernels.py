"""Compiled loops for plain networks: forward, loss, backward and update, in the textbook's letters.

A plain network is a sequence of dense layers. The layers of this package need some forty NumPy calls per step; here one
call runs many steps, or, if a batch is split into shards, one shard of a step. Everything is float32. The BLAS computes
the matrix products, as in NumPy; between them, loops that LLVM vectorizes read and write each number once.

Numba compiles the loops when they are first used and caches them on disk. Only bridge.py imports this module, and only
if Numba is installed.

A network is a table of layers, (L, 5) integers: the input units d, the output units u, the offsets of W and b in theta
(-1: no bias), and the number of the activation. `A` holds the outputs of all
layers in sequence, starting with the input: a layer's rows are A[at : at + B·u]. `dA` holds the gradients with respect
to them.
"""

from __future__ import annotations

from math import sqrt
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

F = TypeVar("F")
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

IDENTITY, RELU, LEAKY_RELU, SIGMOID, TANH = range(5)
"""Numbers of the activations, in the order of COMPILED_ACTIVATIONS in support.py."""
MSE, LOGISTIC, SOFTMAX = range(3)
SGD, ADAM = range(2)
D, U, W_AT, B_AT, ACTIVATION = range(5)
"""The columns of the table of layers."""
NEGLIGIBLE = 2.0**-40
"""Bound below which a derivative of the loss by a logit, at most 1, is set to 0."""


def compiled(function: F) -> F:
    """Compile a function, cache it on disk, and run it without Python's lock, so that shards run in parallel."""
    return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def inlined(function: F) -> F:
    """Compile a function into its callers."""
    return cast("F", numba.njit(inline="always", error_model="numpy")(function))


@inlined
def exp(x: Any) -> Any:
    """eˣ in float32, within 2 ulp, without a branch. Moshier, Cephes, expf: eˣ = 2ⁿ e^r with |r| <= log(2)/2."""
    x = np.float32(88.37626) if x > np.float32(88.37626) else x  # comparisons, unlike min and max, let NaN through
    x = np.float32(-87.33654) if x < np.float32(-87.33654) else x
    n = np.floor(x * np.float32(1.44269504088896341) + np.float32(0.5))
    r = x - n * np.float32(0.693359375) - n * np.float32(-2.12194440e-4)
    p = np.float32(1.9875691500e-4) * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    return (p * r * r + r + np.float32(1.0)) * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


@inlined
def tanh(x: Any) -> Any:
    """tanh x in float32, within 3 ulp. Moshier, Cephes, tanhf: a polynomial near 0, beyond it 1 - 2 / (e²ˣ + 1)."""
    a = abs(x)
    s = x * x
    p = np.float32(-5.70498872745e-3) * s + np.float32(2.06390887954e-2)
    p = p * s + np.float32(-5.37397155531e-2)
    p = p * s + np.float32(1.33314422036e-1)
    p = p * s + np.float32(-3.33332819422e-1)
    near = p * s * x + x
    far = np.float32(1.0) - np.float32(2.0) / (exp(a + a) + np.float32(1.0))
    return near if a < np.float32(0.625) else (far if x > np.float32(0.0) else -far)


@compiled
def activate(Z: Floats, b: Floats, kind: int, slope: float) -> None:
    """Z (B, u) becomes f(Z + b)."""
    B, u = Z.shape
    zero, one, leak = np.float32(0.0), np.float32(1.0), np.float32(slope)
    if len(b):
        for i in range(B):
            for j in range(u):
                Z[i, j] += b[j]
    if kind == RELU:
        for i in range(B):
            for j in range(u):
                Z[i, j] = zero if Z[i, j] <= zero else Z[i, j]
    elif kind == LEAKY_RELU:
        for i in range(B):
            for j in range(u):
                Z[i, j] = leak * Z[i, j] if Z[i, j] <= zero else Z[i, j]
    elif kind == SIGMOID:
        for i in range(B):
            for j in range(u):
                Z[i, j] = one / (one + exp(-Z[i, j]))
    elif kind == TANH:
        for i in range(B):
            for j in range(u):
                Z[i, j] = tanh(Z[i, j])


@compiled
def activation_grad(dY: Floats, Y: Floats, kind: int, slope: float) -> None:
    """dY (B, u) becomes dZ = dY · f'(Z), computed from Y = f(Z)."""
    B, u = Y.shape
    zero, one, leak = np.float32(0.0), np.float32(1.0), np.float32(slope)
    if kind == RELU:
        for i in range(B):
            for j in range(u):
                dY[i, j] *= one if Y[i, j] > zero else zero  # a product keeps values that are not finite
    elif kind == LEAKY_RELU:
        for i in range(B):
            for j in range(u):
                dY[i, j] = dY[i, j] if Y[i, j] > zero else leak * dY[i, j]
    elif kind == SIGMOID:
        for i in range(B):
            for j in range(u):
                dY[i, j] *= Y[i, j] * (one - Y[i, j])
    elif kind == TANH:
        for i in range(B):
            for j in range(u):
                dY[i, j] *= one - Y[i, j] * Y[i, j]


@compiled
def mse(Z: Floats, y: Floats, w: Floats, dZ: Floats, batch: int) -> float:
    """Mean squared error of Z (B, k), a shard of `batch` rows; dZ becomes its derivative."""
    B, k = Z.shape
    total: Any = 0.0
    share = np.float32(2.0 / (batch * k))
    for i in range(B):
        weight = w[i] if len(w) else np.float32(1.0)
        for j in range(k):
            D = Z[i, j] - y[i, j]
            total += D * D * weight
            dZ[i, j] = D * weight * share
    value: float = total / (batch * k)
    return value


@inlined
def flush_to_zero(slope: Any) -> Any:
    """The derivative, or 0 if it is negligible.

    On its way back through the network it would become subnormal, which many processors compute a hundred times as
    slowly, and every row that is learned well has such a derivative. NumPy's sigmoid gives 0 from 2^-25 on.
    """
    return np.float32(0.0) if abs(slope) < np.float32(NEGLIGIBLE) else slope


@compiled
def logistic(Z: Floats, y: Ints, T: Floats, w: Floats, dZ: Floats, batch: int) -> float:
    """softplus(z) - t z, the cross-entropy of two classes that share one output; its derivative is sigmoid(z) - t."""
    total: Any = 0.0
    share, one = np.float32(1.0 / batch), np.float32(1.0)
    for i in range(len(Z)):
        z, t = Z[i, 0], T[y[i], 0]
        weight = w[i] if len(w) else one
        e = exp(-abs(z))
        p = one / (one + e) if z > np.float32(0.0) else e / (one + e)
        total += (max(z, np.float32(0.0)) + np.log1p(e) - t * z) * weight
        dZ[i, 0] = flush_to_zero(p - t) * weight * share
    value: float = total / batch
    return value


@compiled
def softmax(Z: Floats, y: Ints, T: Floats, w: Floats, dZ: Floats, batch: int) -> float:
    """-Σ t log softmax(z), row by row; the derivative is softmax(z) - t."""
    B, k = Z.shape
    total: Any = 0.0
    share = np.float32(1.0 / batch)
    for i in range(B):
        weight = w[i] if len(w) else np.float32(1.0)
        t, largest, s = T[y[i]], Z[i, 0], np.float32(0.0)
        for j in range(1, k):
            largest = max(largest, Z[i, j])
        for j in range(k):
            dZ[i, j] = exp(Z[i, j] - largest)
        for j in range(k):
            s += dZ[i, j]
        log_s, row = np.log(s), np.float32(0.0)
        for j in range(k):
            row -= t[j] * (Z[i, j] - largest - log_s)
            dZ[i, j] = flush_to_zero(dZ[i, j] / s - t[j]) * weight * share
        total += row * weight
    value: float = total / batch
    return value


@compiled
def gradient(data: Any, net: Any, rows: Ints, batch: int) -> float:
    """The loss of the `rows`, a shard or all of a batch of `batch` rows, and its gradient in `grad`.

    `data`: X (n, features); y (n, k) numbers, or codes (n,) of classes with their table T; w (n,) weights, or none;
    the number of the loss. `net`: the table of layers, the slopes of their activations, theta, grad, A and dA.
    """
    X, y, codes, w, T, loss = data
    layers, slopes, theta, grad, A, dA = net
    B, L, at = len(rows), len(layers), 0
    d = layers[0, D]
    Y = A[: B * d].reshape(B, d)
    for i in range(B):
        for j in range(d):
            Y[i, j] = X[rows[i], j]
    weight = w[rows] if len(w) else w
    for l in range(L):  # noqa: E741 - the layer's number, as in the textbook
        d, u, w_at, b_at = layers[l, D], layers[l, U], layers[l, W_AT], layers[l, B_AT]
        Y = A[at : at + B * d].reshape(B, d)
        Z = A[at + B * d : at + B * (d + u)].reshape(B, u)
        np.dot(Y, theta[w_at : w_at + d * u].reshape(d, u), Z)
        activate(Z, theta[b_at : b_at + u] if b_at >= 0 else theta[:0], layers[l, ACTIVATION], slopes[l])
        at += B * d

    k = layers[L - 1, U]
    Z, dZ = A[at : at + B * k].reshape(B, k), dA[at : at + B * k].reshape(B, k)
    if loss == MSE:
        value = mse(Z, y[rows], weight, dZ, batch)
    elif loss == LOGISTIC:
        value = logistic(Z, codes[rows], T, weight, dZ, batch)
    else:
        value = softmax(Z, codes[rows], T, weight, dZ, batch)

    for l in range(L - 1, -1, -1):  # noqa: E741
        d, u, w_at, b_at = layers[l, D], layers[l, U], layers[l, W_AT], layers[l, B_AT]
        Z, dZ = A[at : at + B * u].reshape(B, u), dA[at : at + B * u].reshape(B, u)
        at -= B * d
        X_l, dX_l = A[at : at + B * d].reshape(B, d), dA[at : at + B * d].reshape(B, d)
        activation_grad(dZ, Z, layers[l, ACTIVATION], slopes[l])
        np.dot(X_l.T, dZ, grad[w_at : w_at + d * u].reshape(d, u))
        if b_at >= 0:
            db = grad[b_at : b_at + u]
            db[:] = np.float32(0.0)
            for i in range(B):
                for j in range(u):
                    db[j] += dZ[i, j]
        if l > 0:
            np.dot(dZ, theta[w_at : w_at + d * u].reshape(d, u).T, dX_l)
    return value


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
def adam(theta: Floats, grad: Floats, M: Floats, V: Floats, h: npt.NDArray[np.float64], rate: float, t: int) -> None:
    """Adam with the moments as nncli/optim/optimizers.py keeps them; h is beta1, beta2, epsilon."""
    beta1, beta2, epsilon = h[0], h[1], h[2]
    c = sqrt((1.0 - beta2) / (1.0 - beta2**t))
    e, eta = np.float32(epsilon / c), np.float32(rate * (1.0 - beta1) / (1.0 - beta1**t) / c)
    b1, b2 = np.float32(beta1), np.float32(beta2)
    for i in range(len(theta)):
        M[i] = b1 * M[i] + grad[i]
        V[i] = b2 * V[i] + grad[i] * grad[i]
        theta[i] -= eta * (M[i] / (np.sqrt(V[i]) + e))


@compiled
def optimizer_step(theta: Floats, grad: Floats, optimizer: Any, rate: float, t: int) -> None:
    """One step of the `optimizer`.

    It is a tuple of two state vectors (the same one twice for SGD), its number, its hyper-parameters h, of which the
    last is the weight decay, and the number of decayed parameters.
    """
    M, V, number, h, decayed = optimizer
    if h[3] > 0.0:
        shrinkage = np.float32(1.0 - rate * h[3])
        for i in range(decayed):
            theta[i] *= shrinkage
    if number == SGD:
        sgd(theta, grad, M, h[0], h[1], rate)
    else:
        adam(theta, grad, M, V, h, rate, t)


@compiled
def train_batches(
    data: Any,
    net: Any,
    optimizer: Any,
    extras: Any,
    order: Ints,
    batch: int,
    rates: npt.NDArray[np.float64],
    t: int,
    losses: npt.NDArray[np.float64],
) -> tuple[int, bool]:
    """Train on the batches of `order`, one for each of `rates`; `extras` are l1, l2 and clip_norm, 0 for none.

    `losses` receives the loss of each batch. The loop ends at the first loss or gradient that is not finite, and leaves
    the weights that led there. Returns the number of batches that were run, and whether the last gradient was finite if
    the loss was.
    """
    theta, grad, decayed = net[2], net[3], optimizer[4]
    l1, l2, max_norm = extras
    for i in range(len(rates)):
        rows = order[i * batch : min((i + 1) * batch, len(order))]
        losses[i] = gradient(data, net, rows, len(rows))
        if not np.isfinite(losses[i]):
            return i + 1, True
        if l1 > 0.0 or l2 > 0.0:
            penalize(theta[:decayed], grad[:decayed], l1, l2)
        if not finite(grad):
            return i + 1, False
        if max_norm > 0.0:
            clip(grad, max_norm)
        optimizer_step(theta, grad, optimizer, rates[i], t + i)
    return len(rates), True
