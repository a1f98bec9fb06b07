"""The interface that chunks of a table are written to, and the errors of writing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars

from nncli.base.errors import DataError, Location
from nncli.base.text import join_quoted
from nncli.data.formats.compression import Writable as Writable
from nncli.data.formats.streams import POLARS_ERRORS

STANDARD_OUTPUT = "standard output"


class Sink(Protocol):
    """Writes a table chunk by chunk; all chunks must have the columns of the first."""

    def write(self, frame: polars.DataFrame) -> None:
        """Append the rows of `frame`.

        Raises:
            DataError: the columns differ from the first chunk, or have a type that the format does not support.
        """


@dataclass
class ColumnCheck:
    """Checks that all chunks have the columns of the first."""

    source: str
    names: list[str] | None = None

    @classmethod
    def of(cls, path: Path | None) -> ColumnCheck:
        """The check for a file (None: standard output)."""
        return cls(STANDARD_OUTPUT if path is None else str(path))

    def begin(self, frame: polars.DataFrame) -> bool:
        """Whether `frame` is the first chunk; raise a DataError if its columns differ from the first."""
        if self.names is None:
            self.names = frame.columns
            return True
        if self.names != frame.columns:
            raise DataError(
                f"the columns change from {join_quoted(self.names)} to {join_quoted(frame.columns)} between chunks",
                location=Location(source=self.source),
                hint="Give all rows of the input the same columns.",
            )
        return False


@contextmanager
def translate_write_errors(frame: polars.DataFrame, source: str) -> Iterator[None]:
    """Translate errors of Polars about rows it cannot write to DataErrors."""
    try:
        yield
    except POLARS_ERRORS as error:
        unsupported = [name for name, dtype in frame.schema.items() if dtype.is_nested() or dtype == polars.Binary]
        raise DataError(
            f"the rows cannot be written: {str(error).splitlines()[0]}",
            location=Location(source=source, column=unsupported[0] if unsupported else None),
            hint="Write Parquet, which supports lists and objects, or remove these columns." if unsupported else None,
        ) from error
