"""Directories of searches whose trials are written, not trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nncli.base.atomic_files import write_text
from nncli.config.loading import load
from nncli.config.schema.tune import TuneSection
from nncli.nn.losses import MSELoss
from nncli.run_directory.filenames import METRICS
from nncli.tuning.gain import Gain, compute_importance
from nncli.tuning.search_data import Objective
from nncli.tuning.space.build_space import build_space
from nncli.tuning.summary import SearchResult
from nncli.tuning.trials import (
    BEST,
    TRIALS,
    Trial,
    config_text,
    create_directory,
    new_record,
    save_trial,
    write_trials_table,
)
from tests.tuning.finished_searches import NUMBERS

RATE = "layers[1].1.rate"
"""The parameter that the second choice of layers has."""
RMSE = Objective("rmse", MSELoss())
GAIN = Gain(
    trial=2, apparent=0.5, trials=19, rows=200, loss="squared error", estimate=0.4, low=0.1, high=0.7, p=0.00001
)


def made_trials(n: int = 20) -> list[Trial]:
    """Trial 0, and others whose score depends on the learning rate; some are pruned, and the last one failed."""
    rng = np.random.default_rng(0)
    trials = [Trial(number=0, values={}, state="complete", score=2.0, folds=(2.0, 2.1, 1.9), seconds=3.0)]
    for number in range(1, n):
        rate, layers = 10.0 ** rng.uniform(-5, 0), int(rng.integers(0, 2))
        score = 1.0 + abs(np.log10(rate) + 2) + 0.1 * rng.random() + (0.0 if number > 2 else -0.5)
        values: dict[str, int | float] = {"learning_rate": rate, "layers": layers}
        if layers == 1:
            values[RATE] = float(rng.uniform(0, 0.5))
        trials.append(Trial(number=number, values=values, state="complete", score=score, folds=(score,) * 3, seconds=3))
    for number in range(4, n, 5):
        score = trials[number].score
        pruned = {"state": "pruned", "estimated_score": score, "folds": (score,), "seconds": 1.0}
        trials[number] = trials[number].model_copy(update=pruned)
    failed = {"state": "failed", "score": None, "folds": (), "message": "the training <b>diverged</b>"}
    return [*trials[:-1], trials[-1].model_copy(update=failed)]


def made_search(
    folder: Path, trials: Sequence[Trial], *, ended: bool = True, gain: Gain | None = GAIN, timed_out: bool = False
) -> Path:
    """Write the directory of a search with these trials; if it has `ended`, with its result."""
    (folder / "search.yaml").write_text(NUMBERS)
    loaded = load(folder / "search.yaml")
    section = loaded.tune or TuneSection()
    path = create_directory(folder / "search", loaded.config, section, new_record(loaded.config, section, "0" * 64))
    (path / TRIALS).mkdir()
    space = build_space(loaded, section)
    for trial in trials:
        save_trial(path, trial)
    write_trials_table(path, trials, space, RMSE)
    complete = [trial for trial in trials if trial.state == "complete"]
    best = min(complete, key=lambda trial: trial.score or 0.0)
    write_text(path / BEST, config_text(space.rounded_config(best.values), None, "The best."))
    if ended:
        states = [trial.state for trial in trials]
        result = SearchResult(
            metric="rmse",
            higher_is_better=False,
            trials=len(trials),
            complete=states.count("complete"),
            pruned=states.count("pruned"),
            failed=states.count("failed"),
            first_score=trials[0].score or 0.0,
            best_trial=best.number,
            best_score=best.score or 0.0,
            gain=gain,
            importance=compute_importance(trials, space, RMSE),
            timed_out=timed_out,
        )
        write_text(path / METRICS, result.model_dump_json(indent=1))
    return path
