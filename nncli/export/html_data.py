"""What the scripts of the page know besides the module: how to start, what to compare with, and what to show."""

from __future__ import annotations

from typing import Any

from nncli.data.columns.units import PERCENT
from nncli.export.html_fields import MAX_OPTIONS, start_text, visible
from nncli.export.javascript import as_literal
from nncli.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput
from nncli.program.program import ClassOutputs, NumberOutputs, Program
from nncli.text import percent_digits

UNSEEN = "another category"


def data_script(program: Program) -> str:
    """The declaration of the constant `page`.

    Names are values in it, never keys, which JavaScript could take for something else.
    """
    data = {
        "decimal": program.decimal,
        "inputs": [_input(program, column) for column in program.inputs],
        "output": _output(program.outputs),
    }
    return f"const page = {as_literal(data)};"


def _input(program: Program, column: ProgramInput) -> dict[str, Any]:
    data: dict[str, Any] = {"start": start_text(program, column)}
    match column:
        case NumberInput():
            data["percent"] = column.unit if column.unit in PERCENT else None
        case DateInput():
            data |= {"lowest": column.lowest, "highest": column.highest}
        case CategoryInput():
            data["other"] = unseen_category(program, column)
            if len(column.categories) > MAX_OPTIONS:
                data["listed"] = [visible(text) for text in column.categories]
        case _:
            pass
    return {key: value for key, value in data.items() if value is not None}


def unseen_category(program: Program, column: CategoryInput) -> str:
    """A text that is no category of a column, in no spelling, and no missing value."""
    taken = {text.strip().lower() for pairs in (column.texts, column.keys, column.folded_keys) for text, _ in pairs}
    taken |= {text.strip().lower() for text in program.missing_values}
    text = UNSEEN
    while text in taken:
        text += " x"
    return text


def _output(outputs: NumberOutputs | ClassOutputs) -> dict[str, Any]:
    if isinstance(outputs, ClassOutputs):
        return {"kind": "class", "labels": [visible(label) for label in outputs.labels]}
    return {"kind": "number", "targets": [_target(outputs, name) for name in outputs.names]}


def _target(outputs: NumberOutputs, name: str) -> dict[str, Any]:
    suffix = f"_{name}" if len(outputs.names) > 1 else ""
    ranges = []
    for bounds in outputs.bounds:
        digits = percent_digits(bounds.level)
        ranges.append([f"{digits} % interval", f"lower_{digits}{suffix}", f"upper_{digits}{suffix}"])
    levels = sorted(outputs.levels)
    for low, high in zip(levels[: len(levels) // 2], reversed(levels), strict=False):
        title = f"{_percent(low)} % to {_percent(high)} % quantile"
        ranges.append([title, *(f"quantile_{percent_digits(level)}{suffix}" for level in (low, high))])
    return {"column": f"prediction{suffix}", "shown": visible(name) if suffix else None, "ranges": ranges}


def _percent(level: float) -> str:
    return f"{100.0 * level:.10g}"
