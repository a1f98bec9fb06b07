"""Read the costs of misclassification from a table: a row for each actual class, a column for each predicted one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nncli.base.errors import DataError
from nncli.base.text import join_quoted, quote
from nncli.data.columns.parsing import parse_numbers, read_text
from nncli.data.sources.read_table import read_table
from nncli.data.sources.table_source import TableLocation
from nncli.data.table import Table
from nncli.targets.decision import CostMatrix


def read_costs(location: TableLocation, labels: Sequence[str]) -> CostMatrix:
    """Read the costs of a target with these classes, in any order. The first column holds the actual classes.

    Raises:
        DataError: a class is missing, unknown or there twice, or a cost is not a number of at least 0; or all are 0.
    """
    table = read_table(location)
    first, *predicted = table.names
    _check_classes(table, predicted, labels, "column")
    if not len(table):
        raise DataError("the table of costs has no rows", location=table.location(), hint=_format_of(labels))
    actual = ["" if cell is None else cell.strip() for cell in read_text(table, first).to_list()]
    _check_classes(table, actual, labels, "row")
    order = [actual.index(label) for label in labels]
    columns = [_costs_of(table, name) for name in labels]
    costs = tuple(tuple(column[i] for column in columns) for i in order)
    if not np.any(costs):
        raise DataError(
            "all costs are 0", location=table.location(), hint="Give the wrong predictions a cost, for example 1."
        )
    return CostMatrix(labels=tuple(labels), costs=costs)


def _costs_of(table: Table, name: str) -> list[float]:
    """The costs of predicting one class, in the order of the rows."""
    cells = table.column(name)
    costs = parse_numbers(cells, table.dialect).to_list()
    for row, cost in enumerate(costs):
        if cost is None or not 0.0 <= cost < float("inf"):
            what = "the cost is missing" if cells[row] is None else f"{quote(cells[row])} is not a number of at least 0"
            raise DataError(
                what,
                location=table.location(row=row, column=name),
                hint="A cost is the loss of one such prediction, such as 0 for a right one and 5 for a wrong one.",
            )
    return [float(cost) for cost in costs]


def _check_classes(table: Table, found: Sequence[str], labels: Sequence[str], what: str) -> None:
    """Raise a DataError unless the classes found are the labels, each once."""
    unknown = [name for name in found if name not in labels]
    missing = [label for label in labels if label not in found]
    twice = [label for label in labels if list(found).count(label) > 1]
    for names, text in (
        (unknown, f"{join_quoted(unknown)} {'is no class' if len(unknown) == 1 else 'are no classes'} of the target"),
        (twice, f"more than one {what} for {join_quoted(twice)}"),
        (missing, f"no {what} for {join_quoted(missing)}"),
    ):
        if names:
            more = f", and no {what} for {join_quoted(missing)}" if missing and names is not missing else ""
            positions = [i for i, name in enumerate(found) if name == names[0]]
            row = positions[-1 if names is unknown else 1] if what == "row" and names is not missing else None
            raise DataError(f"{text}{more}", location=table.location(row=row), hint=_format_of(labels))


def _format_of(labels: Sequence[str]) -> str:
    """The format of a table of costs, as advice."""
    header = ",".join(["actual", *labels])
    return f"One row for each actual class, one column for each predicted class; the header is {header}"
