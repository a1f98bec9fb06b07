"""Tables of requests: a body of CSV, TSV, Arrow or Parquet, or columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus

import polars as pl

from nncli.base.errors import NncliError, reraise_out_of_memory
from nncli.data.columns.parsing import TEXT_TYPES
from nncli.data.formats.streams import POLARS_ERRORS
from nncli.data.table import Table, replace_na_values
from nncli.serving.bodies.arrow_body import read_arrow
from nncli.serving.bodies.body_hints import ONE_LINE, is_one_line, type_of_json
from nncli.serving.bodies.body_size import BodyLimits, BodySize, check_rows
from nncli.serving.bodies.delimited_body import read_delimited_body
from nncli.serving.bodies.media_types import SUPPORTED, ContentType, MediaType
from nncli.serving.bodies.parquet_body import read_parquet
from nncli.serving.columns.absent_columns import AbsentColumns
from nncli.serving.columns.row_reader import SOURCE
from nncli.serving.models.served_model import ServedModel
from nncli.serving.problems.problem import ProblemError, bad_request, problem_of


def read_file(body: bytes, content_type: ContentType, model: ServedModel, limits: BodyLimits) -> Table:
    """A body of CSV, TSV, Arrow or Parquet as a table, read as `nncli predict` reads a file.

    Raises:
        ProblemError: it has no rows, or too many, or grows too large when it is decompressed.
        ProblemError: a column is missing.
    """
    if not content_type.media_type.is_delimited:
        return _read_table(body, content_type, model, limits)
    if (media_type := type_of_json(body)) is not None:
        raise bad_request(
            f"the body is JSON, and its Content-Type is {content_type.name}",
            f"Send it with Content-Type: {media_type}.",
        )
    try:
        return _read_table(body, content_type, model, limits)
    except ProblemError as error:
        if not is_one_line(body):
            raise
        raise ProblemError(replace(error.problem, hint=ONE_LINE)) from None


def _read_table(body: bytes, content_type: ContentType, model: ServedModel, limits: BodyLimits) -> Table:
    names: list[str] | None = None
    try:
        if content_type.media_type is MediaType.PARQUET:
            frame, names = read_parquet(body, model.schema.by_name, BodySize(limits))
            table = _typed_table(frame, model)
        elif content_type.media_type in (MediaType.ARROW_FILE, MediaType.ARROW_STREAM):
            table = _typed_table(read_arrow(body, BodySize(limits)), model)
        else:
            table = read_delimited_body(body, content_type, model.model, limits.max_rows)
    except (OSError, *POLARS_ERRORS) as error:
        reraise_out_of_memory(error)
        reason, *_ = [*str(error).splitlines(), type(error).__name__]
        raise bad_request(f"the body cannot be read: {reason}") from None
    except NncliError as error:
        raise _as_bad_request(error, content_type) from None
    check_rows(len(table), limits.max_rows)
    _check_text_size(table, limits)
    AbsentColumns(model.name, model.schema).check_table(table.names if names is None else names)
    return table


def _typed_table(frame: pl.DataFrame, model: ServedModel) -> Table:
    spec = model.model.spec
    return Table(replace_na_values(frame, spec.missing_values), SOURCE, dialect=spec.dialect)


def table_of_columns(
    columns: Mapping[str, pl.Series], names: Sequence[str], rows: int, model: ServedModel, limits: BodyLimits
) -> Table:
    """Columns of `rows` cells as a table; `names` are those of all columns, also of others.

    Raises:
        ProblemError: there are no rows, or too many, or a column is missing.
    """
    check_rows(rows, limits.max_rows)
    # Without any column the frame would have no rows.
    frame = pl.DataFrame(dict(columns)) if columns else pl.DataFrame({"": [None] * rows})
    table = _typed_table(frame, model)
    _check_text_size(table, limits)
    return _with_optional_columns(table, model, names)


def _as_bad_request(error: NncliError, content_type: ContentType) -> ProblemError:
    """The problem that a body is not of its format; a row or a column that it names is unprocessable."""
    problem = problem_of(error)
    if problem.hint is None:
        problem = replace(problem, hint=f"Check that the body is {content_type.media_type}. {SUPPORTED}")
    is_named = problem.row is not None or problem.column is not None
    return ProblemError(problem if is_named else replace(problem, status=HTTPStatus.BAD_REQUEST))


def _check_text_size(table: Table, limits: BodyLimits) -> None:
    """Raise a ProblemError if the texts are larger than a body may be: a format may repeat a text many times."""
    size = BodySize(limits)
    for cells in table.frame:
        if cells.dtype == pl.String:
            size.add_bytes(int(cells.str.len_bytes().sum()))
        elif cells.dtype in TEXT_TYPES:
            size.add_bytes(int(cells.cat.len_bytes().sum()))


def _with_optional_columns(table: Table, model: ServedModel, names: Sequence[str]) -> Table:
    """The table, with missing cells in the optional columns that it lacks.

    `names` are those of all columns of the request.

    Raises:
        ProblemError: a column that the model needs is missing, or has a similar name.
    """
    names_of_table = set(table.names)
    absent = [name for name in model.schema.by_name if name not in names_of_table]
    if not absent:
        return table
    AbsentColumns(model.name, model.schema).check_row(names, absent)
    nulls = [pl.Series(name, [None], dtype=pl.String).new_from_index(0, len(table)) for name in absent]
    return replace(table, frame=table.frame.with_columns(nulls))
