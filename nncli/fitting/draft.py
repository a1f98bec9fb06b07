"""A draft of a configuration: what is known of a table, as YAML with comments on its columns and on the choices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np

from nncli.base.errors import Advice, DataError, Location, UsageError, UseOption
from nncli.base.findings import Finding, FindingCode, of_error, warning
from nncli.base.scratch import Scratch
from nncli.base.spec import Task, non_defaults
from nncli.base.text import escape_unprintable, format_number, join_quoted, quote
from nncli.config.errors.messages import validate
from nncli.config.loading import TABULAR, TEXTBOOK, with_preset
from nncli.config.schema import Config, DataSection
from nncli.config.yaml.document import Document
from nncli.config.yaml.writer import dump, dump_scalar
from nncli.data.columns.parsing import read_numbers, read_text, unit_of
from nncli.data.columns.spellings import yes_of
from nncli.data.dialect import CsvDialect
from nncli.data.encoders.kinds import Kind, infer_kind
from nncli.data.number_and_date_forms import PARENTHESES
from nncli.data.profile import MAX_TOP_VALUES, ColumnProfile, Label, is_named_like_a_key, profile
from nncli.data.sources.open import open_reader
from nncli.data.sources.read_table import read_chunks
from nncli.data.sources.table_source import TableLocation, TableSource, as_source
from nncli.data.table import Table
from nncli.fitting.checks.column import percentage
from nncli.fitting.checks.column_values import group_like
from nncli.fitting.checks.kinds import MAX_LEVELS, are_labels, kinds_not_supported, ordered_levels
from nncli.fitting.checks.notes import class_orders, dates_as_categories, removed_units, short_years, table_reading
from nncli.fitting.checks.rows import groups_in_time, random_split, time_feature
from nncli.fitting.checks.target import positive_class, positive_class_note
from nncli.fitting.prepare.fit import MIN_ROWS_PER_CLASS, are_class_ids, infer_loss
from nncli.fitting.prepare.load import drop_missing_targets, load_table, table_copies
from nncli.nn.losses import MSE, BinaryCrossEntropy, Loss
from nncli.targets.base import FitOptions, rows_with_target
from nncli.targets.kind import Setting
from nncli.targets.orders import in_order, label_order
from nncli.targets.target import TargetKind, kind_of

USUAL_TARGETS = ("target", "label", "labels", "class", "y", "outcome", "response")
TARGET_WORD = re.compile(
    "target|labels?|class|outcome|response|price|value|churn(ed)?|survived|species|diagnosis|quality|rating|score|default"
    "|fraud|income|salary|sales|claims"
)
"""A word in names of columns that are often predicted."""
OTHER_WORD = re.compile(
    "longitude|latitude|lon|lat|lng|long|x|id|index|key|uuid|name|date|time|timestamp|year|month|day|zip|zipcode"
    "|postcode|postal|address|url|email|phone|comments?|notes?|description|unnamed|created|updated"
)
"""A word in names of columns that are hardly ever predicted: places, keys, dates and remarks."""
NO_TARGET = "?"
"""The target of a configuration that has none yet."""
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+")
"""A word in a name such as `SalePrice`, `sale_price` or `PRICE`."""
HEADER_BYTES = 1 << 16
"""Bytes of a table that are parsed for the names of its columns."""


@dataclass(frozen=True)
class TableSummary:
    """The summary of a table: the profiles of its targets and of the other columns.

    `data` is the data section of the configuration, with the `na_spellings` that were found and, if `has_thousands`,
    the thousands separator that was found. `rows` of the `table_rows` have a target; `n_columns` counts all columns.
    `integer_classes` is whether a numeric target is treated as class labels. `positive_class` is the one of two classes
    that means yes, if it is not the second in order. `label_note` is about several labels, or about a time
    to an event, None for another target.
    """

    data: DataSection
    kind: TargetKind
    integer_classes: bool
    targets: tuple[ColumnProfile, ...]
    columns: tuple[ColumnProfile, ...]
    rows: int
    table_rows: int
    n_columns: int
    findings: tuple[Finding, ...]
    na_spellings: tuple[str, ...] = ()
    has_thousands: bool = False
    positive_class: str | None = None
    proposed_loss: tuple[str, str] | None = None
    label_note: str | None = None
    kinds: tuple[TargetKind, ...] = ()

    @cached_property
    def _features(self) -> frozenset[str]:
        return frozenset(self.data.features or ())

    @property
    def task(self) -> Task:
        """The task of the loss."""
        return self.kind.task_name()

    @property
    def location(self) -> Location:
        """The source of the table."""
        return Location(source=self.data.path)

    @cached_property
    def kept(self) -> tuple[ColumnProfile, ...]:
        """The feature columns: the recommended ones and those requested by name."""
        kinds = self.data.columns
        return tuple(
            replace(column, kind=kinds[column.name]) if column.name in kinds else column
            for column in self.columns
            if kinds.get(column.name) is not Kind.EMPTY and (column.recommended or self._is_requested(column))
        )

    @cached_property
    def dropped(self) -> tuple[ColumnProfile, ...]:
        """The columns that are recommended to be dropped."""
        return tuple(column for column in self.columns if not (column.recommended or self._is_requested(column)))

    @cached_property
    def ambiguous(self) -> tuple[ColumnProfile, ...]:
        """The kept columns that training refuses unless their kind is set."""
        return tuple(column for column in self.kept if column.error is not None and self._has_inferred_kind(column))

    def _has_inferred_kind(self, column: ColumnProfile) -> bool:
        return column.name not in self.data.columns

    def _is_requested(self, column: ColumnProfile) -> bool:
        return not self._has_inferred_kind(column) or column.name in self._features


def summarize_table(
    location: TableLocation, targets: Sequence[str], assignments: Sequence[str] = (), scratch: Path | None = None
) -> TableSummary:
    """Read a table and summarize it; it is read again if it has other missing values or a thousands separator.

    `assignments` are those of a training, such as `data.separator=;`; `scratch` is the folder of temporary files.

    Raises:
        UsageError: there is no target.
        ConfigError: an assignment is wrong.
        DataError: the table cannot be read, has no such target, or has no feature column.
    """
    source = as_source(location)
    section: dict[str, object] = {**non_defaults(source), "target": list(targets) or NO_TARGET}
    config = validate(Config, with_preset(Document({"data": section}, {}, "nncli init", ()), assignments))
    if not targets and config.data.target == (NO_TARGET,):  # an assignment may name one
        raise _no_target_error(source, config.data.dialect)
    with table_copies(config, scratch):
        return _summarize_until_read(config, scratch)


def _summarize_until_read(config: Config, scratch: Path | None) -> TableSummary:
    """The summary of a table once no other missing values and no thousands separator are found."""
    na_spellings, configured_thousands = list[str](), config.data.thousands
    while True:
        with Scratch(scratch) as open_scratch:
            summary = _summarize(config, open_scratch)
        columns, data = (*summary.targets, *summary.columns), config.data
        new_spellings = sorted({word for column in columns for word in column.na_spellings} - {*data.missing_values})
        thousands = next((column.thousands for column in columns if column.thousands), None)
        if not new_spellings and thousands is None:
            refused = [c.error for c in columns if c.error is not None and c.name not in data.columns]
            if data.on_error == "fail" and refused:
                raise refused[0]
            return _with_features(
                replace(summary, na_spellings=tuple(na_spellings), has_thousands=data.thousands != configured_thousands)
            )
        na_spellings += new_spellings
        update = {"missing_values": (*data.missing_values, *new_spellings), "thousands": data.thousands or thousands}
        config = config.model_copy(update={"data": data.model_copy(update=update)})


def _summarize(config: Config, scratch: Scratch) -> TableSummary:
    data = config.data
    table = load_table(config, data, scratch)
    names = data.features or [name for name in table.header.names if name not in data.excluded]
    targets = profile(table, data.target)
    if any(target.na_spellings or target.thousands for target in targets):  # the table is read again
        return TableSummary(data, kind_of(MSE()), False, targets, (), 0, len(table), 0, ())
    if config.loss is None and config.output_activation is None and are_labels(table, data.target):
        config = config.model_copy(update={"loss": BinaryCrossEntropy()})
    rows = drop_missing_targets(table, config, every=False)
    seen = rows.columns(data.target)
    loss, of_targets = infer_loss(config, seen)
    columns = profile(rows, names)
    classes = kind_of(loss).classes_among([value for value, _ in targets[0].top_values])
    of_classes, positive = positive_class(config, classes), None
    if of_classes is not None and (positive := yes_of(classes)) is not None:
        of_classes = positive_class_note(positive, classes, "as it means yes")
    units = ((column.name, column.unit) for column in (*columns, *targets) if column.recommended)
    return TableSummary(
        data=data,
        kind=kind_of(loss),
        kinds=tuple(kind_of(part) for part in loss.parts),
        integer_classes=config.loss is None and bool(classes) and _are_integer_classes(seen, data.target[0]),
        targets=targets if len(rows) == len(table) else profile(rows, data.target),
        columns=columns,
        rows=len(rows),
        table_rows=len(table),
        n_columns=len(table.header.names),
        findings=(
            *table_reading(rows.header),
            *removed_units(units),
            *short_years(
                ((column.name, column.short_dates) for column in columns if column.recommended), data.date_format
            ),
            *_dates(config.data, columns),
            *(finding for finding in of_targets if finding.level == "warning"),
            *([of_classes] if of_classes is not None else []),
            *_class_orders(config, seen, loss),
            *_note_time(config, columns),
            *_groups(data, columns),
            *kinds_not_supported(
                rows,
                data.target,
                {column.name: column.kind for column in columns if column.recommended},
                loss=loss,
            ),
        ),
        positive_class=positive,
        proposed_loss=_proposed_loss(config, seen, loss),
        label_note=kind_of(loss).note(seen, data.target),
    )


def _proposed_loss(config: Config, targets: Table, loss: Loss) -> tuple[str, str] | None:
    """The name of a loss for a target that looks like counts, amounts or ordered classes, and why."""
    name = config.data.target[0]
    if config.loss is not None or len(config.data.target) > 1:
        return None
    is_number = infer_kind(targets, name) is Kind.NUMERIC
    y = read_numbers(targets, name, unit_of(targets, name)) if is_number else np.empty(0)
    if (proposed := loss.alternative(y)) is not None:
        return proposed
    levels, text = list[str](), ""
    if is_number and (y == np.floor(y)).all():
        levels = [f"{value:.0f}" for value in np.unique(y)]
        text = f"{' < '.join(levels)}, if that is an order"
    else:
        for column in kind_of(loss).text_columns((name,)):
            levels = ordered_levels(read_text(targets, column)) or []
            text = in_order(levels)
    if not 3 <= len(levels) <= MAX_LEVELS or len(targets) < MIN_ROWS_PER_CLASS * len(levels):
        return None
    return "ordinal", text


def _class_orders(config: Config, targets: Table, loss: Loss) -> list[Finding]:
    """The order of the classes of each target, or a warning that it is not understood."""
    findings = list[Finding]()
    for name, of_target in zip(config.data.target, loss.of_each(len(config.data.target)), strict=False):
        rows, part = targets.take(rows_with_target(targets, (name,))), config.of_target(name, cast("Loss", of_target))
        options = FitOptions(positive=part.positive_class, order=part.data.order or ())
        try:
            labels = kind_of(of_target).class_order(rows, (name,), options)
        except DataError as error:
            findings += [replace(finding, level="warning") for finding in of_error(error)]
        else:
            findings += class_orders([(name, labels)] if labels else [])
    return findings


def _dates(data: DataSection, columns: Sequence[ColumnProfile]) -> list[Finding]:
    """The columns that look like dates and are read as categories."""
    location = Location(source=data.path)
    return [
        dates_as_categories(column.name, column.date_doubt, location)
        for column in columns
        if column.date_doubt is not None and column.recommended and column.name not in data.columns
    ]


def _groups(data: DataSection, columns: Sequence[ColumnProfile]) -> list[Finding]:
    """The features whose values may say which rows belong together."""
    location = Location(source=data.path)
    notes = (group_like(column, data.row_columns, location) for column in columns if column.recommended)
    return [finding for finding in notes if finding]


def _note_time(config: Config, columns: Sequence[ColumnProfile]) -> list[Finding]:
    """Notes on the split in time, or on a random split of rows with dates."""
    features = [column for column in columns if column.recommended]
    dates = [column.name for column in features if column.kind is Kind.DATE]
    names = [column.name for column in features]
    notes = (time_feature(config, names, dates), groups_in_time(config), random_split(config, dates))
    return [finding for finding in notes if finding]


def _are_integer_classes(table: Table, name: str) -> bool:
    return infer_kind(table, name) is Kind.NUMERIC and are_class_ids(read_numbers(table, name, unit_of(table, name)))


def _with_features(summary: TableSummary) -> TableSummary:
    """The summary, with row numbers as features if there is no other column.

    Raises:
        DataError: there is no feature column.
    """
    if summary.kept:
        return summary
    columns = tuple(
        replace(column, label=Kind.NUMERIC, recommended=True, reason="") if _is_row_number(column) else column
        for column in summary.columns
    )
    if any(column.recommended for column in columns):
        return replace(summary, columns=columns)
    reasons = [f"{quote(column.name)}: {column.reason}" for column in summary.dropped[:4]]
    raise DataError(
        "there is no feature column",
        location=Location(source=summary.data.path),
        hint=f"Dropped columns: {'; '.join(reasons)}." if reasons else "The table has only the target.",
    )


def _is_row_number(column: ColumnProfile) -> bool:
    """Whether a column holds different numbers in all rows without being named like a key."""
    return column.label is Label.ID and column.kind is Kind.NUMERIC and not is_named_like_a_key(column.name)


def _no_target_error(source: TableSource, dialect: CsvDialect) -> UsageError:
    """The error of a missing target, with the most likely column."""
    rows = 1 if open_reader(source).is_columnar else 1_000
    names = next(read_chunks(source, rows=rows, block_bytes=HEADER_BYTES, dialect=dialect)).names
    guess = UseOption("target", "target", likely_target(names))
    return UsageError(
        "no target is given",
        location=Location(source=source.path),
        hint=Advice("Try ", guess, f". The columns are {join_quoted(names)}."),
    )


def likely_target(names: Sequence[str]) -> str:
    """The column that is most likely predicted: one of a usual name, or else the last that is no place, key or date."""
    usual = [name for word in USUAL_TARGETS for name in names if name.strip().lower() == word]
    words = {name: [word.lower() for word in WORD.findall(name)] for name in names if name.strip()}
    others = [name for name in words if not any(map(OTHER_WORD.fullmatch, words[name]))]
    named = [name for name in others if any(map(TARGET_WORD.fullmatch, words[name]))]
    return (usual or named[-1:] or others[-1:] or [*words][-1:] or ["COLUMN"])[0]


MAX_COLUMN_LINES = 200
"""Columns described by a line each."""
MAX_WORD_LENGTH, MAX_VALUES_LENGTH, MAX_COMMENT_LENGTH = 32, 64, 240
MAX_ALIGNED_WIDTH = 36
"""A key, its value and its comment."""

TEXTBOOK_SETTINGS: tuple[Setting, ...] = (
    ("layers", [64, 32], "units of each hidden layer; [] is a linear model"),
    ("activation", "relu", "activation of the hidden layers: relu, tanh, sigmoid, gelu …"),
    ("optimizer", "adam", "optimizer: adam, sgd, adamw, rmsprop …"),
    ("learning_rate", 0.001, "a number or a schedule"),
    ("batch_size", 32, "rows per step, or full"),
    ("epochs", 100, "passes over the training rows; the weights of the best epoch are kept"),
)
"""The keys of the preset textbook."""


def draft_config(
    summary: TableSummary,
    *,
    path: str,
    name: str,
    preset: str | None,
    quality: str | None,
    extra: Mapping[str, object],
    heading: Sequence[str] = (),
    train_command: str | None = None,
) -> str:
    """Draft the YAML of a configuration for a table.

    Args:
        summary: the summary of the table.
        path: the path of the table in the configuration.
        name: the name of the run directory in runs/.
        preset: tabular or textbook; None is tabular, unless `extra` has the key `layers`.
        quality: the quality of the preset tabular.
        extra: further keys and their values.
        heading: comments at the top.
        train_command: the command that trains with the configuration, if it is known.
    """
    command = [] if train_command is None else [_comment(f"To train: {train_command}")]
    lines = [
        *heading,
        *_overview(summary),
        *command,
        "",
        *_data_section(summary, path),
        "",
        *_training_keys(summary, name, preset, quality, extra),
    ]
    return "\n".join(lines) + "\n"


def _overview(summary: TableSummary) -> list[str]:
    """Comments on the size of the table and on the targets."""
    rows = f"{_count(summary.table_rows, 'row')}, {_count(summary.n_columns, 'column')}"
    if summary.rows < summary.table_rows:
        rows += f"; {summary.table_rows - summary.rows:,} rows without a target are not used"
    lines = [f"{_word(Path(summary.data.path).name)}: {rows}."]
    if summary.label_note is not None:
        names = summary.kind.written_names(summary.data.target)
        lines.append(f"Target: {', '.join(map(_word, names))}, {summary.task}: {summary.label_note}.")
    else:
        kinds = summary.kinds or (summary.kind,) * len(summary.targets)
        lines += [
            f"Target: {_word(target.name)}, {_target_description(kind, target)}."
            for kind, target in zip(kinds, summary.targets, strict=True)
        ]
    if summary.integer_classes:
        target = summary.targets[0]
        ordered = "; for ordered classes loss: ordinal" if target.distinct > 2 else ""
        counts = "; for counts loss: poisson" if target.distinct > 2 and target.lowest == 0 else ""
        lines.append(
            "(Treated as class labels: few distinct integers without a gap. For regression set loss: mse"
            f"{counts}{ordered}.)"
        )
    return [_comment(line) for line in lines]


def _target_description(kind: TargetKind, target: ColumnProfile) -> str:
    """The task of a target and its range or its classes."""
    classes = [f"{_word(value)} ({_count(count, 'row')})" for value, count in kind.classes_among(target.top_values)]
    if not classes:
        return f"{kind.task_name()}: {_range(target)}"
    if target.distinct > len(classes):
        classes.append(f"… {target.distinct - len(classes):,} more")
    return f"{kind.task_name()}, {target.distinct:,} classes: {', '.join(classes)}"


def _data_section(summary: TableSummary, path: str) -> list[str]:
    """The lines of the section `data`."""
    names = summary.kind.written_names(summary.data.target)
    target: object = names[0] if len(names) == 1 else list(names)
    lines = ["data:", *_settings([("path", path, ""), ("target", target, "")], "  ")]
    settings = non_defaults(summary.data)
    for key in ("path", "target", "drop", "columns"):
        settings.pop(key, None)
    if summary.na_spellings:
        comment = f"read as missing values; found in the table: {join_quoted(summary.na_spellings)}"
        lines += _settings([("missing_values", settings.pop("missing_values"), comment)], "  ")
    if summary.has_thousands:
        lines += _settings([("thousands", settings.pop("thousands"), "thousands separator")], "  ")
    lines += _indented(dump(settings)) if settings else []
    if summary.data.drop or summary.dropped:
        lines.append("  drop:  # columns not used")
        dropped = [(name, "") for name in summary.data.drop] + [
            (column.name, column_warning(column) if column.error else column.reason) for column in summary.dropped
        ]
        lines += _align_comments([(f"    - {dump_scalar(name)}", reason) for name, reason in dropped])
    if summary.data.columns or summary.ambiguous:
        lines.append("  columns:  # kinds that are set explicitly")
        lines += [
            line for name, kind in summary.data.columns.items() for line in _indented(dump({name: kind.value}), 4)
        ]
        for column in summary.ambiguous:
            lines.append(_comment(column_warning(column), "    "))
            lines += _indented(dump({column.name: column.kind.value}), 4)
    return [*lines, *_feature_lines(summary)]


def column_warning(column: ColumnProfile) -> str:
    """The error of training on a column whose kind is not set, without the advice to correct cells."""
    error = column.error
    if error is None:
        return ""
    hint = re.split("Correct the cell|To treat the column as categories", error.hint or "")[0].strip()
    return f"{error.message}. {hint}" if hint else error.message


def unreadable_column(column: ColumnProfile, error: DataError) -> Finding:
    """The warning of a column with an error that a drafted configuration drops, or reads as categories."""
    use = "read as categorical" if column.recommended else "dropped"
    message = f"{quote(column.name)} is {use}: {error.message}"
    return warning(FindingCode.AMBIGUOUS_NUMBERS, message, column=column.name, hint=error.hint or "")


def _feature_lines(summary: TableSummary) -> list[str]:
    """Comments with a line for each feature column."""
    kept = summary.kept
    requested = summary.data.columns
    lines = [
        (_word(column.name), (column.kind if column.name in requested else column.label).value, _details(column))
        for column in kept[:MAX_COLUMN_LINES]
    ]
    name, label = (max(len(line[i]) for line in lines) for i in (0, 1))
    text = [f"  {a:{name}}  {b:{label}}  {c}".rstrip() for a, b, c in lines]
    if len(kept) > MAX_COLUMN_LINES:
        text.append(f"  … and {len(kept) - MAX_COLUMN_LINES:,} more")
    example_column = next((column for column in kept if column.name not in requested), None)
    if example_column is not None:
        kind = Kind.CATEGORICAL if example_column.kind.is_numeric else Kind.EMPTY
        example = f"{dump_scalar(example_column.name)}: {kind}"
        has_section = requested or summary.ambiguous
        where = f"add under `columns`:  {example}" if has_section else f"add:  columns: {{{example}}}"
        text.append(f"To change the kind of a column, {where}")
    return [_comment(line, "  ") for line in ("Features:", *text)]


def _details(column: ColumnProfile) -> str:
    """The values of a column and its share of missing cells."""
    parts = [_values(column)]
    if column.missing:
        parts.append(f"{percentage(column.missing, column.rows)} missing")
    return "; ".join(filter(None, parts))


def _values(column: ColumnProfile) -> str:
    if column.kind.is_numeric and column.distinct > MAX_TOP_VALUES:
        return _range(column)
    values = [value for value, _ in column.top_values]
    if column.label is Label.BOOLEAN:
        return ", ".join(map(_word, values))
    if not column.kind.encoder.lists_values:
        return f"such as {_word(values[0])}" if values else ""
    if column.kind.is_numeric:
        values = label_order(values) or sorted(values, key=lambda value: (len(value), value))
    while len(values) > 1 and len(", ".join(values)) > MAX_VALUES_LENGTH:
        values.pop()
    more = ", …" if column.distinct > len(values) else ""
    return f"{_count(column.distinct, 'value')}: {', '.join(map(_word, values))}{more}" if values else ""


def _training_keys(
    summary: TableSummary, name: str, preset: str | None, quality: str | None, extra: Mapping[str, object]
) -> list[str]:
    """The lines of the most common keys of a training, and of alternatives as comments."""
    active: list[Setting] = [
        ("seed", 0, "random seed"),
        ("output", f"runs/{name}", "run directory; -2, -3 … is appended if it exists"),
    ]
    inactive: list[Setting] = []
    if preset == TEXTBOOK:
        validation = [("validation", 0.2, "share of validation rows")]
        active = [("preset", TEXTBOOK, "a plain network"), *TEXTBOOK_SETTINGS, *validation, *active]
        inactive.append(("early_stopping", {"patience": 20}, "stop after 20 epochs without improvement"))
    else:
        described = (
            "quality",
            quality or "balanced",
            "fast: an ensemble of 4, trained less; balanced: of up to 8",
        )
        active = [("preset", TABULAR, "the best settings of our benchmarks")] * (preset == TABULAR) + active
        (inactive if quality is None else active).insert(0, described)
        inactive.append(("epochs", 100, "passes over the training rows; default: chosen by the number of rows"))
        if quality is None and preset is None:
            inactive.append(("layers", [64, 32], "units of each hidden layer, without the preset tabular"))
    if summary.integer_classes:
        inactive.append(("loss", "mse", "regression"))
    if summary.proposed_loss is not None:
        inactive.append(("loss", *summary.proposed_loss))
    if summary.kinds:
        inactive.append(("target_weights", {summary.data.target[0]: 2.0}, "weights of the targets in the loss, else 1"))
    inactive += summary.kind.draft_options
    active = [*summary.kind.draft_settings, *active]
    if summary.positive_class is not None:
        active.append(("positive_class", summary.positive_class, "f1, precision and recall are about it"))
    on = [(key, extra.get(key, value), comment) for key, value, comment in active]
    enabled = {key for key, *_ in on}
    on += [(key, value, "") for key, value in extra.items() if key not in enabled]
    return [
        *_settings(on),
        "",
        "# Options: remove the # to set one. `nncli config show` prints all keys.",
        *("# " + line for line in _settings([setting for setting in inactive if setting[0] not in extra])),
    ]


def _settings(settings: Iterable[Setting], indent: str = "") -> list[str]:
    """Lines of `key: value  # comment`."""
    lines: list[tuple[str, str]] = []
    for key, value, comment in settings:
        written = _on_one_line(value)
        if written is None:
            lines += [(indent + line, "") for line in dump({key: value}).splitlines()]
        else:
            lines.append((f"{indent}{key}: {written}", comment))
    return _align_comments(lines)


def _on_one_line(value: object) -> str | None:
    """The YAML of a value on one line; None for a nested one."""
    if isinstance(value, list):
        return (
            None if any(isinstance(item, list | dict) for item in value) else f"[{', '.join(map(dump_scalar, value))}]"
        )
    if isinstance(value, dict):
        inner = [_on_one_line(item) for item in value.values()]
        if None in inner:
            return None
        return "{" + ", ".join(f"{dump_scalar(key)}: {item}" for key, item in zip(value, inner, strict=True)) + "}"
    return dump_scalar(value)


def _align_comments(lines: Iterable[tuple[str, str]]) -> list[str]:
    """Lines with their comments; those of lines up to MAX_ALIGNED_WIDTH are aligned."""
    lines = list(lines)
    width = max((len(line) for line, _ in lines if len(line) <= MAX_ALIGNED_WIDTH), default=0)
    return [f"{line:{width}}  {_comment(comment)}" if comment else line for line, comment in lines]


def _indented(text: str, by: int = 2) -> list[str]:
    return [" " * by + line for line in text.splitlines()]


def _comment(text: str, indent: str = "") -> str:
    """A comment of one line; unprintable characters are escaped."""
    shown = escape_unprintable(text, keep="")
    shown = shown if len(shown) <= MAX_COMMENT_LENGTH else shown[: MAX_COMMENT_LENGTH - 1] + "…"
    return f"{indent}# {shown}"


def _word(text: str) -> str:
    """A name or a value, shortened, and in quotes where it is empty or holds punctuation or spaces at an end."""
    shown = text if len(text) <= MAX_WORD_LENGTH else text[: MAX_WORD_LENGTH - 1] + "…"
    needs_quotes = (
        shown != shown.strip() or not shown or any(mark in shown for mark in ",:;'\"#") or not shown.isprintable()
    )
    return escape_unprintable(f'"{shown}"' if needs_quotes else shown, keep="")


def _range(column: ColumnProfile) -> str:
    """`17 to 90, median 37`."""
    if column.lowest is None or column.highest is None or column.median is None:
        return ""
    unit = "" if column.unit in (None, PARENTHESES) else f", unit {column.unit}"
    if column.lowest == column.highest:
        return f"always {format_number(column.lowest)}{unit}"
    low, high, median = map(format_number, (column.lowest, column.highest, column.median))
    return f"{low} to {high}, median {median}{unit}"


def _count(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"
