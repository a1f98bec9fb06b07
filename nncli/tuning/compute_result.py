"""The result of a search is computed where it ends, from the predictions of its trials."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nncli.base.atomic_files import write_text
from nncli.base.errors import RunError
from nncli.base.logs import log_duration
from nncli.config.schema import Config
from nncli.fitting.ensemble.out_of_fold import LabeledRows
from nncli.models.scores import baseline_predictions
from nncli.runs.filenames import METRICS
from nncli.tuning.result.gain import Gain, compute_gain, compute_importance
from nncli.tuning.result.summary import SearchResult
from nncli.tuning.search import SearchEnded, SearchEvent
from nncli.tuning.space.space import SearchSpace
from nncli.tuning.trials.finished_trial import TrialReader
from nncli.tuning.trials.search_data import SearchData
from nncli.tuning.trials.trials import Trial


def with_result(
    events: Generator[SearchEvent, None, None], space: SearchSpace, data: SearchData
) -> Generator[SearchEvent, None, None]:
    """The events of a search, the last of which carries its result, also written; none if the search was stopped."""
    for event in events:
        if isinstance(event, SearchEnded):
            event = replace(event, result=save_result(event, space, data))
        yield event


def save_result(ended: SearchEnded, space: SearchSpace, data: SearchData) -> SearchResult | None:
    """Compute the result of a search, and write it into its directory; None if it was stopped.

    What an earlier end of a search that goes on has left is removed.
    """
    file = ended.path / METRICS
    if ended.stopped or ended.best is None:
        file.unlink(missing_ok=True)
        return None
    with log_duration("computing the gain of the search"):
        result = _result_of(ended, ended.best, space, data)
    write_text(file, result.model_dump_json(indent=1) + "\n")
    return result


def _result_of(ended: SearchEnded, best: Trial, space: SearchSpace, data: SearchData) -> SearchResult:
    objective, trials = data.objective, [trial for trial in ended.trials if trial.is_finished]
    gain, message = None, None
    try:
        gain = _gain(ended.path, trials, best, space, data)
    except RunError as error:
        message = str(error)
    states = [trial.state for trial in trials]
    assert trials[0].score is not None, "the search ends if trial 0 fails"
    assert best.score is not None, "the best trial is complete"
    return SearchResult(
        metric=objective.metric,
        higher_is_better=objective.higher_is_better,
        trials=len(trials),
        complete=states.count("complete"),
        pruned=states.count("pruned"),
        failed=states.count("failed"),
        first_score=trials[0].score,
        best_trial=best.number,
        best_score=best.score,
        gain=gain,
        baseline_score=baseline_score(data),
        importance=compute_importance(trials, space, objective),
        timed_out=ended.timed_out,
        exhausted=ended.exhausted,
        message=message,
    )


def _gain(path: Path, trials: Sequence[Trial], best: Trial, space: SearchSpace, data: SearchData) -> Gain:
    def config_of(trial: Trial) -> Config:
        return space.trial_config(trial.values)

    reader = TrialReader(path, data, config_of)
    return compute_gain(trials, best, reader.rows, reader.read, data.objective, data.seed)


def baseline_score(data: SearchData) -> float | None:
    """The metric of a prediction that is the same for every row; None where it is undefined."""
    rows = np.unique(np.concatenate(data.fold_rows))
    training, levels = _training_rows(data), data.table_data.loss.quantile_levels
    predictions = baseline_predictions(data.table_data.target, training.y, training.weights, len(rows), levels)
    with np.errstate(all="ignore"):
        score = data.objective.score(predictions, data.truth.take(rows))
    return score if math.isfinite(score) else None


def _training_rows(data: SearchData) -> LabeledRows:
    """The rows that are not held out; of a cross-validation all, each of which is in some training."""
    if not data.is_holdout:
        return data.truth
    if data.is_file:
        return data.table_data.truth(data.table_data.table)
    return data.truth.take(np.setdiff1d(np.arange(len(data.truth.y)), data.fold_rows[0]))
