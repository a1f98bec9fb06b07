"""The functions that read the cells of each column, and their tables."""

from __future__ import annotations

from collections.abc import Sequence

from nncli.data.columns.datetimes import ISO, ORDERS, YEAR_FIRST_OR_NAMED, orders_of
from nncli.data.columns.units import PERCENT
from nncli.export.c.columns import Column
from nncli.export.c.literals import NEVER, string
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput, TextInput
from nncli.nn.program.program import Program

READ_TEXT = """\
{prototype}
{{
    *value = is_missing(cell) ? NULL : text_of(cell).start;
    return 1;
}}
"""


def entries(name: str, pairs: Sequence[tuple[str, int]]) -> str:
    """The definition of a table of texts and numbers, in the order of their bytes; with none, an unused row."""
    ordered = sorted((text.encode().replace(b"\0", NEVER), text, value) for text, value in pairs)
    rows = [f"    {{{string(text)}, {value}}}" for _, text, value in ordered] or ["    {NULL, 0}"]
    return f"static const struct entry {name}[{len(rows)}] = {{\n" + ",\n".join(rows) + "\n};\n"


def missing_values(program: Program) -> str:
    """The table of the spellings of missing cells."""
    table = entries("missing_values", [(text, 0) for text in program.missing_values])
    return f"#define N_MISSING_VALUES {len(program.missing_values)}\n{table}"


def longest_folded_key(inputs: Sequence[ProgramInput]) -> int:
    """The bytes of the longest category that may be in any case."""
    keys = [key for column in inputs if isinstance(column, CategoryInput) for key, _ in column.folded_keys]
    return max((len(key.encode()) for key in keys), default=0)


def reader(program: Program, column: Column, position: int) -> str:
    """The function that reads a cell of a column, after its tables."""
    match column.input:
        case NumberInput():
            return _number_reader(program, column, column.input, position)
        case CategoryInput():
            return _category_reader(column, column.input, position)
        case DateInput():
            return _date_reader(column, column.input, position)
        case TextInput():
            return READ_TEXT.format(prototype=column.prototype)


def _number_reader(program: Program, column: Column, number: NumberInput, position: int) -> str:
    decimal = "'" + program.decimal + "'"
    unit, thousands = string(number.unit or ""), string(program.thousands or "")
    marks = f"{int(number.unit in PERCENT)}, {int(number.reads_booleans)}"
    return (
        f"static const struct number_format f{position} = {{{unit}, {thousands}, {decimal}, {marks}}};\n\n"
        f"{column.prototype}\n{{\n    return parse_number(cell, &f{position}, value);\n}}\n"
    )


def _category_reader(column: Column, category: CategoryInput, position: int) -> str:
    tables, arguments = [], []
    for letter, pairs in (("t", category.texts), ("k", category.keys), ("l", category.folded_keys)):
        if pairs:
            tables.append(entries(f"{letter}{position}", pairs))
        arguments.append(f"{letter}{position}, {len(pairs)}" if pairs else "NULL, 0")
    return (
        "\n".join([*tables, column.prototype]) + "\n{\n"
        f"    *value = ({column.type})category_of(cell, {', '.join(arguments)});\n    return 1;\n}}\n"
    )


def _date_reader(column: Column, date: DateInput, position: int) -> str:
    forms, pairs = date_plan(date.formats)
    texts = ", ".join(string("" if form == ISO else form) for form in forms)
    twos = ", ".join(f"{{{string(first)}, {string(last)}}}" for first, last in pairs)
    return (
        f"static const char *const d{position}[] = {{{texts}}};\n"
        f"static const char *const e{position}[][2] = {{{twos}}};\n\n"
        f"{column.prototype}\n{{\n"
        f"    return parse_date(cell, d{position}, {len(forms)}, e{position}, {len(pairs)}, value);\n}}\n"
    )


def date_plan(formats: Sequence[str]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The formats to try in order, and the two orders of day and month of each separator: see datetimes.py."""
    orders = orders_of(formats)
    pairs = tuple((orders.get(mark, forms[0]), orders.get(mark, forms[-1])) for mark, forms in ORDERS.items())
    return tuple(dict.fromkeys((*formats, *YEAR_FIRST_OR_NAMED))), pairs
