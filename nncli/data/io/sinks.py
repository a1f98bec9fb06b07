"""What chunks of a table are written to, and the errors of writing them."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, TypeAlias

import polars

from nncli.data.io.streams import POLARS_ERRORS
from nncli.errors import DataError, Location
from nncli.text import join_quoted

Writable: TypeAlias = IO[bytes] | gzip.GzipFile
STANDARD_OUTPUT = "standard output"


class Sink(Protocol):
    """What chunks of a table are written to; all of them have the columns of the first."""

    def write(self, frame: polars.DataFrame) -> None:
        """Append the rows of `frame`.

        Raises:
            DataError: the columns are others than before, or hold what the format cannot.
        """


@dataclass
class ColumnCheck:
    """The columns of the first chunk, which all other chunks must have too."""

    source: str
    names: list[str] | None = None

    @classmethod
    def of(cls, path: Path | None) -> ColumnCheck:
        """The check for a file (None: standard output)."""
        return cls(STANDARD_OUTPUT if path is None else str(path))

    def begin(self, frame: polars.DataFrame) -> bool:
        """Whether `frame` is the first chunk."""
        if self.names is None:
            self.names = frame.columns
            return True
        if self.names != frame.columns:
            raise DataError(
                f"the columns change from {join_quoted(self.names)} to {join_quoted(frame.columns)} along the way",
                place=Location(source=self.source),
                hint="Give all rows of the input the same columns.",
            )
        return False


@contextmanager
def translate_write_errors(frame: polars.DataFrame, source: str) -> Iterator[None]:
    """Turn what Polars says about rows it cannot write into a DataError."""
    try:
        yield
    except POLARS_ERRORS as error:
        awkward = [name for name, dtype in frame.schema.items() if dtype.is_nested() or dtype == polars.Binary]
        raise DataError(
            f"the rows cannot be written: {str(error).splitlines()[0]}",
            place=Location(source=source, column=awkward[0] if awkward else None),
            hint="Write Parquet, which holds lists and objects too, or leave such columns out." if awkward else None,
        ) from error
