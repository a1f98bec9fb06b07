"""Losses of counts and amounts that are proposed for numbers, by their distribution."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from nncli.nn.arrays import Floats
from nncli.nn.losses.amounts import GammaLoss, NegativeBinomialLoss, PoissonLoss, TweedieLoss

Proposal: TypeAlias = GammaLoss | NegativeBinomialLoss | PoissonLoss | TweedieLoss

MIN_AMOUNTS = 50
"""Rows from which the distribution of a target says that it may be a count or an amount."""
MANY_ZEROS = 0.3
"""The share of zeros from which amounts have many."""
LARGEST_MEAN_COUNT = 30.0


def default_amount_loss(y: Floats) -> Proposal:
    """The loss of counts or amounts y (rows,), by whether they are whole, or some are 0."""
    if (y == np.floor(y)).all():
        return PoissonLoss()
    return GammaLoss() if (y > 0.0).all() else TweedieLoss()


def proposed_loss(y: Floats) -> tuple[Proposal, str] | None:
    """A loss for numbers y (rows,) that look like counts or amounts, and why; None for other numbers.

    They are 0 or more, skewed to the right, and counts are whole from 0 or 1 on.
    """
    if len(y) < MIN_AMOUNTS or not np.isfinite(y).all() or y.min() < 0.0 or not y.std() > 0.0:
        return None
    mean, spread, zeros = float(y.mean()), float(y.std()), float((y == 0.0).mean())
    if not (((y - mean) / spread) ** 3).mean() > 1.0:
        return None
    if (y == np.floor(y)).all() and y.min() <= 1.0 and mean <= LARGEST_MEAN_COUNT:
        loss: Proposal = NegativeBinomialLoss() if spread**2 > 1.5 * mean else PoissonLoss()
        return loss, f"counts of mean {mean:.3g} and variance {spread**2:.3g}"
    if zeros >= MANY_ZEROS:
        return TweedieLoss(), f"amounts of which {zeros:.0%} are 0"
    if zeros == 0.0 and y.max() > 10.0 * np.median(y):
        return GammaLoss(), f"amounts above 0, of which the largest is {y.max() / np.median(y):,.0f} times the median"
    return None
