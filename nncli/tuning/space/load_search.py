"""Load what `nncli tune` searches: a configuration with its section `tune`, a file that names one, or a draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from nncli.base.errors import ConfigError
from nncli.base.spec import non_defaults
from nncli.base.text import closest_file, quote
from nncli.config.errors.validate import validate
from nncli.config.loading import (
    NOTHING,
    LoadedConfig,
    folder_and_name,
    load_assigned,
    names_configuration,
    parse_assignments,
    resolve,
    with_issues_of,
)
from nncli.config.overrides import Assignment, override
from nncli.config.schema import Config, TuneFile
from nncli.config.yaml.document import Document, SourceSpan
from nncli.config.yaml.reader import read
from nncli.tuning.space.search_options import search_assignments, setting_assignments

NO_SETTINGS: Mapping[str, object] = MappingProxyType({})
DRAFT = "the configuration"
"""The source of a configuration that is not in a file."""


def load_search(
    source: str | Path | Config | LoadedConfig,
    assignments: Sequence[str] = (),
    environment: Mapping[str, str] = NOTHING,
    *,
    searches: Sequence[str] = (),
    settings: Mapping[str, object] = NO_SETTINGS,
) -> LoadedConfig:
    """The configuration to search around, with its section `tune`.

    Args:
        source: the path of a configuration, `-` for standard input, or of a file with the keys `config` and `tune`; or
            a configuration.
        assignments: overrides such as `epochs=10`, for a path only.
        environment: variables such as NNCLI_EPOCHS=10, for a path only.
        searches: texts such as `learning_rate=1e-4..1e-1:log`, which replace keys of `tune.search`.
        settings: values of other keys of `tune`, such as {"trials": 50}; None keeps the one of the file.

    Raises:
        ConfigError: the configuration or the section is wrong; holds every issue with its location.
        UsageError: a text of `assignments` or `searches` is not of the form key=value.
    """
    given = [*search_assignments(searches), *setting_assignments(settings)]
    if isinstance(source, Config):
        source = _loaded(source)
    if isinstance(source, LoadedConfig):
        if assignments:
            raise ValueError("assignments are for a path only")
        return _with_section(source, given)
    given = [*parse_assignments(assignments, environment), *given]
    try:
        document, folder = _read(source)
    except ConfigError as error:
        raise with_issues_of(given, error) from None
    return load_assigned(document, given, folder, folder_and_name(source)[1])


def _loaded(config: Config) -> LoadedConfig:
    """A configuration that is not in a file, as if it were loaded."""
    value = non_defaults(config)
    return LoadedConfig(config, Document(value, {(key,): SourceSpan(DRAFT) for key in value}, DRAFT, ()))


def _with_section(loaded: LoadedConfig, assignments: Sequence[Assignment]) -> LoadedConfig:
    """A loaded configuration with assignments of keys of its section `tune`."""
    document, issues = override(loaded.document, assignments)
    tune = resolve(document, assignments, issues, Path.cwd(), "").tune
    return replace(loaded, document=document, tune=tune)


def _read(path: str | Path) -> tuple[Document, Path]:
    """The document of a configuration with its section `tune`, and the folder that its paths are relative to.

    Raises:
        ConfigError: a file cannot be read or parsed, or does not name a configuration.
    """
    document, folder = read(path), folder_and_name(path)[0]
    if not names_configuration(document):
        return document, folder
    without_section = {key: item for key, item in document.value.items() if key != "tune"}  # checked with the rest
    named = folder / validate(TuneFile, replace(document, value=without_section)).config
    if not named.is_file():
        names = sorted(file.name for file in folder.glob("*.yaml"))
        closest = closest_file(named.name, names)
        hint = f"Did you mean {quote(closest)}?" if closest else "It is relative to the folder of this file."
        raise ConfigError(document.issue(f"there is no file {quote(str(named))}", ("config",), "value", hint))
    inner = read(named)
    if names_configuration(inner):
        message = f"{quote(str(named))} names a configuration, and is none itself"
        hint = f"Name {quote(str(inner.value['config']))}, relative to this file."
        raise ConfigError(document.issue(message, ("config",), "value", hint))
    spans = {path: span for path, span in inner.spans.items() if path[0] != "tune"}
    spans |= {path: span for path, span in document.spans.items() if path[0] == "tune"}
    value = {**inner.value, "tune": document.value.get("tune", {})}
    merged = replace(inner, value=value, spans=MappingProxyType(spans), other_lines={document.source: document.lines})
    return merged, named.resolve().parent
