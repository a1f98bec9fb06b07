"""Compiled activations: bias, activation, its strength alpha and dropout in one pass over Z, forward and backward.

`activate` and `activation_grad` serve blocks whose derivative follows from Y. The others store the derivatives of Y by
Z and by alpha in the forward pass, with the mask of dropout already in them, so that the backward pass is two products.
"""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

import numpy as np

from nncli.nn.training.compiled.cache import Float32s, compiled, inlined

IDENTITY, RELU, LEAKY_RELU, SIGMOID, TANH, ELU, SELU, GELU, SILU, MISH = range(10)
"""Numbers of the activations, in the order of COMPILED_ACTIVATIONS in blocks.py. SELU is computed as ELU."""
GELU_C, GELU_K = sqrt(2.0 / pi), 0.044715


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
def add_bias(Z: Float32s, b: Float32s, factor: float) -> None:
    """Z (B, u) becomes factor · Z + b; without a bias b is empty."""
    B, u = Z.shape
    f = np.float32(factor)
    if len(b):
        for i in range(B):
            for j in range(u):
                Z[i, j] = f * Z[i, j] + b[j]
    elif factor != 1.0:
        for i in range(B):
            for j in range(u):
                Z[i, j] *= f


@compiled
def activate(Z: Float32s, kind: int, slope: float) -> None:
    """Z (B, u) becomes f(Z)."""
    B, u = Z.shape
    zero, one, leak = np.float32(0.0), np.float32(1.0), np.float32(slope)
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
def activation_grad(dY: Float32s, Y: Float32s, kind: int, slope: float) -> None:
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
def differentiate(Z: Float32s, D: Float32s, S: Float32s, kind: int, h0: float, h1: float) -> None:
    """D = f(z) - z and S = f'(z) for a row of numbers Z; h0 and h1 are the hyper-parameters of f."""
    u = len(Z)
    zero, one, two, half = np.float32(0.0), np.float32(1.0), np.float32(2.0), np.float32(0.5)
    a, s = np.float32(h0), np.float32(h1)
    c, ck = np.float32(GELU_C), np.float32(GELU_C * GELU_K)
    if kind == MISH:  # in the letters of nncli.nn.activations.Mish
        for j in range(u):
            z = Z[j]
            e = exp(np.float32(20.0) if z > np.float32(20.0) else z)
            r = -two / (e * (e + two) + two)
            D[j] = z * r
            S[j] = one + (r - z * r * (two + r * (e + two)))
    elif kind == SILU:
        for j in range(u):
            z = Z[j]
            p = one / (one + exp(-z))
            D[j] = z * p - z
            S[j] = p + z * p * (one - p)
    elif kind == GELU:
        for j in range(u):
            z = Z[j]
            t = tanh(z * (c + ck * z * z))
            D[j] = half * z * (one + t) - z
            S[j] = half * (one + t) + half * z * (one - t * t) * (c + np.float32(3.0) * ck * z * z)
    elif kind == ELU:  # f = s z, or s a (eᶻ - 1)
        for j in range(u):
            z = Z[j]
            e = s * a * exp(zero if z > zero else z)
            D[j] = s * z - z if z > zero else e - s * a - z
            S[j] = s if z > zero else e
    elif kind == TANH:
        for j in range(u):
            y = tanh(Z[j])
            D[j] = y - Z[j]
            S[j] = one - y * y
    elif kind == SIGMOID:
        for j in range(u):
            y = one / (one + exp(-Z[j]))
            D[j] = y - Z[j]
            S[j] = y * (one - y)
    else:  # RELU, LEAKY_RELU with the slope a, and IDENTITY, whose slope is 1
        for j in range(u):
            z = Z[j]
            D[j] = a * z - z if z <= zero else z - z  # not 0: NaN and infinity stay visible
            S[j] = a if z <= zero else one


@compiled
def activate_and_store(
    Z: Float32s,
    b: Float32s,
    factor: float,
    kind: int,
    h: Float32s,
    alpha: Float32s,
    key: Any,
    dropped: int,
    D: Float32s,
    S: Float32s,
) -> None:
    """Z (B, u) becomes Y = m · (z + alpha · (f(z) - z)) with z = factor · Z + b; S = dY/dz and D = dY/dalpha.

    The mask m is 0 with probability `dropped` / 2³², and else 1 / (1 - that). `key` (2,) determines it.
    """
    B, u = Z.shape
    add_bias(Z, b, factor)
    one = np.float32(1.0)
    scale = np.float32(1.0 / (1.0 - dropped / 4294967296.0))
    for i in range(B):
        differentiate(Z[i], D[i], S[i], kind, h[0], h[1])
        if dropped:
            for j in range(u):
                m = scale if kept(i * u + j, key[0], key[1], dropped) else np.float32(0.0)
                Z[i, j] = (Z[i, j] + alpha[j] * D[i, j]) * m
                S[i, j] = (one + alpha[j] * (S[i, j] - one)) * m
                D[i, j] *= m
        else:
            for j in range(u):
                Z[i, j] += alpha[j] * D[i, j]
                S[i, j] = one + alpha[j] * (S[i, j] - one)


@compiled
def stored_grad(dY: Float32s, D: Float32s, S: Float32s, dalpha: Float32s) -> None:
    """dY (B, u) becomes dZ = dY · S; dalpha = Σ dY · D over the rows, or empty."""
    B, u = dY.shape
    if len(dalpha):
        dalpha[:] = np.float32(0.0)
        for i in range(B):
            for j in range(u):
                dalpha[j] += dY[i, j] * D[i, j]
                dY[i, j] *= S[i, j]
    else:
        for i in range(B):
            for j in range(u):
                dY[i, j] *= S[i, j]


@compiled
def bias_grad(dZ: Float32s, db: Float32s, factor: float) -> None:
    """db = Σ dZ over the rows, or empty; then dZ becomes factor · dZ."""
    B, u = dZ.shape
    f = np.float32(factor)
    db[:] = np.float32(0.0)
    if factor == 1.0:
        if len(db):
            for i in range(B):
                for j in range(u):
                    db[j] += dZ[i, j]
    elif len(db):
        for i in range(B):
            for j in range(u):
                db[j] += dZ[i, j]
                dZ[i, j] *= f
    else:
        for i in range(B):
            for j in range(u):
                dZ[i, j] *= f


RESOLUTION = 1 << 32
"""Rates are multiples of 1 / RESOLUTION."""


@inlined
def mixed(x: Any) -> Any:
    """64 mixed bits of 64 bits. Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@inlined
def mask_keys(seed: Any, step: Any, layer: Any) -> Any:
    """The two keys, of 32 bits each, of the mask of a layer in a step."""
    x = mixed(mixed(seed + np.uint64(step) * np.uint64(0x9E3779B97F4A7C15)) + np.uint64(layer))
    return np.uint32(x >> np.uint64(32)), np.uint32(x & np.uint64(0xFFFFFFFF))


@inlined
def kept(position: Any, key0: Any, key1: Any, dropped: Any) -> Any:
    """Whether the unit at a position is kept, which has the probability 1 - dropped / 2³².

    The constants are those of Wellons, "Prospecting for hash functions", 2018, lowbias32.
    """
    x = np.uint32(np.uint32(position) + key0)
    x = np.uint32(np.uint32(x ^ np.uint32(x >> np.uint32(16))) * np.uint32(0x7FEB352D))
    x = np.uint32(x ^ key1)
    x = np.uint32(np.uint32(x ^ np.uint32(x >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(x ^ np.uint32(x >> np.uint32(16))) >= np.uint32(dropped)
