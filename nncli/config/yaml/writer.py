"""From plain values back to YAML that reads like a file written by hand."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping

from nncli.config.yaml.scalars import describe
from nncli.text import escape_unprintable

# Text that every YAML reader, of version 1.1 or 1.2, takes for text without quotes. All else is quoted.
_PLAIN = re.compile(r"[^\W\d][\w./+-]*(?: [\w/+][\w./+-]*)*")
_OLD_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\"})
_LONGEST_KEY = 1000  # a longer one needs the "? key" form
_LONGEST_INLINE = 80
_FURTHEST_COMMENT = 48  # what is longer has its comment right behind it


Keys = tuple[str | int, ...]


def dump(value: Mapping[str, object]) -> str:
    """Block-style YAML such that `parse(dump(value), ...).value == value`; keys keep their order.

    Raises:
        TypeError: something inside is not a str, int, float, bool, None, list or dict.
    """
    return "".join(f"{line}\n" for line, _ in _written(dict(value), ()))


def dump_with_comments(value: Mapping[str, object], comment: Callable[[Keys], str]) -> str:
    """As `dump`, with a comment behind each value, or once behind the key of a section of which all is said alike.

    `comment` is asked about what stands at a path: `("layers", 0, "units")`.
    """
    lines = _written(dict(value), ())
    texts = [""] * len(lines)

    def say(start: int, end: int) -> set[str]:
        """Put the comments of these lines, and return them: with each, or once where a whole section agrees."""
        every = set()
        while start < end:
            path = lines[start][1]
            after = next((n for n in range(start + 1, end) if lines[n][1][: len(path)] != path), end)
            said = say(start + 1, after) if after > start + 1 else {escape_unprintable(comment(path), keep="")}
            if len(said) == 1:
                texts[start:after] = [*said, *[""] * (after - start - 1)]
            every |= said
            start = after
        return every

    say(0, len(lines))
    short = (len(line) for (line, _), text in zip(lines, texts, strict=True) if text and len(line) <= _FURTHEST_COMMENT)
    column = max(short, default=0)
    return "".join(
        f"{line:<{column}}  # {text}\n" if text else f"{line}\n" for (line, _), text in zip(lines, texts, strict=True)
    )


def one_line(value: object, most: int = 40) -> str:
    """`value` on one line, as one would type it; `…` for what is longer than so many characters, or within {}.

    >>> print(brief(["a b", 1.0, None]))
    [a b, 1.0, null]
    """
    if isinstance(value, dict):
        return "{…}" if value else "{}"
    items = value if isinstance(value, list | tuple) else None
    text = dump_scalar(value) if items is None else f"[{', '.join(map(one_line, items))}]"
    return text if len(text) <= most else "…"


def _written(value: object, path: Keys) -> list[tuple[str, Keys]]:
    """The lines of `value`, which stands at `path`, not indented, each with what it is about; short lists are one."""
    if isinstance(value, dict) and value:
        return [line for key, item in value.items() for line in _entry(key, item, path)]
    if isinstance(value, list) and value:
        inline = None if any(isinstance(v, dict | list) for v in value) else ", ".join(map(dump_scalar, value))
        if inline is not None and len(inline) <= _LONGEST_INLINE:
            return [(f"[{inline}]", path)]
        return [
            (("  " if number else "- ") + line, about)
            for i, item in enumerate(value)
            for number, (line, about) in enumerate(_written(item, (*path, i)))
        ]
    return [(dump_scalar(value), path)]


def _entry(key: object, value: object, path: Keys) -> Iterator[tuple[str, Keys]]:
    if not isinstance(key, str):
        raise TypeError(f"a key must be text, not {type(key).__name__}")
    here = (*path, key)
    word, lines = dump_scalar(key), _written(value, here)
    if len(word) > _LONGEST_KEY:
        yield f"? {word}", here
        word = ""
    if not isinstance(value, dict | list) or not value or lines[0][0].startswith("["):
        yield f"{word}: {lines[0][0]}", here
    else:
        yield f"{word}:", here
        yield from (("  " + line, about) for line, about in lines)


def dump_scalar(value: object) -> str:
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
            return describe(value)
        case str():
            plain = _PLAIN.fullmatch(value) and value.lower() not in _OLD_WORDS
            return value if plain else '"' + escape_unprintable(value.translate(_ESCAPES), keep="") + '"'
        case []:
            return "[]"
        case dict() if not value:
            return "{}"
    raise TypeError(f"{type(value).__name__} cannot be written as YAML")
