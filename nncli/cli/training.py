"""`nncli train`, `distill`, `cross-validate`, `tune` and `reproduce` on the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nncli.api.options import CrossValidateOptions, DistillOptions, ReproduceOptions, TrainOptions, TuneOptions
from nncli.base.atomic_files import check_overwrite
from nncli.base.option import OUTPUT, Option, Options
from nncli.base.text import escape_unprintable
from nncli.cli.console import (
    StoppedError,
    answer_stop_request,
    asked_to_stop,
    check_standard_output,
    format_number,
    interrupt_at_once,
)
from nncli.cli.findings import FindingPrinter
from nncli.cli.progress.status import Work
from nncli.cli.shared_arguments import (
    ConfigOrTable,
    EventOptions,
    ResultOptions,
    RunDirectory,
    announce_config,
    requires_extra,
)
from nncli.cli.tables import prose, table

if TYPE_CHECKING:
    from nncli.analysis.reproduction.checks import ProvenanceCheck
    from nncli.analysis.reproduction.comparison import FileDifference
    from nncli.analysis.reproduction.reproduction import Reproduction
    from nncli.fitting.ensemble.cross_validation import CrossValidation


@dataclass(frozen=True, kw_only=True)
class ReportOptions(Options):
    """What is written into the run besides."""

    report: Annotated[bool, Option("Also write report.html into the run directory, see `nncli report`.", OUTPUT)] = (
        False
    )


def train(
    *,
    config: ConfigOrTable = None,
    options: TrainOptions,
    besides: ReportOptions,
    display: EventOptions,
) -> None:
    """For a table and a target, the configuration is that of `nncli init`; it is saved as config.yaml in the run. It
    drops columns with a different value in every row, and reads a column with too many invalid cells as categories. A
    configuration that you wrote uses all columns that it does not drop, and such a column is an error.

    Ctrl-C (or SIGTERM) stops after the current batch and saves the run; a second one stops at once. --resume continues,
    also after a crash, to the same result as without the interruption.

    \b
    nncli train data/penguins.csv --target species
    nncli train data/penguins.csv --target species --quality fast --report
    nncli train data/penguins.csv --target species --time-limit 60s
    nncli train configs/penguins.yaml
    nncli train config.yaml --set layers=[128,64] --set learning_rate=0.01 -o runs/wide
    nncli train --resume runs/penguins
    nncli train --resume runs/penguins --set epochs=200
    nncli train config.yaml --set members=8
    nncli train config.yaml --track tensorboard
    nncli train config.yaml --json | jq -r 'select(.event == "finished") | .run'
    """
    # Imported deep within the call stack, Polars takes longer: the stack grows and shrinks at thousands of calls.
    import polars  # noqa: F401

    from nncli.api.train import train_events_with
    from nncli.api.training_input import copied_table
    from nncli.cli.printer import TrainingPrinter

    options.check_input(config)
    interrupt_at_once()
    if besides.report:  # fail before the training rather than after it
        with requires_extra("report"):
            import nncli.api.report  # noqa: F401
    announce_config(config, display)
    advice = "; --time-limit to change that"
    printer = TrainingPrinter(display, as_json=display.as_json, advice=advice)
    options = replace(options, stop=printer.asked_to_stop, on_draft=printer.show_draft)
    with copied_table(config, options, options.output):
        finished = printer.run(train_events_with(config, options=options, command=sys.argv))
        if besides.report:
            from nncli.api.report import report

            display.say(f"report: {report(finished.run).html}")
    printer.show_next(finished, has_report=besides.report)


def distill(
    *,
    run: RunDirectory,
    options: DistillOptions,
    display: EventOptions,
) -> None:
    """The path of the new run directory is printed. It learns the run's predictions of the training rows and of
    synthetic rows: training rows with some cells swapped. The network predicts many times as fast as an ensemble, and
    nearly as well. The result is a run like any other.

    The scores are those of rows that neither the network nor its teachers were trained on.

    \b
    nncli distill runs/penguins
    nncli distill runs/penguins --units 32 -o runs/small
    nncli predict runs/penguins-student data/penguins-test.csv
    """
    # Imported deep within the call stack, Polars takes longer, see `train`.
    import polars  # noqa: F401

    from nncli.api.distill import distill_events_with
    from nncli.cli.printer import TrainingPrinter

    interrupt_at_once()
    printer = TrainingPrinter(display, as_json=display.as_json)
    finished = printer.run(distill_events_with(run, replace(options, stop=printer.asked_to_stop), sys.argv))
    printer.show_next(finished)


@dataclass(frozen=True, kw_only=True)
class PredictionsFile(Options):
    """The file of the out-of-fold predictions."""

    predictions: Annotated[Path | None, Option("Write the out-of-fold predictions.", OUTPUT, metavar="FILE")] = None


def cross_validate(
    *,
    config: ConfigOrTable = None,
    options: CrossValidateOptions,
    file: PredictionsFile,
    display: ResultOptions,
) -> None:
    """Folds are stratified by class and keep the groups of data.group together; with data.time they are blocks of time.
    Trainings run in parallel, see the key `workers`. Ctrl-C saves and stops all of them; --resume continues.

    \b
    nncli cross-validate data/penguins.csv --target species --quality fast
    nncli cross-validate configs/penguins.yaml
    nncli cross-validate config.yaml --folds 10 --repeats 3 --json | jq .folds
    nncli cross-validate config.yaml --predictions out-of-fold.csv
    nncli cross-validate --resume runs/config-cv
    """
    import polars  # noqa: F401 - before interrupt_at_once, which replaces its signal handler

    from nncli.api.cross_validate import CrossValidated, cross_validation_events_with
    from nncli.cli.printer import Printer
    from nncli.data.formats.registry import FileOptions
    from nncli.data.formats.writers import write_table
    from nncli.data.sources.output import check_input_kept

    check_standard_output()
    options.check_input(config)
    if file.predictions is not None:
        check_overwrite(file.predictions, force=options.force)
        if config is not None:
            check_input_kept(options.source(config), file.predictions, option="predictions")
    interrupt_at_once()
    announce_config(config, display)
    printer = Printer(display, "cross-validate")
    options = replace(options, stop=printer.asked_to_stop, on_draft=printer.show_draft)
    outcome = printer.follow(cross_validation_events_with(config, options=options, command=sys.argv), CrossValidated)
    assert outcome is not None, "a cross-validation ends with CrossValidated or an error"
    result = outcome.result
    if result is None:
        raise printer.stopped("stopped; all trainings are saved", outcome.path)
    if file.predictions is not None:
        write_table(result.predictions, file.predictions, FileOptions(force=options.force))
    display.show(result.json, lambda: _fold_scores(result))
    display.say(f"the runs of the folds are in {outcome.path}")
    printer.findings.show(result.findings)


def _fold_scores(result: CrossValidation) -> str:
    """A table with a line for each metric: statistics over the folds, and the out-of-fold score."""
    from nncli.models.scores import headlines, title_of

    folds = [dict(headlines(fold.scores)) for fold in result.folds]
    lines = [["metric", "mean", "std", "lowest", "highest", "out-of-fold"]]
    for name, out_of_fold in headlines(result.out_of_fold):
        scores = [score for fold in folds if (score := fold[name]) is not None]  # no mape with targets of 0
        ends = min(scores, default=None), max(scores, default=None)
        values = (result.means[name], result.standard_deviations[name], *ends, out_of_fold)
        lines.append([escape_unprintable(title_of(name, result.out_of_fold)), *map(format_number, values)])
    of_targets = [f"{escape_unprintable(name)}\n{_fold_scores(scores)}" for name, scores in result.targets.items()]
    return "\n\n".join([table(lines), *of_targets])


@dataclass(frozen=True, kw_only=True)
class AfterSearchOptions(Options):
    """What follows a search."""

    train: Annotated[
        bool,
        Option(
            "Also train the best configuration, with all its networks: into runs/NAME, with -o DIR into DIR-best.",
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


def tune(
    *,
    config: ConfigOrTable = None,
    options: TuneOptions,
    after: AfterSearchOptions,
    display: EventOptions,
) -> None:
    """The best configuration is written as best.yaml. Each trial is scored by cross-validation on the same folds, with
    one network for each, even if the configuration is an ensemble. Trial 0 is the configuration itself. The result does
    not depend on the number of workers. Without --search and the section `tune`, a search space for the preset is used.

    Ctrl-C (or SIGTERM) saves all trainings and stops; a second one stops at once. --resume continues.

    \b
    nncli tune data/penguins.csv --target species --quality fast --trials 20
    nncli tune config.yaml
    nncli tune config.yaml --search learning_rate.peak=1e-3..0.3:log --search batch_size=64,128
    nncli tune plain.yaml --search learning_rate=1e-4..1e-1:log --search layers.0.units=16..256:log
    nncli tune config.yaml --time-limit 30m --workers 4 --train
    nncli tune --resume runs/config-tune --trials 60 --ensemble 10
    nncli tune config.yaml --json | jq -r 'select(.event == "trial") | .score'
    """
    import polars  # noqa: F401 - before interrupt_at_once, which replaces its signal handler

    from nncli.api.train import train_events_with
    from nncli.api.training_input import copied_table
    from nncli.api.tune import select_ensemble, tune_events_with
    from nncli.cli.printer import TrainingPrinter
    from nncli.cli.tune_printer import SearchPrinter, next_commands

    check_standard_output()
    options.check_input(config)
    interrupt_at_once()
    announce_config(config, display)
    printer = SearchPrinter(display, as_json=display.as_json)
    options = replace(options, stop=printer.asked_to_stop, on_draft=printer.show_draft)
    with copied_table(config, options, options.output):
        ensemble: Path | None = None
        result = printer.run(tune_events_with(config, options=options))
        if after.ensemble is not None:
            selected = select_ensemble(result.path, rounds=after.ensemble, command=sys.argv)
            printer.show_ensemble(selected)
            ensemble = selected.path
        if after.train:  # as `nncli train` does
            best, run = str(result.best_config), result.trained_run
            training = TrainingPrinter(display, as_json=display.as_json)
            chosen = TrainOptions(
                set=[f"output={json.dumps(str(run))}"], stop=training.asked_to_stop, track=options.track
            )
            command = ["nncli", "train", best, "-o", str(run)]
            training.show_next(training.run(train_events_with(best, options=chosen, command=command)))
    if not display.as_json:
        display.next(*next_commands(result, ensemble, is_trained=after.train))


SHORT = 12
"""Digits of a checksum that are printed."""


def reproduce(
    *,
    run: RunDirectory,
    options: ReproduceOptions,
    display: ResultOptions,
) -> None:
    """The table, the versions, the machine, the configuration and the files of the run are compared with what it
    records. It is then trained again in a temporary folder; weights, history, metrics and predictions are compared. The
    run is not changed.

    Exit code 0: identical to the bit. 6: the same within a tolerance. 1: it differs, or its files were changed.

    \b
    nncli reproduce runs/penguins
    nncli reproduce runs/penguins --quick 3
    nncli reproduce runs/penguins --data data/penguins-train.csv
    nncli reproduce runs/penguins --json | jq -r .sentence
    """
    # Imported deep within the call stack, Polars takes longer, see `train`.
    import polars  # noqa: F401

    from nncli.analysis.reproduction.reproduction import Reproduction
    from nncli.api.reproduce import reproduction_events_with
    from nncli.cli.printer import Printer
    from nncli.cli.progress.status import Live, Plain

    class ReproductionPrinter(Printer):
        """Prints the progress of a training, and of what is resumed for further epochs, without findings."""

        def begin(self, event: Any, run: Path, work: Work, stack: ExitStack) -> None:
            """Begin to show the progress instead of that of an earlier training."""
            self.findings = FindingPrinter(display.quiet, event.findings)
            self.show_estimate(event.estimate)
            if isinstance(self.progress, Plain | Live):
                self.progress.close()
            self.progress = self.progress_of(work, stack)

    printer = ReproductionPrinter(display, "", advice="; --quick 3 compares the first three epochs")
    answer = () if display.quiet else (answer_stop_request,)
    with asked_to_stop("", *answer) as printer.stop_request:
        events = reproduction_events_with(run, replace(options, stop=printer.asked_to_stop))
        result = printer.follow(events, Reproduction)
    if result is None:
        message = "stopped; nothing was compared, and the run is as it was"
        raise StoppedError(message, number=printer.stop_request.number or 2)
    display.show(result.json, lambda: _text(result))
    raise typer.Exit(result.exit_code)


def _text(result: Reproduction) -> str:
    """The checks, the comparisons and the verdict."""
    checks = [["check", "recorded", "now"], *map(_check, _shown(result.checks))]
    compared = [["compared", "difference"], *_comparisons(result.comparisons)]
    blocks = (table(checks), table(compared), prose(result.sentence))
    return escape_unprintable("\n\n".join(blocks))


def _shown(checks: tuple[ProvenanceCheck, ...]) -> list[ProvenanceCheck]:
    """The checks without the files that are as they were."""
    return [check for check in checks if check.kind != "file" or check.differs]


def _check(check: ProvenanceCheck) -> list[str]:
    """A line of the table of checks; checksums are shortened."""
    is_digest = check.kind in ("table", "configuration", "file")
    recorded, now = (
        "none" if value is None else value[:SHORT] if is_digest else value for value in (check.recorded, check.now)
    )
    if check.recorded is None:
        return [check.name, "not recorded", now]
    return [check.name, recorded, now if check.differs else "the same"]


def _comparisons(comparisons: Sequence[FileDifference]) -> list[list[str]]:
    """The lines of the table of comparisons; a file that is the same for all members has one line."""
    by_name: dict[tuple[str, bool], list[FileDifference]] = {}
    for comparison in comparisons:
        path = Path(comparison.file)
        by_name.setdefault((path.name, len(path.parts) > 1), []).append(comparison)
    lines = []
    for (name, _), group in by_name.items():
        same = [comparison for comparison in group if comparison.is_identical]
        if len(same) > 1:
            lines.append([f"{name} of {len(same):,} networks", "none"])
        lines += [_comparison(comparison) for comparison in group if comparison not in same or len(same) == 1]
    return lines


def _comparison(comparison: FileDifference) -> list[str]:
    """A line of the table of comparisons."""
    from nncli.fitting.checks.column import count

    epochs = "" if comparison.epochs is None else f" of {count(comparison.epochs, 'epoch', 'epochs')}"
    name = f"{comparison.file}{epochs}"
    if comparison.is_identical:
        return [name, "none"]
    since = "" if comparison.first_epoch is None else f"from epoch {comparison.first_epoch:,} on, "
    if comparison.is_changed:
        return [name, "none from the recorded file, but the file was changed or removed since"]
    size = "not comparable" if comparison.difference == float("inf") else f"up to {comparison.difference:.1e}"
    return [name, f"{since}{size}{f' ({comparison.where})' if comparison.where else ''}"]
