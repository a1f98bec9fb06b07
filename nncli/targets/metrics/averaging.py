"""How much the mean of all members of an ensemble is better than the out-of-fold predictions.

A row is predicted out of fold by the members that did not train on it, mostly by one. The ensemble averages M members,
which lowers the expected loss: with c members it is V + t / c, where t is the variance between the members (Krogh and
Vedelsby, "Neural network ensembles, cross validation, and active learning", 1995, for the squared error). Rows that
c >= 2 members held out measure t without their targets:

    squared error    t is the variance of the c predictions
    log loss         with m the mean of the c probabilities q, the loss of m is H(m) = -sum m ln m, that of a single q
                     the mean of -sum m ln q, both if m is right

`factor` is the ratio of the ensemble's loss to the out-of-fold loss. For the log loss it is a power of the ratio of the
two losses above, which stays between 0 and 1 if few confident rows dominate.

`counts` is (rows,), the number of members that held out each row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nncli.nn.arrays import Array
from nncli.nn.losses import MIN_PROBABILITY

Counts = NDArray[np.int64]

MIN_FACTOR = 0.2
"""The factor at least: a smaller one is noise of few rows."""


def regression_factor(
    total: Array, squares: Array, counts: Counts, mse: NDArray[np.float64], members: int
) -> NDArray[np.float64]:
    """The factor of the mean squared error of each target (targets,).

    `total` and `squares` (rows, targets) are sums of the members' predictions and of their squares, `mse` (targets,) is
    that of the out-of-fold predictions. 1 where no row was held out by two members.
    """
    several = counts >= 2
    if not several.any():
        return np.ones(len(mse))
    c = counts[several][:, None]
    variance = np.maximum(squares[several] - total[several] ** 2 / c, 0.0) / (c - 1)
    pair_gain = variance.mean(axis=0) * _mean_gain(counts)
    with np.errstate(over="ignore"):
        ratio = 1.0 - np.divide(pair_gain, mse, out=np.zeros_like(mse), where=mse > 0)
    return np.asarray(np.maximum(np.maximum(ratio, MIN_FACTOR) ** _exponent(counts, members), MIN_FACTOR))


def classification_factor(total: Array, logarithms: Array, counts: Counts, members: int) -> float:
    """The factor of the log loss; `total` and `logarithms` (rows, classes) sum the probabilities and their logarithms.

    1 where no row was held out by two members.
    """
    several = counts >= 2
    if not several.any():
        return 1.0
    c = counts[several][:, None]
    m = total[several] / c
    of_mean = -(m * np.log(np.maximum(m, MIN_PROBABILITY))).sum()
    of_one = -(m * logarithms[several] / c).sum()
    ratio = of_mean / of_one if of_one > 0 else 1.0
    return float(max(min(ratio, 1.0) ** _exponent(counts, members), MIN_FACTOR))


def _mean_gain(counts: Counts) -> float:
    """The mean of 1 - 1/c over the rows that several members held out."""
    return float(np.mean(1.0 - 1.0 / counts[counts >= 2]))


def _exponent(counts: Counts, members: int) -> float:
    """The gain from the out-of-fold means to the mean of all members, in gains of the rows of several members."""
    return max(float(np.mean(1.0 / counts)) - 1.0 / members, 0.0) / _mean_gain(counts)
