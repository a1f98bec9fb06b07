"""`nncli threshold` on the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from nncli.base.option import GOAL, OUTPUT
from nncli.cli.options import AsJson, DisplayOptions, RunDirectory

if TYPE_CHECKING:
    from nncli.analysis.evaluation.threshold_analysis import ThresholdAnalysis
    from nncli.analysis.evaluation.threshold_choice import CurvePoint, Figure

MAX_CLASSES = 40
"""Largest number of classes whose predictions are counted."""
TITLES = {"cost": "cost per row", "rate": "share predicted positive"}

Cost: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--cost",
        metavar="fp=1,fn=20",
        help="Lowest cost, of a false positive and of a false negative.",
        rich_help_panel=GOAL,
    ),
]
CostTable: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--costs",
        metavar="FILE",
        help="Lowest expected cost, for any number of classes: a table with a row for each actual and a column for "
        "each predicted class.",
        rich_help_panel=GOAL,
    ),
]
Recall: TypeAlias = Annotated[
    float | None, typer.Option("--recall", metavar="R", help="Recall of at least R.", rich_help_panel=GOAL)
]
Precision: TypeAlias = Annotated[
    float | None, typer.Option("--precision", metavar="P", help="Precision of at least P.", rich_help_panel=GOAL)
]
HighestF1: TypeAlias = Annotated[bool, typer.Option("--f1", help="Highest F1.", rich_help_panel=GOAL)]
Rate: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--rate", metavar="Q", help="Predict at most this share of the rows as positive.", rich_help_panel=GOAL
    ),
]
FixedThreshold: TypeAlias = Annotated[
    float | None,
    typer.Option("--at", metavar="T", help="This threshold; it may have --cost or --costs.", rich_help_panel=GOAL),
]
Positive: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--positive",
        metavar="LABEL",
        help="The positive class. Default: the second of two, see positive_class.",
        rich_help_panel=GOAL,
    ),
]
Save: TypeAlias = Annotated[
    bool,
    typer.Option("--save", help="Save it in the run: predictions and scores follow it.", rich_help_panel=OUTPUT),
]
Clear: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--clear", help="Remove the saved one: the most probable class is predicted again.", rich_help_panel=OUTPUT
    ),
]


def threshold(
    *,
    run: RunDirectory,
    cost: Cost = None,
    costs: CostTable = None,
    recall: Recall = None,
    precision: Precision = None,
    f1: HighestF1 = False,
    rate: Rate = None,
    at: FixedThreshold = None,
    positive: Positive = None,
    save: Save = False,
    clear: Clear = False,
    as_json: AsJson = False,
    display: DisplayOptions,
) -> None:
    """The rows are those that the networks were not trained on. Without a goal, precision and recall are listed by
    threshold. With one, the figures are those that are expected on new rows, with 95 % intervals: the threshold is
    chosen again in each of 1,000 bootstrap resamples, so that they are not too good.

    \b
    nncli threshold runs/fraud
    nncli threshold runs/fraud --cost fp=1,fn=20 --save
    nncli threshold runs/fraud --recall 0.9 --positive yes
    nncli threshold runs/penguins --costs costs.csv --save
    """
    import json

    from nncli.api.threshold import threshold as choose
    from nncli.cli.console import echo_err, interrupt_at_once

    interrupt_at_once()
    if clear:
        given = [cost, costs, recall, precision, rate, at, positive, f1 or None, save or None, as_json or None]
        _clear(run, alone=all(one is None for one in given), quiet=display.quiet)
        return
    found = choose(
        run,
        cost=None if cost is None else _costs(cost),
        costs=costs,
        recall=recall,
        precision=precision,
        f1=f1,
        rate=rate,
        at=at,
        positive=positive,
        save=save,
    )
    if as_json:
        typer.echo(json.dumps(found.json(), ensure_ascii=False).encode("utf-8", "surrogateescape"))
    else:
        typer.echo("\n\n".join(_parts(found)))
    if not display.quiet:
        for message in _messages(found, costs, saved=save):
            echo_err(message)


def _clear(run: Path, *, alone: bool, quiet: bool) -> None:
    """Remove the saved decision."""
    from nncli.api.threshold import clear_threshold
    from nncli.base.errors import UsageError
    from nncli.cli.console import echo_err

    if not alone:
        raise UsageError("--clear removes a decision and chooses none", hint="Use it without other options.")
    removed = clear_threshold(run)
    if not quiet:
        echo_err("note: the run has no saved decision" if removed is None else f"removed from {run}: {removed.text}")


def _costs(text: str) -> tuple[float, float]:
    """The two costs of `fp=1,fn=20`."""
    from nncli.base.errors import UsageError
    from nncli.base.text import quote

    try:
        pairs = [part.split("=") for part in text.split(",")]
        found = {name.strip(): float(value) for name, value in pairs}
        if len(pairs) != 2:
            raise ValueError(text)
        return found["fp"], found["fn"]
    except (ValueError, KeyError):
        raise UsageError(
            f"--cost {quote(text)} is not of the form fp=1,fn=20",
            hint="fp is the cost of a row that is predicted as positive and is not, fn that of one that is missed.",
        ) from None


def _parts(found: ThresholdAnalysis) -> Iterator[str]:
    """The sections of the output: rows, what the decision achieves, and the figures by threshold."""
    from nncli.base.text import escape_unprintable
    from nncli.cli.console import rows
    from nncli.cli.tables import prose

    kind = f"{found.held_out_kind} {rows(found.rows).split()[-1]}"
    about = f"{found.rows:,} {kind}"
    if found.total > found.rows:
        about += f", a sample of {found.total:,}"
    if found.groups is not None:
        about += f" in {found.groups:,} groups"
    if found.weighted:
        about += ", weighted"
    if found.positive is not None:
        about += f"; positive class: {found.positive}"
    yield prose(escape_unprintable(about))
    if found.decision is not None:
        yield _achieved(found)
    if found.curve:
        yield _curve(found)
    elif found.classes:
        yield _classes(found)


def _achieved(found: ThresholdAnalysis) -> str:
    """The figures of the decision on new rows beside those of the most probable class."""
    from nncli.base.text import escape_unprintable
    from nncli.cli.console import format_number
    from nncli.cli.tables import prose, table

    assert found.decision is not None
    lines = [["on new rows", "decision", "95 % CI", "most probable", "95 % CI"]]
    for chosen, other in zip(found.achieved, found.most_probable, strict=True):
        title = TITLES.get(chosen.name, chosen.name)
        lines.append(
            [title, format_number(chosen.value), _interval(chosen), format_number(other.value), _interval(other)]
        )
    return f"{prose(escape_unprintable(f'decision: {found.decision.text}'))}\n{table(lines)}"


def _interval(figure: Figure) -> str:
    from nncli.cli.console import format_number

    interval = figure.interval
    return "–" if interval is None else f"{format_number(interval.low)} to {format_number(interval.high)}"


def _curve(found: ThresholdAnalysis) -> str:
    """The figures by threshold, with a bar of the cost or the F1, and those of the most probable class."""
    from nncli.cli.console import format_number
    from nncli.cli.tables import BAR_CELLS, bar, one_line_table, prose

    apparent = {figure.name: figure.apparent for figure in found.most_probable}
    marked = [("chosen", found.chosen), ("fp/(fp+fn)", found.calibrated)]
    points = [(mark, point) for mark, point in marked if point is not None]
    known = {point.threshold for _, point in points}
    points += [("", point) for point in found.curve if point.threshold not in known]
    points.sort(key=lambda pair: pair[1].threshold)
    has_cost = "cost" in apparent
    names = ["rate", "precision", "recall", "f1", "specificity", *(["cost"] if has_cost else [])]
    drawn = "cost" if has_cost else "f1"
    lines = [["threshold", *names, drawn]]
    values = [(_named(point.threshold, mark), _figures(point)) for mark, point in points]
    values.append(("most probable", apparent))
    largest = max(figures[drawn] for _, figures in values) or 1.0
    for name, figures in values:
        length = bar(figures[drawn] / largest)
        lines.append([name, *(format_number(figures[column]) for column in names), f"{length:<{BAR_CELLS}}"])
    title = "on the rows themselves, by threshold: a row is positive where its probability is at least that"
    return f"{prose(title)}\n{one_line_table(lines, (len(names) + 1, 5))}"


def _named(threshold: float, mark: str) -> str:
    return f"{float(f'{threshold:.6g}') if mark.startswith('fp') else threshold!r} {mark}".rstrip()


def _figures(point: CurvePoint) -> dict[str, float]:
    from dataclasses import asdict

    return asdict(point)


def _classes(found: ThresholdAnalysis) -> str:
    """How many rows are predicted as each class."""
    from nncli.base.text import escape_unprintable
    from nncli.cli.tables import one_line_table, prose

    lines = [["class", "rows", "most probable", "lowest cost"]]
    for one in found.classes[:MAX_CLASSES]:
        counts = [f"{count:,.6g}" for count in (one.rows, one.most_probable, one.predicted)]
        lines.append([escape_unprintable(one.label, keep=""), *counts])
    more = "" if len(found.classes) <= MAX_CLASSES else f", the first {MAX_CLASSES} of {len(found.classes):,} classes"
    return f"{prose(f'held-out rows by class, and predicted as it{more}')}\n{one_line_table(lines)}"


def _messages(found: ThresholdAnalysis, costs: Path | None, *, saved: bool) -> Sequence[str]:
    """What was saved, what else the run has saved, and the next command."""
    import shlex

    from nncli.analysis.evaluation.threshold_choice import threshold_options
    from nncli.targets.decision import CostMatrix

    run = shlex.quote(str(found.run))
    notes = [f"note: {note}" for note in found.notes]
    if saved:
        return [
            *notes,
            f"saved in {found.run}: nncli predict and evaluate follow it",
            f"next: nncli predict {run} NEW_TABLE",
        ]
    messages = notes
    if found.saved is not None and found.saved != found.decision:
        messages.append(f"note: the run has a saved decision: {found.saved.text}")
    if found.costs_less_calibrated:
        assert found.calibrated is not None
        assert found.calibrated_decision is not None
        at = shlex.join(threshold_options(found.calibrated_decision))
        cost = f"{found.calibrated.cost:.4g} a row"
        messages.append(f"note: fp/(fp+fn), which no row chose, is expected to cost less, {cost}: {at}")
    if found.decision is not None:
        is_matrix = isinstance(found.decision, CostMatrix)
        words = shlex.join(("--costs", str(costs)) if is_matrix else threshold_options(found.decision))
        if found.saved != found.decision:
            messages.append(f"next: nncli threshold {run} {words} --save")
    else:
        messages.append(f"next: nncli threshold {run} --f1 --save, or --cost fp=1,fn=10, --recall 0.9, --precision 0.8")
    return messages
