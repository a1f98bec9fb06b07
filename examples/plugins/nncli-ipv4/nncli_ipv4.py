"""Columns of IPv4 addresses: their four numbers, so that a network learns of parts of the address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import numpy as np
import polars as pl

from nncli.extend import (
    ColumnAnomalies,
    ColumnEncoder,
    EncodingOptions,
    Floats,
    Matrix,
    NumberInput,
    ProgramInput,
    RawColumn,
    Table,
    Value,
    floor,
    is_nan,
    join,
    read_text,
    select,
)

PARTS = (256.0**3, 256.0**2, 256.0, 1.0)
PATTERN = r"^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$"


class IPv4Column(ColumnEncoder):
    """The four numbers of an address, from -1 to 1; all are 0 for a missing one."""

    type: Literal["ipv4"] = "ipv4"
    examples: ClassVar[tuple[str, ...]] = ("10.0.0.1", "10.0.7.250", "192.168.1.17", "8.8.8.8", "172.16.254.3")

    @classmethod
    def matches(cls, column: RawColumn) -> bool:
        """A kind of a plugin is used where the configuration names it."""
        return False

    @classmethod
    def fit(cls, table: Table, name: str, options: EncodingOptions) -> Self:
        """There is nothing to learn of the rows."""
        return cls(name=name)

    @property
    def width(self) -> int:
        """A number for each part."""
        return len(PARTS)

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the numbers."""
        return tuple(f"{self.name}.{i + 1}" for i in range(len(PARTS)))

    def encode(self, table: Table, out: Matrix) -> ColumnAnomalies:
        """Fill `out` (rows, 4)."""
        address = read_addresses(table, self.name)
        rest = np.nan_to_num(address, nan=0.0)
        for j, size in enumerate(PARTS):
            part = np.floor(rest / size)
            rest = rest - part * size
            out[:, j] = np.where(np.isnan(address), 0.0, part / 127.5 - 1.0)
        return ColumnAnomalies()

    @classmethod
    def program_input(cls, columns: Sequence[Self]) -> ProgramInput:
        """An exported file takes an address as a whole number."""
        return NumberInput(columns[0].name, typical=0.0)

    def exported_cells(self, table: Table) -> pl.Series:
        """The addresses as whole numbers."""
        return pl.Series(read_addresses(table, self.name), nan_to_null=True)

    def lower(self, x: Value, column: ProgramInput) -> Value:
        """The same as `encode` for an exported file."""
        missing, rest, parts = is_nan(x), select(is_nan(x), 0.0, x), []
        for size in PARTS:
            part = floor(rest / size)
            rest = rest - part * size
            parts.append(select(missing, 0.0, part / 127.5 - 1.0))
        return join(parts)


def read_addresses(table: Table, name: str) -> Floats:
    """Addresses as numbers (rows,), NaN for a cell that is missing or is no address."""
    cells = read_text(table, name).str.strip_chars()
    number = pl.Series(np.zeros(len(cells)))
    for group, size in enumerate(PARTS, 1):
        part = cells.str.extract(PATTERN, group).cast(pl.Float64)
        number = number + part.set(part > 255.0, None) * size
    return number.fill_null(np.nan).to_numpy()
