"""The address of a database, read from its URL, and the removal of passwords from messages of drivers."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from nncli.base.credentials import HIDDEN, LOGIN, with_credentials
from nncli.base.errors import Location, UsageError, UseOption
from nncli.base.text import quote
from nncli.data.sources.table_source import DATABASE_SCHEMES, LOCAL_DATABASES, TableSource


class DatabaseKind(StrEnum):
    """The kind of a database."""

    POSTGRESQL = "postgresql"
    MYSQL = "mysql"
    SQLITE = "sqlite"
    DUCKDB = "duckdb"

    @property
    def is_file(self) -> bool:
        """Whether a database of this kind is one local file."""
        return self in (DatabaseKind.SQLITE, DatabaseKind.DUCKDB)


OUTPUT_TABLE = UseOption("output_table", "output_table")
APPEND, FORCE = UseOption("append", "append", True), UseOption("force", "force", True)
"""What names the table that is written."""
PASSWORD_VARIABLES = ("PGPASSWORD", "MYSQL_PWD")
EXTERNAL_ACCESS = "enable_external_access"
"""The setting of DuckDB, and the parameter of its URL, that lets queries and views read other files."""
PARAMETERS = re.compile(r"(?P<url>[^:]+:///.+)\?(?P<name>\w+)=(?P<value>[^/?]*)", re.DOTALL)
"""The URL of a DuckDB file with the parameter at its end."""
LONG = 5
"""Shorter passwords are removed as whole words only: a message without the letter x cannot be read."""


@dataclass(frozen=True)
class DatabaseAddress:
    """The address of a database. `url` is its URL without user and password, which is safe to show."""

    kind: DatabaseKind
    url: str

    @classmethod
    def of(cls, source: TableSource) -> DatabaseAddress:
        """The address that a source names.

        Raises:
            UsageError: the URL of a local database has no file.
        """
        kind = DatabaseKind(DATABASE_SCHEMES[source.scheme or ""])
        address = cls(kind, source.path)
        if kind.is_file and not source.path.partition(":///")[2]:
            raise UsageError(
                "the URL names no database file",
                location=Location(source=source.path),
                hint=f"Write {kind}:///file.db, or {kind}:////folder/file.db for an absolute path.",
            )
        match = address._parameter
        if match is not None and (match["name"] != EXTERNAL_ACCESS or match["value"] not in ("true", "false")):
            raise UsageError(
                f"the URL has an unknown parameter {quote(match['name'] + '=' + match['value'])}",
                location=Location(source=source.path),
                hint=f"Known is {EXTERNAL_ACCESS}=true, for queries that read other files than the database.",
            )
        if not kind.is_file and not _is_valid(address.full_url):
            raise UsageError(
                "the URL is not valid",
                location=Location(source=source.path),
                hint="In user and password write @ as %40, / as %2F, # as %23, ? as %3F, : as %3A, [ as %5B, % as %25.",
            )
        return address

    @property
    def file(self) -> Path:
        """The file of a local database."""
        url = self.url if self._parameter is None else self._parameter["url"]
        return Path(url.partition(":///")[2])

    @property
    def has_external_access(self) -> bool:
        """Whether a query of a DuckDB file may read other files, which its URL must ask for."""
        return self._parameter is not None and self._parameter["value"] == "true"

    @property
    def _parameter(self) -> re.Match[str] | None:
        return PARAMETERS.fullmatch(self.url) if self.kind is DatabaseKind.DUCKDB else None

    @property
    def full_url(self) -> str:
        """The URL with user and password, if they were given: only for the connection, never to be shown."""
        return with_credentials(self.url)

    def without_secrets(self, message: str) -> str:
        """A message of a driver without the passwords of the URL and the environment."""
        secrets = [os.environ.get(name, "") for name in PASSWORD_VARIABLES]
        parts = urlsplit(self.full_url)
        secrets += [parts.netloc.rpartition("@")[0].partition(":")[2], parts.password or ""]
        secrets += [value for name, value in parse_qsl(parts.query) if LOGIN.fullmatch(name) and name != "user"]
        forms = {form for secret in secrets for form in (secret, unquote(secret)) if form}
        for form in sorted(forms, key=len, reverse=True):
            pattern = re.escape(form) if len(form) >= LONG else rf"(?<!\w){re.escape(form)}(?!\w)"
            message = re.sub(pattern, HIDDEN, message)
        return message


def is_same_database(source: TableSource, other: TableSource) -> bool:
    """Whether two sources name one database by the same URL, or by the same local file."""
    if source.path == other.path:
        return True
    if source.scheme != other.scheme or source.scheme not in LOCAL_DATABASES:
        return False
    files = (DatabaseAddress.of(source).file, DatabaseAddress.of(other).file)
    return all(file.exists() for file in files) and files[0].samefile(files[1])


def _is_valid(url: str) -> bool:
    """Whether the host and port of a server's URL can be read."""
    try:
        parts = urlsplit(url)
        return (parts.port is None or parts.port > 0) and ("@" not in url or "@" in parts.netloc)
    except ValueError:
        return False
