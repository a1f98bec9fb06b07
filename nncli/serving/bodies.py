"""The body of a request as a table: JSON, CSV, JSON lines, Arrow or Parquet."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import polars as pl

from nncli.data.io.formats import Format
from nncli.data.io.input_file import InputFile
from nncli.data.io.read_options import ReadOptions
from nncli.data.table import Table, replace_na_values
from nncli.serving.problem import Problem, ProblemError
from nncli.serving.served_model import ServedModel

SOURCE = "the request"
"""What messages call the table of a request."""


@dataclass(frozen=True)
class JsonRows:
    """Rows of a JSON body; `is_single` if it is one object, which has one object as its answer."""

    rows: Sequence[Mapping[str, Any]]
    is_single: bool = False


def parse_json(body: bytes) -> JsonRows:
    """`{"rows": [{…}, …]}`, or one object that is a row.

    Raises:
        ProblemError: the body is neither.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the body is not JSON: {error}", 'Send {"rows": [{"age": 31}]}.') from None
    if isinstance(document, dict) and isinstance(rows := document.get("rows"), list):
        if len(document) == 1 and all(isinstance(row, dict) for row in rows):
            return JsonRows(rows)
    elif isinstance(document, dict):
        return JsonRows([document], is_single=True)
    raise bad_request("the body is no table", 'Send {"rows": [{"age": 31}]}, or one row as an object.')


def table_of_rows(rows: Sequence[Mapping[str, Any]], model: ServedModel) -> Table:
    """Rows of JSON as a table with the columns of the model.

    Raises:
        ProblemError: a row lacks a column, or a value is no number and no text.
    """
    names = model.model.names
    columns = {name: [row.get(name) for row in rows] for name in names if any(name in row for row in rows)}
    frame = pl.DataFrame({name: pl.Series(values, strict=False) for name, values in columns.items()})
    spec = model.model.spec
    return Table(replace_na_values(frame, spec.missing_values), SOURCE, dialect=spec.dialect)


def table_of_columns(columns: Mapping[str, pl.Series], rows: int, model: ServedModel) -> Table:
    """Columns of `rows` cells as a table; those that may be missing are added.

    Raises:
        DataError: there is no column that the model needs.
    """
    absent = [one.name for one in model.schema.features if one.is_optional and one.name not in columns]
    nulls = {name: pl.Series([None], dtype=pl.String).new_from_index(0, rows) for name in absent}
    frame = pl.DataFrame({**columns, **nulls})
    spec = model.model.spec
    return Table(replace_na_values(frame, spec.missing_values), SOURCE, dialect=spec.dialect)


def table_of_file(body: bytes, format: Format, model: ServedModel) -> Table:  # noqa: A002 - the option's name
    """A body in a file format as a table, read as `nncli predict` reads a file.

    Raises:
        DataError: the body is not of this format.
    """
    spec = model.model.spec
    options = ReadOptions(training_dialect=spec.dialect, missing_values=spec.missing_values)
    tables = list(format.load().read_stream(io.BytesIO(body), InputFile(None, SOURCE), options))
    frame = (
        tables[0].frame if len(tables) == 1 else pl.concat([table.frame for table in tables], how="vertical_relaxed")
    )
    return Table(frame, SOURCE, dialect=tables[0].dialect)


def bad_request(detail: str, hint: str | None = None) -> ProblemError:
    """An error of the body or the parameters of a request."""
    return ProblemError(Problem(HTTPStatus.BAD_REQUEST, detail, hint))
