"""What a search checks and reads before it writes anything, how it is run, and its result where it ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nncli.base.atomic_files import write_text
from nncli.base.errors import (
    Advice,
    ConfigError,
    ConfigIssue,
    Location,
    RunError,
    UsageError,
    UseOption,
    config_error,
    in_terminal,
)
from nncli.base.findings import Finding
from nncli.base.logs import log_duration
from nncli.base.scratch import Scratch
from nncli.base.text import closest_match, join_quoted, quote
from nncli.base.time_limit import TimeLimit
from nncli.config.loading import LoadedConfig, located
from nncli.config.schema import Config
from nncli.config.schema.training import seconds_of
from nncli.config.schema.tune import TuneSection
from nncli.config.yaml.document import Document, SourceSpan, excerpt
from nncli.data.sources.open import open_reader
from nncli.fitting.ensemble.cross_validation import with_row_checks
from nncli.fitting.ensemble.out_of_fold import EnsembleData, LabeledRows, as_subtask
from nncli.fitting.parallel.control_dir import ControlDirectory
from nncli.fitting.parallel.task_stream import Workers
from nncli.fitting.parallel.trainings import FEWER_WORKERS, TrainingStream
from nncli.fitting.prepare.fit import with_losses
from nncli.models.scores import baseline_predictions
from nncli.run_directory.filenames import CONTROL_FOLDER, METRICS
from nncli.run_directory.run import Run
from nncli.tuning.gain import TrialReader, compute_gain, compute_importance
from nncli.tuning.sampler import Sampler
from nncli.tuning.search import Search, SearchEnded, SearchEvent
from nncli.tuning.search_data import Objective, SearchData
from nncli.tuning.space.build_space import build_space
from nncli.tuning.space.default_space import TableFeatures, with_default_space
from nncli.tuning.space.space import ChoiceDomain, SearchSpace, key_of, with_one_network
from nncli.tuning.summary import SearchResult
from nncli.tuning.trials import Trial


@dataclass(frozen=True)
class PreparedSearch:
    """A search that can start: its configuration, its settings, its space, its table and its sampler."""

    loaded: LoadedConfig
    section: TuneSection
    space: SearchSpace
    data: SearchData
    sampler: Sampler

    def with_findings(self, findings: Sequence[Finding]) -> PreparedSearch:
        """The search with further findings, which precede the others."""
        rows = self.data.table_data
        return replace(self, data=replace(self.data, table_data=replace(rows, findings=(*findings, *rows.findings))))


def prepare_search(
    loaded: LoadedConfig, section: TuneSection, scratch: Scratch, findings: Sequence[Finding]
) -> PreparedSearch:
    """Check the search space and the sampler, and read the table, before anything is written.

    Raises:
        UsageError, ConfigError, DataError: the search cannot start.
    """
    try:
        return _prepared(loaded, section, scratch, findings)
    except ConfigError as error:
        raise ConfigError(*(located(issue, loaded.document) for issue in error.issues)) from error


def _prepared(
    loaded: LoadedConfig, section: TuneSection, scratch: Scratch, findings: Sequence[Finding]
) -> PreparedSearch:
    absolute = as_subtask(loaded.config).model_copy(update={"threads": loaded.config.threads})
    loaded = replace(loaded, config=absolute)
    if section.search:  # its mistakes are found before the table is read
        Sampler(build_space(loaded, section), section.sampler, loaded.config.seed, section.lag)
    config = with_one_network(loaded.config)
    _check(config, section)
    data = EnsembleData.of(_with_all_columns(config, section), scratch)
    config = with_losses(config, data.config.loss or data.loss)
    data = replace(data, config=config)
    data = with_row_checks(data, findings)
    features = TableFeatures.of(config, data.table, type(data.target))
    if not section.search:
        loaded, section = with_default_space(loaded, section, features)
    space = build_space(loaded, section)
    start = space.base_values(features.resolved)
    sampler = Sampler(space, section.sampler, config.seed, section.lag, start)
    check_columns(loaded, space, data.table.header.names)
    objective = Objective.of(section.metric, config, data.target, data.loss)
    sha256 = open_reader(config.data.source).checksum().sha256
    assert sha256 is not None, "a pipe is refused before"
    search = SearchData(data, 1 if section.folds == "holdout" else section.folds, objective, sha256)
    _ = search.fold_rows  # raises an error before any training
    return PreparedSearch(loaded, section, space, search, sampler)


def _with_all_columns(config: Config, section: TuneSection) -> Config:
    """A configuration that reads every column that trials may have as a feature."""
    if not any(key_of(name)[:2] in COLUMN_KEYS for name in section.search):
        return config
    return config.model_copy(update={"data": config.data.model_copy(update={"features": None, "drop": ()})})


def _check(config: Config, section: TuneSection) -> None:
    """Check what the folds of a search exclude.

    Raises:
        UsageError, ConfigError: the configuration does not fit.
    """
    if config.data.leave_out is not None:
        raise UsageError("data.leave_out is what the search sets itself", hint="Remove the key.")
    if config.teacher is not None:
        message = "the teacher was trained on rows of every fold, so that the scores would be too good"
        raise config_error("teacher", message, "Search with the configuration of the teacher, or remove the key.")
    if section.folds == "holdout" and config.validation == 0.0:
        raise config_error("validation", "trials are scored on validation rows, and there are none", "Set tune.folds.")


def run_search(
    prepared: PreparedSearch,
    run: Run,
    workers: Workers,
    stop: Callable[[], bool],
) -> Generator[SearchEvent, None, None]:
    """Run a search, begun or resumed, in its directory.

    Raises:
        UsageError: there is no such cluster.
        NncliError: the configuration itself cannot be trained, a disk is full, a process is lost again and again.
    """
    data, section = prepared.data, prepared.section
    limit = None if section.time_limit is None else TimeLimit(seconds_of(section.time_limit))
    search = Search(run.path.absolute(), prepared.space, section, limit, data, prepared.sampler)
    control = ControlDirectory(run.path.absolute() / CONTROL_FOLDER)
    tasks = section.lag * (1 if section.prune else data.folds)
    fewer = Advice(FEWER_WORKERS, UseOption("workers", "workers", 1))
    with TrainingStream(tasks, control, workers, run.watched(stop), fewer) as stream:
        for event in search.run(stream, data.table_data.findings):
            if isinstance(event, SearchEnded):
                event = replace(event, result=save_result(event, prepared.space, data))
            yield event


COLUMN_KEYS = (("data", "features"), ("data", "drop"))
"""The keys that choose the columns which are features."""


def check_columns(loaded: LoadedConfig, space: SearchSpace, names: Sequence[str]) -> None:
    """Check that the table, whose columns are `names`, has those that the choices of features name.

    Raises:
        ConfigError: it has not; holds an issue for each choice.
    """
    issues = [
        _issue(loaded.document, ".".join(parameter.key), spans[()], missing, names)
        for parameter in space.parameters
        if parameter.key[:2] in COLUMN_KEYS and isinstance(parameter.domain, ChoiceDomain)
        for choice, spans in zip(parameter.domain.choices, parameter.choice_spans, strict=True)
        if (missing := [name for name in _columns(choice) if name not in names])
    ]
    if issues:
        raise ConfigError(*issues)


def _columns(choice: object) -> Iterator[str]:
    """The columns that a choice names; those with a search space of their own are choices too."""
    names = choice if isinstance(choice, list) else [choice]
    yield from (name for name in names if isinstance(name, str))


def _issue(document: Document, key: str, span: SourceSpan, missing: Sequence[str], names: Sequence[str]) -> ConfigIssue:
    line, character = span.key or (None, None)
    close = closest_match(missing[0], names)
    return ConfigIssue(
        f"there {'is no column' if len(missing) == 1 else 'are no columns'} {join_quoted(missing)}",
        Location(span.source, line, character, key),
        f"Did you mean {quote(close)}?" if close else f"The columns are {join_quoted(names)}.",
        excerpt(document.other_lines.get(span.source, document.lines), line, character),
    )


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
    write_text(file, result.model_dump_json(indent=1) + "\n", in_place=True)
    return result


def _result_of(ended: SearchEnded, best: Trial, space: SearchSpace, data: SearchData) -> SearchResult:
    objective, trials = data.objective, [trial for trial in ended.trials if trial.is_finished]
    gain, message = None, None
    try:
        reader = TrialReader(ended.path, data, lambda trial: space.trial_config(trial.values))
        gain = compute_gain(trials, best, reader.rows, reader.read, objective, data.seed)
    except RunError as error:
        message = error.on(in_terminal)
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


def baseline_score(data: SearchData) -> float | None:
    """The metric of a prediction that is the same for every row; None where it is undefined."""
    rows = np.unique(np.concatenate(data.fold_rows))
    training, truth = _training_rows(data), data.truth.take(rows)
    predictions = baseline_predictions(data.table_data.target, training, truth, data.table_data.loss)
    with np.errstate(all="ignore"):
        score = data.objective.score(predictions, truth)
    return score if math.isfinite(score) else None


def _training_rows(data: SearchData) -> LabeledRows:
    """The rows that are not held out; of a cross-validation all, each of which is in some training."""
    if not data.is_holdout:
        return data.truth
    if data.is_file:
        return data.table_data.truth(data.table_data.table)
    return data.truth.take(np.setdiff1d(np.arange(len(data.truth.y)), data.fold_rows[0]))
