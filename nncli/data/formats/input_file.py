"""A file to read, and what messages call it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePath

from nncli.data.formats.streams import is_stream, name_of

WEB_URL_QUERY = re.compile(r"\A(https?://[^?#]*+)[?#].*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class InputFile:
    """A file at `path` (None: standard input); `name` is that of messages, and its suffix that of the format.

    They differ for a local copy of a table that is elsewhere.
    """

    path: Path | None
    name: str

    @classmethod
    def of(cls, path: Path | None) -> InputFile:
        """The file at a path that the user gave."""
        return cls(path, name_of(path))

    @property
    def is_stream(self) -> bool:
        """Whether the file can be read only once: standard input, a named pipe or a device."""
        return is_stream(self.path)

    @property
    def pure_path(self) -> PurePath | None:
        """The name as a path; None for standard input."""
        return None if self.path is None else path_of(self.name)


def path_of(name: str) -> PurePath:
    """The name of a file as a path; of a URL of the web without its query.

    >>> path_of("https://example.org/table.csv?version=1.2").name
    'table.csv'
    """
    return PurePath(WEB_URL_QUERY.sub(r"\1", name))
