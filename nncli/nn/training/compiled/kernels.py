"""Compiled loops: forward, loss, backward and update of many steps in one call, in the textbook's letters.

The layers of nncli/nn need some forty NumPy calls per step; here one call runs many steps, or, if a batch is split into
shards, one shard of a step. Everything is float32. The BLAS computes the matrix products, as in NumPy; between them,
loops that LLVM vectorizes read and write each number once.

Numba compiles the loops when they are first used and caches them on disk. Only bridge.py imports this module, and only
if Numba is installed.

A network is a sequence of blocks (blocks.py) in two tables with a row for each: integers, whose columns are D … STORED,
and numbers, FACTOR … ANNEALED. `A` holds the input and the outputs of all blocks in sequence: the rows of one are
A[at : at + B·u]. `dA` has room for two gradients of a block's output, which are used in turn.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from nncli.nn.arrays import Floats
from nncli.nn.training.compiled.activations import (
    RESOLUTION,
    activate,
    activate_and_store,
    activation_grad,
    add_bias,
    bias_grad,
    exp,
    mask_keys,
    stored_grad,
)
from nncli.nn.training.compiled.cache import Float32s, Ints, borrow, compiled, compiled_sum, inlined, internal
from nncli.nn.training.compiled.inputs import (
    AT,
    COUNT,
    EMBEDS,
    N_DIRECT,
    N_LEARNED,
    PLACE,
    PROJECTS,
    ROW,
    WIDTH,
    bins_grad,
    direct_grad,
    load_embedded,
    load_rows,
)

D, U, W_AT, B_AT, SCALE_AT, ALPHA_AT, ACTIVATION, STORED, SCALED_W_AT = range(9)
"""Input and output units; offsets of W, b, s and alpha in theta (-1: absent); the number of the activation; whether
`forward` stores its derivatives, and where; the offset of the buffer for factor · s · W (-1: W itself is used)."""
FACTOR, H0, H1, DROPOUT, ANNEALED = range(5)
"""The factor of X W; the hyper-parameters of the activation; the rate of dropout, and whether it is annealed."""


@compiled
def scale_weights(W: Float32s, s: Float32s, factor: float, order: Ints, W_s: Float32s) -> None:
    """W_s = factor · s · W, a scale for each row of W, with the rows of W in the given order."""
    f = np.float32(factor)
    for i in range(len(W)):
        r = order[i]
        f_s = f * s[r]
        for j in range(W.shape[1]):
            W_s[i, j] = f_s * W[r, j]


@compiled_sum
def scale_grad(
    dW_s: Float32s, W: Float32s, s: Float32s, factor: float, order: Ints, dW: Float32s, ds: Float32s
) -> None:
    """From dW_s, the derivative by factor · s · W in the given order, those by W and by s; ds may be empty."""
    f = np.float32(factor)
    for i in range(len(W)):
        r = order[i]
        total, f_s = np.float32(0.0), f * s[r]
        for j in range(W.shape[1]):
            total += W[r, j] * dW_s[i, j]
            dW[r, j] = f_s * dW_s[i, j]
        if len(ds):
            ds[r] = f * total


@inlined
def matrix(vector: Float32s, at: int, d: int, u: int) -> Float32s:
    """The matrix (d, u) that begins at an offset of a vector."""
    return vector[at : at + d * u].reshape(d, u)


@inlined
def part(vector: Float32s, at: int, size: int) -> Float32s:
    """The part of a vector that begins at an offset, or nothing if the offset is -1."""
    return vector[at : at + size] if at >= 0 else vector[:0]


@internal
def activate_block(
    Z: Float32s, block: Ints, numbers: Float32s, theta: Float32s, derivatives: Float32s, ones: Float32s, mask: Any
) -> None:
    """Z (B, u), a product with the block's matrix, becomes its output; `mask`: the keys and the rate of dropout."""
    B, u = Z.shape
    factor = np.float32(1.0) if block[SCALED_W_AT] >= 0 else numbers[FACTOR]
    b = part(theta, block[B_AT], u)
    if block[STORED] < 0:
        add_bias(Z, b, factor)  # type: ignore[arg-type]
        activate(Z, block[ACTIVATION], numbers[H0])
        return
    D, S = matrix(derivatives[0], block[STORED] * B, B, u), matrix(derivatives[1], block[STORED] * B, B, u)
    alpha = theta[block[ALPHA_AT] : block[ALPHA_AT] + u] if block[ALPHA_AT] >= 0 else ones[:u]
    dropped: Any = min(np.int64(mask[2] * RESOLUTION), RESOLUTION - 1)
    h, keys = numbers[H0 : H1 + 1], (mask[0], mask[1])
    activate_and_store(Z, b, factor, block[ACTIVATION], h, alpha, keys, dropped, D, S)  # type: ignore[arg-type]


@internal
def activation_block_grad(
    dY: Float32s, Y: Float32s, block: Ints, numbers: Float32s, grad: Float32s, derivatives: Float32s
) -> None:
    """dY (B, u) becomes the derivative by the product with the block's matrix; those by bias and alpha are stored."""
    B, u = dY.shape
    if block[STORED] >= 0:
        D, S = matrix(derivatives[0], block[STORED] * B, B, u), matrix(derivatives[1], block[STORED] * B, B, u)
        stored_grad(dY, D, S, part(grad, block[ALPHA_AT], u))
    else:
        activation_grad(dY, Y, block[ACTIVATION], numbers[H0])
    factor = np.float32(1.0) if block[SCALED_W_AT] >= 0 else numbers[FACTOR]
    bias_grad(dY, part(grad, block[B_AT], u), factor)  # type: ignore[arg-type]


@internal
def multiply(X: Float32s, W: Float32s, Z: Float32s) -> None:
    """Z = X W, or 0 where X has no columns."""
    if X.shape[1]:
        np.dot(X, W, Z)
    else:
        Z[:] = np.float32(0.0)


@inlined
def forward(data: Any, net: Any, inputs: Any, rows: Ints, t: int, annealing: float) -> int:
    """Fill A with the outputs of all blocks, and return the offset of the last one; the arguments are `gradient`'s."""
    X, codes = data[0], data[1]
    blocks, numbers, order, theta, _, A, _, derivatives, scaled, _, ones, seed = net
    B, at = len(rows), 0
    n_direct, embeds = inputs[8][N_DIRECT], inputs[8][EMBEDS] > 0
    X_0 = matrix(A, 0, B, n_direct)
    if embeds:
        load_embedded(X, codes, rows, theta, inputs, X_0)
    else:
        load_rows(X, rows, X_0)
    for l in range(len(blocks)):  # noqa: E741 - the block's number, as in the textbook
        d, u, w_at = blocks[l, D], blocks[l, U], blocks[l, SCALED_W_AT]
        Y, Z, W = matrix(A, at, B, d), matrix(A, at + B * d, B, u), matrix(theta, blocks[l, W_AT], d, u)
        if w_at >= 0:
            s = theta[blocks[l, SCALE_AT] : blocks[l, SCALE_AT] + d] if blocks[l, SCALE_AT] >= 0 else ones[:d]
            W_s = matrix(scaled, w_at, d, u)
            scale_weights(W, s, numbers[l, FACTOR], order[l], W_s)
            W = W_s
        if l == 0 and embeds:
            multiply(X_0, W[:n_direct], Z)
            project(Z, W, codes, rows, theta, inputs)
        else:
            np.dot(Y, W, Z)
        rate = numbers[l, DROPOUT] * (annealing if numbers[l, ANNEALED] > 0.0 else 1.0)
        key0, key1 = mask_keys(seed, t, l)
        activate_block(Z, blocks[l], numbers[l], theta, derivatives, ones, (key0, key1, rate))
        at += B * d
    return at


@inlined
def backward(data: Any, net: Any, inputs: Any, rows: Ints, at: int) -> None:
    """Fill `grad` from the derivative by the last block's output, which is at the offset `at` of A."""
    codes = data[1]
    blocks, numbers, order, theta, grad, A, dA, derivatives, scaled, dscaled, ones, _ = net
    B, half = len(rows), len(dA) // 2
    n_learned, n_direct, embeds = inputs[8][N_LEARNED], inputs[8][N_DIRECT], inputs[8][EMBEDS] > 0
    for l in range(len(blocks) - 1, -1, -1):  # noqa: E741
        d, u, w_at = blocks[l, D], blocks[l, U], blocks[l, SCALED_W_AT]
        turn, other = ((l + 1) % 2) * half, (l % 2) * half
        Y, dY = matrix(A, at, B, u), matrix(dA, turn, B, u)
        activation_block_grad(dY, Y, blocks[l], numbers[l], grad, derivatives)
        at -= B * d
        W, dW = matrix(theta, blocks[l, W_AT], d, u), matrix(grad, blocks[l, W_AT], d, u)
        W_s, dW_s = (matrix(scaled, w_at, d, u), matrix(dscaled, w_at, d, u)) if w_at >= 0 else (W, dW)
        if l == 0 and embeds:
            if n_direct:
                np.dot(matrix(A, 0, B, n_direct).T, dY, dW_s[:n_direct])
            project_grad(dY, W_s, dW_s, codes, rows, theta, grad, inputs)
            dE = matrix(dA, other, B, n_learned)
            if n_learned:
                np.dot(dY, W_s[:n_learned].T, dE)
            direct_grad(dE, codes, rows, grad, inputs)
            bins_grad(inputs, grad)
        else:
            np.dot(matrix(A, at, B, d).T, dY, dW_s)
            if l > 0:
                np.dot(dY, W_s.T, matrix(dA, other, B, d))
        if w_at >= 0:
            s = theta[blocks[l, SCALE_AT] : blocks[l, SCALE_AT] + d] if blocks[l, SCALE_AT] >= 0 else ones[:d]
            scale_grad(dW_s, W, s, numbers[l, FACTOR], order[l], dW, part(grad, blocks[l, SCALE_AT], d))


@inlined
def gradient(data: Any, net: Any, inputs: Any, rows: Ints, batch: int, t: int, annealing: float) -> float:
    """The loss of the `rows`, a shard or all of a batch of `batch` rows, and its gradient in `grad`.

    `data`: X (n, features) and codes (n, categories); y (n, targets) numbers, or classes (n,); w (n,) weights, or
    none; the table T of the classes, or of the levels of quantiles; the number of the loss. `net`: the tables of
    blocks, the order of their scaled matrices' rows, theta, grad, the buffers and the seed of dropout; `inputs` are the
    tables and buffers of inputs.py. `t` is the number of the step, `annealing` the factor of dropout rates that fall to
    0.
    """
    _, _, y, classes, w, T, loss = data
    blocks, A, dA = net[0], net[5], net[6]
    B, L = len(rows), len(blocks)
    k = blocks[L - 1, U]
    at = forward(data, net, inputs, rows, t, annealing)
    Z, dZ = matrix(A, at, B, k), matrix(dA, (L % 2) * (len(dA) // 2), B, k)
    weight = w[rows] if len(w) else w
    if loss == MSE:
        value = mse(Z, y[rows], weight, dZ, batch)
    elif loss == LOGISTIC:
        value = logistic(Z, classes[rows], T, weight, dZ, batch)
    elif loss == PINBALL:
        value = pinball(Z, y[rows], T, weight, dZ, batch)
    else:
        value = softmax(Z, classes[rows], T, weight, dZ, batch)
    backward(data, net, inputs, rows, at)
    return value


@compiled
def train_batches(
    data: Any,
    net: Any,
    inputs: Any,
    optimizer: Any,
    extras: Any,
    order: Ints,
    batch: int,
    rates: Floats,
    annealing: Floats,
    t: int,
    losses: Floats,
    shard_of: int,
) -> tuple[int, bool]:
    """Train on the batches of `order`, one for each of `rates`, of which the first is step `t`, counted from 1.

    `annealing` are the factors of what falls to 0, one for each of `rates`; `extras` are l1, l2 and clip_norm, 0 for
    none, the number of decayed parameters, and the bounds of theta, or nothing. `losses` receives the loss of each
    batch. The loop ends at the first loss or gradient that is not finite, and leaves the weights that led there.
    Returns the number of batches that were run, and whether the last gradient was finite if the loss was.

    If `shard_of` is not 0, `order` is a shard of a batch of so many rows, and only its gradient is computed.
    """
    X, codes, y, classes, w, T, loss = data
    data = borrow(X), borrow(codes), borrow(y), borrow(classes), borrow(w), borrow(T), loss
    blocks, numbers, matrix_order, theta, grad, A, dA, derivatives, scaled, dscaled, ones, seed = net
    theta, grad, order = borrow(theta), borrow(grad), borrow(order)
    buffers = borrow(A), borrow(dA), borrow(derivatives), borrow(scaled), borrow(dscaled), borrow(ones)
    net = (borrow(blocks), borrow(numbers), borrow(matrix_order), theta, grad, *buffers, seed)
    l1, l2, max_norm, decayed, low, high = extras
    for i in range(len(rates)):
        rows = order[i * batch : min((i + 1) * batch, len(order))]
        losses[i] = gradient(data, net, inputs, rows, shard_of or len(rows), t + i, annealing[i])
        if shard_of or not np.isfinite(losses[i]):
            return i + 1, True
        if l1 > 0.0 or l2 > 0.0:
            penalize(theta[:decayed], grad[:decayed], l1, l2)
        if not finite(grad):
            return i + 1, False
        if max_norm > 0.0:
            clip(grad, max_norm)
        optimizer_step(theta, grad, optimizer, rates[i], annealing[i], t + i)
        project_on_bounds(theta, low, high)
    return len(rates), True


@internal
def project(Z: Float32s, W: Float32s, codes: Ints, rows: Ints, theta: Float32s, inputs: Any) -> None:
    """Add the projected columns to Z (B, u)."""
    columns, _, units, _, _, width, _, categories, sizes, OS, bins, fractions, _, T, _, _ = inputs
    B, u = Z.shape
    K = width.shape[1]
    if sizes[PROJECTS]:
        for c in range(len(columns)):
            at = sizes[N_DIRECT] + c * units
            np.dot(OS[c], W[at : at + units], T[: 2 * K])
            for i in range(B):
                j, f = bins[i, c], fractions[i, c]
                for k in range(u):
                    Z[i, k] += T[j, k] + f * T[K + j, k]
    for e in range(len(categories)):
        if categories[e, PLACE] < 0:
            n, d, at = categories[e, COUNT], categories[e, WIDTH], categories[e, ROW]
            vectors = theta[categories[e, AT] : categories[e, AT] + n * d].reshape(n, d)
            np.dot(vectors, W[at : at + d], T[:n])
            for i in range(B):
                j = codes[rows[i], e]
                for k in range(u):
                    Z[i, k] += T[j, k]


@internal
def project_grad(
    dZ: Float32s, W: Float32s, dW: Float32s, codes: Ints, rows: Ints, theta: Float32s, grad: Float32s, inputs: Any
) -> None:
    """The derivatives by the projected columns' rows of W, by O and S, and by the vectors of categories."""
    columns, _, units, _, _, width, _, categories, sizes, OS, bins, fractions, GH, T, _, _ = inputs
    B, u = dZ.shape
    K = width.shape[1]
    if sizes[PROJECTS]:
        dT = T[: 2 * K]
        for c in range(len(columns)):
            at = sizes[N_DIRECT] + c * units
            dT[:] = np.float32(0.0)
            for i in range(B):
                j, f = bins[i, c], fractions[i, c]
                for k in range(u):
                    dT[j, k] += dZ[i, k]
                    dT[K + j, k] += f * dZ[i, k]
            np.dot(OS[c].T, dT, dW[at : at + units])
            np.dot(dT, W[at : at + units].T, GH[c])
    for e in range(len(categories)):
        if categories[e, PLACE] < 0:
            n, d, at = categories[e, COUNT], categories[e, WIDTH], categories[e, ROW]
            dT, begin = T[:n], categories[e, AT]
            dT[:] = np.float32(0.0)
            for i in range(B):
                j = codes[rows[i], e]
                for k in range(u):
                    dT[j, k] += dZ[i, k]
            np.dot(theta[begin : begin + n * d].reshape(n, d).T, dT, dW[at : at + d])
            np.dot(dT, W[at : at + d].T, grad[begin : begin + n * d].reshape(n, d))


MSE, LOGISTIC, SOFTMAX, PINBALL = range(4)
NEGLIGIBLE = 2.0**-40
"""Bound below which a derivative of the loss by a logit, at most 1, is set to 0."""


@compiled
def mse(Z: Float32s, y: Float32s, w: Float32s, dZ: Float32s, batch: int) -> float:
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


@compiled
def pinball(Z: Float32s, y: Float32s, T: Float32s, w: Float32s, dZ: Float32s, batch: int) -> float:
    """The pinball loss of Z (B, targets · levels) for the levels T (1, levels); dZ becomes its derivative."""
    B, k = Z.shape
    total: Any = 0.0
    share, levels = np.float32(1.0 / (batch * k)), T.shape[1]
    for i in range(B):
        weight = w[i] if len(w) else np.float32(1.0)
        for j in range(y.shape[1]):
            for q in range(levels):
                at = j * levels + q
                D = Z[i, at] - y[i, j]
                slope = (np.float32(1.0) if np.float32(0.0) < D else np.float32(0.0)) - T[0, q]
                total += D * slope * weight
                dZ[i, at] = slope * weight * share
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
def logistic(Z: Float32s, y: Ints, T: Float32s, w: Float32s, dZ: Float32s, batch: int) -> float:
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
def softmax(Z: Float32s, y: Ints, T: Float32s, w: Float32s, dZ: Float32s, batch: int) -> float:
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


SGD, ADAM = range(2)


@compiled
def penalize(theta: Float32s, grad: Float32s, l1: float, l2: float) -> None:
    """dw += l1 · sign(w) + l2 · w."""
    a, b = np.float32(l1), np.float32(l2)
    for i in range(len(theta)):
        grad[i] += a * np.sign(theta[i]) + b * theta[i]


@compiled
def finite(grad: Float32s) -> bool:
    """Whether all of a vector is finite: one pass of BLAS if its squares can be summed."""
    return bool(np.isfinite(np.dot(grad, grad))) or bool(np.isfinite(grad).all())


@compiled
def clip(grad: Float32s, max_norm: float) -> None:
    """Scale `grad` down to the Euclidean norm `max_norm` if it is longer."""
    total = 0.0
    for i in range(len(grad)):
        total += np.float64(grad[i]) * np.float64(grad[i])
    if total > max_norm * max_norm:
        factor = np.float32(max_norm / sqrt(total))
        for i in range(len(grad)):
            grad[i] *= factor


@compiled
def sgd(theta: Float32s, grad: Float32s, v: Float32s, momentum: float, nesterov: float, rate: float) -> None:
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
def adam(
    theta: Float32s, grad: Float32s, M: Float32s, V: Float32s, h: Floats, rate: float, t: int, shrinkage: float
) -> None:
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
def project_on_bounds(theta: Float32s, low: Float32s, high: Float32s) -> None:
    """Cut theta off at its bounds, if there are any."""
    for i in range(len(low)):
        theta[i] = min(max(theta[i], low[i]), high[i])


@compiled
def optimizer_step(theta: Float32s, grad: Float32s, optimizer: Any, rate: float, annealing: float, t: int) -> None:
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
