"""From a file on disk, or the standard input, to a `Config` whose paths hold wherever it is used."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nncli.config.document import Document
from nncli.config.presets.expansion import expand
from nncli.config.schema import Config, ValidationFile
from nncli.config.source import read
from nncli.config.validation import validate
from nncli.errors import ConfigError


def load_config(path: str | Path, assignments: Sequence[str] = ()) -> Config:
    """Read, expand, override and validate a configuration; `-` is the standard input.

    Paths of tables become absolute: they are relative to the file, or to the working directory when the
    configuration comes from the standard input. `output` gets its default, runs/NAME.

    Raises:
        ConfigError: every mistake found, each with its place.
        UsageError: an assignment is not of the form key=value.
    """
    from_stdin = str(path) == "-"
    folder = Path.cwd() if from_stdin else Path(path).resolve().parent
    return configured(read(path), assignments, folder=folder, name="stdin" if from_stdin else Path(path).stem)


def configured(document: Document, assignments: Sequence[str], *, folder: Path, name: str) -> Config:
    """As `load_config`, of a document whose paths are relative to `folder`; its output's default is runs/`name`."""
    config = validate(Config, expand(document, assignments))
    data = config.data.model_copy(update={"path": _absolute(folder, config.data.path)})
    validation = config.validation
    if isinstance(validation, ValidationFile):
        validation = ValidationFile(path=_absolute(folder, validation.path))
    output = config.output or str(Path("runs") / name)
    return config.model_copy(update={"data": data, "validation": validation, "output": output})


def load_data(path: str | Path) -> Config | None:
    """The table that a configuration names, if that much of it can be read, whatever else is wrong with it.

    Everything but `data` is at its default. None for the standard input, which can be read but once.
    """
    if str(path) == "-":
        return None
    try:
        document = read(path)
        config = validate(Config, replace(document, value={"data": document.value.get("data")}))
    except ConfigError:
        return None
    data = config.data.model_copy(update={"path": _absolute(Path(path).resolve().parent, config.data.path)})
    return config.model_copy(update={"data": data})


def _absolute(folder: Path, path: str) -> str:
    """`path` seen from `folder`, without `..` parts; symbolic links stay as they are."""
    return os.path.normpath(folder / path)
