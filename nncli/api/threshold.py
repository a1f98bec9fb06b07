"""`nncli threshold`: choose how the probabilities of a classification run become classes, and save it in the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import singledispatch
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nncli.analysis.evaluation.threshold_analysis import (
    ThresholdAnalysis,
    analyze_costs,
    analyze_labels,
    analyze_ranks,
    analyze_threshold,
)
from nncli.analysis.evaluation.threshold_options import goal_of, with_costs
from nncli.api.options import ThresholdOptions
from nncli.base.errors import Advice, DataError, Location, RunError, UsageError
from nncli.base.logs import log_duration
from nncli.base.option import operation
from nncli.base.text import join_quoted, quote
from nncli.data.columns.parsing import parse_numbers, read_text
from nncli.data.sources.read_table import read_table
from nncli.data.sources.table_source import TableLocation
from nncli.data.table import Table
from nncli.models.held_out_rows import HeldOutRows
from nncli.run_directory.filenames import train_command
from nncli.run_directory.loader import check_not_removed
from nncli.run_directory.manifest import HELD_OUT, Manifest
from nncli.run_directory.run import Run
from nncli.run_directory.saved_decision import read_decision, save_decision
from nncli.targets.decision import CostMatrix, Decision, DecisionRule, EachLabel
from nncli.targets.threshold_goals import AnyGoal, FixedThreshold


def threshold_with(run: str | Path, options: ThresholdOptions) -> ThresholdAnalysis:
    """Choose a decision threshold on the held-out rows of a run, and say what it achieves on new rows.

    At most one goal is given; without one nothing is chosen. A threshold `at` may have costs, too. The figures are
    corrected for the choice by the same rows, see nncli/analysis/evaluation/threshold_analysis.py. Of the thresholds
    with a recall the highest is chosen, of those with a precision the lowest.

    Raises:
        UsageError: the options do not fit each other or the target, or no threshold reaches the goal.
        RunError: the run directory is damaged or keeps no held-out rows, or cannot be changed.
        DataError: the table of costs cannot be used, or the held-out rows have one class only.
    """
    costs, positive, use = options.costs, options.positive, ThresholdOptions.use
    goal = goal_of(options.cost, options.recall, options.precision, options.positive_rate, options.at, f1=options.f1)
    opened = Run.open(Path(run))
    opened.check_one_target()
    if goal is not None and costs is not None and not (isinstance(goal, FixedThreshold) and goal.costs is None):
        raise UsageError("a threshold has one goal, and several are given", hint="Use one of the options.")
    if options.kappa and not (goal is None and costs is None and positive is None):
        raise UsageError(
            "a threshold has one goal, and several are given", hint=Advice("Use ", use("kappa", True), " alone.")
        )
    if options.save and goal is None and costs is None and not options.kappa:
        hint = Advice("Say what to choose by, for example ", use("f1", True), " or ", use("recall", 0.9), ".")
        raise UsageError("there is nothing to save", hint=hint)
    with log_duration(f"reading the held-out rows of {run}"):
        manifest, rows = opened.load_manifest(), opened.load_held_out()
        rows = _require_rows(opened, manifest, rows)
    target = rows.predictions.target
    if not target.labels:
        raise UsageError("the run predicts no classes, so it needs no threshold", location=Location(source=str(run)))
    if options.kappa:
        analysis = analyze_ranks(opened.path, manifest, rows)
    else:
        analysis = _analysis(target.decision_rule, _Choice(opened, manifest, rows, options, goal))
    if options.save:
        cost = [figure.value for figure in analysis.achieved if figure.name == "cost"]
        save_decision(opened, analysis.decision, *cost)
    return replace(analysis, saved=read_decision(opened))


threshold = operation(ThresholdOptions)(threshold_with)


class _Choice(NamedTuple):
    """What is chosen by the held-out rows of a run."""

    run: Run
    manifest: Manifest
    rows: HeldOutRows
    options: ThresholdOptions
    goal: AnyGoal | None


@singledispatch
def _analysis(rule: DecisionRule, choice: _Choice) -> ThresholdAnalysis:
    """The analysis of classes, of which a row has one, by a goal or by costs."""
    run, manifest, rows, options, goal = choice
    costs, positive, use, target = options.costs, options.positive, ThresholdOptions.use, rows.predictions.target
    if isinstance(goal, FixedThreshold) and costs is not None:
        goal = with_costs(goal, read_costs(costs, target.labels), positive)
    elif costs is not None:
        if positive is not None:
            message = Advice(use("positive"), " is for a threshold, and costs are of every class")
            raise UsageError(message, hint="Leave one out.")
        return analyze_costs(run.path, manifest, rows, read_costs(costs, target.labels))
    return analyze_threshold(run, manifest, rows, target, positive, goal)


@_analysis.register
def _(rule: EachLabel, choice: _Choice) -> ThresholdAnalysis:
    """The analysis of labels, of which a row has any number."""
    run, manifest, rows, options, goal = choice
    costs, positive, use = options.costs, options.positive, ThresholdOptions.use
    if positive is not None or costs is not None:
        option = use("costs" if positive is None else "positive")
        what = "classes, of which a row has one" if positive is None else "two classes"
        goals = [part for name in ("f1", "recall", "precision", "cost") for part in (use(name), ", ")]
        hint = Advice("Leave it out: each label has a threshold, chosen by ", *goals[:-1], " or ", use("at"), ".")
        raise UsageError(Advice(option, f" is for {what}, and a row of this run has any number of labels"), hint=hint)
    return analyze_labels(run.path, manifest, rows, rows.predictions.target, goal)


def clear_threshold(run: str | Path) -> Decision | None:
    """Remove the saved decision of a run, whose most probable class is predicted again; return what was removed.

    Raises:
        RunError: the run directory is damaged, or cannot be changed.
    """
    opened = Run.open(Path(run))
    decision = read_decision(opened)
    if decision is not None:
        save_decision(opened, None)
    return decision


def _require_rows(run: Run, manifest: Manifest, rows: HeldOutRows | None) -> HeldOutRows:
    """The held-out rows of a run; a RunError says what to do where there are none."""
    if rows is not None and len(rows):
        return rows
    if not run.load_model().spec.target.labels:
        raise UsageError(
            "the run predicts no classes, so it needs no threshold", location=Location(source=str(run.path))
        )
    check_not_removed(run.path, manifest, HELD_OUT)
    is_old = manifest.validation_rows > 0
    raise RunError(
        "the run keeps no held-out rows, on which a threshold could be chosen"
        + (": it is of an older version" if is_old else ""),
        location=Location(source=str(run.path)),
        hint=f"Train it again: {train_command(run.path)}"
        if is_old
        else "Train again with validation rows, or with members.",
    )


def read_costs(location: TableLocation, labels: Sequence[str]) -> CostMatrix:
    """Read the costs of a target with these classes, in any order. The first column holds the actual classes.

    Raises:
        DataError: a class is missing, unknown or there twice, or a cost is not a number of at least 0; or all are 0.
    """
    table = read_table(location)
    first, *predicted = table.names
    _check_classes(table, predicted, labels, "column")
    if not len(table):
        raise DataError("the table of costs has no rows", location=table.location(), hint=_format_of(labels))
    actual = ["" if cell is None else cell.strip() for cell in read_text(table, first).to_list()]
    _check_classes(table, actual, labels, "row")
    order = [actual.index(label) for label in labels]
    columns = [_costs_of(table, name) for name in labels]
    costs = tuple(tuple(column[i] for column in columns) for i in order)
    if not np.any(costs):
        raise DataError(
            "all costs are 0", location=table.location(), hint="Give the wrong predictions a cost, for example 1."
        )
    return CostMatrix(labels=tuple(labels), costs=costs)


def _costs_of(table: Table, name: str) -> list[float]:
    """The costs of predicting one class, in the order of the rows."""
    cells = table.column(name)
    costs = parse_numbers(cells, table.dialect).to_list()
    for row, cost in enumerate(costs):
        if cost is None or not 0.0 <= cost < float("inf"):
            what = "the cost is missing" if cells[row] is None else f"{quote(cells[row])} is not a number of at least 0"
            raise DataError(
                what,
                location=table.location(row=row, column=name),
                hint="A cost is the loss of one such prediction, such as 0 for a right one and 5 for a wrong one.",
            )
    return [float(cost) for cost in costs]


def _check_classes(table: Table, classes: Sequence[str], labels: Sequence[str], what: str) -> None:
    """Raise a DataError unless the classes found are the labels, each once."""
    unknown = [name for name in classes if name not in labels]
    missing = [label for label in labels if label not in classes]
    twice = [label for label in labels if list(classes).count(label) > 1]
    for names, text in (
        (unknown, f"{join_quoted(unknown)} {'is no class' if len(unknown) == 1 else 'are no classes'} of the target"),
        (twice, f"more than one {what} for {join_quoted(twice)}"),
        (missing, f"no {what} for {join_quoted(missing)}"),
    ):
        if names:
            more = f", and no {what} for {join_quoted(missing)}" if missing and names is not missing else ""
            positions = [i for i, name in enumerate(classes) if name == names[0]]
            row = positions[-1 if names is unknown else 1] if what == "row" and names is not missing else None
            raise DataError(f"{text}{more}", location=table.location(row=row), hint=_format_of(labels))


def _format_of(labels: Sequence[str]) -> str:
    """The format of a table of costs, as advice."""
    header = ",".join(["actual", *labels])
    return f"One row for each actual class, one column for each predicted class; the header is {header}"
