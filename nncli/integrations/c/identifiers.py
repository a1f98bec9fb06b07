"""Identifiers of C from any text: valid, different from each other, and no keyword or macro."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

LONGEST_FIELD, LONGEST = 24, 60
"""Characters of the identifier of a column, and of any identifier: C99 promises 31 between files, 63 within one."""
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def words_of(source: str) -> set[str]:
    """All identifiers in C source."""
    return set(WORD.findall(source))


KEYWORDS = words_of(
    "auto break case char const continue default do double else enum extern float for goto if inline int long register "
    "restrict return short signed sizeof static struct switch typedef union unsigned void volatile while "
    # of later versions of C, and of C++
    "alignas alignof bool constexpr false nullptr static_assert thread_local true typeof typeof_unqual asm fortran "
    "and and_eq bitand bitor catch class co_await co_return co_yield compl concept consteval constinit const_cast "
    "decltype delete dynamic_cast explicit export friend mutable namespace new noexcept not not_eq operator or or_eq "
    "private protected public reinterpret_cast requires static_cast template this throw try typeid typename using "
    "virtual wchar_t xor xor_eq"
)
MACROS = words_of(
    # of the standard headers and the compilers, as far as they are in lower case
    "assert complex errno i386 imaginary isfinite isinf isnan isnormal isgreater isless linux near far noreturn "
    "offsetof setjmp signbit stderr stdin stdout unix va_arg va_copy va_end va_start"
)


def identifier_of(text: str, fallback: str) -> str:
    """The text as letters, digits and underscores, in lower case without accents; `fallback` if nothing is left."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_") or fallback


class Identifiers:
    """Gives different identifiers. None is a keyword, a macro, a type of the standard library, or `reserved`."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._taken = {*KEYWORDS, *MACROS, *reserved}

    def of(self, text: str, *, prefix: str = "", fallback: str = "x", longest: int = LONGEST) -> str:
        """The identifier of a text, with a number if another text has it already."""
        name = prefix + identifier_of(text, fallback)
        name = f"{fallback}_{name}" if name[0].isdigit() else name
        name = name[:longest].rstrip("_")
        name = f"{name}_" if name in KEYWORDS | MACROS or name.endswith("_t") else name
        unique, number = name, 2
        while unique in self._taken:
            unique, number = f"{name.rstrip('_')}_{number}", number + 1
        self._taken.add(unique)
        return unique


LONGEST_LITERAL = 4000
"""Bytes of a string literal. C99 promises 4095."""
NEVER = b"\xff"
"""A byte that UTF-8 does not have stands for U+0000, which no C string has: such a text equals no cell."""


def string(text: str) -> str:
    """A text as a string constant in UTF-8."""
    data = text.encode().replace(b"\0", NEVER)
    if len(data) <= LONGEST_LITERAL:
        return '"' + "".join(map(_in_quotes, data)) + '"'
    return "(const char[]){" + ",".join(f"'\\{byte:o}'" for byte in data) + ",0}"


def _in_quotes(byte: int) -> str:
    c = chr(byte)
    # A question mark could begin a trigraph.
    return c if 0x20 <= byte < 0x7F and c not in '"\\?' else f"\\{byte:03o}"


def comment(text: str, longest: int = 200) -> str:
    """A text within a comment, on one line: it cannot end the comment, nor continue it on the next line."""
    shown = "".join(c if c.isprintable() else f"<U+{ord(c):04X}>" for c in text[:longest])
    shown += "..." if len(text) > longest else ""
    shown = re.sub(r"\*(?=/)|/(?=\*)|\?(?=\?)|\\$", lambda match: match[0] + " ", shown)
    return shown.replace("\\", "\\ ") if shown.endswith("\\") else shown


def number(x: float) -> str:
    """A double constant."""
    if np.isnan(x):
        return "NAN"
    if np.isinf(x):
        return "INFINITY" if x > 0 else "-INFINITY"
    return repr(float(x))


def array(name: str, values: npt.NDArray[np.floating[Any]]) -> str:
    """The definition of a constant array, of float or double, as one row of numbers."""
    kind, suffix = ("float", "f") if values.dtype == np.float32 else ("double", "")
    flat = pl.Series(values.reshape(-1))
    texts = flat.cast(pl.String)
    if not np.isfinite(values).all():
        special = pl.Series([_special(x) for x in values.reshape(-1).tolist()], dtype=pl.String)
        texts = special.fill_null(texts + suffix)
    else:
        texts = texts + suffix
    return f"static const {kind} {name}[{len(flat)}] = {{\n{wrapped(texts.to_list())}\n}};\n"


def _special(x: float) -> str | None:
    """The macro of a number that is not finite."""
    return None if np.isfinite(x) else number(x)


def wrapped(items: Sequence[str]) -> str:
    """Items separated by commas, eight on a line."""
    lines = (", ".join(items[start : start + 8]) for start in range(0, len(items), 8))
    return "    " + ",\n    ".join(lines)
