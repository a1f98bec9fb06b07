"""The files of a search that change while it runs: the records of trials, trials.csv and best.yaml."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from nncli.base.atomic_files import write_text
from nncli.tuning.space.space import SearchSpace
from nncli.tuning.trials.objective import Objective
from nncli.tuning.trials.record import BEST, config_text
from nncli.tuning.trials.trials import Trial, save_trial, write_trials_table

SECONDS_BETWEEN_TABLES = 2.0
"""Least time between two writes of trials.csv while trials run."""
SHARE_OF_TABLES = 0.01
"""The part of the time that may be spent on writing trials.csv while trials run: it has a row for each trial."""


class SearchFiles:
    """Writes the files of the search in the directory `path`."""

    def __init__(self, path: Path, space: SearchSpace, objective: Objective) -> None:
        self.path, self._space, self._objective = path, space, objective
        self._next_table = 0.0

    def save(self, trial: Trial) -> None:
        """Write the record of a trial."""
        save_trial(self.path, trial)

    def save_best(self, trial: Trial) -> None:
        """Write best.yaml, the configuration of the best trial."""
        config = self._space.rounded_config(trial.values)
        comment = f"The best configuration of a search by nncli tune: trial {trial.number}."
        write_text(self.path / BEST, config_text(config, None, comment))

    def save_table(self, trials: Sequence[Trial], *, is_last: bool = False) -> None:
        """Write trials.csv, unless it was written a moment ago and this is not the last time."""
        start = time.monotonic()
        if start < self._next_table and not is_last:
            return
        write_trials_table(self.path, trials, self._space, self._objective)
        seconds = time.monotonic() - start
        self._next_table = start + max(SECONDS_BETWEEN_TABLES, seconds / SHARE_OF_TABLES)
