"""The interface of writing a table of a database, and what the table has to be for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import polars as pl

from nncli.base.errors import Location, UsageError
from nncli.base.text import quote
from nncli.data.sources.database.address import DatabaseAddress, DatabaseKind
from nncli.data.sources.database.catalog import tables_of
from nncli.data.sources.database.database import DatabaseTable
from nncli.data.sources.database.sql import quoted_name
from nncli.data.sources.database.writer_types import TypeNames
from nncli.data.sources.table_source import TableSource


class IfExists(StrEnum):
    """What happens to a table that is there: it is an error, or its rows are replaced, or rows are added."""

    REFUSE = "refuse"
    REPLACE = "replace"
    APPEND = "append"


@dataclass(frozen=True)
class DatabaseWriter(ABC):
    """Writes rows into the table that `target` names, all of them or none. A subclass is chosen in writers.py."""

    target: TableSource
    if_exists: IfExists

    @property
    def address(self) -> DatabaseAddress:
        """The address of the database."""
        return DatabaseAddress.of(self.target)

    @property
    def name(self) -> str:
        """What messages call the table."""
        return self.target.title

    @property
    @abstractmethod
    def types(self) -> TypeNames:
        """The types of new columns."""

    @cached_property
    def existing(self) -> DatabaseTable | None:
        """The table if it is there already.

        Raises:
            UsageError: the driver is not installed.
            DataError: the database cannot be read.
        """
        address = self.address
        if address.kind.is_file and not address.file.exists():
            return None
        wanted = self.target.table
        return next((table for table in tables_of(self.target) if wanted in (table.name, table.sql_name)), None)

    def check(self) -> None:
        """Raise a UsageError if the table is there and is neither to be replaced nor to be appended to.

        Raises:
            DataError: the database cannot be read.
        """
        if self.existing is not None and self.if_exists is IfExists.REFUSE:
            raise UsageError(
                f"the table {quote(self.target.table)} exists already",
                location=Location(source=self.target.path),
                hint="Use --force to replace its rows, --append to add rows to them, or name another table.",
            )

    @abstractmethod
    def write(self, frames: Iterable[pl.DataFrame], schema: pl.Schema) -> None:
        """Write the rows of the frames, all of the same schema, in one transaction.

        Raises:
            DataError: the database refuses the table or a row; nothing is changed then.
        """

    def quoted(self, name: str) -> str:
        """A name in SQL."""
        return quoted_name(name)

    @property
    def sql_name(self) -> str:
        """The table in SQL; a new one may have its schema in front."""
        if self.existing is not None:
            return self.existing.sql_name
        name = self.target.table or ""
        has_schemas = self.address.kind in (DatabaseKind.POSTGRESQL, DatabaseKind.DUCKDB)
        parts = name.split(".", 1) if has_schemas else [name]
        return ".".join(map(self.quoted, parts))

    def columns(self, schema: pl.Schema) -> str:
        """The names of the columns in SQL."""
        return ", ".join(map(self.quoted, schema))

    def preparation(self, schema: pl.Schema) -> list[str]:
        """The statements before the rows: the table is created, or its rows are deleted."""
        if self.existing is None:
            return [self.creation(self.sql_name, schema)]
        return [f"DELETE FROM {self.sql_name}"] if self.if_exists is IfExists.REPLACE else []

    def creation(self, sql_name: str, schema: pl.Schema) -> str:
        """The statement that creates a table."""
        columns = ", ".join(f"{self.quoted(name)} {self.types.of(dtype)}" for name, dtype in schema.items())
        return f"CREATE TABLE {sql_name} ({columns})"
