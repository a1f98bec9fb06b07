"""A page for a browser: one file with a form, which predicts by the JavaScript module inside it."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from string import Template

from nncli.export.html.data import data_script
from nncli.export.html.fields import field, html_text
from nncli.export.javascript.module import to_javascript
from nncli.export.model_info import ModelInfo
from nncli.program.inputs import CategoryInput, DateInput, NumberInput, TextInput
from nncli.program.program import ClassOutputs, NumberOutputs, Program

SCRIPTS = ("form.js", "answer.js", "effects.js", "table.js", "main.js")
"""The scripts of the page, in the order in which they run."""
TYPICAL = (
    (NumberInput, "the median of a column of numbers"),
    (CategoryInput, "the most frequent category"),
    (DateInput, "the median date"),
    (TextInput, "no text"),
)
"""What the typical value of each kind of input is."""


def to_html(program: Program, info: ModelInfo) -> str:
    """The page of a program."""
    return page_of(program, info, to_javascript(program, info))


def page_of(program: Program, info: ModelInfo, module: str) -> str:
    """The page of a program around the text of its JavaScript module."""
    parts = "\n".join(_template(name) for name in SCRIPTS)
    # In a block, so that its names are not those of the module.
    script = safe_script(f"{module}\n{{\n{data_script(program)}\n{parts}}}\n")
    style = _template("page.css")
    policy = f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:"
    return Template(_template("page.html")).substitute(
        policy=f"{policy}; base-uri 'none'; form-action 'none'",
        version=html_text(info.nncli_version),
        title=html_text(f"Prediction of {_targets(program)}"),
        summary=html_text(_summary(program, info)),
        fields="\n".join(field(program, i) for i in range(len(program.inputs))),
        method=html_text(_method(program)),
        origin=html_text(f"Exported by nncli {info.nncli_version}. Checksum of the run: {info.checksum}"),
        style=style,
        script=script,
    )


def safe_script(text: str) -> str:
    """A script that does not end, or become a comment of, the element around it: `<` is escaped where it would.

    It can only be part of such a word in a string, where `\\x3c` is the same character.
    """
    return re.sub(r"<(?=!--|/?script)", r"\\x3c", text.replace("\r", ""), flags=re.IGNORECASE)


def _targets(program: Program) -> str:
    outputs = program.outputs
    names = outputs.names if isinstance(outputs, NumberOutputs) else (outputs.name,)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _summary(program: Program, info: ModelInfo) -> str:
    n = len(program.inputs)
    return (
        f"The model {info.name} predicts it from {n} column{'s' if n > 1 else ''}. An empty field is a missing value. "
        "Everything is computed in this page: what you enter is sent nowhere."
    )


def _method(program: Program) -> str:
    kinds = [text for kind, text in TYPICAL if any(isinstance(column, kind) for column in program.inputs)]
    typical = " and ".join(filter(None, [", ".join(kinds[:-1]), kinds[-1]])) if kinds else ""
    measure, points = "prediction", ""
    if isinstance(program.outputs, ClassOutputs):
        measure, points = "probability of the predicted class", ", in percentage points"
    return (
        f"The difference between this {measure} and the one with that column alone at its typical value, and the "
        f"others as entered. Typical is, in the training rows, {typical}; of a column that is mostly missing, a "
        f"missing value. The three largest differences are shown{points}. They describe the model, not causes, and do "
        "not add up to the whole."
    )


def _template(name: str) -> str:
    return (files("nncli.export.html") / "templates" / name).read_text("utf-8")


def _hash(text: str) -> str:
    """The source expression of an inline text for a content security policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
