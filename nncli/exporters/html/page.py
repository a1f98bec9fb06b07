"""A page for a browser: one file with a form, which predicts by the JavaScript module inside it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from string import Template
from typing import Any

from nncli.base.text import free_name, percent_digits
from nncli.base.web_style import base_style
from nncli.data.number_and_date_forms import PERCENT
from nncli.exporters.formats import ModelInfo
from nncli.exporters.html.fields import MAX_OPTIONS, FormInputs, field, html_text, readable_text, start_text
from nncli.exporters.javascript.module import as_literal, to_javascript
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput
from nncli.nn.program.program import OutputColumn, Program, groups_of, targets_of

SCRIPTS = ("form.js", "answer.js", "effects.js", "csv.js", "drop.js", "predictions.js", "table.js", "main.js")
"""The scripts of the page, in the order in which they run."""


def to_html(program: Program, info: ModelInfo) -> str:
    """The page of a program."""
    return page_of(program, info, to_javascript(program, info))


def page_of(program: Program, info: ModelInfo, module: str) -> str:
    """The page of a program around the text of its JavaScript module."""
    parts = "\n".join(template(name) for name in SCRIPTS)
    # In a block, so that its names are not those of the module.
    script = safe_script(f"{module}\n{{\n{data_script(program)}\n{parts}}}\n")
    style = page_style()
    policy = f"default-src 'none'; script-src '{source_hash(script)}'; style-src '{source_hash(style)}'; img-src data:"
    metadata = Template(template("metadata.html")).substitute(
        policy=f"{policy}; base-uri 'none'; form-action 'none'", version=html_text(info.nncli_version)
    )
    title = title_of(targets_of(program.outputs))
    body = Template(template("page.html")).substitute(
        title=html_text(title),
        summary=html_text(_summary(program, info)),
        fields="\n".join(field(program, i) for i in range(len(program.inputs))),
        explanation=explanation(program.inputs, are_classes=bool(groups_of(program.outputs).labels)),
        origin=html_text(f"Exported by nncli {info.nncli_version}. Checksum of the run: {info.checksum}"),
    )
    return document(title, style, body, script=script, metadata=metadata)


def _summary(program: Program, info: ModelInfo) -> str:
    n = len(program.inputs)
    return (
        f"The model {info.name} predicts it from {n} column{'s' if n > 1 else ''}. An empty field is a missing value. "
        "Everything is computed in this page: what you enter is sent nowhere."
    )


TYPICAL = {
    "number": "the median of a column of numbers",
    "category": "the most frequent category",
    "date": "the median date",
    "text": "no text",
}
"""What the typical value of each kind of input is."""


def template(name: str, package: str = "nncli.exporters.html") -> str:
    """The text of a file in the folder of templates of a package."""
    return (files(package) / "templates" / name).read_text("utf-8")


def page_style() -> str:
    """The style of a page with a form."""
    return base_style() + template("page.css")


def document(title: str, style: str, body: str, *, script: str | None = None, metadata: str = "") -> str:
    """The HTML of a page; `body` and `metadata`, the elements of its head, are HTML."""
    element = "" if script is None else f'\n<script type="module">{script}</script>'
    body = body.rstrip("\n") + element
    return Template(template("document.html")).substitute(
        metadata=metadata, title=html_text(title), style=style, body=body
    )


def safe_script(text: str) -> str:
    """A script that does not end, or become a comment of, the element around it: `<` is escaped where it would.

    It can only be part of such a word in a string, where `\\x3c` is the same character.
    """
    return re.sub(r"<(?=!--|/?script)", r"\\x3c", text.replace("\r", ""), flags=re.IGNORECASE)


def source_hash(text: str) -> str:
    """The source expression of an inline text for a content security policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def title_of(targets: Sequence[str]) -> str:
    """The title of a page that predicts these targets."""
    return f"Prediction of {', '.join(targets[:3])}" + (f" and {len(targets) - 3} more" if len(targets) > 3 else "")


def explanation(inputs: Sequence[ProgramInput], *, are_classes: bool) -> str:
    """The HTML of the part that shows effects, and the exact values."""
    method = html_text(effects_text(inputs, are_classes=are_classes))
    return Template(template("explanation.html")).substitute(method=method)


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
    data: dict[str, Any] = {"start": start_text(form, column), "complete": not column.is_optional}
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
    return free_name(UNSEEN, taken, " x")


def output_data(outputs: Sequence[OutputColumn]) -> dict[str, Any]:
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
