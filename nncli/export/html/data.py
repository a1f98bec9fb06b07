"""What the scripts of the page know besides the module: how to start, what to compare with, and what to show."""

from __future__ import annotations

from typing import Any

from nncli.base.text import percent_digits
from nncli.data.columns.units import PERCENT
from nncli.export.html.fields import MAX_OPTIONS, FormInputs, readable_text, start_text
from nncli.export.javascript.module import as_literal
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput
from nncli.nn.program.output_columns import number_columns
from nncli.nn.program.program import ClassOutputs, NumberOutputs, Program

UNSEEN = "another category"


def data_script(program: Program) -> str:
    """The declaration of the constant `page`.

    Names are values in it, never keys, which JavaScript could take for something else.
    """
    data = {
        "decimal": program.decimal,
        "inputs": [field_data(program, column) for column in program.inputs],
        "output": output_data(program.outputs),
    }
    return f"const page = {as_literal(data)};"


def field_data(form: FormInputs, column: ProgramInput) -> dict[str, Any]:
    """What the scripts know of a field besides the column."""
    data: dict[str, Any] = {"start": start_text(form, column)}
    match column:
        case NumberInput():
            data["percent"] = column.unit if column.unit in PERCENT else None
        case DateInput():
            data |= {"lowest": column.lowest, "highest": column.highest}
        case CategoryInput():
            data["other"] = unseen_category(form, column)
            if len(column.categories) > MAX_OPTIONS:
                data["listed"] = [readable_text(text) for text in column.categories]
        case _:
            pass
    return {key: value for key, value in data.items() if value is not None}


def unseen_category(form: FormInputs, column: CategoryInput) -> str:
    """A text that is no category of a column, in no spelling, and no missing value."""
    taken = {text.strip().lower() for pairs in (column.texts, column.keys, column.folded_keys) for text, _ in pairs}
    taken |= {text.strip().lower() for text in form.missing_values}
    text = UNSEEN
    while text in taken:
        text += " x"
    return text


def output_data(outputs: NumberOutputs | ClassOutputs) -> dict[str, Any]:
    """The columns of predictions, and what they are called."""
    if isinstance(outputs, ClassOutputs):
        return {"kind": "class", "labels": [readable_text(label) for label in outputs.labels]}
    return {"kind": "number", "targets": [_target(outputs, j) for j in range(len(outputs.names))]}


def _target(outputs: NumberOutputs, j: int) -> dict[str, Any]:
    title = {(column.node, column.place): column.title for column in reversed(number_columns(outputs))}
    ranges = []
    for bounds in outputs.bounds:
        name = f"{percent_digits(bounds.level)} % interval"
        ranges.append([name, title[bounds.lower, j], title[bounds.upper, j]])
    if outputs.quantiles is not None:
        n = len(outputs.levels)
        places = sorted(range(n), key=lambda k: outputs.levels[k])
        for low, high in zip(places[: n // 2], reversed(places), strict=False):
            name = f"{_percent(outputs.levels[low])} % to {_percent(outputs.levels[high])} % quantile"
            ranges.append([name, *(title[outputs.quantiles, j * n + k] for k in (low, high))])
    target = readable_text(outputs.names[j]) if len(outputs.names) > 1 else None
    return {"column": title[outputs.values, j], "shown": target, "ranges": ranges}


def _percent(level: float) -> str:
    return f"{100.0 * level:.10g}"
