"""Values for single keys that come from outside the file: `--set optimizer.type=adam`, NNCLI_OPTIMIZER__TYPE=adam."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from nncli.config.document import Mark
from nncli.config.parsing import DEEPEST, compose
from nncli.config.slips import meant
from nncli.config.text import checked_lines
from nncli.errors import ConfigError, Mistake, Place, UsageError, listed, quoted

OPTION = "--set"
PREFIX = "NNCLI_"
NO_KEYS = frozenset({"NNCLI_DEBUG"})
"""Variables that say something else."""
OF_A_SERVICE = re.compile(
    r"NNCLI_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
"""Variables that Kubernetes sets in every pod beside a service called nncli, or nncli-something."""
LONGEST_ORIGIN = 100
MOST_NAMED = 3


@dataclass(frozen=True)
class Assignment:
    """A value for the key at `words`, or the mistakes that keep it from being one. The mark says who set it."""

    words: tuple[str, ...]
    mark: Mark
    value: object = None
    mistakes: tuple[Mistake, ...] = ()

    def wrong(self, message: str, hint: str | None = None) -> ConfigError:
        """The refusal of this assignment."""
        return ConfigError(Mistake(message, Place(self.mark.source, key=".".join(self.words)), hint))


def from_options(texts: Iterable[str]) -> Iterator[Assignment]:
    """What each `--set a.b.0.c=value` says; the value is YAML written inline.

    Raises:
        UsageError: a text is not of this form.
    """
    for text in texts:
        address, equals, value = text.partition("=")
        words = tuple(address.strip().split("."))
        if not equals or not all(words):
            hint = "For example --set optimizer.type=adam"
            raise UsageError(f"expected key=value, found {quoted(text)}", place=Place(OPTION), hint=hint)
        yield _read(Assignment(words, Mark(f"{OPTION} {_shortened(text)}", setter=OPTION)), value)


def from_environment(environment: Mapping[str, str], keys: Iterable[str]) -> Iterator[Assignment]:
    """What variables such as NNCLI_EPOCHS=10 and NNCLI_DATA__TARGET=y say of `keys` and what is within them.

    An empty variable is as good as none, and so is one that Kubernetes sets of its own accord. Any other that is no key
    is a mistake: by its name it is meant for nncli, and a misspelt one would silently train something else.
    """
    known = list(keys)
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX) or name in NO_KEYS or not text.strip():
            continue
        words = tuple(name.removeprefix(PREFIX).lower().split("__"))
        assignment = Assignment(words, Mark(_shortened(f"{name}={text}"), setter=name))
        if words[0] in known and all(words):
            yield _read(assignment, text)
            continue
        if OF_A_SERVICE.fullmatch(name):
            continue
        near = meant(words[0], known)
        better = f"; did you mean {quoted(PREFIX + '__'.join([near, *words[1:]]).upper())}?" if near else ""
        place = Place(assignment.mark.source)
        hint = f"Unset it, or name a key: {PREFIX}EPOCHS is epochs, {PREFIX}DATA__TARGET is data.target."
        yield replace(assignment, mistakes=(Mistake(f"{quoted(name)} sets no key{better}", place, hint),))


def passed_over(environment: Mapping[str, str]) -> str | None:
    """A note on variables that begin as those for nncli do and are Kubernetes's; None where there are none."""
    names = sorted(name for name in environment if OF_A_SERVICE.fullmatch(name))
    if not names:
        return None
    shown = listed(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")
    return f"passed over {shown}: Kubernetes sets such variables for a service of this name, and they set no key"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_ORIGIN else text[: LONGEST_ORIGIN - 1] + "…"


def _read(assignment: Assignment, text: str) -> Assignment:
    """The assignment with the value that `text` spells, or with the mistakes in it."""
    try:
        return replace(assignment, value=_value(assignment, text))
    except ConfigError as error:
        return replace(assignment, mistakes=error.mistakes)


def _value(assignment: Assignment, text: str) -> object:
    origin, depth = assignment.mark.source, len(assignment.words)
    if depth > DEEPEST:
        raise assignment.wrong(f"more than {DEEPEST} sections inside each other")
    try:
        checked_lines(".".join(assignment.words), origin)
        found = compose(text, origin, depth=depth)
    except ConfigError as error:
        # The line and character count within the argument, which nobody thinks of as a file.
        place = Place(origin, key=".".join(assignment.words))
        raise ConfigError(*(replace(mistake, place=place) for mistake in error.mistakes)) from None
    if found.value is None and text.lstrip().startswith("#"):
        raise assignment.wrong("YAML takes a value that starts with '#' for a comment", "Put it in quotes.")
    if not found.inline:
        raise assignment.wrong("the value must be written inline", "Put text in quotes; write [a, b] and {key: value}.")
    return found.value
