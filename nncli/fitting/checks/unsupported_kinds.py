"""Notes on kinds of targets and columns that nncli does not have, where there is little doubt about the kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from nncli.base.errors import Advice, DataError, SetKey, UseOption, sentences
from nncli.base.findings import Finding, FindingCode, note
from nncli.base.text import join_quoted, name_key, quote
from nncli.config.yaml.writer import dump_scalar
from nncli.data.columns.parsing import TEXT_TYPES, read_text
from nncli.data.columns.spellings import are_yes_no
from nncli.data.encoders.column_types import ColumnType
from nncli.data.store.column_store import ColumnStore
from nncli.nn.arrays import Floats
from nncli.nn.losses.loss import LossBase
from nncli.targets.joined import are_events
from nncli.targets.orders import evident_order, in_order
from nncli.targets.target import class_targets, number_targets

TIMES = frozenset(
    (
        *("time", "duration", "survivaltime", "timetoevent", "followup", "followuptime", "futime", "tenure"),
        *("days", "weeks", "months", "years", "survivaldays", "survivalmonths", "survivalyears", "lifetime", "t"),
    )
)
UNITS = frozenset(("day", "week", "month", "year"))
"""Names of a target that is a time, and of features that are rather parts of a date."""
EVENTS = frozenset(
    (
        "event",
        "eventobserved",
        "status",
        "death",
        "deathevent",
        "died",
        "dead",
        "deceased",
        "fustat",
        "churn",
        "churned",
        "relapse",
        "relapsed",
        "arrest",
        "failure",
        "failed",
        "e",
        "cens",
        "censored",
    )
)
EXPOSURES = frozenset(("exposure",))
"""Names, as `name_key` has them."""
MAX_LEVELS = 20
"""Classes up to which they may be ordered words."""
SAMPLED_ROWS, MIN_CELLS = 1_000, 20
"""Rows in which tags are looked for, and the fewest cells that hold tags."""
TAG_SEPARATORS = "|;"
MIN_TAGGED, MIN_REPEATS, MAX_TAG_LENGTH = 0.3, 5, 40
"""Least fraction of cells with several tags, least mean count of a tag, and length of the longest tag."""


LABELS = SetKey("loss", "binary_cross_entropy")


def kinds_not_supported(
    table: ColumnStore, targets: Sequence[str], features: Mapping[str, ColumnType], *, loss: LossBase
) -> list[Finding]:
    """Notes on the targets, which a loss takes for numbers, classes or others, and on the features of a table."""
    classes, numbers = class_targets(targets, loss, ordered=False), number_targets(targets, loss)
    return [
        *(finding for name in classes for finding in _ordered_levels(table, name)),
        *(finding for name in classes for finding in _tags_as_classes(table, name)),
        *_several_yes_no(table, numbers),
        *_time_to_event(table, targets[0], features, "as a number" if targets[0] in numbers else "as a class"),
        *(_exposure(table, targets[0], features) if len(targets) == 1 else []),
        *_tags(table, features),
    ]


def _numbers(table: ColumnStore, name: str) -> Floats | None:
    """The numbers of a column; None if it has other cells."""
    try:
        return ColumnType.NUMERIC.encoder.read_cells(table.columns([name]), name).fill_null(np.nan).to_numpy()
    except DataError:
        return None


def _are_yes_no(x: Floats | None) -> bool:
    return x is not None and {*np.unique(x)} == {0.0, 1.0}


def _unsupported(message: str, column: str, hint: str) -> Finding:
    return note(FindingCode.UNSUPPORTED_KIND, message, column=column, hint=hint)


def ordered_levels(cells: pl.Series) -> list[str] | None:
    """The classes among cells in the order that they evidently have; None without, or if they are two or too many."""
    labels = cells.unique().drop_nulls()
    return evident_order(labels.to_list()) if 3 <= len(labels) <= MAX_LEVELS else None


def _ordered_levels(table: ColumnStore, target: str) -> Iterator[Finding]:
    """A target of three levels or more such as low, medium and high."""
    levels = ordered_levels(read_text(table.columns([target]), target))
    if levels is not None:
        message = f"{quote(target)} has the levels {in_order(levels)}, which are predicted as classes without an order"
        yield note(
            FindingCode.ORDERED_TARGET,
            message,
            column=target,
            hint=Advice("To learn their order: ", SetKey("loss", "ordinal"), "."),
        )


def _several_yes_no(table: ColumnStore, targets: Sequence[str]) -> Iterator[Finding]:
    """Several targets of 0 and 1."""
    names = [name for name in targets if _are_yes_no(_numbers(table, name))] if len(targets) > 1 else []
    if len(names) > 1:
        message = f"targets {join_quoted(names)} hold only 0 and 1 and are predicted as numbers"
        hint = Advice("To predict which of them a row has: ", LABELS, ". To predict classes, leave loss out.")
        yield note(FindingCode.TARGET_AS_NUMBER, message, hint=hint)


def are_labels(table: ColumnStore, targets: Sequence[str]) -> bool:
    """Whether targets look like labels, of which a row has any number: columns of yes and no, or one of tags."""
    if len(targets) > 1:
        of_targets = [read_text(table.columns([name]), name) for name in targets]
        return all(are_yes_no(cells) and cells.drop_nulls().len() for cells in of_targets)
    column = table.take(np.arange(min(SAMPLED_ROWS, len(table)))).columns(targets)
    if column.column(targets[0]).dtype not in TEXT_TYPES:
        return False
    cells = read_text(column, targets[0]).drop_nulls()
    if any(_are_tags(cells, separator) for separator in TAG_SEPARATORS):
        return True
    return _are_tags(cells, ",") and bool(cells.str.contains(r"\pL").all())


def _tags_as_classes(table: ColumnStore, target: str) -> Iterator[Finding]:
    """A target whose cells list tags, each combination of which is a class."""
    if are_labels(table, [target]):
        message = f"{quote(target)} lists several labels in a cell, and each combination of them is a class"
        hint = Advice("To predict which labels a row has: ", LABELS, ".")
        yield _unsupported(message, target, hint)


def _time_to_event(
    table: ColumnStore, target: str, features: Mapping[str, ColumnType], taken: str
) -> Iterator[Finding]:
    """A time beside a column of 0 and 1 for whether it ended with an event, one of which is the target."""
    for ours, theirs in ((TIMES | UNITS, EVENTS), (EVENTS, TIMES)):
        others = [name for name in features if name_key(name) in theirs]
        if name_key(target) not in ours or not others:
            continue
        time, event = (target, others[0]) if theirs is EVENTS else (others[0], target)
        times = _numbers(table, time)
        if times is None or not (times >= 0).all() or not are_events(table.columns([event]), event):
            continue
        message = f"{quote(target)} is predicted {taken}, with {quote(others[0])} as a feature"
        loss = SetKey("loss", f"{{type: survival, event: {dump_scalar(event)}}}")
        hint = Advice(
            "To predict the time to an event that may not have happened yet, use ",
            *((UseOption("target", "target", time), " ") if time != target else ()),
            *(loss, "."),
        )
        if name_key(event).startswith("cens"):
            hint = sentences(hint, f"{quote(event)} must then be 1 in rows with the event, not in censored ones.")
        yield note(FindingCode.TARGET_WITH_EVENT, message, column=others[0], hint=hint)


def _exposure(table: ColumnStore, target: str, features: Mapping[str, ColumnType]) -> Iterator[Finding]:
    """A target of counts beside a column of exposures."""
    for name in features:
        if name_key(name) not in EXPOSURES:
            continue
        exposure, y = _numbers(table, name), _numbers(table, target)
        if exposure is None or y is None or not ((exposure > 0) & (y >= 0) & (y == np.round(y))).all():
            continue
        message = f"{quote(name)} is a feature; the counts of {quote(target)} are not divided by it"
        hint = Advice(f"To learn counts per {name}: ", SetKey("data.exposure", dump_scalar(name)), ".")
        yield note(FindingCode.UNSUPPORTED_KIND, message, column=name, hint=hint)


def _tags(table: ColumnStore, features: Mapping[str, ColumnType]) -> Iterator[Finding]:
    """Features whose cells list tags, such as `drama|crime`."""
    words = [name for name, kind in features.items() if kind.needs_text]
    sample = table.take(np.arange(min(SAMPLED_ROWS, len(table)))) if words else table
    for name in words:
        column = sample.columns([name])
        if column.column(name).dtype not in TEXT_TYPES:  # but dates of a typed table
            continue
        cells = read_text(column, name).drop_nulls()
        for separator in TAG_SEPARATORS:
            if _are_tags(cells, separator):
                taken = "text" if features[name] is ColumnType.TEXT else "categories, each combination of tags as one"
                message = f"{quote(name)} lists tags separated by {quote(separator)} and is read as {taken}"
                hint = "There is no kind for tags. Write a column of 0 and 1 for each tag that matters."
                yield _unsupported(message, name, hint)


def _are_tags(cells: pl.Series, separator: str) -> bool:
    several = cells.str.contains(separator, literal=True).sum()
    if several < max(MIN_CELLS, MIN_TAGGED * len(cells)):
        return False
    tags = cells.str.split(separator).explode().str.strip_chars()
    repeats = len(tags) >= MIN_REPEATS * tags.n_unique() and tags.n_unique() < cells.n_unique()
    return repeats and (tags.str.len_chars() <= MAX_TAG_LENGTH).all()
