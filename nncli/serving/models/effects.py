"""Effects: how a prediction changes if one column has its typical value instead.

The effect of a column is the prediction of a row minus that of the same row with this column alone at its typical
value: the median, the most frequent category, no text; a missing value of a column that is mostly missing. For classes
it is the change of the probability of the second of two classes, or of the predicted one of more, which `nncli explain`
explains too. Effects describe the model, not causes, and do not add up to the prediction. Attributions, which do, need
the average row, which only the training table has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from nncli.base.text import numbered_name
from nncli.data.columns.parsing import DATE_TYPES, read_text
from nncli.data.table import Table
from nncli.exporters.lowering import exported_cells
from nncli.exporters.read_inputs import read_input
from nncli.models.ensemble import AnyModel
from nncli.nn.arrays import Floats
from nncli.nn.program.inputs import ProgramInput
from nncli.serving.columns.input_schema import typical_cell
from nncli.serving.problems import too_large

MAX_EFFECTS = 20_000
"""Rows times columns of a request: so many rows are predicted for it, which takes some seconds."""
MAX_EFFECT_CELLS = 40_000_000
"""Cells of the rows that are predicted for a request."""
CELLS_AT_ONCE = 4_000_000
"""Cells of the rows that are predicted at once, so that they need little memory."""


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
    columns, taken = list[EffectColumn](), set[str]()
    for target in model.spec.head.explained.in_each_row or (None,):
        for column in inputs:
            title = numbered_name(f"effect_{column.name}" + ("" if target is None else f"_{target}"), taken)
            taken.add(title)
            columns.append(EffectColumn(title, column, target))
    return tuple(columns)


def most_rows(columns: int) -> int:
    """The most rows of a request that can be explained; 0 if a model has too many columns."""
    return min(MAX_EFFECTS // columns, MAX_EFFECT_CELLS // columns**2)


def check_rows(rows: int, columns: int) -> None:
    """Raise a ProblemError if a request of so many rows is too large to be explained."""
    most = most_rows(columns)
    if rows > most:
        hint = f"Send at most {most:,} rows, or leave out effects." if most else "Leave out effects."
        detail = f"{rows:,} rows of {columns:,} columns are too many for effects"
        raise too_large(detail, hint)


def effects_of(model: AnyModel, inputs: Sequence[ProgramInput], table: Table) -> pl.DataFrame:
    """The effects of every column on each prediction of a table that the model can predict, as `effect_columns`."""
    rows, n = len(table), len(inputs)
    cells = exported_cells(model, table)
    variants = _Variants(table, [_cells_and_typical(column, cells) for column in inputs])
    at_once = max(1, CELLS_AT_ONCE // max(1, rows * n))
    values, select = [], None
    with np.errstate(all="ignore"):  # a value far out of the training range may overflow
        for start in range(0, n + 1, at_once):
            some = range(start, min(start + at_once, n + 1))
            predictions = model.predict(variants.table(some))
            predicted_values = predictions.values.reshape(len(some), rows, predictions.values.shape[1])
            if select is None:
                select = model.spec.head.explained.selection(predicted_values[0], model.spec.decision)
            values.append(select(predicted_values))
        stacked = np.concatenate(values)
        changes: Floats = stacked[0] - stacked[1:]  # (columns, rows, targets)
    titles = [column.title for column in effect_columns(inputs, model)]
    by_title = changes.transpose(2, 0, 1).reshape(len(titles), rows)
    return pl.DataFrame(dict(zip(titles, by_title, strict=True)))


@dataclass(frozen=True)
class _Variants:
    """The rows of a table in variants: 0 is as they are, k has the column k - 1 at its typical value.

    `cells` are those of the columns, each with its typical value behind them.
    """

    rows: Table
    cells: Sequence[pl.Series]

    def table(self, variants: range) -> Table:
        """The rows of some variants, one after the other."""
        rows = len(self.rows)
        positions, variant_of_row = np.tile(np.arange(rows), len(variants)), np.repeat(variants, rows)
        columns = {
            cells.name: cells.gather(np.where(variant_of_row == k, rows, positions))
            for k, cells in enumerate(self.cells, start=1)
        }
        return replace(self.rows, frame=pl.DataFrame(columns), selected_rows=None, origins=None)


def _cells_and_typical(column: ProgramInput, table: Table) -> pl.Series:
    """The cells of a column, then its typical value, in a type that both have, and which a model reads as their own."""
    cells, typical = table.column(column.name), typical_cell(column)
    if column.kind == "number":
        cells = pl.Series(read_input(column, table)[:, 0], nan_to_null=True)
    elif column.kind == "date" and cells.dtype in DATE_TYPES:
        return _moments(cells, typical).alias(column.name)
    else:
        cells = read_text(table, column.name)
    return pl.concat([cells, pl.Series([typical], dtype=cells.dtype)]).alias(column.name)


def _moments(cells: pl.Series, typical: float | str | None) -> pl.Series:
    """Dates as moments in UTC, then the typical one."""
    if cells.dtype == pl.Date:
        cells = cells.cast(pl.Datetime("us"))
    elif isinstance(cells.dtype, pl.Datetime) and cells.dtype.time_zone is not None:
        cells = cells.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    moment = None if typical is None else datetime.fromisoformat(str(typical))
    return pl.concat([cells, pl.Series([moment], dtype=pl.Datetime("us")).cast(cells.dtype)])


def json_effects(
    columns: Sequence[EffectColumn], table: Table, effects: pl.DataFrame, classes: Sequence[str | None] = ()
) -> Iterator[list[dict[str, Any]]]:
    """The effects on each row of a table, as JSON: for each target, the largest first.

    `classes` are those whose probabilities change, for each row; there are none if numbers are predicted.
    """
    cells = {effect.column.name: table.column(effect.column.name).to_list() for effect in columns}
    typical = {effect.column.name: typical_cell(effect.column) for effect in columns}
    order = {target: k for k, target in enumerate(dict.fromkeys(effect.target for effect in columns))}
    changes = [[_json_cell(x) for x in effects.get_column(effect.title).to_list()] for effect in columns]
    for i in range(len(table)):
        changed = [(effect, changes[j][i]) for j, effect in enumerate(columns)]
        changed.sort(key=lambda pair: (order[pair[0].target], -abs(pair[1] or 0.0)))
        yield [
            {
                "column": effect.column.name,
                **({} if effect.target is None else {"target": effect.target}),
                **({"class": classes[i]} if classes else {}),
                "value": _json_cell(cells[effect.column.name][i]),
                "typical": typical[effect.column.name],
                "change": change,
            }
            for effect, change in changed
        ]


def _json_cell(cell: Any) -> Any:
    """A cell as JSON: a number, a text, true, false or null."""
    if isinstance(cell, float):
        return cell if np.isfinite(cell) else None
    return cell if cell is None or isinstance(cell, str | bool | int) else str(cell)
