"""A file to predict, and the state that it is in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from nncli.base.spec import NonNegativeInt, Spec
from nncli.data.sources.remote.listing import ObjectVersion
from nncli.data.sources.remote.stored_object import StoredObject
from nncli.data.sources.remote.stores import ObjectUrl
from nncli.data.sources.table_source import TableSource


class FileState(Spec):
    """The size of a file and the time of its last change, or the ETag of an object, which tell whether it changed."""

    size: NonNegativeInt
    mtime_ns: int | None = None
    tag: str | None = None

    @classmethod
    def of(cls, path: str | Path) -> FileState:
        """The state of an existing file."""
        found = os.stat(path)  # noqa: PTH116
        return cls(size=found.st_size, mtime_ns=found.st_mtime_ns)

    @classmethod
    def of_object(cls, version: ObjectVersion) -> FileState:
        """The state of an object of an object store."""
        return cls(size=version.size, tag=version.tag)

    def is_present(self, path: str) -> bool:
        """Whether a file or an object is still in this state."""
        if self.tag is None:
            return FileState.of(path) == self
        return FileState.of_object(StoredObject(ObjectUrl.parse(path)).version()) == self


@dataclass(frozen=True)
class FileToPredict:
    """A file to predict: its path as the user wrote it, how it is read, its state, and the path of its answer.

    `answer` is relative to the output folder.
    """

    name: str
    source: TableSource
    state: FileState
    answer: str
