"""Strings that programs stumble over, made anew: 2,000 of them, some with lone surrogates."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator
from functools import cache
from random import Random

COUNT = 2000
BLANKS = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f\x20\x85\xa0\u1680\u2000\u2003\u2009\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
PARTS = (
    *(
        "%s",
        "%n%n%n%x",
        "%(name)s",
        "{}",
        "{0.__class__}",
        "{{7*7}}",
        "${7*7}",
        "#{7*7}",
        "<%= 7*7 %>",
        "$(id)",
        "`id`",
    ),
    *("' OR '1'='1", "'; DROP TABLE rows;--", '" OR ""="', "1;SELECT pg_sleep(9)", "\\'", "/*", "*/", "-- -", "||"),
    *(
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "</textarea>",
        "<!--",
        "]]>",
        "javascript:alert(1)",
    ),
    *("&lt;", "&#0;", "&amp", "<?xml version='1.0'?>", '<!DOCTYPE a [<!ENTITY b "c">]>&b;', "\u2028alert(1)"),
    *(
        "../../../etc/passwd",
        "..\\..\\windows",
        "/dev/null",
        "C:\\con",
        "file:///etc/hosts",
        "~",
        "a\0.csv",
        "%2e%2e%2f",
    ),
    *("=1+1", "+1", "-1", "@SUM(A1)", "=cmd|'/C calc'!A0", '=HYPERLINK("http://x")', "\t=1", "\r=1", "'=1"),
    *(
        "null",
        "NULL",
        "None",
        "nil",
        "undefined",
        "NaN",
        "nan",
        "inf",
        "-Infinity",
        "true",
        "False",
        "NA",
        "N/A",
        "#REF!",
    ),
    *("__proto__", "constructor", "toString", "__class__", "self", "rows", "row", "columns", "prediction", "", " "),
    *(
        "0",
        "-0",
        "00",
        "1e1000",
        "-1e-1000",
        "0x10",
        "1_000",
        "1,5",
        "1.234,5",
        "١٢٣",
        "１２",
        "½",
        "1e",
        ".",
        "-",
        "+",
    ),
    *("9" * 400, "0." + "0" * 400 + "1", "9007199254740993", "18446744073709551616", "2024-02-30", "0000-00-00"),
    *(
        "9999-12-31T23:59:60Z",
        "1969-12-31",
        "24:00",
        "01/02/03",
        "P1Y",
        "\x1b[2J\x1b[31m",
        "\x1b]0;title\x07",
        "\x08" * 9,
    ),
    *("\U0001f469\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "e\u0301", "\u212b", "ﬃ", "ẞß", "İı", "Ω"),
    *(
        "\ud800",
        "\udfff",
        "a\udc80b",
        "\ud83d",
        "\ude00\ud83d",
        "\ufffe",
        "\uffff",
        "\U0010ffff",
        "\ufdd0",
        "\x7f\x80\x9f",
    ),
)


@cache
def naughty_strings() -> tuple[str, ...]:
    """All strings, always the same."""
    rng = Random(0)
    result = dict.fromkeys(_simple())
    while len(result) < COUNT:
        result[_composed(rng)] = None
    return tuple(result)[:COUNT]


def _simple() -> Iterator[str]:
    """Each part by itself, a few characters of every Unicode category, letters under many marks, and long strings."""
    yield from PARTS
    yield from BLANKS
    yield from (f"a{mark}b" for mark in DIRECTIONS)
    yield from (chr(code) for code in (*range(0x20), *range(0x7F, 0xA1)))
    rng = Random(1)
    by_category: dict[str, list[int]] = {}
    for code in range(sys.maxunicode + 1):
        by_category.setdefault(unicodedata.category(chr(code)), []).append(code)
    for codes in by_category.values():
        yield from (chr(code) for code in rng.sample(codes, min(12, len(codes))))
        yield "".join(chr(code) for code in rng.choices(codes, k=30))
    marks = [chr(code) for code in by_category["Mn"]]
    yield from ("".join(letter + "".join(rng.choices(marks, k=many)) for letter in "zalgo") for many in (3, 30, 300))
    yield from (
        unit * many for unit in ("a", "é", "\U0001f600", "\u202e", "\0", '"', "\\", " ") for many in (300, 70_000)
    )


def _composed(rng: Random) -> str:
    """Parts, blanks and marks in a row."""
    pieces = rng.choices((*PARTS, *BLANKS, *DIRECTIONS), k=rng.randint(2, 5))
    return rng.choice(("", " ", "\n", ",", '"', "\x00")).join(pieces)
