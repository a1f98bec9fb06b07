"""The fields of the page: one for each input of a program, with its typical value to start from."""

from __future__ import annotations

from html import escape
from typing import Protocol

from nncli.base.text import escape_unprintable
from nncli.data.columns.datetimes import date_text
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput, TextInput

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


def readable_text(text: str) -> str:
    """A name or label with what cannot be seen escaped; quotes around one of spaces alone."""
    seen = escape_unprintable(text, keep="\u200c\u200d")
    return seen if seen.strip() else f"“{seen}”"


def html_text(text: str) -> str:
    """A text as HTML, in elements and in attributes."""
    return escape(escape_unprintable(text, keep="\u200c\u200d"))


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
