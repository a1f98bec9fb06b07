"""Statistics of drift between reference rows and new rows, from their counts in the same bins.

`reference` and `new` are counts (bins,) of m and n rows. Effects say how far the distributions are apart, p-values
whether that can be chance. Sources: Siddiqi, "Credit risk scorecards", 2006 (population stability index); Yurdakul,
"Statistical properties of population stability index", 2018 (its expectation without drift); Stephens, "EDF statistics
for goodness of fit and some comparisons", 1974 (the Kolmogorov-Smirnov test); Lin, "Divergence measures based on the
Shannon entropy", 1991 (Jensen-Shannon); Fisher, "Statistical methods for research workers", 1934 (the exact test).
"""

from __future__ import annotations

from math import erfc, exp, lgamma, log, sqrt

import numpy as np

from nncli.nn.arrays import Counts, Floats

SMOOTHING = 0.5
"""Added to every count of the population stability index, which is infinite where a bin is empty."""
FEW = 20.0
"""Expected cells of the rarer kind up to which proportions are compared by the exact test."""
KOLMOGOROV_TERMS = 100


def population_stability_index(reference: Counts, new: Counts) -> float:
    """Σ (q - p) log(q / p) of the shares p of the reference and q of the new rows in each bin."""
    p, q = _smoothed(reference), _smoothed(new)
    return float(((q - p) * np.log(q / p)).sum())


def expected_index(bins: int, m: int, n: int) -> float:
    """The expectation of the population stability index of two samples of the same distribution."""
    return (bins - 1) * (1.0 / m + 1.0 / n)


def _smoothed(counts: Counts) -> Floats:
    x = counts + SMOOTHING
    return np.asarray(x / x.sum())


def kolmogorov_smirnov(reference: Counts, new: Counts) -> float:
    """The largest difference of the two distribution functions at the upper edge of a bin; bins are in order."""
    difference = np.cumsum(reference) / int(reference.sum()) - np.cumsum(new) / int(new.sum())
    return float(np.abs(difference).max())


def kolmogorov_smirnov_p(distance: float, m: int, n: int) -> float:
    """The p-value of a Kolmogorov-Smirnov distance of two samples; too large where many values are equal."""
    root = sqrt(m * n / (m + n))
    x = (root + 0.12 + 0.11 / root) * distance
    if x < 0.2:  # the series converges slowly, to 1
        return 1.0
    terms = [exp(-2.0 * (j * x) ** 2) * (1.0 if j % 2 else -1.0) for j in range(1, KOLMOGOROV_TERMS)]
    return min(1.0, max(0.0, 2.0 * sum(terms)))


def jensen_shannon_distance(reference: Counts, new: Counts) -> float:
    """The square root of the Jensen-Shannon divergence in bits, from 0 for equal shares to 1 for disjoint bins."""
    p, q = reference / reference.sum(), new / new.sum()
    mean = (p + q) / 2.0
    divergence = sum(0.5 * float((x[x > 0.0] * np.log2(x[x > 0.0] / mean[x > 0.0])).sum()) for x in (p, q))
    return sqrt(max(0.0, divergence))


def chi_square_p(reference: Counts, new: Counts) -> float:
    """The p-value of Pearson's chi-square test that both samples have the same distribution.

    It holds where every bin expects at least about five rows of either sample.
    """
    total = reference + new
    used = total > 0
    a, b, m, n = reference[used], new[used], int(reference.sum()), int(new.sum())
    statistic = float(((sqrt(n / m) * a - sqrt(m / n) * b) ** 2 / total[used]).sum())
    return chi_square_tail(statistic, int(used.sum()) - 1)


def chi_square_tail(x: float, degrees: int) -> float:
    """The probability that a chi-square variable exceeds x; 1 for 0 degrees of freedom.

    Source: Abramowitz, Stegun, "Handbook of mathematical functions", 1964, 26.4.4 and 26.4.5.
    """
    half, is_odd = x / 2.0, degrees % 2
    if degrees == 0 or half <= 0.0:
        return 1.0
    powers = [k + 0.5 * is_odd for k in range(degrees // 2)]
    total = sum(exp(a * log(half) - half - lgamma(a + 1.0)) for a in powers)
    return min(1.0, total + (erfc(sqrt(half)) if is_odd else 0.0))


def proportion_p(reference: int, m: int, new: int, n: int) -> float:
    """The two-sided p-value that `reference` of m rows and `new` of n rows have the same share.

    Twice the smaller tail of Fisher's exact test, or of the normal approximation for many rows.
    """
    total, rows = reference + new, m + n
    if total > rows - total:  # count the rarer kind
        reference, new, total = m - reference, n - new, rows - total
    if total * min(m, n) / rows > FEW:
        return chi_square_p(np.array([reference, m - reference]), np.array([new, n - new]))
    lowest, highest = max(0, total - m), min(total, n)
    upper = 1.0 if new == lowest else _tail(new, highest, total, m, n)
    lower = 1.0 if new == highest else _tail(total - new, total - lowest, total, n, m)
    return min(1.0, 2.0 * min(upper, lower))


def _tail(k: int, highest: int, total: int, m: int, n: int) -> float:
    """The probability that at least k of the n rows are among `total` rows of m + n, drawn at random."""
    at = _log_hypergeometric(k, total, m, n)
    i = np.arange(k, highest, dtype=np.float64)
    ratios = (total - i) * (n - i) / ((i + 1.0) * (m - total + i + 1.0))
    with np.errstate(under="ignore", over="ignore"):
        return min(1.0, exp(at) * (1.0 + float(np.cumprod(ratios).sum())))


def _log_hypergeometric(k: int, total: int, m: int, n: int) -> float:
    """The logarithm of the probability that exactly k of the n rows are among `total` rows of m + n."""
    return _log_choose(n, k) + _log_choose(m, total - k) - _log_choose(m + n, total)


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0)
