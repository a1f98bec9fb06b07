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

from typing import Any

import numpy as np

from nncli.training.compiled.activations import (
    activate,
    activate_and_store,
    activation_grad,
    add_bias,
    bias_grad,
    stored_grad,
)
from nncli.training.compiled.dropout import RESOLUTION, mask_keys
from nncli.training.compiled.inputs import categories_grad, load_embedded, load_rows, numeric_grad
from nncli.training.compiled.jit import Doubles, Floats, Ints, borrow, compiled, compiled_sum, inlined, internal
from nncli.training.compiled.losses import LOGISTIC, MSE, logistic, mse, softmax
from nncli.training.compiled.optimizers import clip, finite, optimizer_step, penalize

D, U, W_AT, B_AT, SCALE_AT, ALPHA_AT, ACTIVATION, STORED, SCALED_W_AT = range(9)
"""Input and output units; offsets of W, b, s and alpha in theta (-1: absent); the number of the activation; whether
`forward` stores its derivatives, and where; the offset of the buffer for factor · s · W (-1: W itself is used)."""
FACTOR, H0, H1, DROPOUT, ANNEALED = range(5)
"""The factor of X W; the hyper-parameters of the activation; the rate of dropout, and whether it is annealed."""


@compiled
def scale_weights(W: Floats, s: Floats, factor: float, W_s: Floats) -> None:
    """W_s = factor · s · W, a scale for each row of W."""
    f = np.float32(factor)
    for i in range(len(W)):
        f_s = f * s[i]
        for j in range(W.shape[1]):
            W_s[i, j] = f_s * W[i, j]


@compiled_sum
def scale_grad(dW: Floats, W: Floats, s: Floats, factor: float, ds: Floats) -> None:
    """From dW, the derivative by factor · s · W, those by s and by W, which takes its place."""
    f = np.float32(factor)
    for i in range(len(W)):
        total, f_s = np.float32(0.0), f * s[i]
        for j in range(W.shape[1]):
            total += W[i, j] * dW[i, j]
        for j in range(W.shape[1]):
            dW[i, j] *= f_s
        ds[i] = f * total


@inlined
def matrix(vector: Floats, at: int, d: int, u: int) -> Floats:
    """The matrix (d, u) that begins at an offset of a vector."""
    return vector[at : at + d * u].reshape(d, u)


@internal
def forward(
    X: Floats,
    Z: Floats,
    block: Ints,
    numbers: Floats,
    theta: Floats,
    derivatives: Floats,
    scaled: Floats,
    ones: Floats,
    mask: Any,
) -> None:
    """Z (B, u) becomes the output of a block for X (B, d); `mask` is the two keys and the rate of its dropout."""
    B, u = Z.shape
    d, factor = X.shape[1], numbers[FACTOR]
    W = matrix(theta, block[W_AT], d, u)
    if block[SCALED_W_AT] >= 0:
        W_s = matrix(scaled, block[SCALED_W_AT], d, u)
        scale_weights(W, theta[block[SCALE_AT] : block[SCALE_AT] + d], factor, W_s)
        np.dot(X, W_s, Z)
        factor = np.float32(1.0)
    else:
        np.dot(X, W, Z)
    b = theta[block[B_AT] : block[B_AT] + u] if block[B_AT] >= 0 else theta[:0]
    if block[STORED] < 0:
        add_bias(Z, b, factor)
        activate(Z, block[ACTIVATION], numbers[H0])
        return
    D, S = matrix(derivatives[0], block[STORED] * B, B, u), matrix(derivatives[1], block[STORED] * B, B, u)
    alpha = theta[block[ALPHA_AT] : block[ALPHA_AT] + u] if block[ALPHA_AT] >= 0 else ones[:u]
    dropped: Any = min(np.int64(mask[2] * RESOLUTION), RESOLUTION - 1)
    h, keys = numbers[H0 : H1 + 1], (mask[0], mask[1])
    activate_and_store(Z, b, factor, block[ACTIVATION], h, alpha, keys, dropped, D, S)


@internal
def backward(
    X: Floats, Y: Floats, dY: Floats, block: Ints, numbers: Floats, theta: Floats, grad: Floats, derivatives: Floats
) -> None:
    """The gradients of a block's parameters; dY (B, u) becomes the derivative by X times the block's matrix."""
    B, u = dY.shape
    d, factor = X.shape[1], numbers[FACTOR]
    if block[STORED] >= 0:
        dalpha = grad[block[ALPHA_AT] : block[ALPHA_AT] + u] if block[ALPHA_AT] >= 0 else grad[:0]
        D, S = matrix(derivatives[0], block[STORED] * B, B, u), matrix(derivatives[1], block[STORED] * B, B, u)
        stored_grad(dY, D, S, dalpha)
    else:
        activation_grad(dY, Y, block[ACTIVATION], numbers[H0])
    folded = block[SCALED_W_AT] >= 0
    db = grad[block[B_AT] : block[B_AT] + u] if block[B_AT] >= 0 else grad[:0]
    bias_grad(dY, db, np.float32(1.0) if folded else factor)  # type: ignore[arg-type]
    dW = matrix(grad, block[W_AT], d, u)
    np.dot(X.T, dY, dW)
    if folded:
        at = block[SCALE_AT]
        scale_grad(dW, matrix(theta, block[W_AT], d, u), theta[at : at + d], factor, grad[at : at + d])


@inlined
def gradient(data: Any, net: Any, inputs: Any, rows: Ints, batch: int, t: int, annealing: float) -> float:
    """The loss of the `rows`, a shard or all of a batch of `batch` rows, and its gradient in `grad`.

    `data`: X (n, features) and codes (n, categories); y (n, k) numbers, or classes (n,) with their table T; w (n,)
    weights, or none; the number of the loss. `net`: the tables of blocks, the span of the embeddings, theta, grad, the
    buffers and the seed of dropout; `inputs` are the tables and buffers of inputs.py. `t` is the number of the step,
    `annealing` the factor of dropout rates that fall to 0.
    """
    X, categories, y, classes, w, T, loss = data
    blocks, numbers, span, theta, grad, A, dA, derivatives, scaled, ones, seed = net
    B, L, at, half = len(rows), len(blocks), 0, len(dA) // 2
    d = blocks[0, D]
    if span[0] + span[1]:
        load_embedded(X, categories, rows, theta, inputs, matrix(A, 0, B, d))
    else:
        load_rows(X, rows, matrix(A, 0, B, d))
    weight = w[rows] if len(w) else w
    for l in range(L):  # noqa: E741 - the block's number, as in the textbook
        d, u = blocks[l, D], blocks[l, U]
        rate = numbers[l, DROPOUT] * (annealing if numbers[l, ANNEALED] > 0.0 else 1.0)
        key0, key1 = mask_keys(seed, t, l)
        Y, Z = matrix(A, at, B, d), matrix(A, at + B * d, B, u)
        forward(Y, Z, blocks[l], numbers[l], theta, derivatives, scaled, ones, (key0, key1, rate))
        at += B * d

    k = blocks[L - 1, U]
    turn = (L % 2) * half
    Z, dZ = matrix(A, at, B, k), matrix(dA, turn, B, k)
    if loss == MSE:
        value = mse(Z, y[rows], weight, dZ, batch)
    elif loss == LOGISTIC:
        value = logistic(Z, classes[rows], T, weight, dZ, batch)
    else:
        value = softmax(Z, classes[rows], T, weight, dZ, batch)

    for l in range(L - 1, -1, -1):  # noqa: E741
        d, u = blocks[l, D], blocks[l, U]
        turn, other = ((l + 1) % 2) * half, (l % 2) * half
        Z, dZ = matrix(A, at, B, u), matrix(dA, turn, B, u)
        at -= B * d
        backward(matrix(A, at, B, d), Z, dZ, blocks[l], numbers[l], theta, grad, derivatives)
        scales = blocks[l, SCALED_W_AT] >= 0
        W = matrix(scaled, blocks[l, SCALED_W_AT], d, u) if scales else matrix(theta, blocks[l, W_AT], d, u)
        if l > 0:
            np.dot(dZ, W.T, matrix(dA, other, B, d))
            continue
        if span[0]:
            dE = matrix(dA, other, B, span[0])
            np.dot(dZ, W[: span[0]].T, dE)
            numeric_grad(dE, inputs, grad)
        if span[1]:
            dE = matrix(dA, other, B, span[1])
            np.dot(dZ, W[d - span[1] :].T, dE)
            categories_grad(dE, categories, rows, inputs, grad[span[2] : span[3]])
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
    rates: Doubles,
    annealing: Doubles,
    t: int,
    losses: Doubles,
    shard_of: int,
) -> tuple[int, bool]:
    """Train on the batches of `order`, one for each of `rates`, of which the first is step `t`, counted from 1.

    `annealing` are the factors of what falls to 0, one for each of `rates`; `extras` are l1, l2 and clip_norm, 0 for
    none, and the number of decayed parameters. `losses` receives the loss of each batch. The loop ends at the first
    loss or gradient that is not finite, and leaves the weights that led there. Returns the number of batches that were
    run, and whether the last gradient was finite if the loss was.

    If `shard_of` is not 0, `order` is a shard of a batch of so many rows, and only its gradient is computed.
    """
    X, categories, y, classes, w, T, loss = data
    data = borrow(X), borrow(categories), borrow(y), borrow(classes), borrow(w), borrow(T), loss
    blocks, numbers, span, theta, grad, A, dA, derivatives, scaled, ones, seed = net
    theta, grad, order = borrow(theta), borrow(grad), borrow(order)
    buffers = borrow(A), borrow(dA), borrow(derivatives), borrow(scaled), borrow(ones)
    net = (borrow(blocks), borrow(numbers), borrow(span), theta, grad, *buffers, seed)
    l1, l2, max_norm, decayed = extras
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
    return len(rates), True
