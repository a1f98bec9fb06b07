"""A trained model with its calibration: predictions, intervals and sets from the same predictions of the members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from nncli.conformal.interval_scores import conformity_scores, group_endpoints
from nncli.conformal.intervals import Interval, IntervalCalibration
from nncli.conformal.member_groups import MemberGroups
from nncli.conformal.options import UncertaintyOptions, level_suffix
from nncli.conformal.partition import Partition
from nncli.conformal.sets import SCORES, PredictionSets, SetCalibration
from nncli.data.encoders.anomalies import Anomalies
from nncli.data.table import Table
from nncli.ensemble import AnyModel, average_members, predict_members
from nncli.errors import Location, RunError, UsageError
from nncli.metrics.conformal import min_rows
from nncli.metrics.sorted_scores import Integers
from nncli.model import Predictions
from nncli.runs.held_out_rows import HeldOutRows
from nncli.runs.run import Run


def calibration_rows(run: Run) -> HeldOutRows:
    """The held-out rows of a run.

    Raises:
        RunError: there are none.
    """
    rows = run.load_held_out()
    if rows is not None and len(rows):
        return rows
    if run.load_manifest().validation_rows:
        raise RunError(
            "there are no predictions to calibrate intervals or sets with: the run was written by an older version, or "
            "they were removed",
            location=Location(source=str(run.path)),
            hint=f"Train again: nncli train {run.path / 'config.yaml'}",
        )
    raise RunError(
        "there are no rows to calibrate intervals or sets with: every row was used for training",
        location=Location(source=str(run.path)),
        hint="Train again with `validation: 0.2`, or with members that hold out folds: `members: 8`, `bagging: folds`.",
    )


@dataclass(frozen=True)
class ConformalPredictions:
    """The predictions of a model, with intervals or sets for each level."""

    predictions: Predictions
    intervals: tuple[Interval, ...] = ()
    sets: tuple[PredictionSets, ...] = ()

    @property
    def anomalies(self) -> Anomalies:
        """The unexpected values in the rows."""
        return self.predictions.anomalies

    def frame(self, *, proba: bool = False) -> pl.DataFrame:
        """The columns of `Predictions.frame`; then lower_90 and upper_90 (with _TARGET for several), or set_90."""
        target = self.predictions.target
        columns: dict[str, pl.Series] = {}
        for one in self.intervals:
            for j, name in enumerate(target.names):
                suffix = level_suffix(one.level) + ("" if len(target.names) == 1 else f"_{name}")
                columns[f"lower_{suffix}"] = pl.Series(one.lower[:, j])
                columns[f"upper_{suffix}"] = pl.Series(one.upper[:, j])
        if target.task == "classification":
            labels = target.decode(np.arange(len(target.labels)), "set")
            for one_set in self.sets:
                code = np.nonzero(one_set.included)[1]
                sizes = one_set.included.sum(axis=1)
                columns[f"set_{level_suffix(one_set.level)}"] = _lists(labels.gather(pl.Series(code)), sizes)
        return pl.concat([self.predictions.frame(proba=proba), pl.DataFrame(columns)], how="horizontal")


def _lists(items: pl.Series, sizes: Integers) -> pl.Series:
    """Consecutive items as lists of these sizes (rows,)."""
    row = pl.Series("row", np.repeat(np.arange(len(sizes)), sizes))
    grouped = pl.DataFrame({"row": row, "set": items}).group_by("row", maintain_order=True).agg("set")
    every = pl.DataFrame({"row": np.arange(len(sizes))}).join(grouped, on="row", how="left", maintain_order="left")
    return every["set"].fill_null(pl.Series([[]], dtype=pl.List(items.dtype)))


@dataclass(frozen=True)
class ConformalPredictor:
    """A model with its calibration for the levels that are asked for. Threads may share it."""

    model: AnyModel
    options: UncertaintyOptions
    groups: MemberGroups
    intervals: tuple[IntervalCalibration, ...] = field(default=())
    sets: tuple[SetCalibration, ...] = field(default=())

    @classmethod
    def of(cls, model: AnyModel, rows: HeldOutRows, options: UncertaintyOptions) -> ConformalPredictor:
        """Calibrate a model by rows that it did not train on. Every row counts the same, whatever its weight.

        Raises:
            UsageError: the options do not fit the model, or there are too few rows for a level.
        """
        options.check(model.spec.target)
        for level in options.levels:
            _check_enough(level, len(rows))
        groups = MemberGroups.of(rows)
        if model.spec.target.task == "regression":
            scores = conformity_scores(rows)
            intervals = tuple(
                IntervalCalibration.of(level, Partition.whole(len(rows)), scores, groups.group, len(groups))
                for level in options.levels
            )
            return cls(model, options, groups, intervals=intervals)
        every_score = SCORES[options.score](rows.predictions.values)
        of_truth = np.take_along_axis(every_score, rows.y[:, None], axis=1)[:, 0]
        sets = []
        for level in options.levels:
            partition = Partition.whole(len(rows))
            if options.per_class:
                partition = Partition.of(rows.y, every_score.shape[1], min_rows(level))
            sets.append(
                SetCalibration.of(level, partition, of_truth, groups.group, len(groups), per_class=options.per_class)
            )
        return cls(model, options, groups, sets=tuple(sets))

    def predict(self, table: Table) -> ConformalPredictions:
        """Predict every row of a table; a row's bounds and set depend on the row alone, to the bit.

        Raises:
            DataError: see `Model.predict`.
        """
        return self.of_members(predict_members(self.model, table), np.zeros(len(table), np.int64))

    def of_members(self, members: Sequence[Predictions], codes: Integers) -> ConformalPredictions:
        """The same from the predictions of each member; `codes` (rows,) are the groups of the rows."""
        predictions = average_members(self.model, members)
        if self.intervals:
            ends = group_endpoints(self.groups, self.model, members)
            return ConformalPredictions(predictions, tuple(one.interval(ends, codes) for one in self.intervals))
        P = self.groups.predict(self.model, members)
        scores = np.stack([SCORES[self.options.score](of_group) for of_group in P])
        return ConformalPredictions(predictions, sets=tuple(one.sets(scores, codes) for one in self.sets))


def _check_enough(level: float, n: int) -> None:
    """Raise a UsageError if n calibration rows are too few for a level: the bounds would be infinite."""
    if n < min_rows(level):
        raise UsageError(
            f"the level {level:g} needs {min_rows(level):,} rows that the model did not train on; the run has {n:,}",
            hint=f"Use a level of at most {np.floor(1000 * n / (n + 1)) / 1000:g}, or train on more rows.",
        )
