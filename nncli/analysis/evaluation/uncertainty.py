"""Scores of prediction intervals and sets on labeled rows, with the coverage that is guaranteed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nncli.base.errors import NncliError
from nncli.base.text import json_safe
from nncli.config.schema import Config
from nncli.data.columns.parsing import read_text
from nncli.data.sample_weights import Weights
from nncli.data.splitting.holdout import group_numbers
from nncli.data.table import Table
from nncli.fitting.calibration import conformal_predictor
from nncli.fitting.train.provenance import check_config_unchanged
from nncli.models.conformal.groups import MISSING, UNKNOWN, RowGroups
from nncli.models.conformal.options import UncertaintyOptions
from nncli.models.conformal.predictor import ConformalPredictions, ConformalPredictor, Guarantee, guarantee
from nncli.models.ensemble import AnyModel
from nncli.run_directory.run import Run
from nncli.targets.base import Truth, present
from nncli.targets.metrics.bootstrap import ConfidenceInterval
from nncli.targets.metrics.coverage import (
    BoundScores,
    Groups,
    IntervalScores,
    SetScores,
    bound_scores,
    interval_scores,
    set_scores,
)


@dataclass(frozen=True)
class IntervalEvaluation:
    """The scores of the prediction intervals of a level for a target, and the coverage that is guaranteed."""

    target: str
    scores: IntervalScores
    guarantee: Guarantee

    def json(self) -> dict[str, Any]:
        """{"target": …, "level": …, "coverage": …, "mean_width": …, "interval_score": …, "by_width": […], …}."""
        sizes = {"mean_width": self.scores.coverage.size, "median_width": self.scores.median_width}
        figures = {**sizes, "interval_score": self.scores.score}
        sides = {"below": self.scores.below, "above": self.scores.above}
        return {
            "target": self.target,
            **_coverage_json(self.scores, {**json_safe(figures), **sides}),
            **_parts_json(self.scores, ("by_width", "by_group"), "mean_width"),
            "guarantee": self.guarantee.json(),
        }


@dataclass(frozen=True)
class BoundEvaluation:
    """The scores of the lower bounds of a level for a time to an event, and the coverage that is guaranteed."""

    target: str
    scores: BoundScores
    guarantee: Guarantee

    def json(self) -> dict[str, Any]:
        """{"target": …, "level": …, "coverage": …, "mean_bound": …, "events_before": …, "by_group": […], …}."""
        scores = self.scores
        figures = {"mean_bound": scores.coverage.size, "median_bound": scores.median_bound}
        return {
            "target": self.target,
            **_coverage_json(scores, {**json_safe(figures), "events_before": scores.events}),
            **_parts_json(scores, ("by_group",), "mean_bound"),
            "guarantee": self.guarantee.json(),
        }


@dataclass(frozen=True)
class SetEvaluation:
    """The scores of the prediction sets of a level, and the coverage that is guaranteed."""

    scores: SetScores
    guarantee: Guarantee

    def json(self) -> dict[str, Any]:
        """{"level": …, "coverage": …, "mean_size": …, "empty": …, "single": …, "by_size": […], …}."""
        figures = {"mean_size": self.scores.coverage.size, "empty": self.scores.empty, "single": self.scores.single}
        return {
            **_coverage_json(self.scores, figures),
            **_parts_json(self.scores, ("by_size", "by_class", "by_group"), "mean_size"),
            "guarantee": self.guarantee.json(),
        }


@dataclass(frozen=True)
class UncertaintyScores:
    """The scores of the intervals, bounds or sets of each level, of several targets one after the other."""

    intervals: tuple[IntervalEvaluation, ...] = ()
    sets: tuple[SetEvaluation, ...] = ()
    bounds: tuple[BoundEvaluation, ...] = ()

    def json(self) -> dict[str, Any]:
        """{"intervals": […]}, {"bounds": […]} or {"sets": […]}."""
        if self.bounds:
            return {"bounds": [bound.json() for bound in self.bounds]}
        if self.intervals:
            return {"intervals": [interval.json() for interval in self.intervals]}
        return {"sets": [set_scores.json() for set_scores in self.sets]}


@dataclass(frozen=True)
class Uncertainty:
    """A calibrated model whose intervals or sets are compared with targets.

    `config` is that of the run; None: it cannot be read, or was changed.
    """

    predictor: ConformalPredictor
    config: Config | None

    @classmethod
    def of(cls, run: Run, model: AnyModel, options: UncertaintyOptions) -> Uncertainty | None:
        """The model of a run, calibrated for the levels that are asked for; None if there are none.

        Raises:
            UsageError: the options do not fit the model, or there are too few rows for a level.
            RunError: there are no calibration rows.
        """
        predictor = conformal_predictor(run, model, options)
        return None if predictor is None else cls(predictor, recorded_config(run))

    def check(self, table: Table) -> None:
        """Raise a DataError if the table lacks the column of the groups."""
        if self.predictor.options.by is not None:
            table.require([self.predictor.options.by])

    def scores(
        self, predicted: ConformalPredictions, table: Table, y: Truth, weights: Weights | None
    ) -> UncertaintyScores:
        """Compare the intervals or sets of the rows of a table with their targets `y`."""
        target = self.predictor.model.spec.target
        cluster = group_numbers(table, None if self.config is None else self.config.data.group)
        groups = None if self.predictor.row_groups is None else _groups(table, self.predictor.row_groups)
        if target.uncertainty == "prediction_set":
            return UncertaintyScores(
                sets=tuple(
                    SetEvaluation(
                        set_scores(
                            y, predicted_set.included, predicted_set.level, target.labels, weights, cluster, groups
                        ),
                        self.guarantee(predicted_set.level),
                    )
                    for predicted_set in predicted.sets
                )
            )
        if not target.has_upper_bound:
            time, event = present(target.curve).observed(y)
            return UncertaintyScores(
                bounds=tuple(
                    BoundEvaluation(
                        target.predicted_names[0],
                        bound_scores(time, event, bound.lower, bound.level, weights, cluster, groups),
                        self.guarantee(bound.level),
                    )
                    for bound in predicted.bounds
                )
            )
        with np.errstate(over="ignore", invalid="ignore"):  # numbers beyond measure have infinite widths
            return UncertaintyScores(
                tuple(
                    IntervalEvaluation(
                        name,
                        interval_scores(
                            y[:, j],
                            interval.lower[:, j],
                            interval.upper[:, j],
                            interval.level,
                            weights,
                            cluster,
                            groups,
                        ),
                        self.guarantee(interval.level),
                    )
                    for j, name in enumerate(target.names)
                    for interval in predicted.intervals
                )
            )

    def guarantee(self, level: float) -> Guarantee:
        """The coverage at a level that is guaranteed."""
        predictor, options = self.predictor, self.predictor.options
        kind, groups = type(predictor.model.spec.target), predictor.groups
        partitions = {calibration.level: calibration.partition for calibration in predictor.calibrations}
        rows = min(len(group_rows) for group_rows in partitions[level].rows if len(group_rows))
        return guarantee(self.config, kind, groups.method, level, rows, len(groups), options.part)


def recorded_config(run: Run) -> Config | None:
    """The configuration that a run was trained with; None if it cannot be read, or was changed."""
    try:
        return check_config_unchanged(run, run.load_manifest(), ())
    except NncliError:
        return None


def _groups(table: Table, row_groups: RowGroups) -> Groups:
    """The rows by the groups that they are calibrated in, and by the cells of unknown ones, in ascending order."""
    codes = row_groups.read(table)
    titles = np.array([row_groups.title(code) for code in range(row_groups.count)], object)
    cells = read_text(table, row_groups.name).fill_null(MISSING).to_numpy().astype(object)
    cells[codes != UNKNOWN] = titles[codes[codes != UNKNOWN]]
    names, numbers = np.unique(cells.astype(str), return_inverse=True)
    return Groups(numbers.astype(np.int64), tuple(map(str, names)))


def _coverage_json(scores: IntervalScores | BoundScores | SetScores, figures: Mapping[str, float]) -> dict[str, Any]:
    share, interval = scores.coverage.share, scores.coverage.interval
    return {"level": scores.level, "coverage": share, "coverage_interval": _interval_json(interval), **figures}


def _parts_json(scores: IntervalScores | BoundScores | SetScores, names: Sequence[str], size: str) -> dict[str, Any]:
    """The coverage of parts of the rows, by what divides them."""
    return {
        by: [
            {
                "name": part.name,
                "rows": part.rows,
                "coverage": part.share,
                "coverage_interval": _interval_json(part.interval),
                size: json_safe(part.size),
            }
            for part in getattr(scores, by)
        ]
        for by in names
    }


def _interval_json(interval: ConfidenceInterval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]
