"""Load what `nncli tune` searches: a configuration with its section `tune`, a file that names one, or a draft."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from nncli.base.errors import Advice, ConfigError, Location, UsageError, UseOption
from nncli.base.spec import non_defaults
from nncli.base.text import closest_file, closest_match, quote
from nncli.config.errors.messages import validate
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
from nncli.config.overrides import Assignment, override, shortened, with_value
from nncli.config.renamed_keys import read_configuration
from nncli.config.schema import Config
from nncli.config.schema.tune import TuneFile
from nncli.config.yaml.document import Document, SourceSpan
from nncli.config.yaml.parser import parse_scalar

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
    return load_assigned(document, given, folder, folder_and_name(source)[1], loads_code=True)


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
    document, folder = read_configuration(path), folder_and_name(path)[0]
    if not names_configuration(document):
        return document, folder
    without_section = {key: item for key, item in document.value.items() if key != "tune"}  # checked with the rest
    named = folder / validate(TuneFile, replace(document, value=without_section)).config
    if not named.is_file():
        names = sorted(file.name for file in folder.glob("*.yaml"))
        closest = closest_file(named.name, names)
        hint = f"Did you mean {quote(closest)}?" if closest else "It is relative to the folder of this file."
        raise ConfigError(document.issue(f"there is no file {quote(str(named))}", ("config",), "value", hint))
    inner = read_configuration(named)
    if names_configuration(inner):
        message = f"{quote(str(named))} names a configuration, and is none itself"
        hint = f"Name {quote(str(inner.value['config']))}, relative to this file."
        raise ConfigError(document.issue(message, ("config",), "value", hint))
    spans = {path: span for path, span in inner.spans.items() if path[0] != "tune"}
    spans |= {path: span for path, span in document.spans.items() if path[0] == "tune"}
    value = {**inner.value, "tune": document.value.get("tune", {})}
    merged = replace(inner, value=value, spans=MappingProxyType(spans), other_lines={document.source: document.lines})
    return merged, named.resolve().parent


OPTION = "--search"
EXAMPLES = Advice(
    *("For example ", UseOption("search", "search", "learning_rate=1e-4..1e-1:log"), ", layers.0.units=16..256, "),
    "layers.1.rate=0..0.5:0.1, batch_size=32,64 or optimizer='[adam, {type: sgd, momentum: {from: 0.5, to: 0.99}}]'",
)
_NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?::(log|linear|{_NUMBER}))?")
_OTHER_RANGE = re.compile(rf"({_NUMBER})\s*(?::|-|\.\.\.?|to)\s*({_NUMBER})(?:[:/](\S+))?")
SCALES = ("log", "linear")


def search_assignments(texts: Iterable[str]) -> Iterator[Assignment]:
    """Parse each `key=FROM..TO`, `key=FROM..TO:log`, `key=FROM..TO:STEP`, `key=a,b`, `key=[a, b]` or `key={from: …}`.

    Raises:
        UsageError: a text is not of the form key=value.
    """
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"expected key=range, found {quote(text)}", location=Location(OPTION), hint=EXAMPLES)
        span = SourceSpan(f"{OPTION} {shortened(text)}", setter=OPTION)
        yield _with_domain(Assignment(("tune", "search", key.strip()), span), value.strip())


def _with_domain(assignment: Assignment, text: str) -> Assignment:
    """The assignment with what is chosen from, or with its issues."""
    if text.startswith("{"):
        return with_value(assignment, text)
    if text.startswith("[") or "," in text:
        parsed = with_value(assignment, f"[{text}]")
        if parsed.issues:
            return with_value(assignment, text) if text.startswith("[") else parsed
        match parsed.value:
            case [list(choices)] if text.startswith("["):
                return replace(parsed, value={"choices": choices})
        return replace(parsed, value={"choices": parsed.value})
    match = _RANGE.fullmatch(text)
    if match is None:
        return replace(assignment, issues=_not_a_domain(assignment, text).issues)
    low, high, rest = match.groups()
    domain = {"from": parse_scalar(low), "to": parse_scalar(high)}
    if rest is not None:
        domain["scale" if rest in SCALES else "step"] = parse_scalar(rest)
    return replace(assignment, value=domain)


def _not_a_domain(assignment: Assignment, text: str) -> ConfigError:
    """The error of a text that is neither a range nor choices."""
    hint: str = EXAMPLES
    other = _OTHER_RANGE.fullmatch(text)
    if other is not None:
        low, high, rest = other.groups()
        scale = rest if rest is None or re.fullmatch(_NUMBER, rest) else closest_match(rest, SCALES)
        hint = f"Write {low}..{high}{f':{scale}' if scale else ''}."
    return assignment.error(f"expected a range or choices, found {quote(text)}", hint)


def setting_assignments(settings: Mapping[str, object]) -> Iterator[Assignment]:
    """The assignments of keys such as `trials` whose value is not None; text is read as a configuration is."""
    for key, value in settings.items():
        if value is not None:
            option = f"--{'no-' if value is False else ''}{key.replace('_', '-')}"
            source = option if isinstance(value, bool) else shortened(f"{option} {value}")
            parsed = parse_scalar(value) if isinstance(value, str) else value
            yield Assignment(("tune", key), SourceSpan(source, setter=option), parsed)
