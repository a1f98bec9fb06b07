"""`nncli evaluate` on the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.api.options import EvaluateOptions, SourceOptions
from nncli.base.text import escape_unprintable, format_percent
from nncli.cli.console import format_number, interrupt_at_once, rows
from nncli.cli.shared_arguments import ForceOptions, ResultOptions, RunDirectory, input_table, show_targets
from nncli.cli.tables import fits, one_line_table, prose, table

if TYPE_CHECKING:
    from nncli.analysis.evaluation.uncertainty import UncertaintyScores
    from nncli.api.evaluate import Evaluation
    from nncli.targets.metrics.classification import ClassificationScores
    from nncli.targets.metrics.coverage import Coverage

MAX_MATRIX_CLASSES = 12
"""Largest number of classes for which the confusion matrix is printed."""
MAX_PAIRS = 20
"""Largest number of confused pairs of classes that are printed instead."""
MAX_CLASSES = 40
"""Largest number of classes whose scores are printed."""


def evaluate(
    *,
    run: RunDirectory,
    data: Annotated[
        str, typer.Argument(help="A table with the target column, or - for standard input.", metavar="TABLE")
    ],
    place: SourceOptions,
    options: EvaluateOptions,
    file: ForceOptions,
    display: ResultOptions,
) -> None:
    """Notes on stderr say how the table was read and count unseen categories, values out of range and missing cells. A
    warning counts rows of the table that the run was trained on. A cell that cannot be read ends the command with exit
    code 4, unless --on-error is missing or skip; rows whose target cannot be read are then left out.

    With --interval or --prediction-set, prediction intervals or sets are compared with the targets: the share of the
    rows that they cover, their width or size, and which coverage is guaranteed.

    \b
    nncli evaluate runs/penguins labeled.csv
    nncli evaluate runs/penguins labeled.csv --prediction-set 0.9
    nncli evaluate runs/penguins labeled.csv --json | jq .metrics.accuracy
    """
    from nncli.api.evaluate import evaluate_with
    from nncli.api.prediction.to_file import check_errors_file

    interrupt_at_once()
    source = input_table(place, data)
    if options.errors is not None:
        check_errors_file(Path(options.errors), source, None, force=file.force)
    evaluation = evaluate_with(run, source, options)
    notes = partial(_notes, as_json=display.as_json)
    show_targets(display, evaluation, _joined, notes, lambda of_target: of_target.training_rows)


def _notes(evaluation: Evaluation, *, as_json: bool) -> list[str]:
    """What is notable about the rows."""
    from nncli.targets.decision import decision_note

    notes = [*evaluation.notes]
    if as_json and evaluation.decision is not None:  # else it stands beside the scores
        notes.append(decision_note(evaluation.decision))
    if evaluation.skipped:
        notes.append(f"skipped {rows(evaluation.skipped)} without a target")
    if evaluation.anomalies.note:
        notes.append(evaluation.anomalies.note)
    return notes


def _joined(evaluation: Evaluation) -> str:
    return "\n\n".join(_text(evaluation))


def _text(evaluation: Evaluation) -> Iterator[str]:
    """The scores, for classes also of each and their confusion matrix, and of intervals or sets."""
    from nncli.models.scores import class_scores, headlines, title_of
    from nncli.targets.decision import decision_note

    shown = [(title_of(name, evaluation.scores), value) for name, value in headlines(evaluation.scores)]
    if (constant := evaluation.constant) is not None:
        shown.insert(1, (f"cost_per_row of always {constant.label}", constant.cost))
    figures = [[escape_unprintable(name), format_number(value)] for name, value in shown]
    decided = "" if evaluation.decision is None else escape_unprintable(f", {decision_note(evaluation.decision)}")
    yield f"{rows(evaluation.rows)}{decided}\n{table([['metric', 'value'], *figures])}"
    if (scores := class_scores(evaluation.scores)) is not None:
        labels = [escape_unprintable(label) for label in scores.labels]
        yield _by_class(scores, labels)
        yield _confusions(scores, labels)
    if evaluation.uncertainty is not None:
        yield uncertainty_text(evaluation.uncertainty)


def _by_class(scores: ClassificationScores, labels: Sequence[str]) -> str:
    """A table of precision, recall and f1 of each class; of many classes, of those with the lowest f1."""
    shown: Sequence[int] = range(len(labels))
    title = f"by {scores.noun}"
    if len(labels) > MAX_CLASSES:
        shown = sorted(sorted(shown, key=lambda k: scores.by_class[k].f1)[:MAX_CLASSES])
        title = f"by {scores.noun}, the {MAX_CLASSES} of {len(labels):,} with the lowest f1; see --json"
    lines = [
        [
            labels[k],
            *map(format_number, (scores.by_class[k].precision, scores.by_class[k].recall, scores.by_class[k].f1)),
            f"{scores.by_class[k].support:,.0f}",
        ]
        for k in shown
    ]
    return f"{title}\n{one_line_table([[scores.noun, 'precision', 'recall', 'f1', 'rows'], *lines])}"


def _confusions(scores: ClassificationScores, labels: Sequence[str]) -> str:
    """The confusion matrix if it fits the terminal, else the pairs of classes that are confused most often."""
    matrix = scores.confusion_matrix
    if matrix is not None and len(labels) <= MAX_MATRIX_CLASSES:
        counts = [[label, *(f"{n:,.0f}" for n in row)] for label, row in zip(labels, matrix, strict=True)]
        lines = [["", *labels], *counts]
        if fits(lines):
            return f"{prose('confusion matrix: rows are true classes, columns are predicted classes')}\n{table(lines)}"
    pairs = [
        [labels[pair.actual], labels[pair.predicted], f"{pair.rows:,.0f}", format_percent(pair.fraction)]
        for pair in scores.confusions[:MAX_PAIRS]
    ]
    words = scores.confusion_words
    if not pairs:
        return words.none
    more = "more of them" if matrix is None else "the whole matrix"
    title = prose(f"{words.title}; --json has {more}")
    return f"{title}\n{one_line_table([words.columns, *pairs])}"


MAX_PARTS = 40
"""Largest number of groups or classes whose coverage is printed."""


ORDER = {"sets": ("mean_size", "single", "empty")}
"""The figures of scores of a name, where they are printed in another order than that of JSON."""
REMARKS = {
    "bounds": "The coverage is the share of the rows that were observed until the bound. Rows that were censored "
    "before it may have their event after it, so more times may be covered, but at most those without an event before "
    "it."
}
BY = {"by_class": "true class"}


def uncertainty_text(scores: UncertaintyScores) -> str:
    """The coverage and the size of what each level gives, by parts of the rows, and the guarantee."""
    evaluations, first = scores.evaluations, scores.evaluations[0].scores
    several = len({evaluation.target for evaluation in evaluations}) > 1
    names = ORDER.get(first.name, tuple(first.figures))
    titles = [first.figures[name].title for name in names]
    lines, blocks = [["level", "coverage", "95% interval", *titles]], list[str]()
    for evaluation in evaluations:
        of_level = evaluation.scores
        level = _name(of_level.level, evaluation.target if several else None)
        figures = [of_level.figures[name] for name in names]
        shown = [(format_percent if figure.is_share else format_number)(figure.value) for figure in figures]
        lines.append([level, *_shares(of_level.coverage), *shown])
        for by, parts in of_level.parts.items():
            title = f"{level} {of_level.name} by {BY.get(by, by.removeprefix('by_'))}"
            blocks += _parts(title, parts, titles[0])
    blocks += [prose(REMARKS[first.name])] if first.name in REMARKS else []
    sentences = dict.fromkeys(evaluation.guarantee.sentence for evaluation in evaluations)
    blocks += [prose(escape_unprintable(sentence)) for sentence in sentences]
    return "\n\n".join([f"{first.title}\n{table(lines)}", *blocks])


def _parts(title: str, parts: Sequence[Coverage], size: str) -> Iterator[str]:
    """The coverage of parts of the rows; of many, of those with the lowest one."""
    if not parts:
        return
    shown = list(parts)
    if len(parts) > MAX_PARTS:
        shown = sorted(parts, key=lambda part: part.share)[:MAX_PARTS]
        title = f"{title}, the {MAX_PARTS} of {len(parts):,} with the lowest coverage; see --json"
    lines = [
        [escape_unprintable(part.name), f"{part.rows:,}", *_shares(part), format_number(part.size)] for part in shown
    ]
    yield f"{title}\n{one_line_table([['', 'rows', 'coverage', '95% interval', size], *lines])}"


def _shares(part: Coverage) -> list[str]:
    """The coverage and its confidence interval."""
    interval = part.interval
    if interval is None:
        return [format_percent(part.share), "–"]
    return [format_percent(part.share), f"{format_percent(interval.low)} to {format_percent(interval.high)}"]


def _name(level: float, target: str | None = None) -> str:
    name = f"{100 * level:g} %"
    return name if target is None else f"{name}, {escape_unprintable(target)}"
