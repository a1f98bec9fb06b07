"""The result of a search that has ended, kept in metrics.json of its directory.

It holds nothing that depends on the machine or on time, unless the search has a time limit. Durations are in the
records of the trials.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from nncli.base.errors import Location, RunError
from nncli.base.spec import NonNegativeInt, Spec
from nncli.runs.filenames import METRICS
from nncli.runs.loader import LARGEST_TEXT, read_file
from nncli.tuning.result.gain import Gain
from nncli.tuning.result.importance import ParameterImportance


class SearchResult(Spec):
    """The best of so many `trials`, trial 0 included, what it gained over it, and which parameters matter.

    `gain` is None if a trial's predictions cannot be read, for the reason in `message`; `importance` is None for fewer
    than ten trials with a score. `baseline_score` is of a prediction that is the same for every row.
    A search that `timed_out` may end otherwise on another machine.
    """

    format: Literal[1] = 1
    metric: str
    higher_is_better: bool
    trials: NonNegativeInt
    complete: NonNegativeInt
    pruned: NonNegativeInt
    failed: NonNegativeInt
    first_score: float
    best_trial: NonNegativeInt
    best_score: float
    gain: Gain | None
    baseline_score: float | None = None
    importance: tuple[ParameterImportance, ...] | None
    timed_out: bool = False
    exhausted: bool = False
    message: str | None = None

    @property
    def is_worse_than_baseline(self) -> bool:
        """Whether the best trial is no better than a prediction that is the same for every row."""
        return is_no_better(self.best_score, self.baseline_score, higher_is_better=self.higher_is_better)


def is_no_better(score: float | None, baseline: float | None, *, higher_is_better: bool) -> bool:
    """Whether a score is no better than that of the baseline; no if one is not known."""
    if score is None or baseline is None:
        return False
    return score <= baseline if higher_is_better else score >= baseline


def load_result(path: Path) -> SearchResult | None:
    """The result of the search in the directory `path`; None if it has not ended.

    Raises:
        RunError: the file is damaged.
    """
    if not (path / METRICS).exists():
        return None
    try:
        return SearchResult.model_validate_json(read_file(path, METRICS, LARGEST_TEXT))
    except (ValidationError, ValueError) as error:
        raise RunError(
            "the file is damaged, or was written by a newer nncli",
            location=Location(source=str(path / METRICS)),
            hint="`nncli tune --resume` writes it again.",
        ) from error
