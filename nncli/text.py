"""Quoting of values, the closest match to a misspelled word, and lists in a sentence."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import PurePath

LONGEST_QUOTE = 60


# Spaces and joiners that French, Japanese, Persian and emoji are written with.
OF_WRITING = "\xa0\u202f\u3000\u200c\u200d"


def printable(text: str, *, keep: str = "\n\t" + OF_WRITING) -> str:
    """`text` with every character spelled out that would not show, or could disturb a terminal, except for `keep`.

    >>> printable("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    """
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode("ascii") for c in text)


def quoted(value: object) -> str:
    """`value` in quotes, shortened, with control and direction-changing characters spelled out.

    >>> quoted("a\\x1b[31mb")
    "'a\\\\x1b[31mb'"
    """
    text = str(value)
    shown = text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"
    return repr(shown)


def as_yaml(text: str) -> str:
    """`text` as a YAML string that can be pasted as it is shown: all of it, whatever its characters.

    >>> print(as_yaml('a: "b"'))
    "a: \\"b\\""
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{printable(escaped, keep=OF_WRITING)}"'


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was most likely meant to be, or None when nothing is close."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def nearest_file(name: str, known: Iterable[str]) -> str | None:
    """The known file name that `name` was most likely meant to be: endings that are the same make no two names alike.

    >>> nearest_file("trian.csv", ["train.csv", "test.csv"]), nearest_file("nope.csv", ["one.csv"])
    ('train.csv', None)
    """
    stem = PurePath(name).stem
    return nearest(name, [other for other in known if nearest(stem, [PurePath(other).stem])])


def listed(words: Iterable[str], *, most: int = 8) -> str:
    """`'a', 'b' and 'c'`, cut after `most` words with a count of the rest."""
    items = list(words)
    shown = [quoted(w) for w in items[:most]]
    if len(items) > most:
        return ", ".join(shown) + f" and {len(items) - most} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]])) if shown else ""
