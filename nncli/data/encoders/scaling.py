"""Scaling of numeric columns: standard deviation, quartiles, quantile transform, and smooth clipping."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nncli.nn.arrays import Floats
from nncli.nn.program.values import Value, absolute, log, maximum, minimum, select, sqrt

QUARTILES = (0.0, 0.25, 0.5, 0.75, 1.0)

CLIP_SATURATION = 1e9
"""Beyond it the smooth clip is ±3 to the last bit."""
SMALLEST_SQUARE = 1e-300
"""Squares are at least so large before a division by them."""
MIN_SHARE = 1e-7
"""Shares are clipped to this distance from 0 and 1, whose normal quantiles are ∓5.199."""
MIN_QUANTILES, MAX_QUANTILES, ROWS_PER_QUANTILE = 10, 1000, 30
"""Number of quantiles of a column: one for every ROWS_PER_QUANTILE rows, within these limits."""
PIECE = 16_384
"""Values transformed at a time: few enough to stay in the cache from one pass to the next."""
CACHED_SUM = 65_536
"""Values whose squares are summed at a time: few enough to stay in the cache."""

# Highest power first. Wichura's names: a over b in the middle, c over d in the tails.
A = (
    *(2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457),
    *(13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.3871328727963666080),
)
B = (
    *(5226.4952788528545610, 28729.085735721942674, 39307.895800092710610, 21213.794301586595867),
    *(5394.1960214247511077, 687.18700749205790830, 42.313330701600911252, 1.0),
)
C = (
    *(7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258),
    *(3.64784832476320460504, 5.76949722146069140550, 4.63033784615654529590, 1.42343711074968357734),
)
D = (
    *(1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1),
    *(6.89767334985100004550e-1, 1.67638483018380384940, 2.05319162663775882187, 1.0),
)


def std(x: Floats, mean: float) -> float:
    """The standard deviation of x (rows,), not empty, with the same bits as `numpy.std`, which adds in this order.

    It works in pieces that stay in the cache, and allocates no copy of x, as NumPy does.
    """
    return math.sqrt(_sum_of_squares(x, mean, np.empty(min(len(x), CACHED_SUM))) / len(x))


def _sum_of_squares(x: Floats, mean: float, buffer: Floats) -> float:
    """The sum of (x - mean)², computed in pieces of the size of `buffer`."""
    if len(x) > len(buffer):
        half = len(x) // 2
        half -= half % 8
        return _sum_of_squares(x[:half], mean, buffer) + _sum_of_squares(x[half:], mean, buffer)
    d = np.subtract(x, mean, out=buffer[: len(x)])
    d *= d
    return float(d.sum())


def robust_scale(lowest: float, q25: float, median: float, q75: float, highest: float) -> tuple[float, float]:
    """Center and scale: the median, and the distance of the quartiles.

    If the quartiles coincide, or are so close that the scaled range would overflow float32, the scale is half of the
    range; for a column that is constant up to rounding it is 0.
    After Holzmüller, Grinsztajn, Steinwart, Better by Default (2024), section 3.
    """
    min_scale = max(abs(median) * 1e-12, (highest - lowest) * 1e-30)
    for scale in (q75 - q25, (highest - lowest) / 2):
        if scale > min_scale:
            return median, scale
    return median, 0.0


def clip_smoothly(z: Floats) -> None:
    """Replace z by z / √(1 + (z/3)²), in place: about z near 0, and always within ±3. Ibid., section 3."""
    np.clip(z, -CLIP_SATURATION, CLIP_SATURATION, out=z)
    root = z / 3.0
    root *= root
    root += 1.0
    np.sqrt(root, out=root)
    z /= root


def clip_in_order(z: Floats) -> None:
    """As `clip_smoothly` up to rounding, in place: ±1 / √(1/z² + 1/9), of which no operation changes an order."""
    np.clip(z, -CLIP_SATURATION, CLIP_SATURATION, out=z)
    root = np.maximum(z * z, SMALLEST_SQUARE)
    np.copysign(1.0 / np.sqrt(1.0 / root + 1.0 / 9.0), z, out=z)


def leave_unclipped(z: Floats) -> None:
    """Do nothing: z has no bound."""


CLIPS = {"none": leave_unclipped, "smooth": clip_smoothly, "ordered": clip_in_order}
"""What clips the scaled values of columns, by the name of their clip."""


def scaled(x: Floats, center: Floats | float, scale: Floats | float, clip: str, out: Floats | None = None) -> Floats:
    """(x - center) / scale, clipped; infinite where it overflows and is not clipped."""
    z: Floats = np.subtract(x, center, out=out)
    z /= scale
    CLIPS[clip](z)
    return z


def quantiles_of(present: Floats) -> Floats:
    """Equally spaced quantiles of the values (rows,), from the lowest to the highest; at most one for each value."""
    n = len(present)
    edges = min(max(n // ROWS_PER_QUANTILE, MIN_QUANTILES), MAX_QUANTILES, n)
    # Rounding can put a quantile one unit in the last place below the previous one.
    return np.maximum.accumulate(np.quantile(present, np.linspace(0.0, 1.0, edges)))


def quantile_transform(x: Floats, quantiles: Floats) -> Floats:
    """Map x (rows,) to a normal distribution: to the normal quantile of its rank among `quantiles`.

    The distribution function is linear between the quantiles, and in the middle of its step where several coincide. If
    all coincide, every value becomes 0.
    """
    points, shares = quantile_cdf(quantiles)
    z = np.empty(len(x))
    for start in range(0, len(x), PIECE):
        piece = slice(start, start + PIECE)
        order = _approximate_order(x[piece], points[len(points) // 2])
        p = np.interp(x[piece][order], points, shares)
        np.clip(p, MIN_SHARE, 1.0 - MIN_SHARE, out=p)
        z[piece][order] = normal_quantile(p)
    return z


def _approximate_order(x: Floats, center: float) -> npt.NDArray[np.intp]:
    """An approximate order of x (rows,), by the upper 16 bits of its float32 distance from the center.

    np.interp is four times as fast on values in this order. The bits of a float32 ascend with it once those of negative
    numbers are inverted, and NumPy sorts 16 bits by radix.
    """
    with np.errstate(over="ignore"):
        distance = (x - center).astype(np.float32)
    key = (distance.view(np.int32) >> 16).astype(np.int16)
    key ^= (key >> 15) & 0x7FFF
    return key.argsort(kind="stable")


def quantile_cdf(quantiles: Floats) -> tuple[Floats, Floats]:
    """The distribution function: ascending points and the share of the rows below each, linear in between.

    Quantiles that coincide make a step: its middle at the quantile, its ends one unit in the last place beside it.
    """
    if quantiles[0] == quantiles[-1]:
        return quantiles[:1], np.array([0.5])
    x, first, count = np.unique(quantiles, return_index=True, return_counts=True)
    low, high = first / (len(quantiles) - 1), (first + count - 1) / (len(quantiles) - 1)
    points = np.stack([np.nextafter(x, -np.inf), x, np.nextafter(x, np.inf)], axis=1)
    shares = np.stack([low, (low + high) / 2, high], axis=1)
    kept = np.ones(points.shape, bool)
    kept[count == 1] = [False, True, False]
    return np.maximum.accumulate(points[kept]), shares[kept]


def normal_quantile(p: Floats) -> Floats:
    """The quantile of the normal distribution at p, for p from e⁻²⁵ to 1 - e⁻²⁵.

    Wichura, Algorithm AS 241, Applied Statistics 37 (1988), PPND16, exact to about 1e-16; its third piece, for p closer
    to 0 and 1, is left out.
    """
    q = p - 0.5
    r = 0.180625 - q * q
    z = _polynomial(A, r)
    z *= q
    z /= _polynomial(B, r)
    tails = np.flatnonzero(np.abs(q) > 0.425)
    if len(tails):
        p_tails = p[tails]
        r = np.sqrt(-np.log(np.minimum(p_tails, 1.0 - p_tails))) - 1.6
        z[tails] = np.copysign(_polynomial(C, r) / _polynomial(D, r), q[tails])
    return z


def _polynomial(coefficients: tuple[float, ...], r: Floats) -> Floats:
    """A polynomial by Horner's scheme, the highest power first."""
    y = coefficients[0] * r
    for coefficient in coefficients[1:-1]:
        y += coefficient
        y *= r
    y += coefficients[-1]
    return y


def lower_smooth_clip(z: Value) -> Value:
    """The operations of `clip_smoothly`."""
    z = minimum(maximum(z, -CLIP_SATURATION), CLIP_SATURATION)
    root = z / 3.0
    return z / sqrt(root * root + 1.0)


def lower_ordered_clip(z: Value) -> Value:
    """The operations of `clip_in_order`."""
    z = minimum(maximum(z, -CLIP_SATURATION), CLIP_SATURATION)
    return select(z < 0.0, -1.0, 1.0) / sqrt(1.0 / maximum(z * z, SMALLEST_SQUARE) + 1.0 / 9.0)


def lower_unclipped(z: Value) -> Value:
    """The operations of `leave_unclipped`: none."""
    return z


LOWERED_CLIPS = {"none": lower_unclipped, "smooth": lower_smooth_clip, "ordered": lower_ordered_clip}
"""The operations of CLIPS."""


def lower_scaled(x: Value, center: Sequence[float] | float, scale: Sequence[float] | float, clip: str) -> Value:
    """The operations of `scaled`."""
    return LOWERED_CLIPS[clip]((x - center) / scale)


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
    middle = _lower_polynomial(A, r) * q / _lower_polynomial(B, r)
    r = sqrt(log(minimum(p, 1.0 - p)) * -1.0) - 1.6
    tail = _lower_polynomial(C, r) / _lower_polynomial(D, r)
    return select(absolute(q) > 0.425, select(q >= 0.0, tail, tail * -1.0), middle)


def _lower_polynomial(coefficients: tuple[float, ...], r: Value) -> Value:
    y = coefficients[0] * r
    for coefficient in coefficients[1:-1]:
        y = (y + coefficient) * r
    return y + coefficients[-1]
