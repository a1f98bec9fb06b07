"""Groups of calibration rows that the same members of an ensemble did not train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.models.ensemble import AnyModel, Ensemble
from nncli.models.held_out_rows import HeldOutRows
from nncli.models.predictions import Predictions
from nncli.targets.metrics.sorted_scores import Integers

MAX_GROUPS, MAX_ROWS = 128, 2_000
"""Of more groups, as many bootstrap samples have, a sample of rows is used: every group costs a binary search."""

Method: TypeAlias = Literal["split conformal", "CV+", "jackknife+-after-bootstrap"]


@dataclass(frozen=True)
class OutOfFoldGroups:
    """The group (n,) of each calibration row, and the `members` of each group, which did not train on its rows.

    With members by folds a group is a fold; with bootstrap samples it is the rows that the same members did not draw; a
    single network, and members that share their validation rows, have one group.
    """

    members: tuple[tuple[int, ...], ...]
    group: Integers

    @classmethod
    def of(cls, rows: HeldOutRows) -> OutOfFoldGroups:
        """The groups of held-out rows."""
        return cls.of_mask(rows.oof_mask)

    @classmethod
    def of_mask(cls, oof_mask: npt.NDArray[np.bool_]) -> OutOfFoldGroups:
        """The groups of rows, from a mask (members, n) of the members that did not train on each."""
        patterns, group = np.unique(oof_mask, axis=1, return_inverse=True)
        return cls(tuple(tuple(np.flatnonzero(column).tolist()) for column in patterns.T), group.reshape(-1))

    def __len__(self) -> int:
        return len(self.members)

    @property
    def method(self) -> Method:
        """The method of calibration that the groups amount to."""
        if len(self) == 1:
            return "split conformal"
        each = [i for members in self.members for i in members]
        return "CV+" if len(set(each)) == len(each) else "jackknife+-after-bootstrap"

    def predict(self, model: AnyModel, members: Sequence[Predictions]) -> npt.NDArray[np.float64]:
        """The mean predictions (groups, rows, outputs) of each group, from those of all members for the same rows."""
        if not isinstance(model, Ensemble):
            return members[0].values[None]
        values = np.empty((len(self), len(members[0].values), model.spec.target.n_outputs))
        aligned = [model.member_values(one) for one in members]
        for g, own in enumerate(self.members):
            total = np.zeros(values.shape[1:])
            for i in own:
                total += model.weighted(i, aligned[i])
            values[g] = model.mean(total, model.total_weight(own)).values
        return values

    def predict_quantiles(self, model: AnyModel, members: Sequence[Predictions]) -> npt.NDArray[np.float64]:
        """The mean quantiles (groups, rows, targets, levels) of each group, from those of all members."""
        quantiles = [one.quantiles for one in members if one.quantiles is not None]
        if not isinstance(model, Ensemble):
            return quantiles[0][None]
        weighted = [model.weighted(i, values) for i, values in enumerate(quantiles)]
        return np.stack([np.sum([weighted[i] for i in own], axis=0) / model.total_weight(own) for own in self.members])


def calibration_sample(rows: HeldOutRows) -> Integers | None:
    """The positions of a random sample of calibration rows, the same for the same rows; None: all are used."""
    if len(rows) <= MAX_ROWS or len(OutOfFoldGroups.of(rows)) <= MAX_GROUPS:
        return None
    return np.sort(np.random.default_rng(0).choice(len(rows), MAX_ROWS, replace=False))
