"""Conformity scores of calibration rows, and the ends of intervals before calibration, for regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nncli.conformal.member_groups import MemberGroups
from nncli.ensemble import AnyModel
from nncli.metrics.sorted_scores import Floats
from nncli.model import Predictions
from nncli.runs.held_out_rows import HeldOutRows


class Endpoints(NamedTuple):
    """The ends (groups, rows, targets) to which the scores of a group's rows are added, below and above."""

    lower: Floats
    upper: Floats


def conformity_scores(rows: HeldOutRows) -> Floats:
    """The absolute errors (n, targets) of the scored predictions.

    The members' final predictions are not used: the rows took part in choosing their epoch, so their errors are too
    small. The scored predictions are those of the epoch that other rows chose.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.abs(rows.y - rows.predictions.values))


def group_endpoints(groups: MemberGroups, model: AnyModel, members: Sequence[Predictions]) -> Endpoints:
    """The mean predictions of each group for new rows; both ends are the same."""
    values = groups.predict(model, members)
    return Endpoints(values, values)
