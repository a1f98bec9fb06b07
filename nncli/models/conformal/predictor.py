"""A trained model with its calibration: predictions, intervals and sets from the same predictions of the members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import polars as pl

from nncli.base.errors import UsageError
from nncli.base.text import join_quoted, percent_digits, quote
from nncli.data.encoders.anomalies import Anomalies
from nncli.data.table import Table
from nncli.models.conformal.intervals import Interval, IntervalCalibration
from nncli.models.conformal.options import UncertaintyOptions, set_column
from nncli.models.conformal.out_of_fold_groups import OutOfFoldGroups, calibration_sample
from nncli.models.conformal.row_groups import UNKNOWN, Partition, RowGroups
from nncli.models.conformal.sets import SCORES, PredictionSets, SetCalibration
from nncli.models.ensemble import AnyModel, average_members, predict_members
from nncli.models.held_out_rows import HeldOutRows
from nncli.models.predictions import Predictions
from nncli.targets.metrics.conformal import min_rows
from nncli.targets.metrics.sorted_scores import Integers

Calibrations: TypeAlias = tuple[IntervalCalibration, ...] | tuple[SetCalibration, ...]


@dataclass(frozen=True)
class ConformalPredictor:
    """A model with its calibration for the levels that are asked for. Threads may share it.

    `row_groups` are those of the option `by`. A level has a calibration of intervals, or of sets.
    """

    model: AnyModel
    options: UncertaintyOptions
    groups: OutOfFoldGroups
    row_groups: RowGroups | None = None
    intervals: tuple[IntervalCalibration, ...] = ()
    sets: tuple[SetCalibration, ...] = ()

    @classmethod
    def of(
        cls, model: AnyModel, rows: HeldOutRows, options: UncertaintyOptions, row_groups: RowGroups | None = None
    ) -> ConformalPredictor:
        """Calibrate a model by rows that it did not train on. Every row counts the same, whatever its weight.

        `row_groups` are those of the held-out rows, needed for the option `by`.

        Raises:
            UsageError: the options do not fit the model, or there are too few rows for a level.
        """
        target = model.spec.target
        options.check(target)
        held_out, sample = len(rows), calibration_sample(rows)
        if sample is not None:
            rows = rows.take(sample)
            row_groups = None if row_groups is None else row_groups.take(sample)
        for level in options.levels:
            _check_enough(level, len(rows), held_out)
        groups = OutOfFoldGroups.of(rows)

        def partition(level: float) -> Partition:
            if row_groups is not None:
                return Partition.of(row_groups.codes, row_groups.count, min_rows(level))
            if options.part == "class":
                return Partition.of(rows.y, target.n_outputs, min_rows(level))
            return Partition.whole(len(rows))

        if target.uncertainty == "interval":
            intervals = tuple(IntervalCalibration.of(level, partition(level), rows, groups) for level in options.levels)
            return cls(model, options, groups, row_groups, intervals=intervals)
        P = SCORES[options.score](rows.predictions.values)
        of_truth = np.take_along_axis(P, rows.y[:, None], axis=1)[:, 0]
        sets = tuple(
            SetCalibration.of(level, partition(level), of_truth, groups, by_class=options.part == "class")
            for level in options.levels
        )
        return cls(model, options, groups, row_groups, sets=sets)

    @property
    def calibrations(self) -> Calibrations:
        """The calibration for each level."""
        return self.intervals or self.sets

    @property
    def set_columns(self) -> list[str]:
        """The names of the columns of sets, whose cells are lists."""
        return [set_column(one.level) for one in self.sets]

    def notes(self) -> list[str]:
        """A line for each level on the groups or classes that are calibrated together, since they have few rows."""
        notes = []
        for one in self.calibrations:
            small = [self._title(code) for code in one.partition.small.tolist()]
            if self.row_groups is not None and len(one.partition.rows) == 1:
                notes.append(
                    f"level {one.level:g}: no group of {quote(self.row_groups.name)} has {min_rows(one.level):,} "
                    "calibration rows, so all rows are calibrated together, as without --by"
                )
            elif small:
                what = "classes" if self.row_groups is None else f"groups of {quote(self.row_groups.name)}"
                others = "" if self.row_groups is None else ", and unknown groups,"
                how = "like all rows" if one.partition.others_are_all else "together"
                notes.append(
                    f"level {one.level:g}: {what} of fewer than {min_rows(one.level):,} calibration rows{others} are "
                    f"calibrated {how}: {join_quoted(small, max_words=10)}"
                )
        return notes

    def _title(self, code: int) -> str:
        target = self.model.spec.target
        if self.row_groups is None:
            return target.labels[code] if target.has_labels else ""
        return self.row_groups.title(code)

    def predict(self, table: Table) -> ConformalPredictions:
        """Predict every row of a table; a row's bounds and set depend on the row alone, to the bit.

        Raises:
            DataError: see `Model.predict`; or the column of the groups is missing.
        """
        return self.of_members(predict_members(self.model, table), self.group_codes(table))

    def group_codes(self, table: Table) -> Integers:
        """The codes (rows,) of the groups of the rows of a table; 0 without groups."""
        return np.zeros(len(table), np.int64) if self.row_groups is None else self.row_groups.read(table)

    def of_members(self, members: Sequence[Predictions], codes: Integers) -> ConformalPredictions:
        """The same from the predictions of each member; `codes` (rows,) are those of the groups of the rows."""
        predictions, unknown = average_members(self.model, members), int((codes == UNKNOWN).sum())
        if self.intervals:
            values = self.groups.predict(self.model, members)
            quantiles = (
                self.groups.predict_quantiles(self.model, members) if self.model.spec.loss.quantile_levels else None
            )
            intervals = tuple(one.interval(values, quantiles, codes) for one in self.intervals)
            return ConformalPredictions(predictions, intervals, unknown_groups=unknown)
        P = self.groups.predict(self.model, members)
        scores = np.stack([SCORES[self.options.score](of_group) for of_group in P])
        sets = tuple(one.sets(scores, codes) for one in self.sets)
        return ConformalPredictions(predictions, sets=sets, unknown_groups=unknown)


def _check_enough(level: float, n: int, held_out: int) -> None:
    """Raise a UsageError if n calibration rows are too few for a level: the bounds would be infinite.

    They may be a sample of the `held_out` rows of the run.
    """
    if n >= min_rows(level):
        return
    largest = np.floor(1000 * n / (n + 1)) / 1000
    lower = [f"use a level of at most {largest:g}"] if largest else []
    has, more = f"the run has {n:,}", "train on more rows"
    if n < held_out:
        has = f"{n:,} of the {held_out:,} of the run are used, since its members draw rows in very many ways"
        more = "train with `bagging: folds`, where all are used"
    hint = ", or ".join([*lower, more])
    raise UsageError(
        f"the level {level:g} needs {min_rows(level):,} rows that the model did not train on; {has}",
        hint=f"{hint[0].upper()}{hint[1:]}.",
    )


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
