"""The YAML parser's events, and its complaints in words that a person can act on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import yaml

from nncli.config.yaml.source_text import Position, fault, position
from nncli.errors import ConfigError, ConfigIssue

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

_TOO_HIGH_ESCAPE = re.compile(r"\\U(?!000[0-9a-fA-F]|0010)[0-9a-fA-F]{8}")


def reworded(context: str, problem: str) -> tuple[str, str, bool]:
    """Our message and hint for the YAML parser's, and whether to point at where the construct starts."""
    complaint = f"{context} {problem}"
    for piece, message, hint in _SYNTAX:
        if piece in complaint:
            return message, hint, any(start in message for start in _POINTS_AT_START)
    return "this is not valid YAML", _QUOTE_IT, False


def where(event: yaml.Event) -> Position:
    """Line and character, both from 1, where `event` starts."""
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def events(text: str, source: str, lines: Sequence[str], earlier: Sequence[ConfigIssue]) -> Iterator[yaml.Event]:
    """The parser's events. They are flat, so that depth can be refused before anything recurses.

    A syntax error is raised together with the mistakes gathered `earlier`, before it was reached.
    """
    last: Position = (1, 1)
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            last = where(event)
            yield event
    except yaml.MarkedYAMLError as error:
        message, hint, points_at_start = reworded(error.context or "", error.problem or "")
        mark = (error.context_mark if points_at_start else None) or error.problem_mark
        at = (mark.line + 1, mark.column + 1) if mark else last
        raise ConfigError(*earlier, fault(message, source, lines, at, hint)) from None
    except (ValueError, OverflowError, IndexError):
        # PyYAML lets these through: "\UFFFFFFFF" to chr(), and a %YAML version of five thousand digits to int().
        high = _TOO_HIGH_ESCAPE.search(text)
        at = position(text, high.start()) if high else last
        raise ConfigError(*earlier, fault("no such character or number", source, lines, at)) from None
