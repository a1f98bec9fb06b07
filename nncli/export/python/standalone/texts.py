"""Cells as text, as nncli/data/columns/parsing.py makes it of numbers."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""The white space of Unicode, as part of a set of characters in a regular expression."""
SPACES = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""The same characters. Python's str.strip would also remove the separators of ASCII, which are none."""
INT64 = 2.0**63


def is_missing(cell: object) -> bool:
    """Whether a cell is None, NaN, or what pandas and NumPy have for a missing date."""
    if cell is None or type(cell).__name__ == "NAType":
        return True
    return isinstance(cell, float | np.floating | np.datetime64 | date) and bool(cell != cell)


def text_of(cell: object) -> str | None:
    """A cell that is not missing as text: 3 for 3.0, and true for True; None if it is neither number nor text."""
    if isinstance(cell, str):
        return str(cell)
    if isinstance(cell, bool | np.bool_):
        return "true" if cell else "false"
    if isinstance(cell, int | np.integer):
        return str(int(cell))
    if isinstance(cell, Decimal) and cell.is_finite():
        digits = format(cell, "f")
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    if isinstance(cell, float | np.floating):
        whole = np.abs(cell) < INT64 and cell == np.floor(cell)
        return str(int(cell)) if whole else shortest_text(cell)
    return None


def shortest_text(x: float | np.floating[Any]) -> str:
    """The shortest decimal number that is read as x again: 0.1, 2.0, 1e-7, 1e+16."""
    if not np.isfinite(x):
        return "NaN" if np.isnan(x) else "-inf" if np.signbit(x) else "inf"
    text = str(x) if isinstance(x, np.floating) and not isinstance(x, float) else float.__repr__(float(x))
    if x == 0.0:
        return "-0.0" if text.startswith("-") else "0.0"
    exact = Decimal(text).normalize()
    sign, digits, _ = exact.as_tuple()
    exponent = exact.adjusted()
    lowest, highest = (-5, 15) if isinstance(x, float) else (-6, 12)
    if lowest <= exponent <= highest:
        plain = format(exact, "f")
        return plain if "." in plain else f"{plain}.0"
    mantissa = "".join(map(str, digits))
    point = "." if len(mantissa) > 1 else ""
    return f"{'-' * sign}{mantissa[0]}{point}{mantissa[1:]}e{'+' if exponent > 0 else '-'}{abs(exponent)}"
