"""A YAML configuration with comments that describe the table and the settings to change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nncli.autoconfig.table_summary import TableSummary
from nncli.config.presets.apply import TABULAR, TEXTBOOK
from nncli.config.yaml.writer import dump, dump_scalar
from nncli.data.columns.units import PARENTHESES
from nncli.data.encoders.kinds import Kind
from nncli.data.profile import MAX_TOP_VALUES, ColumnProfile, Label
from nncli.spec import non_defaults
from nncli.text import escape_unprintable, join_quoted

MOST_LINES = 200
"""The largest number of columns that get a line each."""
LONGEST_WORD, LONGEST_VALUES, LONGEST_COMMENT = 32, 64, 240
WIDEST_SETTING = 36
Setting = tuple[str, object, str]
"""A key, its value and its comment."""

PLAIN_SETTINGS: tuple[Setting, ...] = (
    ("layers", [64, 32], "units of each hidden layer; [] is a linear model"),
    ("activation", "relu", "of the hidden layers: relu, tanh, sigmoid, gelu …"),
    ("optimizer", "adam", "adam, sgd, adamw, rmsprop …"),
    ("learning_rate", 0.001, "a number or a schedule"),
    ("batch_size", 32, "rows per step, or full"),
    ("epochs", 100, "passes over the training rows; the best epoch is kept"),
)
"""The settings of the preset textbook."""


def draft_config(
    look: TableSummary,
    *,
    path: str,
    name: str,
    preset: str | None,
    quality: str | None,
    extra: Mapping[str, object],
    heading: Sequence[str] = (),
    to_train: str | None = None,
) -> str:
    """The YAML of a configuration.

    Args:
        look: the table that it is for.
        path: of the table, as the configuration is to name it.
        name: of the run directory, in runs/.
        preset: tabular or textbook; None: tabular, but for `layers` among the extra keys.
        quality: of the preset tabular.
        extra: further keys and their values.
        heading: comments before all others.
        to_train: the command that trains on it, if that is known.
    """
    command = [] if to_train is None else [_comment(f"To train: {to_train}")]
    lines = [
        *heading,
        *_found(look),
        *command,
        "",
        *_data(look, path),
        "",
        *_training(look, name, preset, quality, extra),
    ]
    return "\n".join(lines) + "\n"


def _found(look: TableSummary) -> list[str]:
    """Comments on the table and the target."""
    rows = f"{_count(look.table_rows, 'row')}, {_count(look.width, 'column')}"
    if look.rows < look.table_rows:
        rows += f"; {look.table_rows - look.rows:,} rows without a target are dropped"
    lines = [f"{_word(Path(look.data.path).name)}: {rows}."]
    lines += [f"Target: {_word(target.name)}, {_aim(look, target)}." for target in look.targets]
    if look.codes:
        lines.append("(A few consecutive whole numbers are treated as classes. For regression set loss: mse.)")
    return [_comment(line) for line in lines]


def _aim(look: TableSummary, target: ColumnProfile) -> str:
    """The classes or the range of a target."""
    if look.task == "regression":
        return f"a number: {_range(target)}"
    classes = [f"{_word(value)} ({_count(count, 'row')})" for value, count in target.top_values]
    if target.distinct > len(classes):
        classes.append(f"… {target.distinct - len(classes):,} more")
    return f"one of {target.distinct:,} classes: {', '.join(classes)}"


def _data(look: TableSummary, path: str) -> list[str]:
    """The section `data`."""
    target: object = look.data.target[0] if len(look.data.target) == 1 else list(look.data.target)
    lines = ["data:", *_settings([("path", path, ""), ("target", target, "")], "  ")]
    known = non_defaults(look.data)
    for key in ("path", "target", "drop", "columns"):
        known.pop(key, None)
    if look.words:
        seem = "seems" if len(look.words) == 1 else "seem"
        said = f"cells read as missing; {join_quoted(look.words)} {seem} to mean a missing value"
        lines += _settings([("missing_values", known.pop("missing_values"), said)], "  ")
    if look.grouped:
        lines += _settings([("thousands", known.pop("thousands"), "thousands separator")], "  ")
    lines += _indented(dump(known)) if known else []
    if look.data.drop or look.dropped:
        lines.append("  drop:  # columns that are not used")
        left_out = [(name, "") for name in look.data.drop] + [
            (column.name, doubt(column) if column.error else column.reason) for column in look.dropped
        ]
        lines += _beside([(f"    - {dump_scalar(name)}", reason) for name, reason in left_out])
    if look.data.columns or look.ambiguous:
        lines.append("  columns:  # the kind of a column, where it is not inferred or not certain")
        lines += [line for name, kind in look.data.columns.items() for line in _indented(dump({name: kind.value}), 4)]
        for column in look.ambiguous:
            lines.append(_comment(doubt(column), "    "))
            lines += _indented(dump({column.name: column.kind.value}), 4)
    return [*lines, *_kinds(look)]


def doubt(column: ColumnProfile) -> str:
    """The message of training about a column, without the hints that the configuration follows."""
    error = column.error
    if error is None:
        return ""
    hint = (error.hint or "").partition("Correct the cell")[0].strip()
    return f"{error.message}. {hint}" if hint else error.message


def _kinds(look: TableSummary) -> list[str]:
    """Comments with a line for each feature."""
    kept = look.kept
    told = look.data.columns
    lines = [
        (_word(column.name), (column.kind if column.name in told else column.label).value, _details(column))
        for column in kept[:MOST_LINES]
    ]
    name, label = (max(len(line[i]) for line in lines) for i in (0, 1))
    text = [f"  {a:{name}}  {b:{label}}  {c}".rstrip() for a, b, c in lines]
    if len(kept) > MOST_LINES:
        text.append(f"  … and {len(kept) - MOST_LINES:,} more")
    other = next((column for column in kept if column.name not in told), None)
    if other is not None:
        kind = Kind.CATEGORICAL if other.kind.is_numeric else Kind.EMPTY
        example = f"{dump_scalar(other.name)}: {kind}"
        begun = told or look.ambiguous
        where = f"add under `columns`:   {example}" if begun else f"add:   columns: {{{example}}}"
        text.append(f"To change the kind of a column, {where}")
    return [_comment(line, "  ") for line in ("Features:", *text)]


def _details(column: ColumnProfile) -> str:
    """A short description of the values of a column."""
    parts = [_values(column)]
    if column.missing:
        share = 100.0 * column.missing / column.rows
        parts.append(f"{share:.0f} % missing" if share >= 1.0 else "less than 1 % missing")
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
        values = sorted(values, key=lambda value: (len(value), value))
    while len(values) > 1 and len(", ".join(values)) > LONGEST_VALUES:
        values.pop()
    more = ", …" if column.distinct > len(values) else ""
    return f"{_count(column.distinct, 'value')}: {', '.join(map(_word, values))}{more}" if values else ""


def _training(
    look: TableSummary, name: str, preset: str | None, quality: str | None, extra: Mapping[str, object]
) -> list[str]:
    """The training keys that are changed most often; some are commented out."""
    usual: list[Setting] = [
        ("seed", 0, "of the random numbers: split, initial weights, batches"),
        ("output", f"runs/{name}", "the run directory; if it exists, -2, -3 … is appended"),
    ]
    off: list[Setting] = []
    if preset == TEXTBOOK:
        held = [("validation", 0.2, "share of the rows used for validation")]
        usual = [("preset", TEXTBOOK, "a plain network"), *PLAIN_SETTINGS, *held, *usual]
        off.append(("early_stopping", {"patience": 20}, "stop after 20 epochs without improvement"))
    else:
        described = (
            "quality",
            quality or "balanced",
            "fast: one network; balanced: ensemble of 8; best: ensemble of 20",
        )
        usual = [("preset", TABULAR, "the default settings")] * (preset == TABULAR) + usual
        (off if quality is None else usual).insert(0, described)
        off.append(("epochs", 100, "default: depends on the number of rows"))
        if quality is None and preset is None:
            off.append(("layers", [64, 32], "a plain network with these hidden layers"))
    if look.codes:
        off.append(("loss", "mse", "regression, if the numbers are amounts"))
    if look.task == "classification":
        off.append(("class_weight", "balanced", "weight classes by inverse frequency"))
    on = [(key, extra.get(key, value), said) for key, value, said in usual]
    known = {key for key, *_ in on}
    on += [(key, value, "") for key, value in extra.items() if key not in known]
    return [
        *_settings(on),
        "",
        "# Other settings: remove the # to use one. `nncli config show FILE` prints every key with its value.",
        *("# " + line for line in _settings([setting for setting in off if setting[0] not in extra])),
    ]


def _settings(settings: Iterable[Setting], indent: str = "") -> list[str]:
    """Lines of `key: value  # comment`."""
    lines: list[tuple[str, str]] = []
    for key, value, said in settings:
        written = _flow(value)
        if written is None:
            lines += [(indent + line, "") for line in dump({key: value}).splitlines()]
        else:
            lines.append((f"{indent}{key}: {written}", said))
    return _beside(lines)


def _flow(value: object) -> str | None:
    """A value on one line, or None if it is nested too deeply."""
    if isinstance(value, list):
        return (
            None if any(isinstance(item, list | dict) for item in value) else f"[{', '.join(map(dump_scalar, value))}]"
        )
    if isinstance(value, dict):
        inner = [_flow(item) for item in value.values()]
        if None in inner:
            return None
        return "{" + ", ".join(f"{dump_scalar(key)}: {item}" for key, item in zip(value, inner, strict=True)) + "}"
    return dump_scalar(value)


def _beside(lines: Iterable[tuple[str, str]]) -> list[str]:
    """Lines with aligned comments, where the lines are short enough."""
    lines = list(lines)
    width = max((len(line) for line, _ in lines if len(line) <= WIDEST_SETTING), default=0)
    return [f"{line:{width}}  {_comment(said)}" if said else line for line, said in lines]


def _indented(text: str, by: int = 2) -> list[str]:
    return [" " * by + line for line in text.splitlines()]


def _comment(text: str, indent: str = "") -> str:
    """A comment of one line; unprintable characters are escaped."""
    shown = escape_unprintable(text, keep="")
    shown = shown if len(shown) <= LONGEST_COMMENT else shown[: LONGEST_COMMENT - 1] + "…"
    return f"{indent}# {shown}"


def _word(text: str) -> str:
    """A name or a value as shown in a comment; in quotes if it is empty or has special characters."""
    shown = text if len(text) <= LONGEST_WORD else text[: LONGEST_WORD - 1] + "…"
    odd = shown != shown.strip() or not shown or any(mark in shown for mark in ",:;'\"#") or not shown.isprintable()
    return escape_unprintable(f'"{shown}"' if odd else shown, keep="")


def _range(column: ColumnProfile) -> str:
    """`17 to 90, median 37`."""
    if column.lowest is None or column.highest is None or column.median is None:
        return ""
    without = "" if column.unit in (None, PARENTHESES) else f", without the {column.unit}"
    if column.lowest == column.highest:
        return f"always {_number(column.lowest)}{without}"
    return f"{_number(column.lowest)} to {_number(column.highest)}, median {_number(column.median)}{without}"


def _number(x: float) -> str:
    """Four significant digits; whole numbers in full, with separators from 10,000 on (1984 may be a year)."""
    if abs(x) >= 1e15 or not (x.is_integer() or abs(x) >= 1000.0):
        return f"{x:.4g}"
    return f"{x:,.0f}" if abs(x) >= 10_000.0 else f"{x:.0f}"


def _count(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"
