"""Scores of prediction intervals and sets on labeled rows, with the coverage that is guaranteed."""

from __future__ import annotations

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
from nncli.fitting.conformal import conformal_predictor
from nncli.fitting.train.provenance import check_config_unchanged
from nncli.models.conformal.groups import MISSING, UNKNOWN, RowGroups
from nncli.models.conformal.predictor import ConformalPredictions, ConformalPredictor, Guarantee, guarantee
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.models.ensemble import AnyModel
from nncli.run_directory.run import Run
from nncli.targets.conformal import CalibrationRows
from nncli.targets.metrics.coverage import Coverage, CoverageScores, Groups
from nncli.targets.target_base import Truth


@dataclass(frozen=True)
class CoverageEvaluation:
    """The scores of the intervals, bounds or sets of a level for a `target`, and the coverage that is guaranteed."""

    target: str | None
    scores: CoverageScores
    guarantee: Guarantee

    def json(self) -> dict[str, Any]:
        """{"target": …, "level": …, "coverage": …, "mean_width": …, "by_width": […], …, "guarantee": …}."""
        scores, figures = self.scores, {name: figure.value for name, figure in self.scores.figures.items()}
        size = next(iter(figures))
        parts = {
            by: [{"name": part.name, "rows": part.rows, **_json(part), size: json_safe(part.size)} for part in of_parts]
            for by, of_parts in scores.parts.items()
        }
        named = {} if self.target is None else {"target": self.target}
        document = {**named, "level": scores.level, **_json(scores.coverage), **json_safe(figures), **parts}
        return {**document, "guarantee": self.guarantee.json()}


def _json(coverage: Coverage) -> dict[str, Any]:
    interval = coverage.interval
    ends = None if interval is None else [interval.low, interval.high]
    return {"coverage": coverage.share, "coverage_interval": ends}


@dataclass(frozen=True)
class UncertaintyScores:
    """The scores of the intervals, bounds or sets of each level, of several targets one after the other."""

    evaluations: tuple[CoverageEvaluation, ...]

    def json(self) -> dict[str, Any]:
        """{"intervals": […]}, {"bounds": […]} or {"sets": […]}."""
        return {self.evaluations[0].scores.name: [evaluation.json() for evaluation in self.evaluations]}


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
        cluster = group_numbers(table, None if self.config is None else self.config.data.group)
        groups = None if self.predictor.row_groups is None else _groups(table, self.predictor.row_groups)
        target, rows = self.predictor.model.spec.target, CalibrationRows(y, weights, cluster, groups)
        each = [region.coverage(target, rows) for region in predicted.regions]
        return UncertaintyScores(
            tuple(
                CoverageEvaluation(name, scores[name], self.guarantee(scores[name].level))
                for name in each[0]
                for scores in each
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
