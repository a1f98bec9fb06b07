"""Quoting of values, numbers as text, the closest match to a misspelled word, and lists in a sentence."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from math import isfinite
from pathlib import PurePath
from typing import Any

MAX_QUOTE_LENGTH = 60


# Spaces and joiners that French, Japanese, Persian and emoji are written with.
INVISIBLE_LETTERS = "\xa0\u202f\u3000\u200c\u200d"


def escape_unprintable(text: str, *, keep: str = "\n\t" + INVISIBLE_LETTERS) -> str:
    """`text` with every character spelled out that would not show, or could disturb a terminal, except for `keep`.

    >>> printable("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    """
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode("ascii") for c in text)


def quote(value: object) -> str:
    """`value` in quotes, shortened, with control and direction-changing characters spelled out.

    >>> quoted("a\\x1b[31mb")
    "'a\\\\x1b[31mb'"
    """
    text = str(value)
    shown = text if len(text) <= MAX_QUOTE_LENGTH else text[: MAX_QUOTE_LENGTH - 1] + "…"
    return repr(shown)


def yaml_quote(text: str) -> str:
    """`text` as a YAML string that can be pasted as it is shown: all of it, whatever its characters.

    >>> print(as_yaml('a: "b"'))
    "a: \\"b\\""
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escape_unprintable(escaped, keep=INVISIBLE_LETTERS)}"'


def closest_match(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was most likely meant to be, or None when nothing is close."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def closest_file(name: str, known: Iterable[str]) -> str | None:
    """The known file name that `name` was most likely meant to be: endings that are the same make no two names alike.

    >>> nearest_file("trian.csv", ["train.csv", "test.csv"]), nearest_file("nope.csv", ["one.csv"])
    ('train.csv', None)
    """
    stem = PurePath(name).stem
    return closest_match(name, [other for other in known if closest_match(stem, [PurePath(other).stem])])


def join_quoted(words: Iterable[str], *, most: int = 8) -> str:
    """`'a', 'b' and 'c'`, cut after `most` words with a count of the rest."""
    items = list(words)
    shown = [quote(w) for w in items[:most]]
    if len(items) > most:
        return ", ".join(shown) + f" and {len(items) - most} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]])) if shown else ""


def format_number(value: float | None) -> str:
    """`value` with four significant digits; a dash for None and NaN, 0 for rounding errors.

    >>> format_number(0.123456), format_number(123456.7), format_number(None)
    ('0.1235', '123,457', '–')
    """
    if value is None or value != value:
        return "–"
    if abs(value) < 1e-12:
        return "0"
    if abs(value) == float("inf"):
        return "∞" if value > 0 else "−∞"
    text = f"{value:,.0f}" if 1e3 <= abs(value) < 1e15 else f"{value:.4g}"
    return text.replace("-", "−")


def format_percent(fraction: float) -> str:
    """`fraction` in percent; 0 % and 100 % only where they are exact.

    >>> format_percent(0.125), format_percent(0.99999)
    ('12.5 %', '> 99.9 %')
    """
    text = f"{100 * fraction:.1f}"
    if text == "100.0" and fraction < 1:
        text = "> 99.9"
    if text == "0.0" and fraction > 0:
        text = "< 0.1"
    return "0 %" if text == "0.0" else "100 %" if text == "100.0" else f"{text} %"


def json_safe(value: Any) -> Any:
    """`value` with None in place of NaN and infinite numbers, which JSON does not have, at any depth.

    >>> json_safe({"a": [1.0, float("nan")]})
    {'a': [1.0, None]}
    """
    if isinstance(value, dict):
        return {key: json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value
