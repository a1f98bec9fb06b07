"""`nncli runs`, `show`, `diagnose`, `report`, `share` and `track` on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.api.options import DiagnoseOptions, ShareOptions
from nncli.base.logs import format_duration
from nncli.base.option import OUTPUT, Option, Options
from nncli.base.text import escape_unprintable
from nncli.cli.completion import complete_run
from nncli.cli.console import format_number, interrupt_at_once, print_json, print_path
from nncli.cli.shared_arguments import (
    ForceOptions,
    ResultOptions,
    RunDirectory,
    each_target,
    output_of_target,
    requires_extra,
)
from nncli.cli.tables import hanging, one_line_table, table

if TYPE_CHECKING:
    from nncli.analysis.diagnosis import TrainingDiagnosis
    from nncli.analysis.evaluation.run_summary import CrossValidationSummary
    from nncli.api.show import RunDescription
    from nncli.run_directory.listing import RunInfo
    from nncli.tuning.summary import SearchSummary


HEAD = ["run", "status", "metric", "value", "training rows", "epochs", "started (UTC)", "took"]
DROPPABLE = (7, 5, 4, 6)
"""Columns that are left out on a narrow terminal, the first one first."""


def runs(
    *,
    folder: Annotated[
        Path, typer.Argument(help="The folder of the runs, searched two levels deep.", metavar="FOLDER")
    ] = Path("runs"),
    display: ResultOptions,
) -> None:
    """The newest run is last. The status is done, stopped (by Ctrl-C), failed, running, killed (the process is gone) or
    damaged, that of a trial of a search also pruned. The score is the accuracy for classes (balanced_accuracy if a
    class is rare, the cost_per_row by a saved decision with costs), the rmse for one number, the mean r2 for several
    numbers; for trials the metric of their search.
    Columns that do not fit the terminal are left out; --json has all.

    \b
    nncli runs
    nncli runs experiments --json | jq -r '.runs[] | select(.status == "done") | .path'
    """
    from nncli.run_directory import listing

    interrupt_at_once()
    runs = listing.runs(folder)
    if runs or display.as_json:
        display.show(lambda: {"folder": str(folder), "runs": [run.json() for run in runs]}, lambda: _table(runs))
    display.note(*(f"{run.path}: {run.error}" for run in runs if run.error))
    if not runs:
        display.say(f"no runs in {folder}\nnext: nncli train TABLE --target COLUMN")
    display.next(*_next_of_runs(folder, runs))


def _table(runs: tuple[RunInfo, ...]) -> str:
    """The table of runs."""
    lines = [
        [
            escape_unprintable(str(run.path), keep=""),
            run.status,
            run.metric or "–",
            format_number(run.value),
            "–" if run.rows is None else f"{run.rows:,}",
            "–" if run.epochs is None else f"{run.epochs:,}",
            escape_unprintable((run.started or "–")[:16].replace("T", " "), keep=""),
            "–" if run.seconds is None else format_duration(run.seconds),
        ]
        for run in runs
    ]
    return one_line_table([HEAD, *lines], DROPPABLE)


def _next_of_runs(folder: Path, runs: tuple[RunInfo, ...]) -> list[str]:
    """Suggested commands: resume the newest incomplete run, compare the finished runs, or report the only one.

    For the trials of a search, those that resume or report it.
    """
    finished = [run for run in runs if run.kind in ("network", "ensemble") and run.status in ("done", "stopped")]
    incomplete = [run for run in runs if run.status in ("stopped", "killed")]
    searches = {run.search for run in runs}
    if len(searches) == 1 and (search := searches.pop()) is not None:
        return [f"nncli {'tune --resume' if incomplete else 'report'} {quote(str(search))}"]
    incomplete = [run for run in incomplete if run.search is None]
    lines = []
    if incomplete:
        command = {"cross-validation": "cross-validate", "search": "tune"}.get(incomplete[-1].kind, "train")
        lines.append(f"nncli {command} --resume {quote(str(incomplete[-1].path))}")
    if len(finished) > 1:
        lines.append(f"nncli compare {quote(str(folder))}")
    elif finished:
        lines.append(f"nncli report {quote(str(finished[-1].path))}")
    return lines


MAX_TRIALS = 5
"""Trials of a search that are shown, the best ones."""


def show(
    *,
    run: RunDirectory,
    display: ResultOptions,
) -> None:
    """RUN may also be a cross-validation or a search.

    \b
    nncli show runs/penguins
    nncli show runs/penguins --json | jq .columns
    """
    from nncli.api.show import RunDescription
    from nncli.api.show import describe as describe_run

    interrupt_at_once()
    description = describe_run(run)
    if isinstance(description, RunDescription):
        display.show(description.json, lambda: "\n\n".join(_sections(description)))
        display.next(*description.next_steps)
        return
    from nncli.tuning.summary import SearchSummary

    if isinstance(description, SearchSummary):
        display.show(description.json, lambda: "\n\n".join(_search(description)))
        done = f"nncli report {quote(str(description.path))}", description.train_command
        display.next(*(done if description.is_done else (description.resume_command,)))
    else:
        display.show(description.json, lambda: "\n\n".join(_cross_validation(description)))
        report = f"nncli report {quote(str(description.path))}"
        display.next(report if description.is_done else description.resume)


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    """The facts that are known, one a line, aligned."""
    pairs = [pair for pair in facts if pair[1]]
    width = max(len(name) for name, _ in pairs)
    return "\n".join(hanging(f"{name:<{width}}  ", escape_unprintable(value, keep="")) for name, value in pairs)


def _cross_validation(summary: CrossValidationSummary) -> Iterator[str]:
    """The facts and the scores of a cross-validation."""
    yield _facts(summary.facts())
    if summary.is_done:
        columns = (summary.mean, summary.standard_deviation, summary.out_of_fold)
        lines = [
            [escape_unprintable(name, keep=""), *(format_number(scores.get(name)) for scores in columns)]
            for name in summary.out_of_fold
        ]
        yield table([["", "mean of folds", "std", "out-of-fold"], *lines])


def _search(summary: SearchSummary) -> Iterator[str]:
    """The facts of a search and its best trials."""
    yield _facts(summary.facts())
    if ranked := summary.ranked[:MAX_TRIALS]:
        names = [parameter.name for parameter in summary.space.parameters]
        lines = [
            [str(trial.number), format_number(trial.score), *(summary.labels(trial).get(name, "–") for name in names)]
            for trial in ranked
        ]
        yield escape_unprintable(table([["trial", summary.metric, *names], *lines]))


def _sections(description: RunDescription) -> list[str]:
    """The facts, the layers and the scores."""
    sections = [_facts(description.facts())]
    if description.layers:
        lines = [[layer.name, layer.type, f"{layer.units:,}", f"{layer.parameters:,}"] for layer in description.layers]
        total = ["total", "", "", f"{sum(layer.parameters for layer in description.layers):,}"]
        sections.append(escape_unprintable(table([["layer", "type", "units", "parameters"], *lines, total])))
    warnings = "\n".join(f"{finding.level}: {finding.line}" for finding in description.findings)
    return [*sections, *_recorded_scores(description), *([escape_unprintable(warnings)] if warnings else [])]


def _recorded_scores(description: RunDescription) -> list[str]:
    """A table of the recorded scores beside those of the baseline."""
    from nncli.targets.metrics.registry import has_baseline, with_class

    if not description.scores:
        return []
    sets = list(dict.fromkeys(score.rows for score in description.scores))
    ordered = sorted(description.scores, key=lambda score: score.rows == "training")
    names = list(dict.fromkeys((score.metric, score.target) for score in ordered))
    values = {(score.rows, score.metric, score.target): score for score in description.scores}
    titles = {"training": "training", "validation": description.held_out_kind}
    lines = [["", *(title for name in sets for title in (titles[name], "baseline"))]]
    for metric, target in names:
        title = with_class(metric, description.classes)
        line = [escape_unprintable(title if target is None else f"{title}, {target}", keep="")]
        for name in sets:
            score = values.get((name, metric, target))
            baseline = score.baseline if score is not None and has_baseline(metric) else None
            line += [format_number(None if score is None else score.value), format_number(baseline)]
        lines.append(line)
    return [table(lines)]


def diagnose(*, run: RunDirectory, options: DiagnoseOptions, display: ResultOptions) -> None:
    """The losses, the layers and gradients that the training recorded, and the training rows are looked at. At most
    five findings are printed, the costliest first, each with what may help, mostly a command that trains again. With
    --try it is measured, and kept in RUN for its report.

    \b
    nncli diagnose runs/penguins
    nncli diagnose runs/penguins --try
    nncli diagnose runs/penguins --rates
    nncli diagnose runs/penguins --json | jq .findings
    """
    from nncli.api.diagnose import diagnose_with

    interrupt_at_once()
    diagnosis = diagnose_with(run, options)
    display.note(*diagnosis.notes)
    display.show(diagnosis.json, lambda: escape_unprintable("\n".join(_diagnosis(diagnosis))))


def _diagnosis(diagnosis: TrainingDiagnosis) -> Iterator[str]:
    """The findings by number, and the losses at the rates of a sweep."""
    for i, finding in enumerate(diagnosis.findings, start=1):
        yield hanging(f"{i}. ", finding.message)
        yield from (f"   {line}" for line in finding.hint.splitlines())
    if not diagnosis.findings:
        yield "nothing wrong found"
    if diagnosis.rates:
        lines = [[f"{trial.rate:.3g}", format_number(trial.loss)] for trial in diagnosis.rates]
        yield f"\n{table([['learning rate', 'training loss after some steps'], *lines])}"


@dataclass(frozen=True, kw_only=True)
class ReportFileOptions(ForceOptions):
    """The report."""

    output: Annotated[
        Path | None,
        Option("The HTML file to write. Default: report.html in RUN.", OUTPUT, short="-o", metavar="FILE"),
    ] = None


def report(*, run: RunDirectory, file: ReportFileOptions, display: ResultOptions) -> None:
    """RUN may also be a cross-validation or a search. The HTML file is self-contained. The model card, report.md, is
    written beside it. The training table is read again; if it is missing or has changed, the report says so and leaves
    out what depends on it. An earlier report in RUN is replaced. With --json, the content of the report is printed
    instead of its path.

    \b
    nncli report runs/penguins
    nncli report runs/penguins -o penguins.html
    nncli report runs/penguins --json | jq .scores
    """
    interrupt_at_once()
    with requires_extra("report"):
        from nncli.api.report import report as write
        from nncli.api.report import report_paths
    from nncli.run_directory.run import targets_of

    for target in targets_of(run).values():  # a file that is in the way stops all reports, not those after the first
        report_paths(target.path, output_of_target(file.output, target.path, run), force=file.force)
    for of_target, shown in each_target(run, display):
        files = write(of_target, output_of_target(file.output, of_target, run), force=file.force)
        if shown.as_json:
            shown.show(files.json, str)
        else:
            print_path(files.html)
        display.next(f"open {files.html} in a browser")


@dataclass(frozen=True, kw_only=True)
class ShareFileOptions(ShareOptions):
    """The copy."""

    output: Annotated[
        Path | None,
        Option("The .zip file to write. Default: the run's name, in the working directory.", OUTPUT, short="-o"),
    ] = None


def share(*, run: RunDirectory, file: ShareFileOptions, display: ResultOptions) -> None:
    """The .zip file has a run directory that predicts, is exported and served. It has no rows, no category of fewer
    than ten training rows, no path, and no name of a user or machine. So it cannot be trained further or reproduced,
    and has no intervals, thresholds or drift. Names of columns and the other categories stay. See
    docs/run-directory.md.

    \b
    nncli share runs/penguins -o penguins.zip
    """
    from nncli.api.share import share_with

    interrupt_at_once()
    shared = share_with(run, file.output or Path(f"{run.resolve().name}.zip"), file)
    display.note(*shared.notes)
    if display.as_json:
        print_json(shared.json())
    else:
        print_path(shared.path)


@dataclass(frozen=True, kw_only=True)
class ToOptions(Options):
    """The trackers."""

    to: Annotated[
        Sequence[str],
        Option("tensorboard[=DIR] or mlflow[=URI]. Repeatable.", OUTPUT, metavar="TRACKER", completion="tracker"),
    ] = ()


def track(
    *,
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="Directories of runs, cross-validations or searches.",
            metavar="RUN",
            show_default=False,
            autocompletion=complete_run,
        ),
    ],
    trackers: ToOptions,
    display: ResultOptions,
) -> None:
    """The result is that of `nncli train --track`: the metrics of every epoch, parameters and final scores, with a
    child for every network of an ensemble, fold of a cross-validation and trial of a search. Nothing is written twice.

    Without DIR, TensorBoard's files go to the folder tensorboard beside the run. Without URI, the server is that of
    MLFLOW_TRACKING_URI; the experiment is that of MLFLOW_EXPERIMENT_NAME, or nncli.

    \b
    nncli track runs/penguins --to tensorboard
    nncli track runs/penguins runs/wide --to tensorboard=logs
    nncli track runs/penguins --to mlflow=http://127.0.0.1:5000
    nncli track runs/penguins-cv --to mlflow --json
    """
    from nncli.api.track import track as track_runs

    interrupt_at_once()
    written = track_runs(*runs, to=trackers.to)
    if display.as_json:
        print_json(
            {"tracked": [{"run": str(item.run), "tracker": item.tracker, "name": item.name} for item in written]}
        )
    else:
        display.say(*(f"{item.run} is written to {item.tracker} as {item.name}" for item in written))
