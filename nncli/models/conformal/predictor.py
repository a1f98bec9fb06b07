"""A trained model with its calibration: predictions, intervals and sets from the same predictions of the members.

Some coverage of new rows is guaranteed, whatever their distribution.
New rows and those of the table must be independent draws from one distribution, and the calibration rows must have
chosen nothing. Then split conformal prediction covers at least `level` of the new rows in expectation (Vovk, Gammerman
and Shafer, "Algorithmic learning in a random world", 2005), and CV+ with K folds of n calibration rows together

    1 - 2 alpha - 2 (1 - alpha) (K - 1) / (n + K)        alpha = 1 - level

for folds of any sizes: a fold gives a p-value, and twice a mean of p-values is a p-value (Vovk and Wang, "Combining
p-values via averaging", 2020). For folds of one size it is theorem 4 of Barber, Candès, Ramdas and Tibshirani,
"Predictive inference with the jackknife+", 2021, by the first term of its minimum. In practice the coverage is near the
level.

Held-out rows choose the epoch unless the metric loss lets the training rows choose it, and they choose the temperature
of class probabilities unless `calibration: none`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import polars as pl

from nncli.base.errors import Advice, SetKey, UsageError
from nncli.base.text import format_percent, join_quoted, quote
from nncli.data.encoders.anomalies import Anomalies
from nncli.data.table import Table
from nncli.models.conformal.calibration import ConformalCalibration
from nncli.models.conformal.groups import UNKNOWN, Method, OutOfFoldGroups, Partition, RowGroups, calibration_sample
from nncli.models.conformal.uncertainty_options import Taxonomy, UncertaintyOptions
from nncli.models.conformal.uneven import uneven_rows
from nncli.models.ensemble import AnyModel, average_members, predict_members
from nncli.models.held_out_rows import HeldOutRows
from nncli.models.predictions import Predictions
from nncli.targets.conformal import Region, lists_of
from nncli.targets.metrics.conformal import min_rows
from nncli.targets.metrics.sorted_scores import Integers
from nncli.targets.target import TargetKind

if TYPE_CHECKING:
    from nncli.config.schema import Config


@dataclass(frozen=True)
class ConformalPredictor:
    """A model with its calibration for the levels that are asked for. Threads may share it.

    `row_groups` are those of the option `by`. `uneven` says which rows intervals cover less or more often than their
    level.
    """

    model: AnyModel
    options: UncertaintyOptions
    groups: OutOfFoldGroups
    calibrations: tuple[ConformalCalibration, ...]
    row_groups: RowGroups | None = None
    uneven: str | None = None

    @classmethod
    def of(
        cls, model: AnyModel, rows: HeldOutRows, options: UncertaintyOptions, row_groups: RowGroups | None = None
    ) -> ConformalPredictor:
        """Calibrate a model by rows that it did not train on. Every row counts the same, whatever its weight.

        `row_groups` are those of the held-out rows, needed for the option `by`.

        Raises:
            UsageError: the options do not fit the model, or there are too few rows for a level.
        """
        target, loss = model.spec.target, model.spec.loss
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

        method, calibrations = model.spec.head.uncertainty, tuple[ConformalCalibration, ...]()
        if method is not None:
            method, by_class = method.scored_by(options.conformity_score), options.part == "class"
            calibrations = tuple(
                ConformalCalibration.of(level, method, partition(level), rows, groups, loss, by_class=by_class)
                for level in options.levels
            )
        labeled, groups_of = (rows.predictions, rows.y), (rows.categories, rows.groups)
        uneven = [
            uneven_rows(each.level, each.method, *labeled, each.partition.rows, *groups_of) for each in calibrations
        ]
        worst = max(filter(None, uneven), key=lambda group: abs(group.share - group.level), default=None)
        kind_of_rows = "validation" if groups.method == "split conformal" else "out-of-fold"
        note = None if worst is None else worst.note(rows.predictions, kind_of_rows, options.by)
        return cls(model, options, groups, calibrations, row_groups, note)

    def notes(self) -> list[str]:
        """A line on uneven coverage, and for each level on groups or classes of few rows, calibrated together."""
        notes = [] if self.uneven is None else [self.uneven]
        for calibration in self.calibrations:
            level = calibration.level
            small = [self._title(code) for code in calibration.partition.small.tolist()]
            if self.row_groups is not None and len(calibration.partition.rows) == 1:
                notes.append(
                    f"level {level:g}: no group of {quote(self.row_groups.name)} has {min_rows(level):,} "
                    "calibration rows, so all rows are calibrated together"
                )
            elif small:
                what = "classes" if self.row_groups is None else f"groups of {quote(self.row_groups.name)}"
                others = "" if self.row_groups is None else ", and unknown groups,"
                how = "like all rows" if calibration.partition.others_are_all else "together"
                notes.append(
                    f"level {level:g}: {what} of fewer than {min_rows(level):,} calibration rows{others} are "
                    f"calibrated {how}: {join_quoted(small, max_words=10)}"
                )
        return notes

    def _title(self, code: int) -> str:
        target = self.model.spec.target
        if self.row_groups is None:
            return target.labels[code] if target.labels else ""
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
        of_groups = self.groups.predict(self.model, members)
        regions = tuple(calibration.predict(of_groups, codes) for calibration in self.calibrations)
        return ConformalPredictions(average_members(self.model, members), regions, int((codes == UNKNOWN).sum()))


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
        has = f"{n:,} of the {held_out:,} of the run are used, since its networks draw rows in very many ways"
        more = "train with bagging by folds, where all are used"
    hint = ", or ".join([*lower, more])
    raise UsageError(
        f"the level {level:g} needs {min_rows(level):,} rows that the model did not train on; {has}",
        hint=f"{hint[0].upper()}{hint[1:]}.",
    )


SEPARATOR = "|"
R = TypeVar("R", bound=Region)


@dataclass(frozen=True)
class ConformalPredictions:
    """The predictions of a model, with regions for each level.

    `unknown_groups` is the number of rows in groups that no calibration row is in.
    """

    predictions: Predictions
    regions: tuple[Region, ...] = ()
    unknown_groups: int = 0

    def of_type(self, kind: type[R]) -> tuple[R, ...]:
        """The regions of each level that are intervals, lower bounds or sets."""
        return tuple(region for region in self.regions if isinstance(region, kind))

    @property
    def anomalies(self) -> Anomalies:
        """The unexpected values in the rows."""
        return self.predictions.anomalies

    def frame(self, *, proba: bool = False) -> pl.DataFrame:
        """The columns of `Predictions.frame`; then those of the intervals or sets."""
        return pl.concat([self.predictions.frame(proba=proba), pl.DataFrame(self.region_columns)], how="horizontal")

    @property
    def region_columns(self) -> dict[str, pl.Series]:
        """lower_90 and upper_90 (with _TARGET for several), lower_90 alone, or set_90, by name."""
        columns: dict[str, pl.Series] = {}
        for region in self.regions:
            columns |= region.columns(self.predictions.target)
        return columns


def sets_as_text(frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    r"""The frame with the columns `names` of lists as text: `a|b`, where a \ or | of a class has a \ before it."""
    return frame.with_columns(_joined(frame[name]) for name in names)


def _joined(lists: pl.Series) -> pl.Series:
    sizes = lists.list.len().to_numpy().astype(np.int64)
    items = lists.filter(pl.Series(sizes > 0)).explode().cast(pl.String).str.replace_all(r"([\\|])", r"\$1")
    return lists_of(items, sizes).list.join(SEPARATOR).alias(lists.name)


@dataclass(frozen=True)
class Guarantee:
    """The least `coverage` of new rows that is guaranteed at a level; None if there is none, for a `reason`.

    `rows` is the number of calibration rows, in `folds` folds; those of the smallest part if each group or class is
    calibrated by itself. `advice` says how to train a run that has a guarantee, if that is possible.
    """

    level: float
    method: Method
    rows: int
    folds: int
    part: Taxonomy | None
    coverage: float | None
    reason: str | None = None
    advice: str | None = None

    @property
    def sentence(self) -> str:
        """What is guaranteed, in one or two sentences."""
        if self.coverage is None:
            advice = "" if self.advice is None else f" {self.advice}"
            return f"The coverage is as measured, not guaranteed: {self.reason}.{advice}"
        rows = "new rows" if self.part is None else f"the new rows of each {self.part} with enough rows of its own"
        near = "" if self.coverage >= self.level else f"; in practice, about {100 * self.level:g} %"
        return (
            f"{self.method} guarantees that at least {format_percent(self.coverage)} of {rows} are covered in "
            f"expectation{near}."
        )

    def json(self) -> dict[str, Any]:
        """{"method": …, "rows": …, "folds": …, "coverage": …, "reason": …}."""
        return {
            "method": self.method,
            "rows": self.rows,
            "folds": self.folds,
            "coverage": self.coverage,
            "reason": self.reason,
        }


def guarantee(
    config: Config | None,
    kind: TargetKind,
    method: Method,
    level: float,
    rows: int,
    folds: int,
    part: Taxonomy | None = None,
) -> Guarantee:
    """The guarantee for a run with this configuration; None: it cannot be read."""
    reason, advice = _reason(config, kind, method)
    coverage = None
    if reason is None:
        coverage = coverage_bound(level, rows, folds)
        if coverage <= 0.0:
            reason, coverage = f"{rows:,} calibration rows in {folds:,} folds are too few", None
    return Guarantee(level, method, rows, folds, part, coverage, reason, advice)


def coverage_bound(level: float, rows: int, folds: int) -> float:
    """The least coverage of new rows in expectation; see the module.

    >>> coverage_bound(0.9, 999, 1)
    0.9
    >>> round(coverage_bound(0.9, 993, 7), 4)
    0.7892
    """
    if folds == 1:
        return level
    return 1.0 - 2.0 * (1.0 - level) - 2.0 * level * (folds - 1) / (rows + folds)


def _reason(config: Config | None, kind: TargetKind, method: Method) -> tuple[str | None, str | None]:
    """Why nothing is guaranteed, or None, and the advice."""
    if config is None:
        return "the configuration of the run cannot be read", None
    if config.data.time is not None:
        return f"new rows are later than those of the table by {quote(config.data.time)}, and may differ", None
    if config.data.group is not None:
        return f"rows of a group in {quote(config.data.group)} are alike, and new groups may differ from all", None
    if method == "jackknife+-after-bootstrap":
        return "networks that each hold out other rows have no guarantee", "A run with bagging by folds can have one."
    if config.teacher is not None and config.teacher.refit:
        return "another network predicted the calibration rows, taught by fewer networks and on fewer rows", None
    if config.teacher is not None:
        return "the network learned from a run that may have chosen its epoch by the calibration rows", None
    calibrates = kind.expected_calibration(config.calibration) == "temperature"
    if config.metric == "loss" and not calibrates:
        return None, None
    chosen = " and ".join(
        [*(["the epoch"] if config.metric != "loss" else []), *(["the temperature"] if calibrates else [])]
    )
    settings = [SetKey("metric", "loss")] if config.metric != "loss" else []
    settings += [SetKey("calibration", "none")] if calibrates else []
    parts = [part for key in settings for part in (" and ", key)]
    return f"the calibration rows also chose {chosen}", Advice("A run trained with ", *parts[1:], " has a guarantee.")
