"""Write plain values as YAML in the style of a hand-written file."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping

from nncli.base.text import escape_unprintable
from nncli.config.yaml.document import Path
from nncli.config.yaml.parser import describe

# Text that YAML 1.1 and 1.2 both read as text without quotes. Everything else is quoted.
_PLAIN = re.compile(r"[^\W\d][\w./+-]*(?: [\w/+][\w./+-]*)*")
_YAML_1_1_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\"})
_MAX_KEY_LENGTH = 1000  # a longer one needs the "? key" form
_MAX_INLINE_LENGTH = 80
_MAX_WORD_LENGTH = 40  # of a scalar in `one_line`
_MAX_COMMENT_COLUMN = 48  # the comment of a longer line follows it directly


def dump(value: Mapping[str, object]) -> str:
    """Write block-style YAML such that `parse(dump(value), ...).value == value`; keys keep their order.

    Raises:
        TypeError: a value in it is not a str, int, float, bool, None, list or dict.
    """
    return "".join(f"{line}\n" for line, _ in _written(dict(value), ()))


def dump_with_comments(value: Mapping[str, object], comment: Callable[[Path], str]) -> str:
    """As `dump`, with a comment after each value. A section whose values all have the same comment shows it once.

    `comment` returns the comment of a path such as `("layers", 0, "units")`.
    """
    lines = _written(dict(value), ())
    comments = [""] * len(lines)

    def add_comments(start: int, end: int) -> set[str]:
        """Set the comments of these lines and return the different ones."""
        different = set()
        while start < end:
            path = lines[start][1]
            after = next((n for n in range(start + 1, end) if lines[n][1][: len(path)] != path), end)
            inside = (
                add_comments(start + 1, after) if after > start + 1 else {escape_unprintable(comment(path), keep="")}
            )
            if len(inside) == 1:
                comments[start:after] = [*inside, *[""] * (after - start - 1)]
            different |= inside
            start = after
        return different

    add_comments(0, len(lines))
    commented = [(line, text) for (line, _), text in zip(lines, comments, strict=True)]
    column = max((len(line) for line, text in commented if text and len(line) <= _MAX_COMMENT_COLUMN), default=0)
    return "".join(f"{line:<{column}}  # {text}\n" if text else f"{line}\n" for line, text in commented)


def one_line(value: object) -> str:
    """`value` as inline YAML; `…` for text that is too long and for the placeholder `...`.

    >>> print(one_line({"type": "step", "every": ..., "names": ["a b", None]}))
    {type: step, every: …, names: [a b, null]}
    """
    if value is ...:
        return "…"
    if isinstance(value, dict) and value:
        text = f"{{{', '.join(f'{one_line(key)}: {one_line(item)}' for key, item in value.items())}}}"
        return text if len(text) <= _MAX_INLINE_LENGTH else "{…}"
    if isinstance(value, list | tuple):
        text = f"[{', '.join(map(one_line, value))}]"
        return text if len(text) <= _MAX_INLINE_LENGTH else "[…]"
    text = dump_scalar(value)
    return text if len(text) <= _MAX_WORD_LENGTH else "…"


def _written(value: object, path: Path) -> list[tuple[str, Path]]:
    """The lines of `value` with the path of each, not indented; a short list takes one line."""
    if isinstance(value, dict) and value:
        return [line for key, item in value.items() for line in _entry(key, item, path)]
    if isinstance(value, list) and value:
        inline = None if any(isinstance(v, dict | list) for v in value) else ", ".join(map(dump_scalar, value))
        if inline is not None and len(inline) <= _MAX_INLINE_LENGTH:
            return [(f"[{inline}]", path)]
        return [
            (("  " if number else "- ") + line, line_path)
            for i, item in enumerate(value)
            for number, (line, line_path) in enumerate(_written(item, (*path, i)))
        ]
    return [(dump_scalar(value), path)]


def _entry(key: object, value: object, path: Path) -> Iterator[tuple[str, Path]]:
    if not isinstance(key, str):
        raise TypeError(f"a key must be text, not {type(key).__name__}")
    entry = (*path, key)
    word, lines = dump_scalar(key), _written(value, entry)
    if len(word) > _MAX_KEY_LENGTH:
        yield f"? {word}", entry
        word = ""
    if not isinstance(value, dict | list) or not value or lines[0][0].startswith("["):
        yield f"{word}: {lines[0][0]}", entry
    else:
        yield f"{word}:", entry
        yield from (("  " + line, line_path) for line, line_path in lines)


def dump_scalar(value: object) -> str:
    """Write a scalar or an empty list or section on one line.

    Raises:
        TypeError: `value` is not a str, int, float, bool, None, or an empty list or dict.
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
            plain = _PLAIN.fullmatch(value) and value.lower() not in _YAML_1_1_WORDS
            return value if plain else '"' + escape_unprintable(value.translate(_ESCAPES), keep="") + '"'
        case []:
            return "[]"
        case dict() if not value:
            return "{}"
    raise TypeError(f"{type(value).__name__} cannot be written as YAML")
