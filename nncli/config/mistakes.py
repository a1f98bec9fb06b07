"""From what a parser or a model complains about to words a person can act on.

Three unrelated jobs share this file because they end in the same thing, an errors.Mistake: `excerpt` draws the
source line with a caret, `syntax_words` rewords the YAML parser, and `model_mistakes` rewords pydantic.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from nncli.errors import Mistake, listed, nearest, quoted

if TYPE_CHECKING:
    from nncli.config.source import Document, Path

WIDEST_EXCERPT = 100
_BLANK = " \t"  # other blank characters are shown as escapes: they may be the mistake


def visible(text: str) -> str:
    """`text` with every character that would not show, or would move the cursor, spelled as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _width(text: str) -> int:
    """Columns that `text` takes on a terminal: wide East Asian characters take two, combining marks none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def excerpt(lines: Sequence[str], line: int | None, character: int | None) -> str | None:
    """The source line and a caret beneath its `character`; None when there is nothing to show. Both count from 1.

    >>> print(excerpt(["  units: many"], 1, 10))
    units: many
           ^
    """
    if line is None or character is None or not 0 < line <= len(lines) or not lines[line - 1].strip(_BLANK):
        return None
    before, after = lines[line - 1][: character - 1].lstrip(_BLANK), lines[line - 1][character - 1 :].rstrip(_BLANK)
    if not before:
        after = after.lstrip(_BLANK)
    before, after = visible(before), visible(after)
    if len(before) + len(after) > WIDEST_EXCERPT:
        room_before = max(WIDEST_EXCERPT // 2, WIDEST_EXCERPT - len(after))
        if len(before) > room_before:
            before = "…" + before[len(before) - room_before + 1 :]
        room_after = WIDEST_EXCERPT - len(before)
        if len(after) > room_after:
            after = after[: room_after - 1] + "…"
    return f"{before}{after}\n{' ' * _width(before)}^"


# --------------------------------------------------------------------------------------------------------------
# YAML syntax

_QUOTE_IT = "Put text that holds special characters in quotes."

# (a piece of the parser's complaint, our words, our hint). The first that fits is used.
_SYNTAX: tuple[tuple[str, str, str], ...] = (
    (r"character '\t'", "a tab cannot stand here", "Use spaces for indentation and between a key and its value."),
    ("cannot start any token", "text cannot start with this character", _QUOTE_IT),
    (
        "mapping values are not allowed",
        "a ':' is out of place here",
        "Is the line above complete, and the indentation right? Text that holds ': ' must be in quotes.",
    ),
    ("could not find expected ':'", "expected 'key: value' here", "Is the ':' or a space after it missing?"),
    ("unexpected end of stream", "the quote that opens here is never closed", "Add the closing quote."),
    ("unexpected document separator", "the quote that opens here is never closed", "Add the closing quote."),
    ("unknown escape", r"no such escape after '\'", r"Use single quotes, which know no escapes, or write '\\'."),
    ("expected escape sequence", "this escape needs more hexadecimal digits", r"For example \x0a or \u00e9."),
    ("expected ',' or ']'", "the list that opens here is never closed, or lacks a ','", "Write [a, b, c]."),
    ("expected ',' or '}'", "the '{' that opens here is never closed, or lacks a ','", "Write {a: 1, b: 2}."),
    (
        "expected <block end>",
        "this does not fit the lines above it",
        "Keys of one section start in the same column; a quoted text ends its value.",
    ),
    ("entries are not allowed", "a list item cannot stand here", "Start the list on a line of its own."),
    ("keys are not allowed", "a '?' cannot stand here", _QUOTE_IT),
    ("scanning an alias", "text cannot start with '*'", _QUOTE_IT),
    ("scanning an anchor", "text cannot start with '&'", _QUOTE_IT),
    ("scanning a block scalar", "text cannot start with '|' or '>'", _QUOTE_IT),
    ("scanning a tag", "text cannot start with '!'", _QUOTE_IT),
    ("tag handle", "text cannot start with '!'", _QUOTE_IT),
    ("directive", "a line cannot start with '%'", _QUOTE_IT),
    ("node content", "a value is missing or out of place here", "Look for a stray bracket, comma or dash."),
    ("document start", "this does not belong to the configuration above it", "Check the indentation."),
)

# What opened here is what must be mended, not the place where the parser gave up looking for its end.
_POINTS_AT_START = ("never closed", "'key: value'", "text cannot start with '")


def syntax_words(context: str, problem: str) -> tuple[str, str, bool]:
    """Our message and hint for the YAML parser's, and whether to point at where the construct starts."""
    complaint = f"{context} {problem}"
    for piece, message, hint in _SYNTAX:
        if piece in complaint:
            return message, hint, any(start in message for start in _POINTS_AT_START)
    return "this is not valid YAML", _QUOTE_IT, False


# --------------------------------------------------------------------------------------------------------------
# pydantic

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

# Raised by a validator of ours, with a message of ours. Whatever pydantic does not know is ours as well.
_OWN_WORDS = ("value_error", "assertion_error")
_PYDANTIC_KINDS = frozenset(get_args(ErrorType))
_WHOLE = ("union_tag_invalid", "missing", "union_tag_not_found")  # nothing to join with an "or"
_CHOICES = ("literal_error", "enum")


@dataclass(frozen=True)
class _Complaint:
    """One pydantic error brought back to the document: where, about what, and which models were tried there."""

    path: Path
    details: ErrorDetails
    models: tuple[type[BaseModel], ...]

    @property
    def kind(self) -> str:
        return self.details["type"]

    @property
    def in_own_words(self) -> bool:
        return self.kind in _OWN_WORDS or self.kind not in _PYDANTIC_KINDS

    @property
    def about_key(self) -> bool:
        return bool(self.details["loc"]) and self.details["loc"][-1] == "[key]"

    @property
    def choices(self) -> list[str]:
        """The words that would have been right, where the error lists them."""
        context = self.details.get("ctx", {})
        return re.findall(r"'([^']*)'", str(context.get("expected_tags", context.get("expected", ""))))


def model_mistakes(error: ValidationError, model: type[BaseModel], document: Document) -> tuple[Mistake, ...]:
    """Everything in `error`, once per place and in the order of the file."""
    complaints = [_located(d, model, document) for d in error.errors(include_url=False)]
    deeper = {c.path[:n] for c in complaints for n in range(len(c.path))}
    groups: dict[tuple[Path, bool], list[_Complaint]] = {}
    for complaint in complaints:
        # A union reports every branch; the one that got furthest into the value is the one that was meant.
        if complaint.path not in deeper:
            groups.setdefault((complaint.path, complaint.about_key), []).append(complaint)
    # A misspelt key is also a missing one. One slip of the finger is one mistake.
    misspelt = {(*c.path[:-1], _meant(c)) for c in complaints if c.kind == "extra_forbidden"}
    found = [
        _mistake(group, document)
        for (path, _), group in groups.items()
        if not (group[0].kind == "missing" and path in misspelt)
    ]
    return tuple(sorted(found, key=lambda m: _order(m, document)))


def _order(mistake: Mistake, document: Document) -> tuple[bool, int, int]:
    place = mistake.place
    return (place.source != document.source, place.line or 0, place.character or 0)


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    """Every model class that a value of `annotation` may be, looked for inside unions, lists and Annotated."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    else:
        for inner in get_args(getattr(annotation, "__value__", annotation)):
            yield from _models(inner)


def _keys(model: type[BaseModel]) -> dict[str, object]:
    """What may be written in `model`, and the annotation of each."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _answers_to(model: type[BaseModel], tag: object) -> bool:
    literals = (a for a in _keys(model).values() if get_origin(a) is Literal)
    return model.__name__ == tag or any(tag in get_args(a) for a in literals)


def _located(details: ErrorDetails, model: type[BaseModel], document: Document) -> _Complaint:
    """Follow the error's location through the document.

    pydantic's location also names the union branch it tried ("dense", "constrained-int", "function-before[...]"),
    which is no key of the file. Those steps narrow down the models instead.
    """
    value: object = document.value
    models: tuple[type[BaseModel], ...] = (model,)
    path: Path = ()
    kind, location = details["type"], details["loc"]
    for number, step in enumerate(location, 1):
        named = tuple(m for m in models if _answers_to(m, step))
        if named and len(named) < len(models):
            models = named
            continue
        if number == len(location) and kind in ("missing", "extra_forbidden"):
            path = (*path, step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value, path = value[step], (*path, step)
        elif isinstance(value, dict) and step in value:
            value, path = value[step], (*path, step)
            fields = [_keys(m)[step] for m in models if isinstance(step, str) and step in _keys(m)]
            models = tuple(m for annotation in fields for m in _models(annotation)) if fields else models
    discriminator = _discriminator(details)
    if kind == "union_tag_not_found" or (
        kind == "union_tag_invalid" and isinstance(value, dict) and discriminator in value
    ):
        path = (*path, discriminator)
    return _Complaint(path, details, models)


def _discriminator(details: ErrorDetails) -> str:
    return str(details.get("ctx", {}).get("discriminator", "type")).strip("'")


def _mistake(group: Sequence[_Complaint], document: Document) -> Mistake:
    """One mistake for all that was said about one place: the most telling complaint, or all joined by "or"."""
    path = group[0].path
    telling = [c for c in group if c.in_own_words] + [c for c in group if c.kind in _WHOLE]
    if telling:
        return _single(telling[0], document)
    if all(c.kind == "extra_forbidden" for c in group):
        known = list(dict.fromkeys(key for c in group for m in c.models for key in _keys(m)))
        message = f"unknown key {quoted(path[-1])}{_did_you_mean(path[-1], known)}"
        verb = "key here is" if len(known) == 1 else "keys here are"
        hint = f"The {verb} {listed(known, most=20)}." if known else None
        return document.mistake(message, path, "key", hint)
    value = group[0].details["input"]
    choices = [choice for c in group for choice in c.choices]
    if isinstance(value, str) and all(c.kind in _CHOICES for c in group):
        message = f"unknown {_noun(path)} {quoted(value)}{_did_you_mean(value, choices)}"
        return document.mistake(message, path, "value", f"Expected one of {listed(choices, most=20)}.")
    rules = list(dict.fromkeys(_rule(c) for c in group if c.kind in _RULES))
    others = list(dict.fromkeys(_expected(c) for c in group if c.kind not in _RULES and c.kind != "extra_forbidden"))
    what = "the key " if group[0].about_key else ""
    if rules:
        rest = "".join(f" or be {other}" for other in others)
        message = f"{what}must {' and '.join(rules)}{rest}, found {as_written(value)}"
    else:
        message = f"expected {what and 'the key to be '}{' or '.join(others)}, found {as_written(value)}"
    return document.mistake(message + _did_you_mean(value, choices), path, "key" if group[0].about_key else "value")


def _single(complaint: _Complaint, document: Document) -> Mistake:
    """The mistake for a complaint that needs no company."""
    path = complaint.path
    context = complaint.details.get("ctx", {})
    if complaint.kind == "missing":
        return document.mistake(f"missing key {quoted(path[-1])}", path, "key")
    if complaint.kind == "union_tag_not_found":
        tags = [t for m in complaint.models for t in get_args(_keys(m).get(str(path[-1])))]
        hint = f"Expected one of {listed(tags, most=20)}." if tags else None
        return document.mistake(f"missing key {quoted(path[-1])}", path, "key", hint)
    if complaint.kind == "union_tag_invalid":
        discriminator, tag = _discriminator(complaint.details), context.get("tag", "")
        noun = f"{_noun(path[:-1] if path and path[-1] == discriminator else path)} {discriminator}".strip()
        message = f"unknown {noun} {quoted(tag)}{_did_you_mean(tag, complaint.choices)}"
        return document.mistake(message, path, "value", f"Expected one of {listed(complaint.choices, most=20)}.")
    own = str(context["error"]) if complaint.kind in _OWN_WORDS else complaint.details["msg"]
    return document.mistake(own or "this value is not valid", path, "value")


def _meant(complaint: _Complaint) -> str | None:
    return nearest(str(complaint.path[-1]), (key for m in complaint.models for key in _keys(m)))


def _did_you_mean(word: object, known: Iterable[str]) -> str:
    near = nearest(word, known) if isinstance(word, str) else None
    return f"; did you mean {quoted(near)}?" if near else ""


def _noun(path: Path) -> str:
    """What a value at `path` is called: `optimizer`, or `layer` for an item of `layers`."""
    names = [step for step in path if isinstance(step, str)]
    if not names:
        return "value" if path else ""
    return names[-1].removesuffix("s") if isinstance(path[-1], int) else names[-1]


def _rule(complaint: _Complaint) -> str:
    context: Mapping[str, object] = complaint.details.get("ctx", {})
    words = _RULES[complaint.kind].format(**{name: as_written(v).strip("'") for name, v in context.items()})
    return words.replace("(s)", "" if " 1 " in words else "s")


def _expected(complaint: _Complaint) -> str:
    if complaint.kind in _CHOICES:
        return str(complaint.details.get("ctx", {}).get("expected", "another value"))
    plain = _EXPECTED.get(complaint.kind.split("_")[0])
    # Whatever pydantic grows next still reads as a sentence: "Input should be a valid date" -> "a valid date".
    return plain or re.sub(r"^(Input|Value) should (be )?(an instance of )?", "", complaint.details["msg"])


def as_written(value: object) -> str:
    """`value` as it would be written in the file, or what kind of thing it is when it is long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, int | float):
        return quoted(value).strip("'")
    if isinstance(value, dict):
        return "key: value pairs"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return quoted(value)
