"""A draft of a configuration: what is known of a table, as YAML with comments on its columns and on the choices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nncli.base.spec import non_defaults
from nncli.base.text import escape_unprintable, format_number, join_quoted
from nncli.config.loading import TABULAR, TEXTBOOK
from nncli.config.yaml.writer import dump, dump_scalar
from nncli.data.encoders.column_types import ColumnType
from nncli.data.number_and_date_forms import PARENTHESES
from nncli.data.profile import MAX_TOP_VALUES, ColumnProfile, Label
from nncli.fitting.checks.column import percentage
from nncli.fitting.table_summary import TableSummary
from nncli.targets.kind import SettingRule
from nncli.targets.orders import label_order
from nncli.targets.target import TargetKind

MAX_COLUMN_LINES = 200
"""Columns described by a line each."""
MAX_WORD_LENGTH, MAX_VALUES_LENGTH, MAX_COMMENT_LENGTH = 32, 64, 240
MAX_ALIGNED_WIDTH = 36
"""A key, its value and its comment."""

TEXTBOOK_SETTINGS: tuple[SettingRule, ...] = (
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
        kind = ColumnType.CATEGORICAL if example_column.kind.is_numeric else ColumnType.EMPTY
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
    active: list[SettingRule] = [
        ("seed", 0, "random seed"),
        ("output", f"runs/{name}", "run directory; -2, -3 … is appended if it exists"),
    ]
    inactive: list[SettingRule] = []
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


def _settings(settings: Iterable[SettingRule], indent: str = "") -> list[str]:
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
