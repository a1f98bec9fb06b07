"""The message and the hint of each kind of error."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from pydantic import BaseModel

from nncli.base.errors import ConfigFix, ConfigIssue
from nncli.base.text import join_quoted, quote
from nncli.config.errors import hints
from nncli.config.errors.aliases import suggest
from nncli.config.errors.fixes import FixChecker, is_complete
from nncli.config.errors.locate import CUSTOM_KINDS, LocatedError, discriminator, field_names
from nncli.config.errors.suggestions import Hint, section_hints, suggest_key
from nncli.config.yaml.document import Document, Path
from nncli.config.yaml.scalars import describe

MAX_KEYS = 12  # in a hint
NO_HINT = Hint("")

_EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "string": "text",
    "path": "a path",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "frozen": "a list",
    "dict": "key: value pairs",
    "mapping": "key: value pairs",
    "model": "key: value pairs",
    "dataclass": "key: value pairs",
    "none": "nothing",
}

# Constraints on a value of the right type: what it must be or have, filled from the error's context.
_RULES = {
    "greater_than": "be greater than {gt}",
    "greater_than_equal": "be at least {ge}",
    "less_than": "be less than {lt}",
    "less_than_equal": "be at most {le}",
    "multiple_of": "be a multiple of {multiple_of}",
    "finite_number": "be a finite number",
    "too_short": "have at least {min_length} item(s)",
    "too_long": "have at most {max_length} item(s)",
    "string_too_short": "have at least {min_length} character(s)",
    "string_too_long": "have at most {max_length} character(s)",
    "string_pattern_mismatch": "match the pattern {pattern}",
}

_SINGLE = ("union_tag_invalid", "missing", "union_tag_not_found")  # not joined with other errors by "or"
_CHOICES = ("literal_error", "enum")


@dataclass(frozen=True)
class IssueWriter:
    """Words the errors of one location as an issue. `root` is the model of the whole document."""

    root: type[BaseModel]
    document: Document
    checker: FixChecker

    def issue(self, group: Sequence[LocatedError]) -> ConfigIssue:
        """One issue for all errors of a location: the most specific error, or all of them joined by "or"."""
        specific = [error for error in group if error.is_custom] + [error for error in group if error.kind in _SINGLE]
        if specific:
            return self._single(specific[0])
        if all(error.kind == "extra_forbidden" for error in group):
            return self._unknown_key(group)
        value = group[0].details["input"]
        choices = [choice for error in group for choice in error.choices]
        if isinstance(value, str) and all(error.kind in _CHOICES for error in group):
            return self._unknown_choice(group[0], value, choices)
        return self._wrong_value(group, choices)

    def _wrong_value(self, group: Sequence[LocatedError], choices: Sequence[str]) -> ConfigIssue:
        path, value = group[0].path, group[0].details["input"]
        rules = dict.fromkeys(_rule(error) for error in group if error.kind in _RULES)
        others = dict.fromkeys(
            _expected(error) for error in group if error.kind not in _RULES and error.kind != "extra_forbidden"
        )
        about_key = group[0].about_key
        if rules:
            rest = "".join(f" or be {other}" for other in others)
            message = f"{'the key ' if about_key else ''}must {' and '.join(rules)}{rest}, found {describe(value)}"
        else:
            key = "the key to be " if about_key else ""
            message = f"expected {key}{' or '.join(others)}, found {describe(value)}"
        if about_key:
            return self._written(message, path, "key", ())
        near = suggest(value, choices) if isinstance(value, str) else None
        candidates = [Hint("", ConfigFix(path, near))] if near else hints.value_hints(group)
        return self._written(message + _did_you_mean(value, choices), path, "value", candidates)

    def _unknown_choice(self, error: LocatedError, word: str, choices: Sequence[str]) -> ConfigIssue:
        path = error.path
        noun = "key" if error.about_key else _noun(path)
        message = f"unknown {noun} {quote(word)}{_did_you_mean(word, choices)}"
        fallback = hints.expected_hint(choices)
        if error.about_key:
            near = suggest(word, choices)
            fix = ConfigFix((*path[:-1], near), error_value(self.document, path), remove=path) if near else None
            return self._written(message, path, "key", [Hint(fallback.text, fix)] if fix else (), fallback)
        return self._written(message, path, "value", hints.choice_hints(path, word, choices, self.root), fallback)

    def _unknown_key(self, group: Sequence[LocatedError]) -> ConfigIssue:
        """The issue of an unknown key: it is misspelled, or belongs to another section."""
        path, value = group[0].path, group[0].details["input"]
        word, message = str(path[-1]), f"unknown key {quote(path[-1])}"
        foreign = [keys[word] for error in group for keys in map(foreign_keys, error.models) if word in keys]
        if foreign:
            return self._written(message, path, "key", (), Hint(foreign[0]))
        siblings = list(dict.fromkeys(key for error in group for model in error.models for key in field_names(model)))
        root_keys = [] if len(path) == 1 else list(field_names(self.root))
        better = suggest_key(word, siblings, root_keys, self.root)
        if better is not None:
            message += f"; did you mean {quote(better)}?"
        in_root = word in root_keys or (better in root_keys and better not in siblings)
        if in_root:
            text = f"It belongs at the top level, next to {quote(path[0])}."
            fallback = Hint(text)
            candidates: Iterable[Hint] = [Hint(text, ConfigFix((better or word,), value, remove=path))]
        else:
            verb = "key here is" if len(siblings) == 1 else "keys here are"
            listed = siblings and not (better and len(siblings) > MAX_KEYS)
            fallback = Hint(f"The {verb} {join_quoted(siblings, max_words=MAX_KEYS)}." if listed else "")
            if better is not None:
                candidates = [Hint(fallback.text, ConfigFix((*path[:-1], better), value, remove=path))]
            elif isinstance(value, dict) and any(key in field_names(self.root) for key in value):
                fallback = Hint(f"Its keys belong at the top level, not under {quote(word)}.")
                candidates = ()
            else:
                candidates = section_hints(path, value, self.root)
        return self._written(message, path, "key", candidates, fallback)

    def _single(self, error: LocatedError) -> ConfigIssue:
        """The issue of an error that needs no other error of its location."""
        path, context = error.path, error.details.get("ctx", {})
        if error.kind == "missing":
            models = [model for model in error.models if path[-1] in field_names(model)]
            value = error.details["input"]
            fallback = hints.missing_hint(path[:-1], value, models[0]) if models and len(path) == 2 else NO_HINT
            return self._written(f"missing key {quote(path[-1])}", path, "key", (), fallback)
        if error.kind == "union_tag_not_found":
            tags = [tag for model in error.models for tag in get_args(field_names(model).get(str(path[-1])))]
            candidates = hints.untyped_hints(path[:-1], error.details["input"], error.models)
            fallback = hints.expected_hint(tags) if tags else NO_HINT
            return self._written(f"missing key {quote(path[-1])}", path, "key", candidates, fallback)
        if error.kind == "union_tag_invalid":
            key, tag = discriminator(error.details), context.get("tag", "")
            owner = path[:-1] if path and path[-1] == key else path
            message = f"unknown {f'{_noun(owner)} {key}'.strip()} {quote(tag)}{_did_you_mean(tag, error.choices)}"
            candidates = hints.type_hints(path, tag, error.choices, error.models, self.root)
            return self._written(message, path, "value", candidates, hints.expected_hint(error.choices))
        message = str(context["error"]) if error.kind in CUSTOM_KINDS else error.details["msg"]
        value = error.details["input"]
        is_list = error.kind == "search_space" and isinstance(value, list)
        written = [hints.write_hint(path, {"choices": value})] if is_list else []
        return self._written(message or "this value is not valid", path, "value", written)

    def _written(
        self, message: str, path: Path, at: str, candidates: Iterable[Hint], fallback: Hint = NO_HINT
    ) -> ConfigIssue:
        """The issue with the first hint that is accepted when it is followed, or else the fallback."""
        hint = next((hint for hint in candidates if hint.fix is None or self.checker.accepts(hint.fix)), fallback)
        fix = hint.fix if hint.fix and is_complete(hint.fix.value) else None
        return self.document.issue(message, path, "key" if at == "key" else "value", hint.text or None, fix)


def foreign_keys(model: type[BaseModel]) -> Mapping[str, str]:
    """Keys that other libraries have where `model` has others, and what is written instead."""
    known: Mapping[str, str] = getattr(model, "foreign_keys", {})
    return known


def error_value(document: Document, path: Path) -> object:
    """The value at `path` of the document."""
    value: object = document.value
    for step in path:
        value = value[step]  # type: ignore[index]
    return value


def meant_key(error: LocatedError) -> str | None:
    """The key of the same section that an unknown key was meant to be."""
    return suggest(str(error.path[-1]), (key for model in error.models for key in field_names(model)))


def _did_you_mean(word: object, known: Iterable[str]) -> str:
    near = suggest(word, known) if isinstance(word, str) else None
    return f"; did you mean {quote(near)}?" if near else ""


def _noun(path: Path) -> str:
    """What a value at `path` is called: `optimizer`, or `layer` for an item of `layers`."""
    names = [step for step in path if isinstance(step, str)]
    if not names:
        return "value" if path else ""
    if path[:-1] == ("data", "columns"):
        return "kind"
    return names[-1].removesuffix("s") if isinstance(path[-1], int) else names[-1]


def _rule(error: LocatedError) -> str:
    context: Mapping[str, object] = error.details.get("ctx", {})
    words = _RULES[error.kind].format(**{name: describe(limit).strip("'") for name, limit in context.items()})
    return words.replace("(s)", "" if " 1 " in words else "s")


def _expected(error: LocatedError) -> str:
    if error.kind in _CHOICES:
        return str(error.details.get("ctx", {}).get("expected", "another value"))
    plain = _EXPECTED.get(error.kind.split("_")[0])
    # For other kinds, pydantic's message: "Input should be a valid date" -> "a valid date".
    return plain or re.sub(r"^(Input|Value) should (be )?(an instance of )?", "", error.details["msg"])
