"""Load a configuration from a file or from standard input, with a preset beneath what the user wrote.

`preset: textbook` adds nothing to the defaults of the schema. `preset: tabular`, the default if there are no layers, is
tabular.yaml; `quality` puts a few keys of fast.yaml above it, and the key `monotone` those of monotone.yaml. What the
user wrote has precedence over all of these. The result is an ordinary configuration without a preset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from nncli.base import plugins
from nncli.base.errors import Advice, ConfigError, ConfigIssue, UsageError, UseOption
from nncli.base.text import quote
from nncli.config import RECORDS
from nncli.config.errors.messages import MAX_ISSUES, validate
from nncli.config.overrides import Assignment, from_environment, from_options, override
from nncli.config.renamed_keys import read_configuration
from nncli.config.schema import Config, ValidationFile
from nncli.config.yaml.document import Document, SourceSpan
from nncli.config.yaml.document import Path as KeyPath
from nncli.config.yaml.parser import parse

if TYPE_CHECKING:
    from nncli.config.schema.tune import TuneSection

TABULAR, TEXTBOOK, MONOTONE = "tabular", "textbook", "monotone"
QUALITIES = {"fast": ("fast",), "balanced": ()}
"""The files that are put above tabular.yaml for each quality."""
PRESET_KEYS = (("preset",), ("quality",), ("layers",))
"""Keys that select the preset."""


class Merged(NamedTuple):
    """A document above its preset and beneath the assignments, the issues of both, and the name of the preset."""

    document: Document
    issues: list[ConfigIssue]
    preset: str


def apply_preset(document: Document, assignments: Sequence[Assignment]) -> Merged:
    """The document with its preset beneath it and the assignments above it.

    The name of a preset or a quality that does not exist is kept, so that validation reports it.
    """
    selecting = [assignment for assignment in assignments if _selects(assignment)]
    document, issues = override(document, selecting)
    written = document.value
    preset = written.get("preset") or (TEXTBOOK if "layers" in written else TABULAR)
    quality = written.get("quality") or "balanced"
    if preset == TEXTBOOK and written.get("quality") is not None:
        hint = "Remove the key, or leave out `layers`."
        issues.append(document.issue("only the preset tabular has qualities", ("quality",), hint=hint))
    without_preset = {key: value for key, value in written.items() if key not in ("preset", "quality")}
    if preset == TABULAR and isinstance(quality, str) and quality in QUALITIES:
        above = [*QUALITIES[quality], *([MONOTONE] if written.get(MONOTONE) else [])]
        document = reduce(_merge_defaults, (*above, TABULAR), replace(document, value=without_preset))
    elif preset == TEXTBOOK:
        document = replace(document, value=without_preset)
    document, later = override(document, [a for a in assignments if not _selects(a)])
    return Merged(document, [*issues, *later], str(preset))


def _selects(assignment: Assignment) -> bool:
    """Whether an assignment selects the preset, and is not of a part of what is in it."""
    return assignment.path in PRESET_KEYS or assignment.path[0] == MONOTONE


def with_preset(document: Document, options: Iterable[str] = ()) -> Document:
    """As `apply_preset`, with the assignments `key=value` of the command line.

    Raises:
        ConfigError: an option is wrong, or a quality is set for a preset that has none.
        UsageError: an option is not of the form key=value.
    """
    merged = apply_preset(document, list(from_options(options)))
    if merged.issues:
        raise ConfigError(*merged.issues)
    return merged.document


def _merge_defaults(document: Document, name: str) -> Document:
    """The document with the keys of the file `name`.yaml that it lacks, also within its sections.

    A section with a `type` is complete, and nothing is added to it.
    """
    source = f"preset {name}"
    preset = parse(Path(__file__).with_name("presets").joinpath(f"{name}.yaml").read_text(encoding="utf-8"), source)
    spans = dict(document.spans)

    def merged(written: Mapping[str, object], defaults: Mapping[str, object], path: KeyPath) -> dict[str, object]:
        values = dict(written)
        for key, default in defaults.items():
            entry, value = (*path, key), values.get(key)
            if key not in values:
                values[key] = default
                spans.update({inner: SourceSpan(source) for inner in preset.spans if inner[: len(entry)] == entry})
            elif isinstance(value, dict) and isinstance(default, dict) and "type" not in value:
                values[key] = merged(value, default, entry)
        return values

    value = merged(document.value, preset.value, ())
    return replace(document, value=value, spans=MappingProxyType(spans))


NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class LoadedConfig:
    """A configuration with the document that it was built from: preset, file, environment and command line.

    `tune` is the section of that name, which is not part of a configuration. `preset` is what is beneath the document.
    """

    config: Config
    document: Document
    tune: TuneSection | None = None
    preset: str = TEXTBOOK


def load_config(path: str | Path, assignments: Sequence[str] = (), environment: Mapping[str, str] = NOTHING) -> Config:
    """Read, merge, override and validate a configuration; `-` is standard input.

    Order of precedence, lowest first: the preset, the file, variables of the `environment` such as NNCLI_EPOCHS, the
    `assignments`. Pass an environment only for configurations that a user wrote; that of a run is complete.

    Paths of tables become absolute: they are relative to the file, or to the working directory when the
    configuration comes from standard input. `output` gets its default, runs/NAME.

    Raises:
        ConfigError: the configuration is wrong; holds every issue with its location.
        UsageError: an assignment is not of the form key=value.
    """
    return load(path, assignments, environment).config


def load(path: str | Path, assignments: Sequence[str] = (), environment: Mapping[str, str] = NOTHING) -> LoadedConfig:
    """As `load_config`, with the document."""
    parsed = parse_assignments(assignments, environment)
    try:
        document = _read(path)
    except ConfigError as error:
        raise with_issues_of(parsed, error) from None
    return load_assigned(document, parsed, *folder_and_name(path), loads_code=True)


def with_issues_of(assignments: Iterable[Assignment], error: ConfigError) -> ConfigError:
    """The error of a file that cannot be read, and the issues of the assignments to it."""
    return ConfigError(*error.issues, *(issue for assignment in assignments for issue in assignment.issues))


def folder_and_name(path: str | Path) -> tuple[Path, str]:
    """The folder that paths in a configuration are relative to, and the name of its runs."""
    return (Path.cwd(), "stdin") if str(path) == "-" else (Path(path).resolve().parent, Path(path).stem)


def names_configuration(document: Document) -> bool:
    """Whether a file is one for `nncli tune` that names the configuration."""
    return "config" in document.value and "data" not in document.value


def _read(path: str | Path) -> Document:
    """Read a configuration.

    Raises:
        ConfigError: the file cannot be read or parsed, or is one for `nncli tune` that names the configuration.
    """
    document = read_configuration(path)
    if names_configuration(document):
        message = "this file is for `nncli tune`; it names the configuration, and is none itself"
        hint = f"Use the configuration {quote(str(document.value['config']))}, or `nncli tune` with this file."
        raise ConfigError(document.issue(message, ("config",), hint=hint))
    return document


def load_document(
    document: Document,
    assignments: Sequence[str],
    environment: Mapping[str, str] = NOTHING,
    *,
    folder: Path,
    name: str,
    loads_code: bool = False,
) -> LoadedConfig:
    """As `load`, for a document whose paths are relative to `folder`; the default output is runs/`name`."""
    return load_assigned(document, parse_assignments(assignments, environment), folder, name, loads_code=loads_code)


def load_partial(
    path: str | Path, assignments: Sequence[str] = (), environment: Mapping[str, str] = NOTHING
) -> tuple[Config | None, tuple[ConfigIssue, ...]]:
    """As `load_config`, but return the issues, and a configuration without the top-level keys that have them.

    The configuration is None if it is not valid without these keys either, and with issues on standard input, which
    cannot be read again.

    Raises:
        UsageError: an assignment is not of the form key=value.
    """
    try:
        return load_config(path, assignments, environment), ()
    except ConfigError as error:
        issues = error.issues
    invalid = {(issue.location.key or "").partition(".")[0] for issue in issues}
    parsed = parse_assignments(assignments, environment)
    valid = [assignment for assignment in parsed if not assignment.issues and assignment.path[0] not in invalid]
    try:
        if str(path) == "-" or "data" in invalid or len(issues) > MAX_ISSUES:  # then some keys are not among them
            return None, issues
        document = _read(path)
        value = {key: item for key, item in document.value.items() if key not in invalid}
        value |= {"layers": []} if "layers" in invalid else {}
        valid_document = replace(document, value=value)
        return load_assigned(valid_document, valid, *folder_and_name(path), loads_code=True).config, issues
    except ConfigError:
        return None, issues


def with_source_line(
    path: str | Path, assignments: Sequence[str], issue: ConfigIssue, environment: Mapping[str, str] = NOTHING
) -> ConfigIssue:
    """The issue of a key with the line of the configuration that the key is on.

    The issue is returned as it is if it has no key or has a source already, if the key is not written, and for a
    configuration on standard input.

    Raises:
        ConfigError: the configuration cannot be read.
    """
    if issue.location.key is None or issue.location.source is not None or str(path) == "-":
        return issue
    return located(issue, apply_preset(read_configuration(path), parse_assignments(assignments, environment)).document)


def located(issue: ConfigIssue, document: Document) -> ConfigIssue:
    """The issue of a key with the line of the document that the key is on, if it has none and the key is written."""
    key = issue.location.key
    keys = tuple(int(step) if step.isdecimal() else step for step in (key or "").split("."))
    if key is None or issue.location.source is not None or keys[:1] not in document.spans:
        return issue
    return document.issue(issue.message, keys, hint=issue.hint)


def parse_assignments(assignments: Sequence[str], environment: Mapping[str, str] = NOTHING) -> list[Assignment]:
    """The assignments of the environment and those of the command line, which have precedence.

    The environment executes no code: it has no key `code`.

    Raises:
        UsageError: an assignment is not of the form key=value.
    """
    keys = (key for key in (*Config.model_fields, "tune") if key != "code")
    return [*from_environment(environment, keys), *from_options(assignments)]


def load_assigned(
    document: Document, assignments: Sequence[Assignment], folder: Path, name: str, *, loads_code: bool = False
) -> LoadedConfig:
    """As `load_document`, with assignments that are parsed; `loads_code` executes the files of the key `code`.

    Raises:
        ConfigError: the configuration is wrong; holds every issue with its location.
    """
    merged = apply_preset(document, assignments)
    if loads_code:
        load_code(merged.document, folder)
    loaded = resolve(merged.document, assignments, merged.issues, folder, name)
    return replace(loaded, preset=merged.preset)


def load_code(document: Document, folder: Path) -> None:
    """Execute the files of code that a document names, which a person wrote.

    Raises:
        ConfigError: a file cannot be read or executed, has no part, or has a name that is taken; the document is in the
            directory of a run or of a search, which others may have written.
    """
    code = document.value.get("code")
    if code and any((folder / name).is_file() for name in RECORDS):
        hint = Advice(
            "Remove the key. If you trust the files, name each: ", UseOption("code", "code", placeholder="FILE"), "."
        )
        raise ConfigError(document.issue("a run never executes code by itself", ("code",), hint=hint))
    issues = []
    for i, file in enumerate(code if isinstance(code, list) else ()):
        try:
            if isinstance(file, str):
                plugins.load_file(folder / file)
        except UsageError as error:
            where = f" (line {error.location.line})" if error.location and error.location.line else ""
            issues.append(document.issue(f"{error.message}{where}", ("code", i), hint=error.hint))
    if issues:
        raise ConfigError(*issues)


def resolve(
    document: Document, assignments: Sequence[Assignment], issues: Sequence[ConfigIssue], folder: Path, name: str
) -> LoadedConfig:
    """Validate a document that is merged with its preset and with assignments, some of which had `issues`.

    Raises:
        ConfigError: the configuration is wrong; holds every issue with its location.
    """
    try:
        config, tune = _validated(document)
    except ConfigError as error:
        raise ConfigError(*_in_order([*_unrelated(issues, error.issues), *issues], assignments)) from None
    if issues:
        raise ConfigError(*_in_order(issues, assignments))
    data, validation, teacher = config.data, config.validation, config.teacher
    data = data.model_copy(update=data.relative_to(folder))
    if isinstance(validation, ValidationFile):
        validation = validation.model_copy(update=validation.relative_to(folder))
    if teacher is not None:
        teacher = teacher.model_copy(update={"path": str(folder / teacher.path)})
    update = {
        "code": (),
        "data": data,
        "validation": validation,
        "teacher": teacher,
        "output": config.output or str(Path("runs") / name),
    }
    return LoadedConfig(config.model_copy(update=update), document, tune)


def _validated(document: Document) -> tuple[Config, TuneSection | None]:
    # Most documents have no section `tune`, and building the schema of another class takes as long as reading a table.
    with suppress(ValidationError):
        return Config.model_validate(document.value), None
    from nncli.config.schema.tune import ConfigFile

    file = validate(ConfigFile, document)
    return file.config, file.tune


def _unrelated(earlier: Iterable[ConfigIssue], issues: Iterable[ConfigIssue]) -> Iterable[ConfigIssue]:
    """The issues that do not follow from an assignment that was left out because of an earlier issue."""
    left_out = {issue.location.key for issue in earlier if issue.location.key}
    sections = {key.rpartition(".")[0] for key in left_out}
    return (
        i
        for i in issues
        if i.location.key not in left_out and not (i.location.line is None and i.location.key in sections)
    )


def _in_order(issues: Iterable[ConfigIssue], assignments: Sequence[Assignment]) -> list[ConfigIssue]:
    """The issues of the file from top to bottom, then those of each assignment."""
    order = {assignment.span.source: number for number, assignment in enumerate(assignments)}

    def rank(issue: ConfigIssue) -> tuple[int, int, int]:
        location = issue.location
        return (order.get(location.source or "", -1), location.line or 0, location.character or 0)

    return sorted(issues, key=rank)
