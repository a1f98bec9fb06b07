"""How much the gains of trials vary between folds beyond what the sampling of rows explains.

All rows of a fold are predicted by one training, so that they share the luck of its seed and of its training rows. A
test that counts rows as independent does not see it. It is estimated as in an analysis of variance: the variance of the
means of the folds, less the variance that the rows within the folds lead to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

from nncli.nn.arrays import Floats


@dataclass(frozen=True)
class FoldGains:
    """The mean gain of a trial in each fold (folds,), and the variances (folds,) of these means by the rows alone."""

    means: Floats
    variances: Floats

    @classmethod
    def of(
        cls, gains: Floats, weights: Floats, fold_of: npt.NDArray[np.int64], groups: npt.NDArray[np.int64] | None
    ) -> FoldGains:
        """Of the weighted gains (rows,), the weights (rows,), and the fold and the group of each row.

        A fold without weight, or with a single row or group, has NaN.
        """
        folds = int(fold_of.max()) + 1
        if groups is not None:  # rows of a group are one unit in each fold
            _, unit = np.unique(groups * folds + fold_of, return_inverse=True)
            first = np.zeros(int(unit.max()) + 1, np.int64)
            first[unit] = fold_of
            sums = (np.bincount(unit, each).astype(np.float64) for each in (gains, weights))
            (gains, weights), fold_of = sums, first
        n, total = np.bincount(fold_of, minlength=folds), np.bincount(fold_of, weights, minlength=folds)
        with np.errstate(all="ignore"):
            means = np.bincount(fold_of, gains, minlength=folds) / total
            squares = np.bincount(fold_of, np.square(gains - weights * means[fold_of]), minlength=folds)
            return cls(means, n / (n - 1.0) * squares / np.square(total))


@dataclass(frozen=True)
class FoldVariance:
    """The variance between folds, and the degrees of freedom of its estimate."""

    variance: float
    degrees_of_freedom: float


def estimate_fold_variance(trials: Sequence[FoldGains]) -> FoldVariance | None:
    """The variance between folds, pooled over trials; None where it cannot be known, as for one fold.

    Of trials with the luck of one reference, the gains have the correlation 1/2, which lowers the degrees of freedom.
    """
    if not trials or len(trials[0].means) < 2:
        return None
    means, variances = np.stack([one.means for one in trials]), np.stack([one.variances for one in trials])
    if not (np.isfinite(means).all() and np.isfinite(variances).all()):
        return None
    excess = means.var(axis=1, ddof=1) - variances.mean(axis=1)
    count, folds = means.shape
    return FoldVariance(max(0.0, float(excess.mean())), (folds - 1) * 4.0 * count / (count + 3.0))


NO_VARIANCE = FoldVariance(0.0, inf)
