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
from nncli.errors import ConfigError, Mistake


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


def load_usable(path: str | Path, assignments: Sequence[str] = ()) -> tuple[Config | None, tuple[Mistake, ...]]:
    """As `load_config`, with the mistakes instead of an error; where there are some, without the keys that have them.

    None where not even then it can be read, and of the standard input, which can be read but once.

    Raises:
        UsageError: an assignment is not of the form key=value.
    """
    try:
        return load_config(path, assignments), ()
    except ConfigError as error:
        mistakes = error.mistakes
    wrong = {(mistake.place.key or "").partition(".")[0] for mistake in mistakes}
    sound = [text for text in assignments if text.partition("=")[0].partition(".")[0].strip() not in wrong]
    try:
        if str(path) == "-" or "data" in wrong:
            return None, mistakes
        document = read(path)
        kept = {key: value for key, value in document.value.items() if key not in wrong}
        kept |= {"layers": []} if "layers" in wrong else {}
        name = Path(path).stem
        return configured(replace(document, value=kept), sound, folder=Path(path).resolve().parent, name=name), mistakes
    except ConfigError:
        return None, mistakes


def placed(path: str | Path, assignments: Sequence[str], mistake: Mistake) -> Mistake:
    """A mistake of a key, found later, with the line of the configuration that the key stands on, if it does.

    Raises:
        ConfigError: the configuration cannot be read, and from the standard input it cannot be again.
    """
    if mistake.place.key is None or mistake.place.source is not None or str(path) == "-":
        return mistake
    document = expand(read(path), assignments)
    keys = tuple(int(word) if word.isdecimal() else word for word in mistake.place.key.split("."))
    if keys[:1] not in document.marks:
        return mistake
    return document.mistake(mistake.message, keys, hint=mistake.hint)


def _absolute(folder: Path, path: str) -> str:
    """`path` seen from `folder`, without `..` parts; symbolic links stay as they are."""
    return os.path.normpath(folder / path)
