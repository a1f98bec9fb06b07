"""Quoting of values, numbers as text, the closest match to a misspelled word, and lists in a sentence."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Container, Iterable
from itertools import chain, count
from math import isfinite
from pathlib import PurePath
from typing import Any

MAX_QUOTE_LENGTH = 60


FIRST_BYTE, LAST_BYTE = 0xDC80, 0xDCFF
"""The surrogates of Python for the bytes 80 to FF of a path that is not UTF-8."""
UNDECODED = re.compile("[\udc80-\udcff]")

# Spaces and joiners that are part of French, Japanese and Persian text and of emoji.
INVISIBLE_LETTERS = "\xa0\u202f\u3000\u200c\u200d"


def escape_unprintable(text: str, *, keep: str = "\n\t" + INVISIBLE_LETTERS) -> str:
    """Escape the characters of `text` that are not printable, except for those in `keep`.

    A byte of a path that is not UTF-8 is shown as itself, not as the surrogate that Python has for it.

    >>> escape_unprintable("a\\x1b[31mb"), escape_unprintable("caf\\udce9.csv")
    ('a\\\\x1b[31mb', 'caf\\\\xe9.csv')
    """
    return "".join(c if c.isprintable() or c in keep else _escaped(c) for c in text)


def _escaped(c: str) -> str:
    code = ord(c)
    of_path = FIRST_BYTE <= code <= LAST_BYTE
    return f"\\x{code - FIRST_BYTE + 0x80:02x}" if of_path else c.encode("unicode_escape").decode("ascii")


def quote(value: object) -> str:
    """`value` in quotes, shortened, with control and direction-changing characters escaped.

    >>> quote("a\\x1b[31mb")
    "'a\\\\x1b[31mb'"
    """
    text = str(value)
    shown = text if len(text) <= MAX_QUOTE_LENGTH else text[: MAX_QUOTE_LENGTH - 1] + "…"
    return repr(UNDECODED.sub(lambda match: _escaped(match[0]), shown)).replace(r"\\", "\\")


def yaml_quote(text: str) -> str:
    """`text` as a YAML string in double quotes, not shortened, which can be pasted into a file.

    >>> print(yaml_quote('a: "b"'))
    "a: \\"b\\""
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escape_unprintable(escaped, keep=INVISIBLE_LETTERS)}"'


LONGEST_WORD = 1_000
"""Characters of a word up to which similar ones are searched."""


def closest_match(word: str, candidates: Iterable[str]) -> str | None:
    """The word among `candidates` that is most similar to `word`, or None if none is similar.

    None is similar to a word of more than LONGEST_WORD characters, which would take long to compare.
    """
    if len(word) > LONGEST_WORD:
        return None
    words = list(candidates)
    close = near_names(word, words) or difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return close[0] if close else None


def near_names(word: str, candidates: Iterable[str]) -> list[str]:
    """The `candidates` that differ from `word` only in case, spaces, punctuation, invisible characters or Unicode form.

    >>> near_names("region", ["Region", " REGION ", "regional", "age"])
    ['Region', ' REGION ']
    """
    key = name_key(word)
    return [name for name in candidates if name_key(name) == key]


def name_key(name: str) -> str:
    """The letters and digits of a name in one case and Unicode form; the name itself if it has none."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return "".join(c for c in text if unicodedata.category(c)[0] in "LNM") or name


def name_difference(word: str, near: str) -> str:
    """How two near names differ, as the end of a sentence.

    >>> name_difference("region", "Region"), name_difference("region", "region ")
    ('in upper and lower case', 'in spaces or punctuation')
    """

    def visible(text: str) -> str:
        return "".join(c for c in text if unicodedata.category(c) != "Cf")

    if unicodedata.normalize("NFC", word) == unicodedata.normalize("NFC", near):
        return "in the Unicode form of their letters (NFC or NFD)"
    if visible(word) == visible(near):
        return "in an invisible character, such as a byte-order mark"
    return "in upper and lower case" if word.casefold() == near.casefold() else "in spaces or punctuation"


def closest_file(name: str, candidates: Iterable[str]) -> str | None:
    """The file name among `candidates` whose stem is most similar to that of `name`, or None.

    >>> closest_file("trian.csv", ["train.csv", "test.csv"]), closest_file("nope.csv", ["one.csv"])
    ('train.csv', None)
    """
    stem = PurePath(name).stem
    return closest_match(name, [file for file in candidates if closest_match(stem, [PurePath(file).stem])])


def free_name(name: str, taken: Container[str], suffix: str = "_") -> str:
    """The name, with as many suffixes behind it as make it different from the taken ones.

    >>> free_name("y", ["x"]), free_name("y", ["y", "y_"])
    ('y', 'y__')
    """
    while name in taken:
        name += suffix
    return name


def numbered_name(name: str, taken: Container[str]) -> str:
    """The name, with the first number from 2 on that makes it different from the taken ones, if it is one of them.

    >>> numbered_name("y", ["x"]), numbered_name("y", ["y", "y_2"])
    ('y', 'y_3')
    """
    numbered = (f"{name}_{n}" for n in count(2))
    return next(text for text in chain([name], numbered) if text not in taken)


def join_quoted(words: Iterable[str], *, max_words: int = 8, last: str = "and") -> str:
    """Join words as `'a', 'b' and 'c'`; after `max_words` words, with the number of the others.

    Another word than and may stand before the `last`.
    """
    items = list(words)
    shown = [quote(w) for w in items[:max_words]]
    if len(items) > max_words:
        return ", ".join(shown) + f" and {len(items) - max_words} more"
    return f" {last} ".join(filter(None, [", ".join(shown[:-1]), shown[-1]])) if shown else ""


def format_number(value: float | None) -> str:
    """`value` with four significant digits, from 10,000 as an integer; a dash for None and NaN, 0 for rounding errors.

    >>> format_number(0.123456), format_number(123456.7), format_number(None)
    ('0.1235', '123,457', '–')
    """
    if value is None or value != value:
        return "–"
    if abs(value) < 1e-12:
        return "0"
    if abs(value) == float("inf"):
        return "∞" if value > 0 else "−∞"
    text = f"{value:,.0f}" if 9999.5 <= abs(value) < 1e15 else f"{value:.4g}"
    return text.replace("-", "−")


LETTERS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
"""Units of large numbers, with the letter that stands for each."""


def short_number(value: float | None) -> str:
    """`value` with three significant digits, from 10,000 in units of `k`, `M`, `B` or `T`; see `format_number`.

    Below 10,000 whole digits are not rounded.

    >>> short_number(0.123456), short_number(4563.2), short_number(1_234_567), short_number(-20_000)
    ('0.123', '4563', '1.23M', '−20k')
    """
    if value is None or not 1e-12 <= abs(value) < 1e15:
        return format_number(value)
    rounded = value if abs(value) < 9999.5 else float(f"{value:.3g}")
    if 0.9995 <= rounded < 1.0:  # a score of 1 is perfect
        return format_number(value)
    unit, letter = next(((unit, letter) for unit, letter in LETTERS if abs(rounded) >= unit), (1.0, ""))
    if abs(rounded) < 9999.5:
        unit, letter = 1.0, ""
    text = f"{rounded:.0f}" if 999.5 <= abs(rounded) < 9999.5 else f"{rounded / unit:.3g}"
    return (text + letter).replace("-", "−")


def format_range(low: str, high: str) -> str:
    """Two numbers as a range, with a unit that both have once.

    >>> format_range("175k", "220k"), format_range("80.3 %", "86.1 %"), format_range("−5", "3")
    ('175k–220k', '80.3–86.1 %', '−5 to 3')
    """
    if not (low[0] + high[0]).isdigit():
        return f"{low} to {high}"
    return f"{low.removesuffix(' %') if high.endswith(' %') else low}–{high}"


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


def percent_digits(level: float) -> str:
    """A level in (0, 1) in percent, with two digits or more before the point: 05 for 0.05, 97.5 for 0.975."""
    whole, point, decimals = f"{100.0 * level:.10f}".rstrip("0").rstrip(".").partition(".")
    return f"{whole:0>2}{point}{decimals}"
