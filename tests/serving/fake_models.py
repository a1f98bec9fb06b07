"""A model that needs no training: its prediction is the double of the column x, and words in it are faults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import cast

import polars as pl

from nncli.base.errors import CellError, DataError
from nncli.data.encoders.anomalies import Anomalies, ColumnAnomalies
from nncli.data.table import Table
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.serving.models.reload import ModelSlot
from nncli.serving.models.served_model import PredictedRows, PredictionOptions, ServedModel

BAD_ROW, FAULT, PANIC, BAD_CELL = -1.0, -2.0, -3.0, -4.0
"""Values of x that are an error of the row, a fault of the server, one of Polars, and an error of the cell whose
value cannot be found."""


def anomalies_of(x: Sequence[float]) -> Anomalies:
    """Those of the values above 1000."""
    return Anomalies.from_columns([("x", ColumnAnomalies(out_of_range=sum(value > 1000.0 for value in x)))])


@dataclass
class FakeModel:
    """Doubles x. `rows` are those of each call, and the first sets `is_reached`.

    Calls of at least `held_rows` rows wait for the `gate`.
    """

    name: str = "fake"
    version: str = "1"
    rows: list[int] = field(default_factory=list)
    gate: Event = field(default_factory=Event)
    is_reached: Event = field(default_factory=Event)
    held_rows: int = 0

    @property
    def model(self) -> FakeModel:
        return self

    @property
    def names(self) -> list[str]:
        return ["x"]

    def is_calibrated(self, options: UncertaintyOptions) -> bool:
        return not options.levels

    def predict(self, table: Table, options: PredictionOptions, observe: object = None) -> PredictedRows:
        self.rows.append(len(table))
        self.is_reached.set()
        assert len(table) < self.held_rows or self.gate.wait(20)
        x = table.column("x")
        if (x == BAD_ROW).any():
            raise DataError("a row is bad", location=table.location(row=x.to_list().index(BAD_ROW), column="x"))
        if (x == BAD_CELL).any():
            raise CellError("a cell is bad", location=table.location(row=x.to_list().index(BAD_CELL), column="x"))
        if (x == FAULT).any():
            raise ZeroDivisionError
        if (x == PANIC).any():
            raise pl.exceptions.PanicException("a fault of Polars")
        frame = pl.DataFrame({"probability" if options.proba else "prediction": 2 * x})
        return PredictedRows(frame, self.anomalies(table))

    def anomalies(self, table: Table) -> Anomalies:
        """Those of the values of x above 1000."""
        return anomalies_of(table.column("x").to_list())

    def invalid_cells(self, table: Table) -> None:
        raise pl.exceptions.PanicException("a fault of Polars")


def fake_slot(model: FakeModel | None = None, *, is_open: bool = True) -> tuple[ModelSlot, FakeModel]:
    """A slot with a fake model, whose gate is open or not."""
    model = model or FakeModel()
    if is_open:
        model.gate.set()
    return ModelSlot(Path("fake"), cast("ServedModel", model)), model


@dataclass(frozen=True)
class FakeRequest:
    """The rows of x, with columns that make tables differ."""

    x: Sequence[float]
    extra: tuple[str, ...] = ()
    options: PredictionOptions = field(default_factory=PredictionOptions)
    size: int = 10
    may_be_large: bool = False
    fails_to_read: bool = False
    fails_to_write: bool = False

    def read(self, model: ServedModel) -> Table:
        if self.fails_to_read:
            raise DataError("no table")
        columns = {"x": pl.Series(self.x, dtype=pl.Float64)}
        extra = {name: pl.Series([name] * len(self.x), dtype=pl.String) for name in self.extra}
        return Table(pl.DataFrame(columns | extra), "the request")

    def write(self, model: ServedModel, table: Table, predictions: pl.DataFrame, notes: Sequence[str]) -> bytes:
        if self.fails_to_write:
            raise ZeroDivisionError
        assert len(table) == len(predictions)
        return repr(predictions.to_dict(as_series=False)).encode() + "".join(notes).encode()

    @property
    def expected(self) -> bytes | int:
        """The answer to this request alone, or the status of its problem."""
        if self.fails_to_read or BAD_ROW in self.x or BAD_CELL in self.x:
            return 422
        if FAULT in self.x or PANIC in self.x or self.fails_to_write:
            return 500
        name = "probability" if self.options.proba else "prediction"
        note = anomalies_of(self.x).note or ""
        return (repr({name: [2 * x for x in self.x]}) + note).encode()
