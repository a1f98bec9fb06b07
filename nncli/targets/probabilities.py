"""Targets whose predicted values are probabilities: of classes, of labels, or at times."""

from __future__ import annotations

from typing import ClassVar

from nncli.nn.arrays import Codes, Floats, Precision
from nncli.targets.row_scores import RowScore
from nncli.targets.target_base import TargetBase, Truth
from nncli.targets.training import MemberSum, MemberValues, log_loss_factors


class Probabilities(TargetBase):
    """The interface of a target whose predicted values are probabilities."""

    peak_learning_rate: ClassVar[float] = 0.04
    prefix: ClassVar[str] = "proba_"
    """How the names of the columns of probabilities begin."""

    @property
    def gives(self) -> frozenset[str]:
        return super().gives | {"probabilities"}

    def is_probability(self, column: str) -> bool:
        return column.startswith(self.prefix)

    @property
    def row_score(self) -> RowScore | None:
        return None

    def encoded_size(self, y: Truth) -> float:
        return 1.0

    def precision_of(self, precision: Precision) -> Precision:
        return precision

    def distributions(self, values: Floats) -> tuple[Floats, ...]:
        """Arrays (rows, outputs) of probabilities whose cells at the same places sum to 1, or those of each row."""
        return (values,)

    def averaging_factors(
        self, members: MemberValues, total: MemberSum, counts: Codes, scored: tuple[Floats, Truth, Floats | None]
    ) -> tuple[float, ...]:
        """The factor of the log loss."""
        return log_loss_factors([self.distributions(P) for P in members()], total, counts)
