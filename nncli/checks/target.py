"""The target: one value in all rows, classes too rare to be learnt or too common, numbers that no output can reach."""

from __future__ import annotations

import polars as pl

from nncli.checks.column import MOST_NAMED, Column, SplitTable, have, share
from nncli.checks.findings import Finding
from nncli.config.schema import Config
from nncli.data.splitting.folds import Fold
from nncli.data.store.column_store import ColumnStore
from nncli.errors import DataError, Location
from nncli.nn.losses import Loss
from nncli.pipeline.prepare.fit import fit_target
from nncli.pipeline.prepare.notes import constant_target, unreachable_targets
from nncli.spec import Task
from nncli.text import quote

RARE = 10
"""Training rows of a class below which little can be learnt of it."""
SMALL, TIMES = 0.05, 10.0
"""Share of the rows below which a class is small, if another one is so many times as large."""
FAIR_METRICS = ("roc_auc", "balanced_accuracy", "macro_f1")


def folds_of(config: Config) -> int:
    """Into how many folds the rows are dealt, 0 for none."""
    if config.members > 1 and config.bagging_mode == "folds":
        return config.members
    return config.validation.folds if isinstance(config.validation, Fold) else 0


def classes(config: Config, target: Column, place: Location) -> list[Finding]:
    """Classes that are rare, or outweighed."""
    counts = _counts(target.cells)
    everywhere = _counts(pl.concat([target.cells, target.held]))
    if len(counts) < 2:
        return []
    findings, folds = [], folds_of(config)
    at = Location(source=place.source, column=target.name)
    rare = {label: n for label, n in counts.items() if n < RARE}
    few = {label: n for label, n in everywhere.items() if n < folds and label not in rare}
    if rare:
        message = f"{_counted(rare)}, too few to learn much from"
        if any(everywhere[label] < folds for label in rare):
            message += f", and not one for each of the {folds} folds"
        mend = "Add rows of it, join it with another class, or leave its rows out."
        findings.append(Finding("warning", "rare-class", at, message, mend))
    if few:
        message = f"{_counted(few)}, not one for each of the {folds} folds"
        findings.append(Finding("warning", "rare-class", at, message, "Use fewer folds, or add rows of the class."))
    smallest, largest = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    n = sum(counts.values())
    small = RARE <= counts[smallest] < SMALL * n and counts[largest] >= TIMES * counts[smallest]
    if small and config.class_weight is None and config.metric not in FAIR_METRICS:
        message = (
            f"only {share(counts[smallest], n)} of the training rows are of the class {quote(smallest)}, and "
            f"{share(counts[largest], n)} of {quote(largest)}: always to guess the latter looks good in accuracy"
        )
        mend = (
            "Look at balanced_accuracy or roc_auc rather than accuracy. If the small class matters as much as the "
            "large one, set class_weight: balanced, or choose the epoch by metric: "
            f"{'roc_auc' if len(counts) == 2 else 'balanced_accuracy'}."
        )
        findings.append(Finding("warning", "imbalance", at, message, mend))
    return findings


def _counts(cells: pl.Series) -> dict[str, int]:
    counts = cells.alias("label").value_counts(name="rows").sort("rows", "label")
    return dict(counts.iter_rows())


def _counted(classes: dict[str, int]) -> str:
    shown = [f"{quote(label)} {n:,}" for label, n in [*classes.items()][:MOST_NAMED]]
    more = [f"{len(classes) - MOST_NAMED:,} more"] if len(classes) > MOST_NAMED else []
    return f"{have(len(classes), 'class has', 'classes have')} few training rows: {', '.join([*shown, *more])}"


def constant(table: ColumnStore, name: str, task: Task) -> Finding | None:
    """A target that is the same in all rows.

    Raises:
        DataError: it is, and is to be one of several classes.
    """
    values = table.columns([name]).column(name).drop_nulls().unique()
    if len(values) != 1 or len(table) == 1:
        return None
    message, mend = constant_target(name, str(values[0]))
    place = Location(source=table.header.source, column=name)
    if task == "classification":
        raise DataError(message, place=place, hint=mend)
    return Finding("warning", "constant-target", place, message, mend)


def unreachable(config: Config, loss: Loss, sides: SplitTable) -> Finding | None:
    """A target beyond what the output's activation can be."""
    if config.output_activation is None:
        return None
    table = sides.table.take(sides.training).columns(config.data.target)
    target, _ = fit_target(config, table, loss)
    assert target.task == "regression", "an output activation is for numbers"
    note = unreachable_targets(config, target.encode(target.read(table)))
    if note is None:
        return None
    mend = (
        "Leave output_activation out: the output is then any number. Or write the target in a unit that lies "
        "within these bounds."
    )
    column = config.data.target[0] if len(config.data.target) == 1 else None
    return Finding("warning", "unreachable-target", Location(source=sides.place.source, column=column), note, mend)
