"""Columns of IPv4 addresses: their four numbers, so that a network learns of parts of the address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import numpy as np
import polars as pl

from nncli.extend import (
    ColumnAnomalies,
    ColumnEncoder,
    DataError,
    EncodingOptions,
    FiniteFloat,
    Floats,
    Location,
    Matrix,
    NumberInput,
    PositiveFloat,
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
    """The four numbers of an address, standardized; all are 0, the mean, for a missing one."""

    type: Literal["ipv4"] = "ipv4"
    examples: ClassVar[tuple[str, ...]] = ("10.0.0.1", "10.0.7.250", "192.168.1.17", "8.8.8.8", "172.16.254.3")
    centers: tuple[FiniteFloat, ...]
    scales: tuple[PositiveFloat, ...]

    @classmethod
    def matches(cls, column: RawColumn) -> bool:
        """A kind of a plugin is used where the configuration names it."""
        return False

    @classmethod
    def fit(cls, table: Table, name: str, options: EncodingOptions) -> Self:
        """Means and standard deviations of the four numbers in the training rows."""
        address = read_addresses(table, name)
        parts = split(address[~np.isnan(address)])
        if not len(parts):
            raise DataError("no cell is an IPv4 address", location=Location(column=name))
        return cls(name=name, centers=tuple(parts.mean(axis=0)), scales=tuple(s or 1.0 for s in parts.std(axis=0)))

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
        scaled = (split(np.nan_to_num(address)) - np.array(self.centers)) / np.array(self.scales)
        out[:] = np.where(np.isnan(address)[:, None], 0.0, scaled)
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
        for size, center, scale in zip(PARTS, self.centers, self.scales, strict=True):
            part = floor(rest / size)
            rest = rest - part * size
            parts.append(select(missing, 0.0, (part - center) / scale))
        return join(parts)


def split(address: Floats) -> Floats:
    """The four numbers (rows, 4) of addresses (rows,)."""
    parts = []
    for size in PARTS:
        parts.append(np.floor(address / size))
        address = address - parts[-1] * size
    return np.stack(parts, axis=1)


def read_addresses(table: Table, name: str) -> Floats:
    """Addresses as numbers (rows,), NaN for a cell that is missing or is no address."""
    cells = read_text(table, name).str.strip_chars()
    number = pl.Series(np.zeros(len(cells)))
    for group, size in enumerate(PARTS, 1):
        part = cells.str.extract(PATTERN, group).cast(pl.Float64)
        number = number + part.set(part > 255.0, None) * size
    return number.fill_null(np.nan).to_numpy()
