"""`nncli tune` on the command line."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from nncli.cli.options import (
    Assignments,
    ConfigOrTable,
    NoColor,
    QualityOfPreset,
    Quiet,
    Scheduler,
    TargetOfTable,
    Track,
    Verbose,
)
from nncli.cli.signals import interrupt_at_once
from nncli.cli.source_options import CellRange, DatabaseTable, Query, Sheet, SourceOptions
from nncli.cli.training_input import copied_table, resolve_input, tracker_words
from nncli.cli.tune_arguments import Action, InputOptions, SearchOptions, check_resume
from nncli.cli.tune_options import (
    EnsemblePicks,
    FoldsOfTrial,
    Lag,
    Metric,
    NewSearch,
    NoPrune,
    ResumedSearch,
    Sampler,
    SearchedKeys,
    SearchEvents,
    Time,
    TrainBest,
    Trials,
    Workers,
)

if TYPE_CHECKING:
    from nncli.api.tune import TuneEvent
    from nncli.cli.tune_printer import SearchPrinter
    from nncli.tuning.tune_result import TuneResult


def tune(
    config: ConfigOrTable = None,
    target: TargetOfTable = None,
    assignments: Assignments = None,
    sheet: Sheet = None,
    cells: CellRange = None,
    table_name: DatabaseTable = None,
    query: Query = None,
    resume: ResumedSearch = None,
    search: SearchedKeys = None,
    trials: Trials = None,
    time: Time = None,
    folds: FoldsOfTrial = None,
    metric: Metric = None,
    sampler: Sampler = None,
    lag: Lag = None,
    no_prune: NoPrune = False,
    quality: QualityOfPreset = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    output: NewSearch = None,
    train: TrainBest = False,
    ensemble: EnsemblePicks = None,
    track: Track = None,
    as_json: SearchEvents = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
) -> None:
    """Each trial is scored by cross-validation on the same folds, with one network for each, even if the configuration
    is an ensemble. Trial 0 is the configuration itself. The result does not depend on the number of workers. Without
    --search and the section `tune`, a search space for the preset is used.

    Ctrl-C (or SIGTERM) saves all trainings and stops; a second one stops at once. --resume continues.

    \b
    nncli tune data/penguins.csv --target species --quality fast --trials 20
    nncli tune config.yaml
    nncli tune config.yaml --search learning_rate.peak=1e-3..0.3:log --search batch_size=64,128
    nncli tune plain.yaml --search learning_rate=1e-4..1e-1:log --search layers.0.units=16..256:log
    nncli tune config.yaml --time 30m --workers 4 --train
    nncli tune --resume runs/config-tune --trials 60 --ensemble 10
    nncli tune config.yaml --json | jq -r 'select(.event == "trial") | .score'
    """
    source = SourceOptions(sheet, cells, table_name, query)
    given = InputOptions(config, tuple(target or ()), tuple(assignments or ()), quality, source)
    settings = SearchOptions(tuple(search or ()), trials, time, folds, metric, sampler and sampler.value, lag, no_prune)
    action = Action(resume, output, workers, scheduler, train, ensemble, tuple(tracker_words(track)))
    _run(given, settings, action, quiet=quiet, as_json=as_json)


def _run(given: InputOptions, settings: SearchOptions, action: Action, *, quiet: bool, as_json: bool) -> None:
    """Search, or resume a search, and train the best configuration if that is asked for."""
    import polars  # noqa: F401 - before interrupt_at_once, which replaces its signal handler

    from nncli.cli.standard_streams import check_standard_output
    from nncli.cli.tune_printer import SearchPrinter

    check_standard_output()
    check_resume(given, settings, action)
    interrupt_at_once()
    printer = SearchPrinter(quiet, as_json=as_json, requested=action.output)
    with copied_table(given.config, given.target, given.source, action.output):
        if given.config is None:
            events = _resume(settings, action, printer)
        else:
            events = _start(given.config, given, settings, action, printer)
        result = printer.run(events)
        if action.ensemble is not None:
            _write_ensemble(result, action.ensemble, printer)
        if action.train:
            _train_best(result, printer, action.track)
        if not (quiet or as_json):
            _print_next(result, action)


def _resume(settings: SearchOptions, action: Action, printer: SearchPrinter) -> Generator[TuneEvent, None, None]:
    from nncli.api.tune import resume_tune_events

    return resume_tune_events(
        str(action.resume),
        trials=settings.trials,
        time=settings.time,
        workers=action.workers,
        scheduler=action.scheduler,
        stop=printer.asked_to_stop,
        track=action.track,
    )


def _start(
    config: str, given: InputOptions, settings: SearchOptions, action: Action, printer: SearchPrinter
) -> Generator[TuneEvent, None, None]:
    import os

    from nncli.api.tune import tune_events
    from nncli.tuning.space.load_search import load_search

    resolved = resolve_input(config, given.target, given.assignments, given.quality, given.source, quiet=printer.quiet)
    printer.findings.show(resolved.findings)
    printer.is_drafted = not isinstance(resolved.config, str)
    loaded = load_search(
        resolved.config,
        resolved.assignments,
        os.environ,
        searches=settings.search,
        settings=settings.values,
    )
    return tune_events(
        loaded,
        output=action.output,
        workers=action.workers,
        scheduler=action.scheduler,
        stop=printer.asked_to_stop,
        findings=resolved.findings,
        track=action.track,
    )


def _write_ensemble(result: TuneResult, rounds: int, printer: SearchPrinter) -> None:
    """Select an ensemble of the best trials, and print its path on stdout."""
    import sys

    from nncli.api.tune import select_ensemble

    printer.show_ensemble(select_ensemble(result.path, rounds=rounds, command=sys.argv))


def _print_next(result: TuneResult, action: Action) -> None:
    """Print the commands that use the result; those for a trained run are printed after its training."""
    from nncli.cli.console import echo_err
    from nncli.cli.tune_result import next_commands

    for line in next_commands(result, has_ensemble=action.ensemble is not None, is_trained=action.train):
        echo_err(f"next: {line}")


def _train_best(result: TuneResult, printer: SearchPrinter, track: Sequence[str]) -> None:
    """Train the best configuration as `nncli train` does."""
    from nncli.api.train import train_events
    from nncli.cli.train import TrainingPrinter, print_next

    best, run = str(result.best_config), result.trained_run
    training = TrainingPrinter(printer.quiet, as_json=printer.as_json, requested=run)
    command = ["nncli", "train", best, "-o", str(run)]
    events = train_events(best, output=run, command=command, stop=training.asked_to_stop, track=track)
    finished = training.run(events)
    if not (printer.quiet or printer.as_json):
        print_next(finished.run, has_report=False)
