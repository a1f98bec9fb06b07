"""The interface of a kind of column: how it is recognized, fitted, encoded and described."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import polars as pl

from nncli.base.errors import UsageError
from nncli.base.spec import Spec, StrictStr
from nncli.base.text import join_quoted, quote
from nncli.data.columns.hashing import Hashes, hash_texts
from nncli.data.columns.parsing import CellErrors, read_text
from nncli.data.columns.raw_column import RawColumn
from nncli.data.encoders.anomalies import ColumnAnomalies
from nncli.data.encoders.encoding_options import EncodingOptions
from nncli.data.table import Table
from nncli.nn.arrays import Codes, Floats, Mask, Matrix, RowIndices
from nncli.nn.program.inputs import ProgramInput
from nncli.nn.program.values import Value

QUANTILES = 21
"""Quantiles of a numeric column, from the lowest value to the highest."""
BINS = 24
MAX_LABELS = 12


@dataclass(frozen=True)
class DependenceGrid:
    """Values (points,) in ascending order, or labels, or both; and for each point the position of a row that has it.

    `counts` are the numbers of rows in BINS equal intervals between the first and the last value, or of each label.
    """

    values: Floats | None
    labels: tuple[str | None, ...] | None
    rows: RowIndices
    counts: Codes

    @classmethod
    def of_quantiles(cls, x: Floats, texts: pl.Series | None = None) -> DependenceGrid:
        """Distinct quantiles of x (rows,), NaN left out; `texts` (rows,) are how the cells are spelled."""
        order = np.argsort(x, kind="stable")[: np.count_nonzero(~np.isnan(x))]  # NaN is sorted last
        at = np.unique(np.round(np.linspace(0, len(order) - 1, QUANTILES)).astype(np.int64)) if len(order) else order
        values, first = np.unique(x[order[at]], return_index=True)
        rows = order[at][first]
        with np.errstate(over="ignore"):
            spread = values[-1] - values[0] if len(values) else 0.0
        bins = (x[order] - values[0]) / spread * BINS if 0 < spread < np.inf else np.zeros(len(order))
        counts = np.bincount(np.minimum(bins.astype(np.int64), BINS - 1), minlength=BINS)
        return cls(values, None if texts is None else tuple(texts.gather(rows).to_list()), rows, counts)

    @classmethod
    def of_labels(cls, texts: pl.Series) -> DependenceGrid:
        """The most frequent cells, the most frequent one first; None stands for a missing cell."""
        frame = pl.DataFrame({"label": texts, "row": np.arange(len(texts))})
        counted = frame.group_by("label", maintain_order=True).agg(pl.len(), pl.col("row").first())
        frequent = counted.sort("len", descending=True, maintain_order=True).head(MAX_LABELS)
        rows, counts = (frequent[name].to_numpy().astype(np.int64) for name in ("row", "len"))
        return cls(None, tuple(frequent["label"].to_list()), rows, counts)


class ColumnEncoder(Spec):
    """One fitted column, encoded as `width` columns of the matrix. Its fields are stored in a saved model.

    To add a kind of column, write a subclass in a new file and add it to kinds.py. Its fields are checked by
    pydantic validators whenever a model is loaded. The class attributes tell other code how to present the column.
    """

    plugin_kind: ClassVar[str | None] = "encoders"

    is_numeric: ClassVar[bool] = False
    """Whether cells are read as Float64. Such columns have a range and quantiles, and may be a regression target."""
    lists_values: ClassVar[bool] = False
    """Whether the most frequent values describe the column; of other kinds one value is shown as an example."""
    profiles_at_once: ClassVar[bool] = False
    """Whether profiles of many columns of text, which do not ask `matches`, tell columns of this kind from others."""
    needs_repeats: ClassVar[bool] = False
    """Whether a column is useless if each value occurs in one row only."""

    has_direction: ClassVar[bool] = False
    """Whether cells have an order that `in_order` encodes, so that the prediction may be monotone in them."""

    examples: ClassVar[tuple[str, ...]] = ()
    """Cells of such a column, from which `nncli plugins check` makes a table."""

    type: str
    name: StrictStr

    @classmethod
    @abstractmethod
    def matches(cls, column: RawColumn) -> bool:
        """Whether the column is of this kind. Kinds are asked in the order of kinds.py, and the first match wins.

        Raises:
            DataError: the column is ambiguous; the hint says how to declare its kind.
        """

    @classmethod
    def read_cells(cls, table: Table, name: str) -> pl.Series:
        """The cells as training reads them: Float64 if `is_numeric`, else text; null where one is missing.

        Raises:
            DataError: a cell cannot be read as this kind.
        """
        return read_text(table, name)

    @classmethod
    @abstractmethod
    def fit(cls, table: Table, name: str, options: EncodingOptions) -> Self:
        """Fit on `table`, the training rows.

        Raises:
            DataError: a cell cannot be read as this kind.
        """

    @property
    @abstractmethod
    def width(self) -> int:
        """Number of columns of the matrix."""

    @property
    def n_numeric(self) -> int:
        """Number of columns of the matrix, the first ones, that numeric embeddings may embed."""
        return 0

    def in_order(self) -> Self:
        """This encoder so that the first `n_numeric` columns of the matrix never fall as a cell rises, to the last bit.

        No other column depends on the cell, but one that tells whether it is missing. For kinds with `has_direction`.
        """
        return self

    @property
    @abstractmethod
    def features(self) -> tuple[str, ...]:
        """The name of each column of the matrix (width,)."""

    def comparable_cells(self, table: Table) -> Floats | pl.Series:
        """The cells as drift compares them: numbers, NaN where one is missing, or text, null where one is missing.

        Raises:
            DataError: a cell cannot be read as this kind.
        """
        return read_text(table, self.name)

    @abstractmethod
    def encode(self, table: Table, out: Matrix) -> ColumnAnomalies:
        """Fill `out` (rows, width) and count the anomalies among the cells.

        Raises:
            DataError: a cell cannot be read as this kind.
        """

    def unusual_cells(self, table: Table) -> Mask:
        """Whether each cell (rows,) is an anomaly, as `encode` counts them; by default row by row, which is slow.

        Raises:
            DataError: a cell cannot be read as this kind.
        """
        rows = (table.take(np.array([i])) for i in range(len(table)))
        counts = [self.encode(row, np.empty((1, self.width))).total for row in rows]
        return np.array(counts, np.int64) > 0

    @classmethod
    @abstractmethod
    def program_input(cls, columns: Sequence[Self]) -> ProgramInput:
        """The input of a program that gives a column to every member of a model, from the encoders of the members.

        Raises:
            UsageError: the members read cells differently.
        """

    @abstractmethod
    def lower(self, x: Value, column: ProgramInput) -> Value:
        """The operations that make columns of the matrix (rows, width) of the value x of the input `column`."""

    def without_cells(self) -> Self:
        """The encoder with rounded numbers where it holds cells of single rows, as a private run keeps it.

        The smallest, the largest and the median number stay.
        """
        return self

    def exported_cells(self, table: Table) -> pl.Series:
        """The cells as an exported file takes them; a kind that no runtime can read gives what its input holds.

        Raises:
            DataError: a cell cannot be read as this kind.
        """
        return table.column(self.name)

    def hash_cells(self, table: Table) -> Hashes:
        """A hash of the value of each cell (rows,), by which rows of different files are compared.

        Raises:
            DataError: a cell cannot be read as this kind.
        """
        return hash_texts(read_text(table, self.name))

    def cell_errors(self, table: Table, dtype: str) -> list[CellErrors]:
        """The cells that `encode` refuses for a matrix of `dtype`; of kinds that accept every cell, none."""
        return []

    def grid(self, table: Table) -> DependenceGrid:
        """The points of partial dependence: by default the most frequent values."""
        texts = table.column(self.name).cast(pl.String)
        return DependenceGrid.of_labels(texts)

    @property
    def short_dates(self) -> str | None:
        """The format of dates that have years of two digits, if the column has any."""
        return None

    @property
    def removed_unit(self) -> str | None:
        """The currency or percent sign that is removed from each cell; see spellings.py."""
        return None

    @property
    def accepts_plain_numbers(self) -> bool:
        """Whether a reader may parse the column directly as Float64, instead of text."""
        return False

    @property
    def spellings(self) -> tuple[str, ...]:
        """Values that are compared for different spellings of the same thing, such as `yes` and `Yes`."""
        return ()

    @property
    def is_uninformative(self) -> bool:
        """Whether the training rows have no information in this column."""
        return False

    @classmethod
    def uninformative_note(cls, name: str) -> tuple[str, str]:
        """What makes a column of this kind uninformative, and what else than dropping it may help."""
        return f"{quote(name)} carries no information in the training rows", ""


def check_read_alike(columns: Sequence[ColumnEncoder], *fields: str) -> None:
    """Raise a UsageError if the members of a model read a column differently: with other values of some fields."""
    for field in fields:
        values = {getattr(column, field) for column in columns}
        if len(values) > 1:
            listed = join_quoted(sorted(str(value) for value in values))
            raise UsageError(
                f"the networks read {quote(columns[0].name)} differently: {field} is {listed}",
                hint="Train again, and set the kind or the format of the column.",
            )
