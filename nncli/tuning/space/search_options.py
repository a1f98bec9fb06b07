"""Options of the command line as assignments of keys of the section `tune`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from nncli.base.errors import ConfigError, Location, UsageError
from nncli.base.text import closest_match, quote
from nncli.config.overrides import Assignment, shortened, with_value
from nncli.config.yaml.document import SourceSpan
from nncli.config.yaml.scalars import parse_scalar
from nncli.tuning.space.keys import key_of
from nncli.tuning.space.unknown_keys import unknown_key

OPTION = "--search"
EXAMPLES = (
    "For example --search learning_rate=1e-4..1e-1:log, layers.0.units=16..256, layers.1.rate=0..0.5:0.1, "
    "batch_size=32,64 or optimizer='[adam, {type: sgd, momentum: {from: 0.5, to: 0.99}}]'"
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
    """The error of a text that is neither a range nor choices, or of the key, if that is unknown."""
    unknown = unknown_key(key_of(assignment.path[-1]))
    if unknown is not None:
        return assignment.error(*unknown)
    hint, other = EXAMPLES, _OTHER_RANGE.fullmatch(text)
    if other is not None:
        low, high, rest = other.groups()
        scale = rest if rest is None or re.fullmatch(_NUMBER, rest) else closest_match(rest, SCALES)
        hint = f"Write {low}..{high}{f':{scale}' if scale else ''}."
    return assignment.error(f"expected a range or choices, found {quote(text)}", hint)


def setting_assignments(settings: Mapping[str, object]) -> Iterator[Assignment]:
    """The assignments of keys such as `trials` whose value is not None; text is read as a configuration is."""
    for key, value in settings.items():
        if value is not None:
            option = f"--no-{key}" if value is False else f"--{key}"
            source = option if isinstance(value, bool) else shortened(f"{option} {value}")
            parsed = parse_scalar(value) if isinstance(value, str) else value
            yield Assignment(("tune", key), SourceSpan(source, setter=option), parsed)
