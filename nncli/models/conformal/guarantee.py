"""The coverage of intervals and sets that is guaranteed for new rows, whatever their distribution.

New rows and those of the table must be independent draws from one distribution, and the calibration rows must have
chosen nothing. Then split conformal prediction covers at least `level` of the new rows in expectation (Vovk, Gammerman
and Shafer, "Algorithmic learning in a random world", 2005), and CV+ with K folds of n calibration rows together

    1 - 2 alpha - 2 (1 - alpha) (K - 1) / (n + K)        alpha = 1 - level

for folds of any sizes: a fold gives a p-value, and twice a mean of p-values is a p-value (Vovk and Wang, "Combining
p-values via averaging", 2020). For folds of one size it is theorem 4 of Barber, Candès, Ramdas and Tibshirani,
"Predictive inference with the jackknife+", 2021, by the first term of its minimum. In practice the coverage is near the
level.

Held-out rows choose the epoch unless `metric: loss` lets the training rows choose it, and they choose the temperature
of class probabilities unless `calibration: none`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nncli.base.text import format_percent, quote
from nncli.config.schema import Config
from nncli.models.conformal.options import Part
from nncli.models.conformal.out_of_fold_groups import Method
from nncli.targets.target import TargetKind


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
    part: Part | None
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
    part: Part | None = None,
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
        return "members that each hold out other rows have no guarantee", "A run with `bagging: folds` can have one."
    if config.teacher is not None and config.teacher.refit:
        return "another network predicted the calibration rows, taught by fewer members and on fewer rows", None
    if config.teacher is not None:
        return "the network learned from a run that may have chosen its epoch by the calibration rows", None
    calibrates = kind.has_probabilities and config.calibration != "none"
    if config.metric == "loss" and not calibrates:
        return None, None
    chosen = " and ".join(
        [*(["the epoch"] if config.metric != "loss" else []), *(["the temperature"] if calibrates else [])]
    )
    settings = " and ".join(
        [*(["`metric: loss`"] if config.metric != "loss" else []), *(["`calibration: none`"] if calibrates else [])]
    )
    return f"the calibration rows also chose {chosen}", f"A run trained with {settings} has a guarantee."
