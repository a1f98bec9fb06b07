"""`nncli threshold` on the command line."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

from nncli.api.options import ThresholdOptions
from nncli.base.errors import UsageError, in_terminal
from nncli.base.option import OUTPUT, Option, Options
from nncli.base.text import escape_unprintable, format_percent
from nncli.cli.console import format_number, interrupt_at_once, interval_text, rows
from nncli.cli.shared_arguments import ResultOptions, RunDirectory
from nncli.cli.tables import BAR_CELLS, bar, one_line_table, prose, table

if TYPE_CHECKING:
    from nncli.analysis.evaluation.threshold_analysis import ThresholdAnalysis

MAX_CLASSES = 40
"""Largest number of classes whose predictions are counted."""
TITLES = {"cost": "cost per row", "positive_rate": "share predicted positive"}


@dataclass(frozen=True, kw_only=True)
class ClearOptions(Options):
    """Whether the saved decision is removed."""

    clear: Annotated[bool, Option("Remove the saved decision: classes are predicted as without it.", OUTPUT)] = False


def threshold(
    *,
    run: RunDirectory,
    options: ThresholdOptions,
    clearing: ClearOptions,
    display: ResultOptions,
) -> None:
    """The rows are those that the networks were not trained on. Without a goal, precision and recall are listed by
    threshold. With one, the figures are those that are expected on new rows, with 95 % intervals: the threshold is
    chosen again in each of 1,000 bootstrap resamples, so that they are not optimistic.

    \b
    nncli threshold runs/fraud
    nncli threshold runs/fraud --cost fp=1,fn=20 --save
    nncli threshold runs/fraud --recall 0.9 --positive yes
    nncli threshold runs/penguins --costs costs.csv --save
    nncli threshold runs/grades --kappa --save
    """
    from nncli.api.threshold import clear_threshold, threshold_with

    interrupt_at_once()
    if clearing.clear:
        if options != ThresholdOptions() or display.as_json:
            raise UsageError("--clear removes a decision and chooses none", hint="Use it without other options.")
        removed = clear_threshold(run)
        display.say("note: the run has no saved decision" if removed is None else f"removed from {run}: {removed.text}")
        return
    analysis = threshold_with(run, options)
    display.show(analysis.json, lambda: "\n\n".join(_parts(analysis)))
    display.say(*_messages(analysis, options))


def _parts(analysis: ThresholdAnalysis) -> Iterator[str]:
    """The sections of the output: rows, what the decision achieves, and the figures by threshold."""
    kind = f"{analysis.held_out_kind} {rows(analysis.rows).split()[-1]}"
    about = f"{analysis.rows:,} {kind}"
    if analysis.total > analysis.rows:
        about += f", a sample of {analysis.total:,}"
    if analysis.groups is not None:
        about += f" in {analysis.groups:,} groups"
    if analysis.weighted:
        about += ", weighted"
    if analysis.positive is not None:
        about += f"; positive class: {analysis.positive}"
    yield prose(escape_unprintable(about))
    if analysis.decision is not None:
        yield _achieved(analysis)
    if analysis.by_label:
        yield _labels(analysis)
    elif analysis.curve:
        yield _curve(analysis)
    elif analysis.classes:
        yield _classes(analysis)


def _achieved(analysis: ThresholdAnalysis) -> str:
    """The figures of the decision on new rows beside those of the class that is predicted without it."""
    assert analysis.decision is not None
    beside = "at 0.5" if analysis.by_label else analysis.usual
    lines = [["on new rows", "decision", "95 % CI", beside, "95 % CI"]]
    for chosen, other in zip(analysis.achieved, analysis.most_probable, strict=True):
        title = TITLES.get(chosen.name, chosen.name)
        lines.append(
            [
                title,
                format_number(chosen.value),
                interval_text(chosen.interval),
                format_number(other.value),
                interval_text(other.interval),
            ]
        )
    text = f"{prose(escape_unprintable(f'decision: {analysis.decision.text}'))}\n{table(lines)}"
    if (constant := analysis.constant) is None:
        return text
    effect = "costs no less"
    if constant.saving is not None and constant.saving > 0.0:
        effect = f"saves {format_percent(constant.saving)}"
    best = f"the best constant prediction, always {constant.label}, costs {format_number(constant.cost)} per row"
    return f"{text}\n{prose(escape_unprintable(f'{best}; the decision {effect}'))}"


def _labels(analysis: ThresholdAnalysis) -> str:
    """The threshold of each label with its figures, and F1 at 0.5; of many labels, those of the lowest F1."""
    shown = sorted(analysis.by_label, key=lambda label: label.f1)[:MAX_CLASSES]
    names = {label.label for label in shown}
    lines = [["label", "rows", "threshold", "predicted", "precision", "recall", "f1", "f1 at 0.5"]]
    for label in (label for label in analysis.by_label if label.label in names):
        figures = (label.precision, label.recall, label.f1, label.f1_before)
        counts = f"{label.rows:,.6g}", repr(label.threshold), f"{label.predicted:,.6g}"
        lines.append([escape_unprintable(label.label, keep=""), *counts, *map(format_number, figures)])
    more = f"; the {MAX_CLASSES} of {len(analysis.labels):,} labels with the lowest f1"
    title = "on the rows themselves: a label is predicted where its probability is at least its threshold"
    return f"{prose(title + more * (len(analysis.labels) > MAX_CLASSES))}\n{one_line_table(lines)}"


def _curve(analysis: ThresholdAnalysis) -> str:
    """The figures by threshold, with a bar of the cost or the F1, and those of the most probable class."""
    apparent = {figure.name: figure.apparent for figure in analysis.most_probable}
    marked = [("chosen", analysis.chosen), ("fp/(fp+fn)", analysis.calibrated)]
    points = [(mark, point) for mark, point in marked if point is not None]
    listed = {point.threshold for _, point in points}
    points += [("", point) for point in analysis.curve if point.threshold not in listed]
    points.sort(key=lambda pair: pair[1].threshold)
    has_cost = "cost" in apparent
    names = ["positive_rate", "precision", "recall", "f1", "specificity", *(["cost"] if has_cost else [])]
    drawn = "cost" if has_cost else "f1"
    lines = [["threshold", *names, drawn]]
    values = [(_named(point.threshold, mark), asdict(point)) for mark, point in points]
    values.append(("most probable", apparent))
    largest = max(figures[drawn] for _, figures in values) or 1.0
    for name, figures in values:
        length = bar(figures[drawn] / largest)
        lines.append([name, *(format_number(figures[column]) for column in names), f"{length:<{BAR_CELLS}}"])
    title = "on the rows themselves, by threshold: a row is positive where its probability is at least that"
    return f"{prose(title)}\n{one_line_table(lines, (len(names) + 1, 5, 1))}"


def _named(threshold: float, mark: str) -> str:
    return f"{float(f'{threshold:.6g}') if mark.startswith('fp') else threshold!r} {mark}".rstrip()


def _classes(analysis: ThresholdAnalysis) -> str:
    """How many rows are predicted as each class."""
    lines = [["class", "rows", analysis.usual, "decision"]]
    for decisions in analysis.classes[:MAX_CLASSES]:
        counts = [f"{count:,.6g}" for count in (decisions.rows, decisions.most_probable, decisions.predicted)]
        lines.append([escape_unprintable(decisions.label, keep=""), *counts])
    more = (
        ""
        if len(analysis.classes) <= MAX_CLASSES
        else f", the first {MAX_CLASSES} of {len(analysis.classes):,} classes"
    )
    return f"{prose(f'held-out rows by class, and predicted as it{more}')}\n{one_line_table(lines)}"


def _messages(analysis: ThresholdAnalysis, options: ThresholdOptions) -> Sequence[str]:
    """What was saved, what else the run has saved, and the next command."""
    from nncli.analysis.evaluation.threshold_options import threshold_options
    from nncli.targets.decision import CostMatrix

    run = shlex.quote(str(analysis.run))
    notes = [f"note: {note}" for note in analysis.notes]
    if options.save:
        return [
            *notes,
            f"saved in {analysis.run}: nncli predict and evaluate follow it",
            f"next: nncli predict {run} NEW_TABLE",
        ]
    messages = notes
    if analysis.saved is not None and analysis.saved != analysis.decision:
        messages.append(f"note: the run has a saved decision: {analysis.saved.text}")
    if analysis.costs_less_calibrated:
        assert analysis.calibrated is not None
        assert analysis.calibrated_decision is not None
        at = " ".join(map(in_terminal, threshold_options(analysis.calibrated_decision)))
        cost = f"{analysis.calibrated.cost:.4g} a row"
        messages.append(f"note: fp/(fp+fn), which no row chose, is expected to cost less, {cost}: {at}")
    cheapest = analysis.calibrated_decision if analysis.costs_less_calibrated else analysis.decision
    if cheapest is not None:
        is_matrix = isinstance(cheapest, CostMatrix)
        chosen = (ThresholdOptions.use("costs", str(options.costs)),) if is_matrix else threshold_options(cheapest)
        words = " ".join(map(in_terminal, chosen))
        if analysis.saved != cheapest:
            messages.append(f"next: nncli threshold {run} {words} --save")
    else:
        messages.append(f"next: nncli threshold {run} --f1 --save, or --cost fp=1,fn=10, --recall 0.9, --precision 0.8")
    return messages
