"""curl commands for the endpoints of a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from shlex import quote as shell_quote
from typing import Any

from nncli.base.text import escape_unprintable
from nncli.models.conformal.options import UncertaintyOptions
from nncli.serving.models.effects import most_rows
from nncli.serving.models.served_model import ServedModel
from nncli.serving.openapi.examples import example_lines, example_row, varied_row
from nncli.serving.openapi.paths import model_path

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
    if model.model.spec.target.has_probabilities:
        parameter, words = "?proba=true", ", with probabilities"
    elif model.has_uncertainty(UncertaintyOptions(intervals=LEVEL)):
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
        examples.append(("A row in JSON, with the effect of each column", json_example("?explain=true", varied)))
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
