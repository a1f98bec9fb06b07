"""Checks of the target: constant, rare or imbalanced classes, and which of two is the positive one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

import numpy as np
import polars as pl

from nncli.base.errors import Advice, DataError, Location, RunCommand, SetKey, sentences
from nncli.base.findings import Finding, FindingCode, note
from nncli.base.text import join_quoted, quote
from nncli.config.schema import Config
from nncli.config.yaml.writer import dump_scalar
from nncli.data.columns.parsing import kind_is, parse_numbers
from nncli.data.columns.spellings import yes_of
from nncli.data.encoders.column_types import ColumnType
from nncli.data.splitting.folds import Fold, number_of_folds
from nncli.data.store.column_store import ColumnStore
from nncli.fitting.checks.column import MAX_NAMES, SplitColumn, count, percentage
from nncli.fitting.checks.notes import constant_target
from nncli.nn.losses.proposals import proposed_loss
from nncli.targets.metrics.classification import has_rare_class

MIN_CLASS_ROWS = 10
"""Training rows below which a class is rare."""
MAX_PREDICTIONS_OF_RARE_CLASSES = 20_000_000
"""Rows times classes up to which a class may have fewer than MIN_CLASS_ROWS rows on average: beyond, next to nothing is
learned in minutes and gigabytes."""
OF_SEVERAL = Advice(
    *("choose a threshold or costs by ", RunCommand("threshold", ("RUN",))),
    *(", or learn this target alone with ", SetKey("class_weight", "balanced")),
)
"""What to do about a rare class of one of several targets, whose run takes no class_weight."""
BALANCED_METRICS = ("roc_auc", "balanced_accuracy", "macro_f1", "f1", "precision", "recall", "average_precision")


def folds_of(config: Config) -> int:
    """The number of folds, 0 without folds."""
    if config.is_ensemble and config.bagging_mode == "folds":
        return number_of_folds(config.n_members)
    return config.validation.folds if isinstance(config.validation, Fold) else 0


def check_classes(config: Config, target: SplitColumn, location: Location) -> list[Finding]:
    """Rare and imbalanced classes, and which of two is the positive one."""
    counts = _counts(target.training)
    if len(counts) < 2:
        return []
    location = Location(source=location.source, column=target.name)
    # The warning about a rare class names it as the positive one.
    of_several = target.name if len(config.data.target) > 1 else None
    other = _imbalance(config, counts, location) or positive_class(config, list(counts), of_several)
    return [*_rare_classes(config, target, counts, location), *([other] if other else [])]


def positive_class(config: Config, classes: Sequence[str], of_several: str | None = None) -> Finding | None:
    """A note on which of two `classes`, perhaps `of_several` targets, is positive, unless that is set or means yes."""
    if len(classes) != 2 or config.positive_class is not None or yes_of(classes) == _last(classes):
        return None
    return positive_class_note(_last(classes), classes, "the second in order", of_several)


def positive_class_note(positive: str, classes: Sequence[str], reason: str, of_several: str | None = None) -> Finding:
    """The note that `positive` is the positive one of two classes, perhaps of one `of_several` targets."""
    other = next(label for label in classes if label != positive)
    option = SetKey("positive_class", dump_scalar(other))
    return note(
        FindingCode.POSITIVE_CLASS,
        f"f1, precision and recall {f'of {quote(of_several)} ' if of_several else ''}are about {quote(positive)}, "
        f"the positive class, {reason}",
        hint=Advice(f"For the other one, {'learn this target alone with ' if of_several else ''}", option),
    )


def check_rows_of_classes(table: ColumnStore, name: str) -> None:
    """Raise a DataError if the target `name` of a table has too many classes of too few rows."""
    target = table.columns([name])
    cells = target.column(name).drop_nulls()
    rows, classes = len(cells), cells.n_unique()
    if rows >= MIN_CLASS_ROWS * classes or rows * classes <= MAX_PREDICTIONS_OF_RARE_CLASSES:
        return
    hint = "Merge rare classes into one, or remove their rows; an id of rows or cases is no target."
    if not parse_numbers(cells, target.dialect_of(name)).has_nulls():
        number = SetKey("loss", "mse"), " ", kind_is(name, "numeric")
        hint = sentences(Advice("To predict it as a number instead: ", *number, "."), hint)
    raise DataError(
        f"{classes:,} classes in {rows:,} rows are too many: a class has {rows / classes:.3g} rows on average, too few "
        f"to learn it, and with less than {MIN_CLASS_ROWS}, rows times classes may be at most "
        f"{MAX_PREDICTIONS_OF_RARE_CLASSES:,}",
        location=target.location(column=name),
        hint=hint,
    )


def check_labels(labels: Sequence[SplitColumn], location: Location) -> list[Finding]:
    """Warnings of labels, given as columns of yes and no, that all training rows have or none, and of rare ones."""
    rows = {label.name: _counts(label.training.drop_nulls()) for label in labels}
    constant = [name for name, counts in rows.items() if len(counts) < 2]
    rare = {name: least for name, counts in rows.items() if (least := min(counts.values(), default=0)) < MIN_CLASS_ROWS}
    findings, hint = [], "Add rows, or drop the labels: nothing is learned about them."
    if constant:
        message = f"{join_quoted(constant[:MAX_NAMES])} {'is' if len(constant) == 1 else 'are'} the same in all "
        message += f"training rows ({len(constant):,} of {len(labels):,} labels)"
        findings.append(Finding("warning", FindingCode.CONSTANT_TARGET, location, message, hint))
    rare = {name: n for name, n in rare.items() if name not in constant}
    if rare:
        message = _counted(rare).replace("class has", "label has").replace("classes have", "labels have")
        hint = "Add rows, or remove the label: its threshold and its scores are very uncertain."
        findings.append(Finding("warning", FindingCode.RARE_CLASS, location, message, hint))
    return findings


def _rare_classes(config: Config, target: SplitColumn, counts: dict[str, int], location: Location) -> list[Finding]:
    """Classes with few training rows, and classes with fewer rows than there are folds."""
    findings, folds = [], folds_of(config)
    totals = _counts(pl.concat([target.training, target.validation]))
    rare = {label: n for label, n in counts.items() if n < MIN_CLASS_ROWS}
    below_folds = {label: n for label, n in totals.items() if n < folds and label not in rare}
    code = FindingCode.RARE_CLASS
    if rare:
        message = _counted(rare)
        if any(totals[label] < folds for label in rare):
            message += f", fewer than the {folds} folds"
        merging = ", merge the class with another one, or remove its rows"
        hint = f"Add rows{merging if len(counts) > 2 else ' of the class'}."
        findings.append(Finding("warning", code, location, message, hint))
    if below_folds:
        message = f"{_counted(below_folds)}, fewer than the {folds} folds"
        findings.append(Finding("warning", code, location, message, "Use fewer folds, or add rows of the class."))
    return findings


def _imbalance(config: Config, counts: dict[str, int], location: Location) -> Finding | None:
    """A small class beside a large one, unless the configuration allows for it."""
    smallest, largest = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    total = sum(counts.values())
    if (
        not has_rare_class(np.array(list(counts.values())))
        or counts[smallest] < MIN_CLASS_ROWS
        or config.class_weight
        or config.metric in BALANCED_METRICS
    ):
        return None
    message = (
        f"class {quote(smallest)} has {percentage(counts[smallest], total)} of the training rows and class "
        f"{quote(largest)} {percentage(counts[largest], total)}: predicting only the latter gives a high accuracy"
    )
    begin = "Use balanced_accuracy or roc_auc rather than accuracy. If the classes are equally important, "
    if len(config.data.target) > 1:
        hint = Advice(begin, *OF_SEVERAL.parts, ".")
        return Finding("warning", FindingCode.CLASS_IMBALANCE, location, message, hint)
    metric = SetKey("metric", "average_precision" if len(counts) == 2 else "balanced_accuracy")
    balanced = SetKey("class_weight", "balanced")
    hint = Advice(begin, "use ", balanced, ", or choose the best epoch with ", metric, ".")
    if len(counts) == 2 and smallest != (config.positive_class or _last(counts)):
        positive = SetKey("positive_class", dump_scalar(smallest))
        hint = sentences(hint, Advice("With ", positive, " f1, precision and recall are about it."))
    return Finding("warning", FindingCode.CLASS_IMBALANCE, location, message, hint)


def _last(labels: Iterable[str]) -> str:
    """The last class in order: by number if all are numbers, else by letter."""
    ordered = sorted(labels)
    with suppress(ValueError):
        ordered.sort(key=float)
    return ordered[-1]


def _counts(cells: pl.Series) -> dict[str, int]:
    counts = cells.drop_nulls().alias("label").value_counts(name="rows").sort("rows", "label")
    return dict(counts.iter_rows())


def _counted(classes: dict[str, int]) -> str:
    """A message that lists classes with their rows."""
    shown = [f"{quote(label)} {n:,}" for label, n in [*classes.items()][:MAX_NAMES]]
    more = [f"{len(classes) - MAX_NAMES:,} more"] if len(classes) > MAX_NAMES else []
    return f"{count(len(classes), 'class has', 'classes have')} few training rows: {', '.join([*shown, *more])}"


def amount_like(config: Config, target: SplitColumn, location: Location) -> Finding | None:
    """A note on the loss of a numeric target that looks like counts or amounts, unless a loss is configured."""
    if config.loss is not None or config.output_activation is not None or not target.numeric:
        return None
    proposed = proposed_loss(target.training.drop_nulls().drop_nans().to_numpy())
    if proposed is None:
        return None
    loss, why = proposed
    message = f"{quote(target.name)} looks like {why}, and is predicted with loss mse"
    hint = Advice(
        *("Compare with ", SetKey("loss", loss.type), ". A column of times or sizes that it is proportional to is "),
        "data.exposure.",
    )
    return note(FindingCode.AMOUNT_LIKE_TARGET, message, column=target.name, hint=hint)


def check_constant(table: ColumnStore, name: str, kind: ColumnType | None) -> Finding | None:
    """A target, a column of this kind, with the same value in all rows.

    Raises:
        DataError: all rows are of the same class.
    """
    values = table.columns([name]).column(name).drop_nulls().unique()
    if len(values) != 1 or len(table) == 1:
        return None
    finding = constant_target(name, str(values[0]), Location(source=table.header.source))
    if kind is ColumnType.CATEGORICAL:
        raise DataError(finding.message, location=finding.location, hint=finding.hint)
    return finding
