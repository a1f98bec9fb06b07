"""One of several classes with an order, such as low, medium and high, each with a probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np

from nncli.base.errors import Advice, DataError, SetKey, config_error
from nncli.base.spec import StrictStr
from nncli.base.text import join_quoted, quote, yaml_quote
from nncli.data.columns.parsing import read_text
from nncli.data.columns.spellings import yes_of
from nncli.data.table import Table
from nncli.nn.arrays import Floats
from nncli.nn.losses import Loss
from nncli.targets.classes import ClassTarget
from nncli.targets.decision import MedianRank, MostProbable
from nncli.targets.metrics.classification_resamples import ClassificationResamples
from nncli.targets.metrics.metric import Metric
from nncli.targets.metrics.ordinal import ORDINAL_METRICS
from nncli.targets.orders import in_order, label_order
from nncli.targets.target_base import UNSCALED, FitOptions, Predicted, TargetBase, Truth

if TYPE_CHECKING:
    from nncli.targets.conformal import RankSetMethod

MAX_WRITTEN = 12
"""Classes that a hint writes in full."""


class OrdinalTarget(ClassTarget):
    """Classes whose codes are ranks, from the lowest on. The median rank is predicted, of two the lower one.

    It is the first rank that is not exceeded with a probability of one half, so its expected error in ranks is lowest.
    """

    task: Literal["ordinal"] = "ordinal"
    order: tuple[StrictStr, ...] = ()
    """The order that the configuration gives; without one that which the names of the classes tell."""

    default_metric: ClassVar[str] = "rank_mae"
    takes_fractions: ClassVar[bool] = True
    further_metrics: ClassVar[tuple[Metric[ClassificationResamples], ...]] = ORDINAL_METRICS

    @classmethod
    def fit(cls, table: Table, names: tuple[str, ...], options: FitOptions = UNSCALED) -> Self:
        """Fit the classes, in the order of the options, else in that which their names tell.

        Raises:
            DataError: there are fewer than two classes, or their order is not understood.
            ConfigError: the order lacks a class.
        """
        target, order = super().fit(table, names, options), cls.class_order(table, names, options)
        if missing := [label for label in target.labels if label not in order]:
            raise config_error(
                "data.order",
                f"the order lacks the {'class' if len(missing) == 1 else 'classes'} {join_quoted(missing[:8])}",
                f"Write every class of {quote(target.name)}, lowest first, exactly as in the table.",
            )
        labels = [label for label in order if label in target.labels]
        return target.model_copy(update={"labels": tuple(labels), "order": options.order})

    @classmethod
    def class_order(cls, table: Table, names: tuple[str, ...], options: FitOptions = UNSCALED) -> tuple[str, ...]:
        """The classes in the order of the options, of numbers, of no and yes, or as their names tell it together."""
        if options.order:
            return options.order
        table = options.every or table
        by_number, name = super().fit(table, names, options), names[0]
        if by_number.label_type != "text" or options.positive in by_number.labels:
            return by_number.labels
        if (yes := yes_of(by_number.labels)) is not None:
            return tuple(sorted(by_number.labels, key=lambda label: label == yes))
        labels = read_text(table, name).drop_nulls().unique(maintain_order=True).to_list()
        order = label_order(labels, table.dialect_of(name).decimal)
        if order is None:
            shown = ", ".join(map(yaml_quote, labels[:MAX_WRITTEN])) + ", …" * (len(labels) > MAX_WRITTEN)
            raise DataError(
                f"the order of the {len(labels):,} classes of {quote(name)} is not understood",
                location=table.location(column=name),
                hint=Advice(
                    "Sort them yourself in the key data.order, lowest first, spelled as in the table, which has them "
                    f"in no order: {shown}; or use ",
                    *(SetKey("loss", "cross_entropy"), "."),
                ),
            )
        return tuple(order)

    @classmethod
    def class_columns(cls, names: tuple[str, ...], *, ordered: bool = True) -> tuple[str, ...]:
        return names if ordered else ()

    @classmethod
    def listed(cls, labels: Sequence[str]) -> str:
        return in_order(labels)

    @property
    def decision_rule(self) -> MostProbable:
        return MedianRank(self.labels)

    @property
    def gives(self) -> frozenset[str]:
        return super().gives | {"order"}

    @property
    def class_orders(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(self.name, self.labels)]

    def is_same(self, other: TargetBase) -> bool:
        """Whether the classes and their order are the same, whoever told it."""
        as_told = {"order": ()}
        return isinstance(other, OrdinalTarget) and self.model_copy(update=as_told) == other.model_copy(update=as_told)

    def _refit_options(self, positive: str | None) -> FitOptions:
        return FitOptions(positive=positive, order=self.order)

    def uncertainty(self) -> RankSetMethod:
        from nncli.targets.conformal import RankSetMethod

        return RankSetMethod()

    def test_losses(self, metric: str, loss: Loss, predictions: Predicted, y: Truth) -> Floats:
        """By how many ranks each row is off for metrics of ranks, else the log loss or the classification error."""
        if metric in {m.name for m in ORDINAL_METRICS}:
            return np.abs(predictions.classes - y).astype(np.float64)
        return super().test_losses(metric, loss, predictions, y)

    @classmethod
    def test_loss_name(cls, metric: str) -> str:
        return "error in ranks" if metric in {m.name for m in ORDINAL_METRICS} else super().test_loss_name(metric)

    def is_mean_of_rows(self, metric: str) -> bool:
        return metric == "rank_mae" or super().is_mean_of_rows(metric)
