"""`nncli tune`: search for better hyperparameters; see nncli/tuning/trials.py for the directory."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from nncli.api.options import TuneOptions
from nncli.api.training_input import TrainingInput, copied_table, resolve_input
from nncli.base.atomic_files import write_text
from nncli.base.errors import Advice, DataError, Location, UsageError
from nncli.base.findings import Finding, FindingCode, note
from nncli.base.option import operation
from nncli.base.scratch import Scratch, existing_parent
from nncli.config.loading import NOTHING, LoadedConfig
from nncli.config.schema import Config
from nncli.config.schema.training import seconds_of
from nncli.config.schema.tune import MAX_TRIALS, TuneSection
from nncli.fitting.parallel.trainings import removed_if_untrained
from nncli.fitting.prepare.load import table_copies
from nncli.fitting.train.events import TrackingStopped
from nncli.run_directory.filenames import CONFIG
from nncli.run_directory.run import Run
from nncli.tracking.tracker import TrackerChoice, parse_trackers
from nncli.tuning.prepared_search import PreparedSearch, prepare_search, run_search
from nncli.tuning.search import SearchEnded, SearchEvent, SearchStarted
from nncli.tuning.selected_ensemble import ROUNDS, SelectedEnsemble, write_selected_ensemble
from nncli.tuning.space.load_search import load_search
from nncli.tuning.summary import load_result
from nncli.tuning.tracking import track_search_events
from nncli.tuning.trials import (
    TRIALS,
    config_text,
    create_directory,
    folder_of,
    load_trials,
    new_record,
    open_directory,
)
from nncli.tuning.tune_result import TuneResult, ensemble_path, notes_before


@dataclass(frozen=True)
class TuneEnded:
    """The search has ended; `result` is None if it was stopped."""

    path: Path
    result: TuneResult | None


TuneEvent: TypeAlias = SearchEvent | TrackingStopped | TuneEnded


@operation(TuneOptions)
def tune(config: Config | LoadedConfig | str | Path | None = None, *, options: TuneOptions) -> TuneResult | None:
    """Search for better hyperparameters, as the section `tune` of a configuration says, and write the best ones.

    `config` is a `Config`, a path, or `-` for the standard input; or a table, with `target`. `set` is for a
    path only. Trial 0 is the configuration itself. The folds are a number, or `holdout`: the validation rows. With
    `prune`, a trial ends after a fold that shows that it is worse than the best one. The directory is by default the
    configuration's output with `-tune` appended. With `resume` instead of `config`, a search that was stopped or killed
    goes on, perhaps with more trials; the results are the same. Returns None if it was stopped.

    Raises:
        UsageError, ConfigError: the search cannot start, or the number of trials or the time limit is not valid.
        DataError: the table cannot be read, or has changed since the search began.
        RunError: the directory to resume holds no search, was changed, or another process is writing it.
    """
    for event in tune_events_with(config, options=options):
        if isinstance(event, TuneEnded):
            return event.result
    raise AssertionError("a search ends with TuneEnded or an error")


def select_ensemble(
    path: str | Path, *, rounds: int = ROUNDS, output: str | Path | None = None, command: Sequence[str] = ()
) -> SelectedEnsemble:
    """Select an ensemble of the best trials of a search by their held-out predictions, and write it as a run directory.

    Args:
        path: the directory of a search, whose complete trials are selected from.
        rounds: how often a trial is picked, the same one perhaps again; each pick lowers the loss of the mean most.
        output: the run directory; default: runs/NAME-ensemble for a search in runs/NAME-tune.
        command: the command line that is written into the run directory.

    Raises:
        RunError: the directory holds no search, or a trial is damaged.
        UsageError: no trial is complete.
        DataError: the table has changed.
    """
    path = Path(path)
    open_directory(path)
    complete = [trial.number for trial in load_trials(path) if trial.state == "complete"]
    trials = {number: folder_of(path, number) for number in complete}
    result = load_result(path)
    metric = None if result is None else result.metric
    return write_selected_ensemble(trials, Path(output or ensemble_path(path)), rounds, command, metric)


def tune_events_with(
    config: Config | LoadedConfig | str | Path | None = None, *, options: TuneOptions
) -> Generator[TuneEvent, None, None]:
    """As `tune`, event by event: `SearchStarted`, `SearchProgress`, `TrialFinished`, `SearchEnded`, `TuneEnded`.

    There is a `SearchProgress` a few times a second.
    """
    options.check_input(config)
    trackers = parse_trackers(options.track)
    if config is None:
        yield from _resume(Path(options.resume or ""), options, trackers)
        return
    with copied_table(config, options, options.output):
        given: TrainingInput | None = None
        if not isinstance(config, LoadedConfig):
            given = resolve_input(config, options)
            config = given.config
        loaded = load_search(
            config,
            options.set if given is None else given.assignments,
            NOTHING if isinstance(config, Config | LoadedConfig) else os.environ,
            searches=options.search,
            settings=options.settings,
        )
        private = loaded.config.private or options.private
        loaded = replace(loaded, config=loaded.config.model_copy(update={"private": private}))
        yield from _begin(loaded, options, trackers, () if given is None else given.findings)


tune_events = operation(TuneOptions)(tune_events_with)


def _begin(
    loaded: LoadedConfig, options: TuneOptions, trackers: Sequence[TrackerChoice], findings: Sequence[Finding]
) -> Generator[TuneEvent, None, None]:
    wanted = options.new_directory(f"{loaded.config.output or 'runs/model'}-tune")
    parent = existing_parent(wanted)
    with table_copies(loaded.config, parent), Scratch() as scratch:
        prepared = prepare_search(loaded, loaded.tune or TuneSection(), scratch, findings)
        prepared = prepared.with_findings(notes_before(prepared.loaded.config, prepared.section, wanted))
        record = new_record(prepared.loaded.config, prepared.section, prepared.data.sha256)
        path = create_directory(wanted, prepared.loaded.config, prepared.section, record, replaces=options.force)
        with Run(path).locked() as run, removed_if_untrained(path, f"{TRIALS}/*/*", parent):
            yield from _search(prepared, run, options, trackers)


def _resume(path: Path, options: TuneOptions, trackers: Sequence[TrackerChoice]) -> Generator[TuneEvent, None, None]:
    loaded, record = open_directory(path)
    section = loaded.tune or TuneSection()
    changed = _with_limits(section, options.trials, options.time_limit)
    with Run(path).locked() as run, table_copies(loaded.config, existing_parent(path)), Scratch() as scratch:
        prepared = prepare_search(loaded, section, scratch, _already_finished(path, changed))
        if prepared.data.sha256 != record.data_sha256:
            raise DataError(
                "the table has changed since the search began",
                location=Location(source=loaded.config.data.path),
                hint="Restore it, or begin a new search.",
            )
        if changed != section:
            text = config_text(loaded.config, changed, "The configuration of a search by nncli tune.")
            write_text(path / CONFIG, text, in_place=True)
        yield from _search(replace(prepared, section=changed), run, options, trackers)


def _with_limits(section: TuneSection, trials: int | None, time_limit: str | float | None) -> TuneSection:
    """The section with another number of trials or time limit, where they are given.

    Raises:
        UsageError: one of them is not valid.
    """
    if trials is not None and not 1 <= trials <= MAX_TRIALS:
        raise UsageError(f"the number of trials is {trials:,}", hint=f"Choose 1 to {MAX_TRIALS:,}.")
    if time_limit is not None:
        try:
            seconds_of(time_limit)
        except ValueError as error:
            raise UsageError(f"the time limit: {error}", hint="For example 60s, 5m or 1h.") from error
    return section.model_copy(
        update={"trials": trials or section.trials, "time_limit": time_limit or section.time_limit}
    )


def _already_finished(path: Path, section: TuneSection) -> list[Finding]:
    """A note if there is nothing to resume."""
    finished = sum(trial.is_finished for trial in load_trials(path)) - 1
    if finished < section.trials:
        return []
    more = f", no fewer than the {section.trials:,} that it is to have" if finished > section.trials else ""
    message = f"the {finished:,} trials of this search had finished{more}"
    return [
        note(FindingCode.ALREADY_FINISHED, message, hint=Advice("For more: ", TuneOptions.use("trials", 2 * finished)))
    ]


def _search(
    prepared: PreparedSearch, run: Run, options: TuneOptions, trackers: Sequence[TrackerChoice]
) -> Generator[TuneEvent, None, None]:
    """The events of a search, with the path as it was given."""
    started: SearchStarted | None = None
    workers = options.training_call().workers(prepared.loaded.config, options.workers)
    for event in track_search_events(run_search(prepared, run, workers, options.stop), trackers):
        if isinstance(event, SearchStarted):
            event = started = replace(event, path=run.path)
        yield event
        if isinstance(event, SearchEnded):
            assert started is not None, "a search begins with SearchStarted"
            yield TuneEnded(run.path, None if event.stopped else TuneResult.of(started, event))
