"""From plain values back to YAML that reads like a file written by hand."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from nncli.config.scalars import as_written
from nncli.errors import printable

# Text that every YAML reader, of version 1.1 or 1.2, takes for text without quotes. All else is quoted.
_PLAIN = re.compile(r"[^\W\d][\w./+-]*(?: [\w/+][\w./+-]*)*")
_OLD_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\"})
_LONGEST_KEY = 1000  # a longer one needs the "? key" form
_LONGEST_INLINE = 80


def dump(value: Mapping[str, object]) -> str:
    """Block-style YAML such that `parse(dump(value), ...).value == value`; keys keep their order.

    Raises:
        TypeError: something inside is not a str, int, float, bool, None, list or dict.
    """
    return "\n".join(_written(dict(value))) + "\n"


def _written(value: object) -> list[str]:
    """The lines of `value`, not indented; what fits on one line is one line."""
    if isinstance(value, dict) and value:
        return [line for key, item in value.items() for line in _entry(key, item)]
    if isinstance(value, list) and value:
        inline = None if any(isinstance(v, dict | list) for v in value) else ", ".join(map(scalar, value))
        if inline is not None and len(inline) <= _LONGEST_INLINE:
            return [f"[{inline}]"]
        return [("  " if number else "- ") + line for item in value for number, line in enumerate(_written(item))]
    return [scalar(value)]


def _entry(key: object, value: object) -> Iterator[str]:
    if not isinstance(key, str):
        raise TypeError(f"a key must be text, not {type(key).__name__}")
    word, lines = scalar(key), _written(value)
    if len(word) > _LONGEST_KEY:
        yield f"? {word}"
        word = ""
    if not isinstance(value, dict | list) or not value or lines[0].startswith("["):
        yield f"{word}: {lines[0]}"
    else:
        yield f"{word}:"
        yield from ("  " + line for line in lines)


def scalar(value: object) -> str:
    """One value, on one line.

    Raises:
        TypeError: it is not a str, int, float, bool, None, or an empty list or dict.
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() if math.isfinite(value):
            text = repr(value)
            # YAML 1.1 wants a point before the exponent.
            return text if "." in text else text.replace("e", ".0e")
        case float():
            return as_written(value)
        case str():
            plain = _PLAIN.fullmatch(value) and value.lower() not in _OLD_WORDS
            return value if plain else '"' + printable(value.translate(_ESCAPES), keep="") + '"'
        case []:
            return "[]"
        case dict() if not value:
            return "{}"
    raise TypeError(f"{type(value).__name__} cannot be written as YAML")
