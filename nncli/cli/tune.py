"""`nncli tune` on the command line."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from nncli.api.options import (
    AssignmentOptions,
    ClusterOptions,
    NewSearchOptions,
    QualityOptions,
    ResumeTuneOptions,
    SearchedKeysOptions,
    SearchMethodOptions,
    SearchSizeOptions,
    SearchWorkersOptions,
    TrackOptions,
    TuneOptions,
)
from nncli.base.option import INPUT, OUTPUT, Option, Options, declared_options
from nncli.cli.console import interrupt_at_once
from nncli.cli.options import (
    ConfigOrTable,
    DisplayOptions,
    SearchLines,
    SourceOptions,
    TargetOptions,
    TrainingInputOptions,
)
from nncli.cli.train import copied_table, resolve_input, tracker_words

if TYPE_CHECKING:
    from nncli.api.tune import TuneEvent
    from nncli.cli.tune_printer import SearchPrinter
    from nncli.tuning.tune_result import TuneResult


@dataclass(frozen=True, kw_only=True)
class ResumedSearchOptions(Options):
    """The search that is resumed."""

    resume: Annotated[
        str | None,
        Option(
            "Resume a search that was stopped or killed, or go on with more --trials.",
            INPUT,
            metavar="DIR",
            completion="search",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class AfterSearchOptions(Options):
    """What follows a search."""

    train: Annotated[
        bool,
        Option(
            "Also train the best configuration, with all its members: into runs/NAME, with -o DIR into DIR-best.",
            OUTPUT,
        ),
    ] = False
    ensemble: Annotated[
        int | None,
        Option(
            "Also write an ensemble of the networks of the best trials, in N picks, without further training: "
            "runs/NAME-ensemble, with -o DIR DIR-ensemble.",
            OUTPUT,
            metavar="N",
            minimum=1,
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class TuneCommandOptions(
    TuneOptions,
    ResumeTuneOptions,
    TrackOptions,
    AfterSearchOptions,
    NewSearchOptions,
    ClusterOptions,
    SearchWorkersOptions,
    TrainingInputOptions,
    QualityOptions,
    SearchMethodOptions,
    SearchSizeOptions,
    SearchedKeysOptions,
    ResumedSearchOptions,
    SourceOptions,
    AssignmentOptions,
    TargetOptions,
):
    """The options of `nncli tune`, which begins or resumes a search."""


def tune(
    *,
    config: ConfigOrTable = None,
    options: TuneCommandOptions,
    as_json: SearchLines = False,
    display: DisplayOptions,
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
    options = replace(options, track=tracker_words(options.track))
    import polars  # noqa: F401 - before interrupt_at_once, which replaces its signal handler

    from nncli.cli.console import check_standard_output
    from nncli.cli.tune_printer import SearchPrinter

    check_standard_output()
    _check_arguments(config, options)
    interrupt_at_once()
    requested = None if options.output is None else Path(options.output)
    printer = SearchPrinter(display.quiet, as_json=as_json, requested=requested)
    options = replace(options, stop=printer.asked_to_stop)
    with copied_table(config, options, options.output):
        result = printer.run(_events(config, options, printer))
        if options.ensemble is not None:
            _write_ensemble(result, options.ensemble, printer)
        if options.train:
            _train_best(result, printer, options.track)
        if not (display.quiet or as_json):
            _print_next(result, options)


def _check_arguments(config: str | None, options: TuneCommandOptions) -> None:
    """Check that there is either a configuration or a directory to resume, the latter without options that it keeps.

    Raises:
        UsageError: there is neither or both, or an option that only a new search takes.
    """
    from nncli.base.errors import UsageError
    from nncli.base.text import quote

    if options.resume is None:
        if config is None:
            hint = "For a table: nncli tune TABLE --target COLUMN"
            raise UsageError("tune needs a CONFIG, or --resume DIR", hint=hint)
        return
    if config is not None:
        raise UsageError("--resume uses the configuration in DIR", hint=f"Remove {quote(config)}.")
    may_change = {one.field for kind in (ResumeTuneOptions, AfterSearchOptions) for one in declared_options(kind)}
    shown = [one for one in declared_options(TuneCommandOptions) if one.option.panel and one.field != "resume"]
    for one in shown:
        if one.field not in may_change and getattr(options, one.field) != one.default:
            *others, last = [one.flag for one in shown if one.field in may_change]
            raise UsageError(
                f"--resume keeps the settings of the search; what may change are {', '.join(others)} and {last}",
                hint=f"Remove {one.option.short if one.field == 'output' else one.flag}.",
            )


def _events(
    config: str | None, options: TuneCommandOptions, printer: SearchPrinter
) -> Generator[TuneEvent, None, None]:
    """The events of a search that begins or is resumed."""
    import os

    from nncli.api.tune import resume_tune_events_with, searched, tune_events_with

    if config is None:
        return resume_tune_events_with(str(options.resume), options)
    resolved = resolve_input(config, options, quiet=printer.quiet)
    printer.findings.show(resolved.findings)
    printer.is_drafted = not isinstance(resolved.config, str)
    loaded = searched(resolved.config, replace(options, assignments=resolved.assignments), os.environ)
    return tune_events_with(loaded, options, resolved.findings)


def _write_ensemble(result: TuneResult, rounds: int, printer: SearchPrinter) -> None:
    """Select an ensemble of the best trials, and print its path on stdout."""
    import sys

    from nncli.api.tune import select_ensemble

    printer.show_ensemble(select_ensemble(result.path, rounds=rounds, command=sys.argv))


def _print_next(result: TuneResult, options: TuneCommandOptions) -> None:
    """Print the commands that use the result; those for a trained run are printed after its training."""
    from nncli.cli.console import echo_err
    from nncli.cli.tune_printer import next_commands

    for line in next_commands(result, has_ensemble=options.ensemble is not None, is_trained=options.train):
        echo_err(f"next: {line}")


def _train_best(result: TuneResult, printer: SearchPrinter, track: Sequence[str]) -> None:
    """Train the best configuration as `nncli train` does."""
    from nncli.api.options import TrainOptions
    from nncli.api.train import train_events_with
    from nncli.cli.train import TrainingPrinter, print_next

    best, run = str(result.best_config), result.trained_run
    training = TrainingPrinter(printer.quiet, as_json=printer.as_json, requested=run)
    command = ["nncli", "train", best, "-o", str(run)]
    options = TrainOptions(output=run, stop=training.asked_to_stop, track=track)
    finished = training.run(train_events_with(best, options, command))
    if not (printer.quiet or printer.as_json):
        print_next(finished.run, has_report=False)
