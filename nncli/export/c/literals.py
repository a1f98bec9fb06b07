"""Literals and comments of C: numbers that are read as the same bits, and texts that cannot end their quotes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

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
    shown = re.sub(r"\*(?=/)|/(?=\*)|\?(?=\?)|\\$", lambda found: found[0] + " ", shown)
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
