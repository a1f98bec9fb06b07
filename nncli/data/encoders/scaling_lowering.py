"""The scaling of numeric columns as operations of a program: see scaling.py for the formulas."""

from __future__ import annotations

import numpy as np

from nncli.data.encoders.scaling import CLIP_SATURATION, MIN_SHARE, A, B, C, D, quantile_cdf
from nncli.nn.arrays import Floats
from nncli.nn.program.values import Value, absolute, log, maximum, minimum, select, sqrt


def lower_smooth_clip(z: Value) -> Value:
    """The operations of `clip_smoothly`."""
    z = minimum(maximum(z, -CLIP_SATURATION), CLIP_SATURATION)
    root = z / 3.0
    return z / sqrt(root * root + 1.0)


def lower_quantile_transform(x: Value, quantiles: Floats) -> Value:
    """The operations of `quantile_transform` for x (rows, 1)."""
    points, shares = quantile_cdf(quantiles)
    with np.errstate(over="ignore"):
        slopes = np.diff(shares) / np.diff(points)
    slopes[np.isinf(slopes)] = 0.0  # of points so near that no number is between them
    # The line of each segment: its slope, its left end and the share there. Outside of the points it is level.
    slope, left = np.concatenate([[0.0], slopes, [0.0]]), np.concatenate([points[:1], points])
    line = x.count_up_to(points).look_up(np.stack([slope, left, np.concatenate([shares[:1], shares])], axis=1))
    within = minimum(maximum(x, points[0]), points[-1])  # infinite distances would make NaN of level segments
    p = line.columns([0]) * (within - line.columns([1])) + line.columns([2])
    return lower_normal_quantile(minimum(maximum(p, MIN_SHARE), 1.0 - MIN_SHARE))


def lower_normal_quantile(p: Value) -> Value:
    """The operations of `normal_quantile`."""
    q = p - 0.5
    r = 0.180625 - q * q
    middle = _polynomial(A, r) * q / _polynomial(B, r)
    r = sqrt(log(minimum(p, 1.0 - p)) * -1.0) - 1.6
    tail = _polynomial(C, r) / _polynomial(D, r)
    return select(absolute(q) > 0.425, select(q >= 0.0, tail, tail * -1.0), middle)


def _polynomial(coefficients: tuple[float, ...], r: Value) -> Value:
    y = coefficients[0] * r
    for coefficient in coefficients[1:-1]:
        y = (y + coefficient) * r
    return y + coefficients[-1]
