"""Predictions with their intervals or sets, as columns of a frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from nncli.base.text import percent_digits
from nncli.data.encoders.anomalies import Anomalies
from nncli.models.conformal.intervals import Interval
from nncli.models.conformal.options import set_column
from nncli.models.conformal.sets import PredictionSets
from nncli.models.predictions import Predictions
from nncli.targets.metrics.sorted_scores import Integers

SEPARATOR = "|"


@dataclass(frozen=True)
class ConformalPredictions:
    """The predictions of a model, with intervals or sets for each level.

    `unknown_groups` is the number of rows in groups that no calibration row is in.
    """

    predictions: Predictions
    intervals: tuple[Interval, ...] = ()
    sets: tuple[PredictionSets, ...] = ()
    unknown_groups: int = 0

    @property
    def anomalies(self) -> Anomalies:
        """The unexpected values in the rows."""
        return self.predictions.anomalies

    def frame(self, *, proba: bool = False) -> pl.DataFrame:
        """The columns of `Predictions.frame`; then lower_90 and upper_90 (with _TARGET for several), or set_90."""
        target = self.predictions.target
        columns: dict[str, pl.Series] = {}
        for interval in self.intervals:
            for j, name in enumerate(target.names):
                suffix = percent_digits(interval.level) + ("" if len(target.names) == 1 else f"_{name}")
                columns[f"lower_{suffix}"] = pl.Series(interval.lower[:, j])
                columns[f"upper_{suffix}"] = pl.Series(interval.upper[:, j])
        if self.sets:
            labels = target.label_column(np.arange(len(target.labels)), "set")
            for one in self.sets:
                classes = pl.Series(np.nonzero(one.included)[1], dtype=pl.Int64)
                columns[set_column(one.level)] = _lists(labels.gather(classes), one.included.sum(axis=1))
        return pl.concat([self.predictions.frame(proba=proba), pl.DataFrame(columns)], how="horizontal")


def _lists(items: pl.Series, sizes: Integers) -> pl.Series:
    """Consecutive items as lists of these sizes (rows,)."""
    row = pl.Series("row", np.repeat(np.arange(len(sizes)), sizes), dtype=pl.Int64)
    grouped = pl.DataFrame({"row": row, "set": items}).group_by("row", maintain_order=True).agg("set")
    every = pl.DataFrame({"row": pl.Series(np.arange(len(sizes)), dtype=pl.Int64)})
    lists = every.join(grouped, on="row", how="left", maintain_order="left")["set"]
    return lists.fill_null(pl.Series([[]], dtype=pl.List(items.dtype)))


def sets_as_text(frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    r"""The frame with the columns `names` of lists as text: `a|b`, where a \ or | of a class has a \ before it."""
    return frame.with_columns(_joined(frame[name]) for name in names)


def _joined(lists: pl.Series) -> pl.Series:
    sizes = lists.list.len().to_numpy().astype(np.int64)
    items = lists.filter(pl.Series(sizes > 0)).explode().cast(pl.String).str.replace_all(r"([\\|])", r"\$1")
    return _lists(items, sizes).list.join(SEPARATOR).alias(lists.name)
