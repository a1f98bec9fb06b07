"""From a document to a model, or to every mistake that keeps it from being one, in words a person can act on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar, get_args

from pydantic import BaseModel, ValidationError

from nncli.config.errors import hints as forms
from nncli.config.errors.aliases import suggest
from nncli.config.errors.locate import OWN_WORDS, LocatedError, discriminator, field_names, locate
from nncli.config.errors.suggestions import suggest_section
from nncli.config.yaml.document import Document, Path
from nncli.config.yaml.scalars import describe
from nncli.config.yaml.writer import one_line
from nncli.errors import ConfigError, ConfigIssue
from nncli.text import join_quoted, quote

M = TypeVar("M", bound=BaseModel)

MOST_KEYS = 12  # in a hint

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

# A value of the right type that breaks a rule: what it must be or have, filled from the error's context.
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

_WHOLE = ("union_tag_invalid", "missing", "union_tag_not_found")  # nothing to join with an "or"
_CHOICES = ("literal_error", "enum")


def validate(model: type[M], document: Document) -> M:
    """The document as a `model`.

    Raises:
        ConfigError: it does not fit; holds every mistake, in the order of the file.
    """
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        raise ConfigError(*_mistakes(error, model, document)) from None


def _mistakes(error: ValidationError, model: type[BaseModel], document: Document) -> tuple[ConfigIssue, ...]:
    """Everything in `error`, once per place and in the order of the file."""
    complaints = [locate(d, model, document) for d in error.errors(include_url=False)]
    deeper = {c.path[:n] for c in complaints for n in range(len(c.path))}
    groups: dict[tuple[Path, bool], list[LocatedError]] = {}
    for complaint in complaints:
        # A union reports every branch; the one that got furthest into the value is the one that was meant.
        if complaint.path not in deeper:
            groups.setdefault((complaint.path, complaint.about_key), []).append(complaint)
    # A misspelt key is also a missing one. One slip of the finger is one mistake.
    misspelt = {(*c.path[:-1], _meant(c)) for c in complaints if c.kind == "extra_forbidden"}
    found = [
        _worded(group, document, model)
        for (path, _), group in groups.items()
        if not (group[0].kind == "missing" and path in misspelt)
    ]
    return tuple(sorted(found, key=lambda m: _order(m, document)))


def _order(mistake: ConfigIssue, document: Document) -> tuple[bool, int, int]:
    place = mistake.place
    return (place.source != document.source, place.line or 0, place.character or 0)


def _worded(group: Sequence[LocatedError], document: Document, top: type[BaseModel]) -> ConfigIssue:
    """One mistake for all that was said about one place: the most telling complaint, or all joined by "or".

    `top` is what the document as a whole is to be.
    """
    path = group[0].path
    telling = [c for c in group if c.is_custom] + [c for c in group if c.kind in _WHOLE]
    if telling:
        return _single(telling[0], document, top)
    if all(c.kind == "extra_forbidden" for c in group):
        return _unknown_key(group, document, top)
    value = group[0].details["input"]
    choices = [choice for c in group for choice in c.choices]
    if isinstance(value, str) and all(c.kind in _CHOICES for c in group):
        about_key = group[0].about_key
        message = f"unknown {'key' if about_key else _noun(path)} {quote(value)}{_did_you_mean(value, choices)}"
        return document.issue(message, path, "key" if about_key else "value", forms.choice_hint(value, choices, top))
    rules = list(dict.fromkeys(_rule(c) for c in group if c.kind in _RULES))
    others = list(dict.fromkeys(_expected(c) for c in group if c.kind not in _RULES and c.kind != "extra_forbidden"))
    what = "the key " if group[0].about_key else ""
    if rules:
        rest = "".join(f" or be {other}" for other in others)
        message = f"{what}must {' and '.join(rules)}{rest}, found {describe(value)}"
    else:
        message = f"expected {what and 'the key to be '}{' or '.join(others)}, found {describe(value)}"
    at = f"{one_line(path[-1])}: " if path and isinstance(path[-1], str) else ""
    hint = None if what else forms.value_hint(group, at)
    return document.issue(message + _did_you_mean(value, choices), path, "key" if what else "value", hint)


def _unknown_key(group: Sequence[LocatedError], document: Document, top: type[BaseModel]) -> ConfigIssue:
    """The mistake of a key that is not known where it stands: a slip, or at home elsewhere."""
    path, value = group[0].path, group[0].details["input"]
    word, message = str(path[-1]), f"unknown key {quote(path[-1])}"
    here = list(dict.fromkeys(key for c in group for m in c.models for key in field_names(m)))
    beside = [] if len(path) == 1 else list(field_names(top))
    better, hint = suggest_section(word, value, here, beside, top)
    if better is not None:
        message += f"; did you mean {quote(better)}?"
    if hint is None and (word in beside or (better in beside and better not in here)):
        hint = f"It belongs beside {quote(path[0])}, not under it."
    if hint is None and isinstance(value, dict) and not better and any(key in field_names(top) for key in value):
        hint = f"The keys in it stand at the top, not under {quote(word)}."
    if hint is None and here and not (better and len(here) > MOST_KEYS):
        verb = "key here is" if len(here) == 1 else "keys here are"
        hint = f"The {verb} {join_quoted(here, most=MOST_KEYS)}."
    return document.issue(message, path, "key", hint)


def _single(complaint: LocatedError, document: Document, top: type[BaseModel]) -> ConfigIssue:
    """The mistake for a complaint that needs no company."""
    path = complaint.path
    context = complaint.details.get("ctx", {})
    if complaint.kind == "missing":
        models = [model for model in complaint.models if path[-1] in field_names(model)]
        hint = forms.missing_hint(str(path[-2]), models[0]) if models and len(path) == 2 else None
        return document.issue(f"missing key {quote(path[-1])}", path, "key", hint)
    if complaint.kind == "union_tag_not_found":
        tags = [t for m in complaint.models for t in get_args(field_names(m).get(str(path[-1])))]
        form = forms.untyped_hint(complaint.details["input"], complaint.models)
        hint = form or (f"Expected one of {join_quoted(tags, most=forms.MOST_CHOICES)}." if tags else None)
        return document.issue(f"missing key {quote(path[-1])}", path, "key", hint)
    if complaint.kind == "union_tag_invalid":
        key, tag = discriminator(complaint.details), context.get("tag", "")
        noun = f"{_noun(path[:-1] if path and path[-1] == key else path)} {key}".strip()
        message = f"unknown {noun} {quote(tag)}{_did_you_mean(tag, complaint.choices)}"
        return document.issue(message, path, "value", forms.type_hint(tag, complaint.choices, _noun(path), top))
    own = str(context["error"]) if complaint.kind in OWN_WORDS else complaint.details["msg"]
    return document.issue(own or "this value is not valid", path, "value")


def _meant(complaint: LocatedError) -> str | None:
    return suggest(str(complaint.path[-1]), (key for m in complaint.models for key in field_names(m)))


def _did_you_mean(word: object, known: Iterable[str]) -> str:
    near = suggest(word, known) if isinstance(word, str) else None
    return f"; did you mean {quote(near)}?" if near else ""


def _noun(path: Path) -> str:
    """What a value at `path` is called: `optimizer`, or `layer` for an item of `layers`."""
    names = [step for step in path if isinstance(step, str)]
    if not names:
        return "value" if path else ""
    return names[-1].removesuffix("s") if isinstance(path[-1], int) else names[-1]


def _rule(complaint: LocatedError) -> str:
    context: Mapping[str, object] = complaint.details.get("ctx", {})
    words = _RULES[complaint.kind].format(**{name: describe(v).strip("'") for name, v in context.items()})
    return words.replace("(s)", "" if " 1 " in words else "s")


def _expected(complaint: LocatedError) -> str:
    if complaint.kind in _CHOICES:
        return str(complaint.details.get("ctx", {}).get("expected", "another value"))
    plain = _EXPECTED.get(complaint.kind.split("_")[0])
    # Whatever pydantic grows next still reads as a sentence: "Input should be a valid date" -> "a valid date".
    return plain or re.sub(r"^(Input|Value) should (be )?(an instance of )?", "", complaint.details["msg"])
