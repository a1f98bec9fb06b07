"""Effects: how a prediction changes if one column has its typical value instead.

The effect of a column is the prediction of a row minus that of the same row with this column alone at its typical
value: the median, the most frequent category, no text; a missing value of a column that is mostly missing. For classes
it is the change of the probability of the predicted class. Effects describe the model, not causes, and do not add up to
the prediction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Any

import numpy as np
import polars as pl

from nncli.data.arrays import Floats
from nncli.data.columns.parsing import DATE_TYPES, read_text
from nncli.data.table import Table
from nncli.ensemble import AnyModel
from nncli.export.read_inputs import read_input
from nncli.program.inputs import DateInput, NumberInput, ProgramInput
from nncli.serving.model_inputs import typical_cell
from nncli.serving.problem import Problem, ProblemError

MAX_EFFECTS = 20_000
"""Rows times columns of a request: so many rows are predicted for it, which takes some seconds."""
MAX_PREDICTED_ROWS = 8_192
"""Rows that are predicted at once, so that many columns need little memory."""


@dataclass(frozen=True)
class EffectColumn:
    """The effects of a column on a target, None if there is one or if classes are predicted, under a title."""

    title: str
    column: ProgramInput
    target: str | None = None


def effect_columns(inputs: Sequence[ProgramInput], model: AnyModel) -> tuple[EffectColumn, ...]:
    """The columns of effects: `effect_COLUMN`, or `effect_COLUMN_TARGET` for several targets.

    Where names with underscores give two columns the same title, the later one gets a number.
    """
    found, taken = list[EffectColumn](), set[str]()
    several = model.spec.target.task == "regression" and len(model.spec.target.names) > 1
    for target in model.spec.target.names if several else (None,):
        for column in inputs:
            title = own = f"effect_{column.name}" + ("" if target is None else f"_{target}")
            n = 1
            while title in taken:
                n += 1
                title = f"{own}_{n}"
            taken.add(title)
            found.append(EffectColumn(title, column, target))
    return tuple(found)


def check_rows(rows: int, columns: int) -> None:
    """Raise a ProblemError if a request of so many rows is too large to be explained."""
    most = max(1, MAX_EFFECTS // columns)
    if rows > most:
        raise ProblemError(
            Problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"{rows:,} rows of {columns:,} columns are too many for explain",
                f"Send at most {most:,} rows, or leave out explain.",
            )
        )


def effects_of(model: AnyModel, inputs: Sequence[ProgramInput], table: Table) -> pl.DataFrame:
    """The effects of every column on each prediction of a table that the model can predict, as `effect_columns`."""
    per_block = max(1, MAX_PREDICTED_ROWS // (len(inputs) + 1))
    blocks = [
        _effects(model, inputs, table.part(start, start + per_block)) for start in range(0, len(table), per_block)
    ]
    effects = np.concatenate(blocks) if blocks else np.empty((0, len(inputs)))
    titles = [one.title for one in effect_columns(inputs, model)]
    return pl.DataFrame({title: effects[:, j] for j, title in enumerate(titles)})


def _effects(model: AnyModel, inputs: Sequence[ProgramInput], table: Table) -> Floats:
    """The effects (rows, targets · columns); rows and their variants are predicted as one table."""
    rows, n = len(table), len(inputs)
    with np.errstate(all="ignore"):  # a value far out of the training range may overflow
        predictions = model.predict(_with_variants(inputs, table))
        values = predictions.values.reshape(n + 1, rows, -1)
        if predictions.target.task == "classification":
            chosen = predictions.classes[:rows].clip(0)  # -1 has no probability, so that its effects are NaN
            values = np.take_along_axis(values, chosen[None, :, None], axis=2)
        changes: Floats = values[0] - values[1:]
    return changes.transpose(1, 2, 0).reshape(rows, -1)


def _with_variants(inputs: Sequence[ProgramInput], table: Table) -> Table:
    """The rows of a table, then those with the first column at its typical value, then with the second, and so on."""
    rows, n = len(table), len(inputs)
    positions = np.tile(np.arange(rows), n + 1)
    columns = {}
    for j, column in enumerate(inputs):
        cells, typical = _cells_and_typical(column, table)
        block = slice((j + 1) * rows, (j + 2) * rows)
        positions[block] = rows
        columns[column.name] = pl.concat([cells, typical]).gather(positions)
        positions[block] = np.arange(rows)
    return replace(table, frame=pl.DataFrame(columns), numbers=None, origins=None)


def _cells_and_typical(column: ProgramInput, table: Table) -> tuple[pl.Series, pl.Series]:
    """The cells of a column in a type that its typical value has too, and that value; a model reads both alike."""
    cells, typical = table.column(column.name), typical_cell(column)
    if isinstance(column, NumberInput):
        cells = pl.Series(read_input(column, table)[:, 0], nan_to_null=True)
    elif isinstance(column, DateInput) and cells.dtype in DATE_TYPES:
        return _moments(cells, typical)
    else:
        cells = read_text(table, column.name)
    return cells, pl.Series([typical], dtype=cells.dtype)


def _moments(cells: pl.Series, typical: float | str | None) -> tuple[pl.Series, pl.Series]:
    """Dates as moments in UTC."""
    if cells.dtype == pl.Date:
        cells = cells.cast(pl.Datetime("us"))
    elif isinstance(cells.dtype, pl.Datetime) and cells.dtype.time_zone is not None:
        cells = cells.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    moment = None if typical is None else datetime.fromisoformat(str(typical))
    return cells, pl.Series([moment], dtype=pl.Datetime("us")).cast(cells.dtype)


def json_effects(
    columns: Sequence[EffectColumn], table: Table, effects: pl.DataFrame
) -> Iterator[list[dict[str, Any]]]:
    """The effects on each row of a table, as JSON: for each target, the largest first."""
    cells = {one.column.name: table.column(one.column.name).to_list() for one in columns}
    typical = {one.column.name: typical_cell(one.column) for one in columns}
    order = {target: k for k, target in enumerate(dict.fromkeys(one.target for one in columns))}
    changes = [effects.get_column(one.title).fill_nan(None).to_list() for one in columns]
    for i in range(len(table)):
        found = [(one, changes[j][i]) for j, one in enumerate(columns)]
        found.sort(key=lambda pair: (order[pair[0].target], -abs(pair[1] or 0.0)))
        yield [
            {
                "column": one.column.name,
                **({} if one.target is None else {"target": one.target}),
                "value": _json_cell(cells[one.column.name][i]),
                "typical": typical[one.column.name],
                "change": change,
            }
            for one, change in found
        ]


def _json_cell(cell: Any) -> Any:
    """A cell as JSON: a number, a text, true, false or null."""
    if isinstance(cell, float):
        return cell if np.isfinite(cell) else None
    return cell if cell is None or isinstance(cell, str | bool | int) else str(cell)
