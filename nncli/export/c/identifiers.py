"""Identifiers of C from any text: valid, different from each other, and no keyword or macro."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

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
