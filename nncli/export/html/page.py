"""A page for a browser: one file with a form, which predicts by the JavaScript module inside it."""

from __future__ import annotations

from string import Template

from nncli.export.html.data import data_script
from nncli.export.html.fields import field, html_text
from nncli.export.html.parts import document, explanation, safe_script, source_hash, template, title_of
from nncli.export.javascript.module import to_javascript
from nncli.export.model_info import ModelInfo
from nncli.nn.program.program import Program

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
    style = template("page.css")
    policy = f"default-src 'none'; script-src '{source_hash(script)}'; style-src '{source_hash(style)}'; img-src data:"
    metadata = Template(template("metadata.html")).substitute(
        policy=f"{policy}; base-uri 'none'; form-action 'none'", version=html_text(info.nncli_version)
    )
    title = title_of(program.outputs.names)
    body = Template(template("page.html")).substitute(
        title=html_text(title),
        summary=html_text(_summary(program, info)),
        fields="\n".join(field(program, i) for i in range(len(program.inputs))),
        explanation=explanation(program.inputs, are_classes=bool(program.outputs.labels)),
        origin=html_text(f"Exported by nncli {info.nncli_version}. Checksum of the run: {info.checksum}"),
    )
    return document(title, style, body, script=script, metadata=metadata)


def _summary(program: Program, info: ModelInfo) -> str:
    n = len(program.inputs)
    return (
        f"The model {info.name} predicts it from {n} column{'s' if n > 1 else ''}. An empty field is a missing value. "
        "Everything is computed in this page: what you enter is sent nowhere."
    )
