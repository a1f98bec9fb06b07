"""Where a table is, as the user names it: a file, several files, a database or a URL."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, Field

from nncli.base.credentials import redacted, without_credentials
from nncli.base.spec import PathText, Spec, StrictStr
from nncli.data.dialect import Quote

STANDARD_INPUT = "-"
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
WEB_SCHEMES = ("http", "https", "hf")
STORE_SCHEMES = ("s3", "gs", "az", "abfs", "abfss")
DATABASE_SCHEMES = {
    **{"postgresql": "postgresql", "postgres": "postgresql", "mysql": "mysql", "mariadb": "mysql"},
    **{"sqlite": "sqlite", "duckdb": "duckdb"},
}
"""The kind of database of each scheme."""
LOCAL_DATABASES = ("sqlite", "duckdb")
"""Schemes of databases that are one local file: sqlite:///file.db is relative, sqlite:////folder/file.db is not."""

SourcePath = Annotated[PathText, AfterValidator(without_credentials)]
"""A path or URL. User names and passwords are removed, so no specification ever holds one; see credentials.py."""
SheetName = Annotated[int, Field(strict=True, ge=1)] | StrictStr
"""The sheet of a workbook: its name, or its number from 1."""


class TableSource(Spec):
    """Where a table is: the path of a file or folder, a pattern such as data/*.csv, a URL, or - for standard input.

    `sheet` and `range` select a table in a workbook, `table` or `query` one in a database. `quote` is how a CSV file is
    to be read.
    """

    path: SourcePath = Field(
        description="A file, a folder, or a pattern such as data/*.csv, relative to the configuration file; a URL; or "
        "- for standard input."
    )
    sheet: SheetName | None = Field(
        None, description="Sheet of a workbook, by name or by number from 1. Default: the only one that has a table."
    )
    range: StrictStr | None = Field(
        None, description="Cells of a sheet, such as B4:H200; the first row is the header. Default: the table is found."
    )
    table: StrictStr | None = Field(None, description="Table of a database, such as sales. Default: the only one.")
    query: StrictStr | None = Field(None, description="SELECT statement that a database answers, instead of a table.")
    quote: Quote = Field(
        "auto",
        description="What a double quote is in a CSV file. double: it is around a cell, which may have several lines. "
        "none: a character. auto: around a cell, but a cell of several lines is refused if these look like rows.",
    )

    @property
    def source(self) -> TableSource:
        """The source alone, without what a subclass adds."""
        return TableSource(**{name: getattr(self, name) for name in TableSource.model_fields})

    @property
    def title(self) -> str:
        """The path, with the sheet or table in it, to be shown."""
        parts = [
            self.path,
            "" if self.sheet is None else f"sheet {self.sheet}",
            self.range or "",
            "" if self.table is None else f"table {self.table}",
            "" if self.query is None else "a query",
        ]
        return redacted(", ".join(filter(None, parts)))

    @property
    def scheme(self) -> str | None:
        """The scheme of a URL in lower case, such as s3 or postgresql; None for a path."""
        match = SCHEME.match(self.path)
        return match.group(1).lower() if match else None

    @property
    def is_standard_input(self) -> bool:
        """Whether the table is read from standard input."""
        return self.path == STANDARD_INPUT

    @property
    def local_path(self) -> Path | None:
        """The path of a local file, folder or pattern; None for standard input and URLs."""
        return None if self.is_standard_input or self.scheme is not None else Path(self.path)

    def relative_to(self, folder: Path) -> dict[str, Any]:
        """The update of `model_copy` that makes the path absolute, which was relative to `folder`.

        URLs are kept, but for those of local database files.
        """
        if self.is_standard_input:
            return {}
        scheme = self.scheme
        if scheme is None:
            return {"path": os.path.normpath(folder / self.path)}  # without `..`; symbolic links are kept
        prefix = f"{scheme}:///"
        if scheme in LOCAL_DATABASES and self.path.lower().startswith(prefix):
            return {"path": f"{prefix}{Path(os.path.normpath(folder / self.path[len(prefix) :])).as_posix()}"}
        return {}


TableLocation: TypeAlias = TableSource | str | os.PathLike[str]
"""A table source, or its path."""


def as_source(location: TableLocation | None) -> TableSource:
    """The source of a path or URL; None is standard input."""
    if isinstance(location, TableSource):
        return location
    return TableSource(path=STANDARD_INPUT if location is None else os.fspath(location))


Inputs: TypeAlias = TableLocation | Sequence[TableLocation]


def input_sources(inputs: Inputs) -> list[TableSource]:
    """The sources of one path or URL, or of several."""
    return [*map(as_source, [inputs] if isinstance(inputs, TableSource | str | os.PathLike) else inputs)]
