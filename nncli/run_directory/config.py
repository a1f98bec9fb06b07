"""Reading config.yaml of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from nncli.base.errors import ConfigError, RunError
from nncli.config.loading import folder_and_name, load_document
from nncli.config.renamed_keys import with_present_names
from nncli.config.schema import Config
from nncli.config.yaml.document import MAX_TEXT_BYTES, Document
from nncli.config.yaml.parser import parse_bytes
from nncli.run_directory.loader import check_plugins, read_file
from nncli.run_directory.manifest import CONFIG

NOT_VALID = "If you changed the file, undo the change. Otherwise restore the directory from a copy, or train again."


def read_config(folder: Path, assignments: Sequence[str] = ()) -> Config:
    """Read config.yaml of the run in `folder`, with changes from the command line.

    Raises:
        RunError: the file is missing or damaged.
        ConfigError: an assignment is not valid.
        UsageError: an assignment is not of the form key=value.
    """
    parent, name = folder_and_name(folder / CONFIG)
    check_plugins(folder)
    try:
        document = read_document(folder)
        config = load_document(document, (), folder=parent, name=name).config
    except ConfigError as error:
        issue = error.issues[0]
        location = replace(issue.location, source=str(folder / CONFIG))
        message = f"the configuration of the run is damaged: {issue.message}"
        raise RunError(message, location=location, hint=NOT_VALID) from error
    return load_document(document, assignments, folder=parent, name=name).config if assignments else config


def read_document(folder: Path) -> Document:
    """The parsed config.yaml of a run or a search, with the names of today.

    Raises:
        RunError: it cannot be read.
        ConfigError: it cannot be parsed.
    """
    return _document(str(folder / CONFIG), read_file(folder, CONFIG, MAX_TEXT_BYTES))


@lru_cache(maxsize=64)
def _document(source: str, content: bytes) -> Document:
    """The parsed file of a `content`. A member's is read several times in every cycle, and parsing takes 20 ms."""
    return with_present_names(parse_bytes(content, source))
