"""PyYAML's events, with its syntax errors reworded so that the user knows what to change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import yaml

from nncli.base.errors import ConfigError, ConfigIssue
from nncli.config.yaml.source_text import Position, position, syntax_issue

_QUOTE_IT = "Put text with special characters in quotes."

# (part of PyYAML's message, our message, our hint). The first match is used.
_SYNTAX: tuple[tuple[str, str, str], ...] = (
    (r"character '\t'", "a tab is not allowed here", "Use spaces for indentation and between a key and its value."),
    ("cannot start any token", "text cannot start with this character", _QUOTE_IT),
    (
        "mapping values are not allowed",
        "unexpected ':'",
        "Check the line above and the indentation. Text with ': ' must be in quotes.",
    ),
    ("could not find expected ':'", "expected 'key: value' here", "Is the ':' or a space after it missing?"),
    ("unexpected end of stream", "this quote is never closed", "Add the closing quote."),
    ("unexpected document separator", "this quote is never closed", "Add the closing quote."),
    ("unknown escape", r"unknown escape after '\'", r"Use single quotes, which have no escapes, or write '\\'."),
    ("expected escape sequence", "this escape needs more hexadecimal digits", r"Examples: \x0a, \u00e9."),
    ("expected ',' or ']'", "this list is never closed, or a ',' is missing", "Write [a, b, c]."),
    ("expected ',' or '}'", "this '{' is never closed, or a ',' is missing", "Write {a: 1, b: 2}."),
    (
        "expected <block end>",
        "this line does not match the lines above it",
        "Keys of a section start in the same column. Nothing may follow a value in quotes.",
    ),
    ("entries are not allowed", "a list item is not allowed here", "Start the list on a new line."),
    ("keys are not allowed", "a '?' is not allowed here", _QUOTE_IT),
    ("scanning an alias", "text cannot start with '*'", _QUOTE_IT),
    ("scanning an anchor", "text cannot start with '&'", _QUOTE_IT),
    ("scanning a block scalar", "text cannot start with '|' or '>'", _QUOTE_IT),
    ("scanning a tag", "text cannot start with '!'", _QUOTE_IT),
    ("tag handle", "text cannot start with '!'", _QUOTE_IT),
    ("directive", "a line cannot start with '%'", _QUOTE_IT),
    ("node content", "a value is missing or misplaced", "Check for an extra bracket, comma or dash."),
    ("document start", "this line does not belong to the configuration above it", "Check the indentation."),
)

# These errors are reported at the start of the construct, not where PyYAML stopped looking for its end.
_POINTS_AT_START = ("never closed", "'key: value'", "text cannot start with '")

_TOO_HIGH_ESCAPE = re.compile(r"\\U(?!000[0-9a-fA-F]|0010)[0-9a-fA-F]{8}")


def reworded(context: str, problem: str) -> tuple[str, str, bool]:
    """Our message and hint for an error of PyYAML, and whether to report it at the start of the construct."""
    error = f"{context} {problem}"
    for part, message, hint in _SYNTAX:
        if part in error:
            return message, hint, any(start in message for start in _POINTS_AT_START)
    return "this is not valid YAML", _QUOTE_IT, False


def start_of(event: yaml.Event) -> Position:
    """Line and character of the start of `event`, both from 1."""
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def events(text: str, source: str, lines: Sequence[str], earlier: Sequence[ConfigIssue]) -> Iterator[yaml.Event]:
    """PyYAML's events.

    Raises:
        ConfigError: a syntax error, after the `earlier` issues.
    """
    last: Position = (1, 1)
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            last = start_of(event)
            yield event
    except yaml.MarkedYAMLError as error:
        message, hint, points_at_start = reworded(error.context or "", error.problem or "")
        mark = (error.context_mark if points_at_start else None) or error.problem_mark
        start = (mark.line + 1, mark.column + 1) if mark else last
        raise ConfigError(*earlier, syntax_issue(message, source, lines, start, hint)) from None
    except (ValueError, OverflowError, IndexError):
        # Not caught by PyYAML: chr() of "\UFFFFFFFF" and int() of a %YAML version with thousands of digits.
        escape = _TOO_HIGH_ESCAPE.search(text)
        start = position(text, escape.start()) if escape else last
        raise ConfigError(*earlier, syntax_issue("invalid character or number", source, lines, start)) from None
