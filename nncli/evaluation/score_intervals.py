"""Scores of a run with confidence intervals, and the improvement over the baseline."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nncli.data.splitting.group_time import group_numbers
from nncli.evaluation.held_out import HeldOutPredictions
from nncli.scoring import ScoresWithIntervals


def score_with_intervals(held_out: HeldOutPredictions) -> ScoresWithIntervals:
    """All scores with intervals, as metrics.json records them."""
    return held_out.scored_rows.with_intervals(held_out.manifest.seed)


def groups_of(held_out: HeldOutPredictions) -> NDArray[np.int64] | None:
    """The group number of each row (rows,); None if the rows are independent."""
    return group_numbers(held_out.table, held_out.config.data.group)
