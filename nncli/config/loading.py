"""From a file on disk, or the standard input, to a `Config` whose paths hold wherever it is used."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from nncli.config.errors.messages import validate
from nncli.config.overrides import Assignment, from_environment, from_options
from nncli.config.presets.apply import apply_preset
from nncli.config.schema import Config, ValidationFile
from nncli.config.yaml.document import Document
from nncli.config.yaml.reader import read
from nncli.errors import ConfigError, ConfigIssue

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class LoadedConfig:
    """A configuration, and all that was written of it: preset, file, environment and command line."""

    config: Config
    document: Document


def load_config(path: str | Path, assignments: Sequence[str] = (), environment: Mapping[str, str] = NOTHING) -> Config:
    """Read, expand, override and validate a configuration; `-` is the standard input.

    The preset stands beneath the file, above which are the variables of the `environment` such as NNCLI_EPOCHS, and
    above these the `assignments`. The environment is for what a person wrote: a run's own configuration, which is
    whole, is read without.

    Paths of tables become absolute: they are relative to the file, or to the working directory when the
    configuration comes from the standard input. `output` gets its default, runs/NAME.

    Raises:
        ConfigError: every mistake found, each with its place.
        UsageError: an assignment is not of the form key=value.
    """
    return load(path, assignments, environment).config


def load(path: str | Path, assignments: Sequence[str] = (), environment: Mapping[str, str] = NOTHING) -> LoadedConfig:
    """As `load_config`, with what was written and where."""
    given = _given(assignments, environment)
    try:
        document = read(path)
    except ConfigError as error:
        raise ConfigError(*error.issues, *(wrong for one in given for wrong in one.mistakes)) from None
    from_stdin = str(path) == "-"
    folder = Path.cwd() if from_stdin else Path(path).resolve().parent
    return _loaded(document, given, folder, "stdin" if from_stdin else Path(path).stem)


def build_config(
    document: Document,
    assignments: Sequence[str],
    environment: Mapping[str, str] = NOTHING,
    *,
    folder: Path,
    name: str,
) -> Config:
    """As `load_config`, of a document whose paths are relative to `folder`; its output's default is runs/`name`."""
    return _loaded(document, _given(assignments, environment), folder, name).config


def load_partial(
    path: str | Path, assignments: Sequence[str] = (), environment: Mapping[str, str] = NOTHING
) -> tuple[Config | None, tuple[ConfigIssue, ...]]:
    """As `load_config`, with the mistakes instead of an error; where there are some, without the keys that have them.

    None where not even then it can be read, and of the standard input, which can be read but once.

    Raises:
        UsageError: an assignment is not of the form key=value.
    """
    try:
        return load_config(path, assignments, environment), ()
    except ConfigError as error:
        mistakes = error.issues
    wrong = {(mistake.place.key or "").partition(".")[0] for mistake in mistakes}
    given = _given(assignments, environment)
    sound = [assignment for assignment in given if not assignment.mistakes and assignment.words[0] not in wrong]
    try:
        if str(path) == "-" or "data" in wrong:
            return None, mistakes
        document = read(path)
        kept = {key: value for key, value in document.value.items() if key not in wrong}
        kept |= {"layers": []} if "layers" in wrong else {}
        folder = Path(path).resolve().parent
        return _loaded(replace(document, value=kept), sound, folder, Path(path).stem).config, mistakes
    except ConfigError:
        return None, mistakes


def with_source_line(
    path: str | Path, assignments: Sequence[str], mistake: ConfigIssue, environment: Mapping[str, str] = NOTHING
) -> ConfigIssue:
    """A mistake of a key, found later, with the line of the configuration that the key stands on, if it does.

    Raises:
        ConfigError: the configuration cannot be read, and from the standard input it cannot be again.
    """
    if mistake.place.key is None or mistake.place.source is not None or str(path) == "-":
        return mistake
    document = apply_preset(read(path), _given(assignments, environment), [])
    keys = tuple(int(word) if word.isdecimal() else word for word in mistake.place.key.split("."))
    if keys[:1] not in document.spans:
        return mistake
    return document.issue(mistake.message, keys, hint=mistake.hint)


def _given(assignments: Sequence[str], environment: Mapping[str, str]) -> list[Assignment]:
    return [*from_environment(environment, Config.model_fields), *from_options(assignments)]


def _loaded(document: Document, given: Sequence[Assignment], folder: Path, name: str) -> LoadedConfig:
    mistakes: list[ConfigIssue] = []
    document = apply_preset(document, given, mistakes)
    try:
        config = validate(Config, document)
    except ConfigError as error:
        raise ConfigError(*_in_order([*_not_due_to(mistakes, error.issues), *mistakes], given)) from None
    if mistakes:
        raise ConfigError(*_in_order(mistakes, given))
    data = config.data.model_copy(update={"path": _absolute(folder, config.data.path)})
    validation = config.validation
    if isinstance(validation, ValidationFile):
        validation = ValidationFile(path=_absolute(folder, validation.path))
    output = config.output or str(Path("runs") / name)
    return LoadedConfig(config.model_copy(update={"data": data, "validation": validation, "output": output}), document)


def _not_due_to(earlier: Iterable[ConfigIssue], found: Iterable[ConfigIssue]) -> Iterable[ConfigIssue]:
    """Those `found` that do not merely follow from an assignment that was wrong, and so left out."""
    left_out = {mistake.place.key for mistake in earlier if mistake.place.key}
    sections = {key.rpartition(".")[0] for key in left_out}
    return (m for m in found if m.place.key not in left_out and not (m.place.line is None and m.place.key in sections))


def _in_order(mistakes: Iterable[ConfigIssue], given: Sequence[Assignment]) -> list[ConfigIssue]:
    """First those in the file, from top to bottom, then those of each assignment."""
    order = {assignment.mark.source: number for number, assignment in enumerate(given)}

    def rank(mistake: ConfigIssue) -> tuple[int, int, int]:
        place = mistake.place
        return (order.get(place.source or "", -1), place.line or 0, place.character or 0)

    return sorted(mistakes, key=rank)


def _absolute(folder: Path, path: str) -> str:
    """`path` seen from `folder`, without `..` parts; symbolic links stay as they are."""
    return os.path.normpath(folder / path)
