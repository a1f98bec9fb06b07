"""A page for a browser: one file with a form, which predicts by the JavaScript module inside it."""

from __future__ import annotations

from string import Template

from nncli.extend import ModelInfo, Program
from nncli.extend.programs import (
    as_literal,
    explanation,
    field,
    form_data,
    form_scripts,
    form_style,
    groups_of,
    html_text,
    offline_document,
    safe_script,
    targets_of,
    template,
    title_of,
)
from nncli.integrations.javascript.module import to_javascript

PACKAGE = "nncli.integrations.html"
SCRIPTS = ("predictions.js", "table.js", "main.js")
"""The scripts of the page, which run after those of the form."""


def to_html(program: Program, info: ModelInfo) -> str:
    """The page of a program."""
    return page_of(program, info, to_javascript(program, info))


def page_of(program: Program, info: ModelInfo, module: str) -> str:
    """The page of a program around the text of its JavaScript module."""
    parts = "\n".join([form_scripts(), *(template(name, PACKAGE) for name in SCRIPTS)])
    data = as_literal(form_data(program, program.outputs))
    # In a block, so that its names are not those of the module.
    script = safe_script(f"{module}\n{{\nconst page = {data};\n{parts}}}\n")
    title = title_of(targets_of(program.outputs))
    body = Template(template("page.html", PACKAGE)).substitute(
        title=html_text(title),
        summary=html_text(_summary(program, info)),
        fields="\n".join(field(program, i) for i in range(len(program.inputs))),
        explanation=explanation(program.inputs, are_classes=bool(groups_of(program.outputs).labels)),
        origin=html_text(f"Exported by nncli {info.nncli_version}. Checksum of the run: {info.checksum}"),
    )
    return offline_document(title, form_style(), body, script=script, version=info.nncli_version)


def _summary(program: Program, info: ModelInfo) -> str:
    n = len(program.inputs)
    return (
        f"The model {info.name} predicts it from {n} column{'s' if n > 1 else ''}. An empty field is a missing value. "
        "Everything is computed in this page: what you enter is sent nowhere."
    )
