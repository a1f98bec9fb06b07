"""The documentation page of a server: its endpoints, the columns of its models, and commands. It has no script."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from shlex import quote as shell_quote
from string import Template
from typing import Any

from nncli.base.text import escape_unprintable
from nncli.base.web_page import document, html_text, readable_text, template
from nncli.exporters.form import form_style
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.serving.bodies.media_types import BODIES, MediaType
from nncli.serving.columns.input_schema import Feature
from nncli.serving.models.effects import most_rows
from nncli.serving.models.served_model import ServedModel, model_path
from nncli.serving.openapi import (
    example_lines,
    example_row,
    openapi_document,
    prediction_parameters,
    range_text,
    value_text,
    varied_row,
)
from nncli.serving.pages.form_page import security_policy
from nncli.version import __version__

MAX_CATEGORIES = 20
COLUMNS = ("Column", "Kind", "Training rows", "May be absent in JSON", "Example")
TITLE = "Endpoints and models of this server"
PACKAGE = "nncli.serving.pages"


def docs_page(models: Sequence[ServedModel], *, has_token: bool) -> str:
    """The page of a server of these models, in which `ORIGIN` stands for its scheme, host and port."""
    about = "" if not has_token else f"<p>Requests need the token: {_code('Authorization: Bearer TOKEN')}.</p>"
    body = Template(template("docs.html", PACKAGE)).substitute(
        title=TITLE,
        version=html_text(__version__),
        openapi=_code("openapi.json") if has_token else '<a href="openapi.json">openapi.json</a>',
        about=about,
        formats=", ".join(map(_code, BODIES)),
        answers=", ".join(_code(media_type) for media_type in MediaType if media_type not in BODIES),
        endpoints=_endpoints(models[0], has_token=has_token),
        models="\n".join(_model(model, i, has_token=has_token) for i, model in enumerate(models)),
    )
    return document(TITLE, _style(), body)


def _endpoints(first: ServedModel, *, has_token: bool) -> str:
    """The endpoints of the server and of its first model; every model has the same ones."""
    document = openapi_document([first], has_token=has_token)
    rows = [
        [_code(method.upper()), _code(re.sub("/models/[^/]+", "/models/MODEL", path)), html_text(operation["summary"])]
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    table = _table("All endpoints; MODEL is the name of a model", ("Method", "Path", "Response"), rows)
    return f"<p>The model of paths without MODEL is {_name(first.name)}.</p>{table}"


def with_origin(page: str, origin: str) -> str:
    """The page with the scheme, host and port of the server, as the request has them."""
    return page.replace(ORIGIN, escape(origin))


@cache
def content_security_policy() -> str:
    """The content security policy of the page: its own style, and nothing else."""
    return security_policy(_style())


@cache
def _style() -> str:
    return form_style() + template("page.css", PACKAGE) + template("docs.css", PACKAGE)


def _model(model: ServedModel, number: int, *, has_token: bool) -> str:
    target = model.model.spec.target
    name, heading = _name(model.name), f"model-{number}"
    rows = [_row(feature) for feature in model.schema.features]
    page = "" if has_token else f' <a href="{html_text(model_path(model.name).lstrip("/"))}/">Try it by hand</a>.'
    commands = "".join(
        f'<h4>{html_text(what)}</h4><pre tabindex="0"><code>{escape(command)}</code></pre>'
        for what, command in [
            *curl_examples(model, has_token=has_token),
            ("A file", file_example(model, has_token=has_token)),
        ]
    )
    return (
        f'<section aria-labelledby="{heading}"><h3 id="{heading}">{name}</h3>'
        f"<p>It predicts {', '.join(map(_name, target.predicted_names))} ({target.task}). "
        f"Version {_code(model.version)}."
        f"{page}</p>"
        f"{_table(f'Columns of a row of the model {readable_text(model.name)}', COLUMNS, rows)}"
        f"{_parameters(model)}{commands}</section>"
    )


def _parameters(model: ServedModel) -> str:
    """The parameters of `/predict` that fit a model."""
    rows = [
        [_code(parameter["name"]), html_text(parameter["description"])] for parameter in prediction_parameters(model)
    ]
    return _table(f"Parameters of /predict for the model {readable_text(model.name)}", ("Parameter", "Meaning"), rows)


def _row(feature: Feature) -> list[str]:
    values = html_text(range_text(feature))
    if feature.categories:
        more = len(feature.categories) - MAX_CATEGORIES
        shown = [_value(category) for category in feature.categories[:MAX_CATEGORIES]]
        values = " ".join(shown) + (f" and {more:,} more" if more > 0 else "")
    kind = feature.input.kind + (f", in texts with {feature.unit}" if feature.unit else "")
    example = "" if feature.example is None else _value(value_text(feature.example))
    return [_name(feature.name), html_text(kind), values, "yes" if feature.is_optional else "no", example]


def _name(text: str) -> str:
    """A name or a value of the table, whose direction of writing does not change what is around it."""
    return f"<bdi>{html_text(readable_text(text))}</bdi>"


def _value(text: str) -> str:
    return f"<code>{_name(text)}</code>"


def _code(text: str) -> str:
    return f"<code>{html_text(text)}</code>"


def _table(caption: str, titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of HTML cells, which a keyboard can scroll; the first cell of a row is its heading."""
    head = "".join(f'<th scope="col">{html_text(title)}</th>' for title in titles)
    body = "".join(
        f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in rest) + "</tr>"
        for first, *rest in rows
    )
    label = html_text(caption)
    return (
        f'<div class="scroll" role="region" aria-label="{label}" tabindex="0"><table><caption>{label}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


ORIGIN = "\0"
"""Stands for the scheme, host and port of the server, which a request knows. All other characters can be shown."""
LEVEL = 0.9
"""The level of the interval."""
TOKEN = '-H "Authorization: Bearer $TOKEN"'
"""The option of curl that sends the token, which a variable of the shell holds."""


def curl_examples(model: ServedModel, *, has_token: bool) -> list[tuple[str, str]]:
    """What each command does, and the command: a row and rows in JSON, effects, and a row in CSV."""
    url = _url(model)
    parameter, words = "", ""
    if model.model.spec.head.wording.added_by_proba:
        parameter, words = "?proba=true", ", with probabilities"
    elif model.has_uncertainty(UncertaintyOptions(interval=LEVEL)):
        parameter, words = f"?interval={LEVEL}", ", with its 90 % interval"

    def json_example(parameter: str, document: object) -> str:
        data = ["--data-raw", _json_text(document)]
        return _curl(f"{url}{parameter}", "application/json", data, has_token=has_token)

    row, varied = example_row(model), varied_row(model)
    examples = [
        ("A row in JSON", json_example("", row)),
        ("Several rows in JSON", json_example("", {"rows": [row, varied]})),
    ]
    if most_rows(len(model.model.names)):
        examples.append(("A row in JSON, with the effect of each column", json_example("?effects=true", varied)))
    lines = example_lines(model, ",")
    # What cannot be shown cannot be copied, so such a table is read from a file.
    is_printable = escape_unprintable(lines) == lines
    data = ["--data-raw", lines] if is_printable else ["--data-binary", "@rows.csv"]
    csv = _curl(f"{url}{parameter}", "text/csv", data, has_token=has_token)
    return [*examples, (f"A row in CSV{words}", csv)]


def file_example(model: ServedModel, *, has_token: bool) -> str:
    """A command that sends a file."""
    return _curl(_url(model), "text/csv", ["--data-binary", "@new.csv"], has_token=has_token)


def _url(model: ServedModel) -> str:
    return f"{ORIGIN}{model_path(model.name)}/predict"


def _json_text(document: Any) -> str:
    """The JSON of a document, in ASCII if a character of it cannot be shown."""
    text = json.dumps(document, ensure_ascii=False)
    return text if escape_unprintable(text) == text else json.dumps(document)


def _curl(url: str, content_type: str, data: Sequence[str], *, has_token: bool) -> str:
    words = ["curl", _quoted_url(url), "-H", shell_quote(f"Content-Type: {content_type}")]
    token = [TOKEN] if has_token else []
    return " ".join([*words, *token, data[0], shell_quote(data[1])])


def _quoted_url(url: str) -> str:
    """A URL, in quotes if it has parameters."""
    return f"'{url}'" if "?" in url else url
