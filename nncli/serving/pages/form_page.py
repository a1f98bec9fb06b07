"""The page to try a model by hand: a form of its columns, and predictions of a CSV file as a CSV file.

One HTML page with its script and style inside. They are the same for every model, whose columns are data: so the page
that asks for the token of a server can become the page of a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from string import Template
from typing import Any

from nncli.base.web_page import as_literal, document, html_text, readable_text, safe_script, source_hash, template
from nncli.exporters.form import (
    classes_of,
    explanation,
    field,
    form_data,
    form_scripts,
    form_style,
    input_data,
    title_of,
)
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.nn.program.program import groups_of
from nncli.serving.models.effects import most_rows
from nncli.serving.models.served_model import ServedModel, model_path
from nncli.serving.server_options import ServerOptions
from nncli.targets.conformal import ConformalMethod, set_column
from nncli.targets.output_columns import IntervalNodes, OutputNodes, number_columns
from nncli.version import __version__

LEVEL = 0.9
"""The level of the intervals or sets."""
SCRIPTS = ("request.js", "main.js", "table.js")


@dataclass(frozen=True)
class Links:
    """Links from the page of a model, at `/` or `/models/NAME/`, relative to it: a proxy may add a path."""

    names: tuple[str, ...]
    is_first_page: bool

    def model(self, name: str) -> str:
        """The link to the page of a model."""
        return self._relative(f"{model_path(name)}/")

    @property
    def docs(self) -> str:
        """The link to the documentation of the server."""
        return self._relative("/docs")

    def _relative(self, path: str) -> str:
        return path.removeprefix("/") if self.is_first_page else f"../..{path}"


def model_page(model: ServedModel, options: ServerOptions, links: Links) -> str:
    """The page of a model."""
    form, target = model.schema, model.model.spec.target
    method = _method(model)
    title = title_of(target.predicted_names)
    body = Template(_template("form.html")).substitute(
        models=_models(model, links),
        title=html_text(title),
        summary=html_text(_summary(model)),
        fields="\n".join(field(form, i) for i in range(len(form.inputs))),
        explanation=explanation(form.inputs, are_classes=bool(target.class_labels.labels)),
        table=_about_tables(options),
        options="\n".join(_option(*option) for option in _table_options(model, method)),
        origin=_origin(model, options, links),
        data=as_literal(_data(model, options, method)),
    )
    return document(title, _style(), body, script=_script())


def login_page() -> str:
    """The page that asks for the token; it does not name the models."""
    return document("Predictions", _style(), _template("login.html"), script=_script())


def security_policy(style: str, script: str | None = None) -> str:
    """The policy of a page with its own style and script, which may ask the server that it is from."""
    scripts = "" if script is None else f"script-src '{source_hash(script)}'; connect-src 'self'; "
    rest = "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return f"default-src 'none'; style-src '{source_hash(style)}'; {scripts}{rest}"


@cache
def content_security_policy() -> str:
    """The content security policy of pages with a script: their script and style, and requests to their server."""
    return security_policy(_style(), _script())


@cache
def _script() -> str:
    parts = [form_scripts(), *map(_template, SCRIPTS)]
    data = 'const { inputs, model, page } = JSON.parse(document.getElementById("data").textContent);'
    return safe_script("function start(token) {\n" + "\n".join([data, *parts]) + "}\n\n" + _template("start.js"))


@cache
def _style() -> str:
    """The style of all pages, since the page that asks for the token becomes one of them."""
    return form_style() + _template("page.css") + _template("docs.css")


def _template(name: str) -> str:
    return template(name, "nncli.serving.pages")


def _method(model: ServedModel) -> ConformalMethod | None:
    """What makes the intervals or sets of the page; None without, or with too few rows to calibrate them."""
    method = model.model.spec.head.uncertainty
    if method is None or not model.has_uncertainty(UncertaintyOptions.of_level(method.option, LEVEL)):
        return None
    return method


def _data(model: ServedModel, options: ServerOptions, method: ConformalMethod | None) -> dict[str, Any]:
    """The data of a model that the scripts read."""
    form, target = model.schema, model.model.spec.target
    effects = model.model.spec.head.explained.in_place
    model_data: dict[str, Any] = {"targets": list(effects or target.predicted_names)}
    query = [value for value, _ in _table_options(model, method)]
    levels = model.model.spec.loss.quantile_levels
    bounds = () if method is None else (IntervalNodes(LEVEL, 3, 4),)
    nodes = OutputNodes(0, 1, 2 if levels else None, levels, bounds=bounds)
    outputs = target.program_outputs(nodes) or number_columns(target.names, nodes)
    data, groups = form_data(form, outputs), groups_of(outputs)
    output = data["output"]
    if groups.labels:
        model_data |= {"labels": list(groups.labels), "classes": classes_of(groups)}
        output["sets"] = [] if method is None else [["90 % set", set_column(LEVEL)]]
    for of_target, effect in zip(output["targets"] if effects else (), effects, strict=True):
        of_target["effect"] = effect
    return {
        "inputs": [input_data(column) for column in form.inputs],
        "model": model_data,
        "page": {**data, "query": "&".join(query), "maxBody": options.max_body},
    }


def _table_options(model: ServedModel, method: ConformalMethod | None) -> list[tuple[str, str]]:
    """The parameters that add columns to the predictions, and their names on the page."""
    options = [("proba=true", columns) for columns in model.model.spec.head.wording.added_by_proba]
    if method is not None:
        options.append((f"{method.option}={LEVEL}", f"90 % {method.noun}"))
    options.append(("flag_unusual=true", "columns with unusual cells"))
    if most_rows(len(model.schema.inputs)):
        options.append(("effects=true", "effect of each column"))
    return options


def _option(value: str, name: str) -> str:
    return f'<label><input type="checkbox" value="{value}"> {name}</label>'


def _models(model: ServedModel, links: Links) -> str:
    """Links to the pages of all models, if there are several."""
    if len(links.names) == 1:
        return ""
    items = ""
    for name in links.names:
        current = ' aria-current="page"' if name == model.name else ""
        items += f'<li><a href="{links.model(name)}"{current}><bdi>{html_text(readable_text(name))}</bdi></a></li>'
    return f'<nav class="models" aria-label="Models"><span>Models:</span><ul>{items}</ul></nav>'


def _summary(model: ServedModel) -> str:
    n = len(model.schema.inputs)
    return (
        f"The model {model.name} predicts it from {n} column{'s' if n > 1 else ''}. An empty field is a missing value. "
        "What you enter is sent to the server of this page, and nowhere else."
    )


def _about_tables(options: ServerOptions) -> str:
    megabytes = f"{options.max_body / 1e6:,.6g} MB"
    return (
        "A CSV file with these columns is answered by a CSV file with the predictions of its rows, in their order, as "
        f"<code>nncli predict</code> writes them. It may have {options.max_rows:,} rows and {megabytes}."
    )


def _origin(model: ServedModel, options: ServerOptions, links: Links) -> str:
    version = html_text(f"nncli {__version__}. Checksum of the run: {model.manifest.checksum}")
    # A link cannot carry a token.
    return version if options.token is not None else f'<a href="{links.docs}">For programs</a> · {version}'
