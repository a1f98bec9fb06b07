"""Hints for bodies that are in another form than the request says, with the columns of the model."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from nncli.base.text import closest_match
from nncli.data.formats.csv.sniffer import JSON
from nncli.data.formats.streams import UTF8_BOM
from nncli.serving.bodies.media_types import MediaType
from nncli.serving.columns.input_schema import InputSchema

SAMPLE = 4096
"""Bytes of a body that are looked at."""
EXAMPLE_COLUMNS, EXAMPLE_LENGTH = 2, 60
ROWS_NAMES = ("row", "data", "instances", "inputs", "records", "dataframe_records", "dataframe_split")
"""Names that other servers have for the rows."""
SEVERAL_OBJECTS = re.compile(rb"\}[^\S\n]*+\n\s*+\{")
ONE_LINE = "Send a file with --data-binary @FILE: curl removes its line ends with -d."
AS_CSV = f"If it is CSV, send it with Content-Type: {MediaType.CSV}."


def rows_hint(schema: InputSchema) -> str:
    """What a JSON body may be, with the first columns of the model and their typical values."""
    return f'Send {{"rows": [{row_example(schema)}]}}, or one row as an object.'


def document_hint(document: Any, schema: InputSchema) -> str | None:
    """How a JSON document that is not {"rows": […]} becomes it; None if nothing suggests that it holds rows."""
    if isinstance(document, list) and document and isinstance(document[0], dict):
        return f'Wrap the list: {{"rows": [{row_example(schema)}, …]}}.'
    if isinstance(document, dict) and len(document) == 1:
        ((name, value),) = document.items()
        is_near = name in ROWS_NAMES or closest_match(name[:EXAMPLE_LENGTH].casefold(), ["rows"]) is not None
        if is_near and name not in schema.by_name and isinstance(value, list | dict):
            return f'Send {{"rows": [{row_example(schema)}]}}, or the formats of MLflow to /invocations.'
    return None


def row_example(schema: InputSchema) -> str:
    """A row as an object."""
    return f"{{{_listed([f'{name}: {value}' for name, value in example_cells(schema)], schema)}}}"


def columns_example(schema: InputSchema) -> str:
    """Columns as an object of lists."""
    return f"{{{_listed([f'{name}: [{value}]' for name, value in example_cells(schema)], schema)}}}"


def split_hint(schema: InputSchema) -> str:
    """What a body of dataframe_split may be."""
    cells = example_cells(schema)
    names, values = (_listed(texts, schema) for texts in ([name for name, _ in cells], [value for _, value in cells]))
    return f'Send {{"dataframe_split": {{"columns": [{names}], "data": [[{values}]]}}}}.'


def example_cells(schema: InputSchema) -> list[tuple[str, str]]:
    """The first columns and their typical values as JSON; none if they are long."""
    cells = [
        (json.dumps(feature.name, ensure_ascii=False), json.dumps(feature.example, ensure_ascii=False))
        for feature in schema.features[:EXAMPLE_COLUMNS]
    ]
    return cells if sum(len(name + value) for name, value in cells) <= EXAMPLE_COLUMNS * EXAMPLE_LENGTH else []


def _listed(cells: Sequence[str], schema: InputSchema) -> str:
    """The first columns, and dots if there are more."""
    return ", ".join([*cells, *["…"] * (len(schema.features) > len(cells))])


def begins_like_json(body: bytes) -> bool:
    """Whether the first character of a body is that of an object or a list."""
    return body[:SAMPLE].removeprefix(UTF8_BOM).lstrip()[:1] in (b"{", b"[")


def type_of_json(body: bytes) -> MediaType | None:
    """The format of a body that is JSON, whatever its Content-Type says; None if it is not a JSON object."""
    sample = body[:SAMPLE].removeprefix(UTF8_BOM)
    if not JSON.match(sample):
        return None
    is_lines = sample.lstrip().startswith(b"{") and SEVERAL_OBJECTS.search(sample)
    return MediaType.JSON_LINES if is_lines else MediaType.JSON


def is_one_line(body: bytes) -> bool:
    """Whether a body has no line end but at its end."""
    line = body.strip()
    return b"\n" not in line and b"\r" not in line


def form_hint(name: str, body: bytes) -> str:
    """What to do about a body that is sent as a form, which is what curl does without a Content-Type."""
    if name.startswith("multipart/"):
        return f"Send the file itself: --data-binary @FILE -H 'Content-Type: {MediaType.CSV}', without -F."
    if begins_like_json(body):
        return f"curl sends it by default: add -H 'Content-Type: {type_of_json(body) or MediaType.JSON}'."
    lines = f" {ONE_LINE}" if is_one_line(body) else ""
    return f"curl sends it by default: if it is CSV, add -H 'Content-Type: {MediaType.CSV}'.{lines}"
