"""The JSON bodies of MLflow's scoring protocol as rows.

`dataframe_split`, `dataframe_records`, `instances` or `inputs`, and `params`; see
https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/#json-input. NaN, which pandas writes, is a missing
value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nncli.base.text import join_quoted, quote
from nncli.serving.bodies.body_hints import columns_example, row_example, split_hint
from nncli.serving.columns.input_schema import InputSchema
from nncli.serving.problems.problem import bad_request

FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
SPLIT_MEMBERS = ("columns", "index", "data", "index_names", "column_names")


@dataclass(frozen=True)
class Invocation:
    """The rows of a request to `/invocations`, and its parameters."""

    rows: Sequence[Mapping[str, Any]]
    params: Mapping[str, Any] = field(default_factory=dict)


def parse_invocation(document: Any, schema: InputSchema) -> Invocation:
    """The rows of a JSON document; messages name the columns of the model.

    Raises:
        ProblemError: it is not of the protocol.
    """
    if not isinstance(document, dict):
        raise bad_request("the body is not a JSON object", split_hint(schema))
    formats = [name for name in document if name in FORMATS]
    if len(formats) != 1:
        those = join_quoted(formats) if formats else "none of them"
        raise bad_request(f"the body must have one of {join_quoted(FORMATS)}; it has {those}", split_hint(schema))
    others = [name for name in document if name not in (formats[0], "params")]
    if others:
        raise bad_request(
            f"the body has {join_quoted(others)}, which is unknown", f"Leave it out. {split_hint(schema)}"
        )
    params = document.get("params")
    if not (params is None or isinstance(params, dict)):
        raise bad_request('"params" is not an object', 'Send {"params": {"proba": true}} beside the rows.')
    return Invocation(_rows(formats[0], document[formats[0]], schema), params or {})


def _rows(form: str, data: Any, schema: InputSchema) -> list[dict[str, Any]]:
    if form == "dataframe_split":
        return _split(data, schema)
    if form in ("instances", "inputs") and isinstance(data, dict):
        return _columns(form, data, schema)
    return _records(form, data, schema)


def _records(form: str, data: Any, schema: InputSchema) -> list[dict[str, Any]]:
    """Rows as objects."""
    if not isinstance(data, list):
        raise bad_request(f"{quote(form)} is not a list of rows", f'Send {{"{form}": [{row_example(schema)}]}}.')
    for i, row in enumerate(data, start=1):
        if isinstance(row, dict):
            continue
        what = "a list" if isinstance(row, list) else "a single value"
        raise bad_request(
            f"row {i:,} of {quote(form)} is {what}, which does not name its columns",
            f'Send each row as an object, or {{"dataframe_split": {{"columns": […], "data": […]}}}}. The columns of '
            f"the model are {join_quoted(schema.by_name)}.",
        )
    return [_without_nan(row) for row in data]


def _split(data: Any, schema: InputSchema) -> list[dict[str, Any]]:
    """Rows as lists beside the names of their columns."""
    if not isinstance(data, dict):
        raise bad_request("'dataframe_split' is not an object", split_hint(schema))
    others = [name for name in data if name not in SPLIT_MEMBERS]
    if others:
        raise bad_request(f"'dataframe_split' has {join_quoted(others)}, which is unknown", split_hint(schema))
    columns, rows = data.get("columns"), data.get("data")
    if not isinstance(columns, list) or not isinstance(rows, list):
        lacking = [name for name in ("columns", "data") if not isinstance(data.get(name), list)]
        raise bad_request(f"'dataframe_split' has no list {join_quoted(lacking)}", split_hint(schema))
    names = [_column_name(name, schema) for name in columns]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise bad_request(f"'columns' has {join_quoted(twice)} more than once", "Rename one of them.")
    for i, row in enumerate(rows, start=1):
        if not isinstance(row, list):
            raise bad_request(f"row {i:,} of 'data' is not a list", split_hint(schema))
        if len(row) != len(names):
            raise bad_request(
                f"row {i:,} of 'data' has {len(row):,} values for {len(names):,} columns", split_hint(schema)
            )
    return [_without_nan(dict(zip(names, row, strict=True))) for row in rows]


def _column_name(name: Any, schema: InputSchema) -> str:
    """The name of a column; pandas names the columns of a frame without names 0, 1, …"""
    if isinstance(name, str):
        return name
    if isinstance(name, int) and not isinstance(name, bool):
        return str(name)
    raise bad_request(f"'columns' has {quote(name)}, which is not a name", split_hint(schema))


def _columns(form: str, data: Mapping[str, Any], schema: InputSchema) -> list[dict[str, Any]]:
    """Columns as lists of the same length, or one row of single values."""
    lists = [isinstance(values, list) for values in data.values()]
    if not any(lists):
        return [_without_nan(data)]
    if not all(lists):
        single = [name for name, is_list in zip(data, lists, strict=True) if not is_list]
        raise bad_request(
            f"in {quote(form)}, {join_quoted(single)} is a single value, and other columns are lists",
            f'Send {{"{form}": {columns_example(schema)}}}.',
        )
    first = next(iter(data))
    for name, values in data.items():
        if len(values) != len(data[first]):
            raise bad_request(
                f"in {quote(form)}, {quote(first)} has {len(data[first]):,} values and {quote(name)} {len(values):,}",
                "All columns must have the same length.",
            )
    return [_without_nan(dict(zip(data, row, strict=True))) for row in zip(*data.values(), strict=True)]


def _without_nan(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None if isinstance(value, float) and value != value else value for name, value in row.items()}
