"""The form of a page that predicts by hand: its fields, and the data, scripts and style that pages with it share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape
from string import Template
from typing import Any, Protocol

from nncli.base.text import free_name, percent_digits
from nncli.base.web_page import base_style, html_text, readable_text, template
from nncli.data.columns.datetimes import date_text
from nncli.data.number_and_date_forms import PERCENT
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput, TextInput
from nncli.nn.program.program import OutputColumn, OutputGroups, groups_of

PACKAGE = "nncli.exporters"
SCRIPTS = ("form.js", "answer.js", "effects.js", "csv.js", "drop.js")
"""The scripts of the form, in the order in which they run, before those of a page."""
MAX_OPTIONS = 40
"""Categories of a menu; of more, the field is one to type into, with suggestions."""


class FormInputs(Protocol):
    """What a form is made of: the columns of a model, its decimal mark and its spellings of missing cells."""

    @property
    def inputs(self) -> tuple[ProgramInput, ...]:
        """The columns, one for each field."""

    @property
    def decimal(self) -> str:
        """The decimal mark of numbers in text."""

    @property
    def missing_values(self) -> tuple[str, ...]:
        """The spellings of missing cells."""


def form_scripts() -> str:
    """The scripts of the form, which read the constants `inputs`, `model` and `page` before them."""
    return "\n".join(template(name, PACKAGE) for name in SCRIPTS)


def form_style() -> str:
    """The style of a page with a form."""
    return base_style() + template("form.css", PACKAGE)


def field_text(form: FormInputs, column: NumberInput, x: float) -> str:
    """A number of a column with at most 12 significant digits, and its decimal mark."""
    return f"{x:.12g}".replace(".", column.decimal or form.decimal)


def day_text(column: DateInput, days: float) -> str:
    """Days since 1970 as the page shows them, to the minute if the column has times of day."""
    return date_text(days, "minutes") if column.has_times else date_text(days)


def category_start(column: CategoryInput) -> int | None:
    """The position of the typical category; None if it is unknown."""
    return column.categories.index(column.typical) if column.typical in column.categories else None


def start_text(form: FormInputs, column: ProgramInput) -> str:
    """The typical value of a column as the page shows it."""
    match column:
        case NumberInput():
            return "missing" if column.typical is None else field_text(form, column, column.typical)
        case DateInput():
            return "missing" if column.typical is None else day_text(column, column.typical)
        case CategoryInput():
            start = category_start(column)
            return "missing" if start is None else readable_text(column.categories[start])
        case TextInput():
            return "no text"


def range_text(form: FormInputs, column: NumberInput | DateInput) -> str:
    """The training range of a column, or its two values."""
    assert column.lowest is not None
    assert column.highest is not None
    if isinstance(column, DateInput):
        ends = [day_text(column, x) for x in (column.lowest, column.highest)]
    else:
        ends = [field_text(form, column, x) for x in (column.lowest, column.highest)]
    return (" or " if isinstance(column, NumberInput) and column.is_binary else " to ").join(ends)


def field(form: FormInputs, i: int) -> str:
    """The field of an input: a label, a control, the training range, and a place for a remark."""
    column = form.inputs[i]
    match column:
        case NumberInput():
            control = _number(form, column, i)
        case DateInput():
            control = _date(form, column, i)
        case CategoryInput():
            control = _category(column, i)
        case TextInput():
            control = f'<textarea id="i{i}" rows="3" dir="auto"{_described(i)}></textarea>'
    name = escape(readable_text(column.name))
    return (
        f'<div class="field {column.kind}"><label for="i{i}"><bdi class="long" id="i{i}-label">{name}'
        f'</bdi></label><div class="entry">{control}</div>{_hint(form, column, i)}'
        f'<p class="remark" id="i{i}-remark" hidden></p></div>'
    )


def _described(i: int) -> str:
    return f' aria-describedby="i{i}-hint i{i}-remark"'


def _hint(form: FormInputs, column: ProgramInput, i: int) -> str:
    text = ""
    match column:
        case NumberInput() | DateInput() if column.lowest is not None:
            text = f"{range_text(form, column)} in training"
        case CategoryInput() if len(column.categories) > MAX_OPTIONS:
            text = f"one of {len(column.categories):,} categories, or another"
        case TextInput():
            text = f"free text, of which the model counts {len(column.terms):,} words and pairs of words"
    return f'<p class="hint" id="i{i}-hint">{escape(text)}</p>'


def _number(form: FormInputs, column: NumberInput, i: int) -> str:
    value = "" if column.typical is None else field_text(form, column, column.typical)
    unit = "" if column.unit in (None, "()") else f'<span class="unit">{html_text(str(column.unit))}</span>'
    if column.is_binary:
        numbers = sorted({x for x in (column.lowest, column.typical, column.highest) if x is not None})
        texts = [field_text(form, column, x) for x in numbers]
        options = "".join(f"<option{' selected' if text == value else ''}>{text}</option>" for text in texts)
        missing = f'<option value=""{"" if value else " selected"}>missing</option>'
        return f'<select id="i{i}"{_described(i)}>{options}{missing}</select>{unit}'
    # The numeric keyboard of some phones has no minus sign.
    keyboard = "decimal" if column.lowest is not None and column.lowest >= 0.0 else "text"
    return (
        f'<input id="i{i}" type="text" inputmode="{keyboard}" value="{escape(value)}" placeholder="missing" '
        f'spellcheck="false"{_described(i)}>{unit}'
    )


def _date(form: FormInputs, column: DateInput, i: int) -> str:
    value = "" if column.typical is None else start_text(form, column).replace(" ", "T")
    kind, end = ("datetime-local", "9999-12-31T23:59") if column.has_times else ("date", "9999-12-31")
    return f'<input id="i{i}" type="{kind}" value="{value}" max="{end}"{_described(i)}>'


def _category(column: CategoryInput, i: int) -> str:
    start = category_start(column)
    names = [escape(readable_text(text)) for text in column.categories]
    if len(names) > MAX_OPTIONS:
        value = "" if start is None else names[start]
        options = "".join(f'<option value="{name}">' for name in names)
        return (
            f'<input id="i{i}" type="text" list="i{i}-list" value="{value}" placeholder="missing" dir="auto" '
            f'spellcheck="false"{_described(i)}><datalist id="i{i}-list">{options}</datalist>'
        )
    options = "".join(
        f'<option value="{k}"{" selected" if k == start else ""}>{name}</option>' for k, name in enumerate(names)
    )
    missing = f'<option value="missing"{" selected" if start is None else ""}>missing</option>'
    return (
        f'<select id="i{i}"{_described(i)}>{options}{missing}<option value="other">another category</option></select>'
    )


TYPICAL = {
    "number": "the median of a column of numbers",
    "category": "the most frequent category",
    "date": "the median date",
    "text": "no text",
}
"""What the typical value of each kind of input is."""


def title_of(targets: Sequence[str]) -> str:
    """The title of a page that predicts these targets."""
    return f"Prediction of {', '.join(targets[:3])}" + (f" and {len(targets) - 3} more" if len(targets) > 3 else "")


def explanation(inputs: Sequence[ProgramInput], *, are_classes: bool) -> str:
    """The HTML of the part that shows effects, and the exact values."""
    method = html_text(effects_text(inputs, are_classes=are_classes))
    return Template(template("explanation.html", PACKAGE)).substitute(method=method)


def effects_text(inputs: Sequence[ProgramInput], *, are_classes: bool) -> str:
    """How the effects of columns are computed."""
    kinds = [text for kind, text in TYPICAL.items() if any(column.kind == kind for column in inputs)]
    typical = " and ".join(filter(None, [", ".join(kinds[:-1]), kinds[-1]])) if kinds else ""
    measure, points = "prediction", ""
    if are_classes:
        measure, points = "probability of the class that is named", ", in percentage points"
    return (
        f"The effect of a column is the difference between this {measure} and the one with that column alone at its "
        f"typical value, and the others as entered. Typical is, in the training rows, {typical}; of a column that is "
        f"mostly missing, a missing value. The three largest effects are shown{points}. They describe the model, not "
        "causes, and do not add up to the prediction, as the attributions of nncli explain do, which begin at the "
        "average row."
    )


MAX_SAFE_INTEGER = 2**53 - 1
"""Beyond it a number of JavaScript does not hold every integer."""


def input_data(column: ProgramInput) -> dict[str, Any]:
    """What `inputs` tells of a column; what is not known is left out."""
    data: dict[str, Any] = {"name": column.name, "kind": column.kind}
    match column:
        case NumberInput():
            data |= {"unit": column.unit, "decimal": column.decimal}
            data |= {"lowest": column.lowest, "highest": column.highest}
        case CategoryInput():
            data["categories"] = list(column.categories)
        case DateInput():
            data |= {"formats": list(column.formats), "lowest": _day(column.lowest), "highest": _day(column.highest)}
    if column.missing_words:
        data["missing"] = list(column.missing_words)
    if isinstance(column, DateInput):
        data["typical"] = _day(column.typical)
    elif not isinstance(column, TextInput):
        data["typical"] = column.typical
    return {key: value for key, value in data.items() if value is not None}


def _day(days: float | None) -> str | None:
    """A day since 1970 as the text of a cell."""
    if days is None:
        return None
    text = (datetime(1970, 1, 1) + timedelta(days=days)).isoformat(" ", "microseconds")
    return text.removesuffix(".000000").removesuffix(" 00:00:00")


def classes_of(groups: OutputGroups) -> list[str | int | float | bool]:
    """The classes in the type of predictions; an integer too long for a number is text."""
    match groups.label_type:
        case "text":
            return list(groups.labels)
        case "boolean":
            return [label == "true" for label in groups.labels]
        case "float":
            return [float(label) for label in groups.labels]
        case "integer":
            return [int(label) if abs(int(label)) <= MAX_SAFE_INTEGER else label for label in groups.labels]


UNSEEN = "another category"


def form_data(form: FormInputs, outputs: Sequence[OutputColumn]) -> dict[str, Any]:
    """What the scripts of the form read from the constant `page`.

    Names are values in it, never keys, which JavaScript could take for something else.
    """
    return {
        "decimal": form.decimal,
        "inputs": [_field_data(form, column) for column in form.inputs],
        "output": _output_data(outputs),
    }


def _field_data(form: FormInputs, column: ProgramInput) -> dict[str, Any]:
    """What the scripts know of a field besides the column."""
    data: dict[str, Any] = {"start": start_text(form, column), "complete": not column.is_optional}
    match column:
        case NumberInput():
            data["percent"] = column.unit if column.unit in PERCENT else None
        case DateInput():
            data |= {"lowest": column.lowest, "highest": column.highest}
        case CategoryInput():
            data["other"] = _unseen_category(form, column)
            if len(column.categories) > MAX_OPTIONS:
                data["listed"] = [readable_text(text) for text in column.categories]
        case _:
            pass
    return {key: value for key, value in data.items() if value is not None}


def _unseen_category(form: FormInputs, column: CategoryInput) -> str:
    """A text that is no category of a column, in no spelling, and no missing value."""
    taken = {text.strip().lower() for pairs in (column.texts, column.keys, column.folded_keys) for text, _ in pairs}
    taken |= {text.strip().lower() for text in form.missing_values}
    return free_name(UNSEEN, taken, " x")


def _output_data(outputs: Sequence[OutputColumn]) -> dict[str, Any]:
    """The columns of predictions, and what they are called."""
    if labels := groups_of(outputs).labels:
        return {"kind": "class", "labels": [readable_text(label) for label in labels]}
    shown = [column for column in outputs if column.role in ("value", "probability")]
    # Columns of the same target differ by their titles.
    names = [column.target for column in shown]
    names = names if len({*names}) == len(names) else [column.title for column in shown]
    return {
        "kind": "number",
        "targets": [
            {
                "column": column.title,
                "shown": readable_text(name) if len(shown) > 1 else None,
                "ranges": _ranges([other for other in outputs if other.target == column.target]),
            }
            for column, name in zip(shown, names, strict=True)
        ],
    }


def _ranges(columns: Sequence[OutputColumn]) -> list[list[str | None]]:
    """The intervals among the columns of a target: the name, and the columns of both ends."""
    ranges = list[list[str | None]]()
    upper = {column.level: column.title for column in columns if column.role == "upper"}
    for column in columns:
        if column.role == "lower" and column.level is not None:
            name = f"{percent_digits(column.level)} % {'interval' if column.level in upper else 'lower bound'}"
            ranges.append([name, column.title, upper.get(column.level)])
    quantiles = sorted((c.level, c.title) for c in columns if c.role == "quantile" and c.level is not None)
    for (a, low), (b, high) in zip(quantiles[: len(quantiles) // 2], reversed(quantiles), strict=False):
        ranges.append([f"{_percent(a)} % to {_percent(b)} % quantile", low, high])
    return ranges


def _percent(level: float) -> str:
    return f"{100.0 * level:.10g}"
