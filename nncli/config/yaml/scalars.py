"""Scalars: how text without quotes is converted, and how a value is shown in a message.

The core schema of YAML 1.2 without its surprises: `no`, `1:30`, `007` and `2024-01-01` are text, `1e-3` is a number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType

from nncli.base.text import quote

_CONSTANTS: Mapping[str, object] = MappingProxyType(
    {word: value for words, value in (
        (("", "~", "null", "Null", "NULL"), None),
        (("true", "True", "TRUE"), True),
        (("false", "False", "FALSE"), False),
        ((".nan", ".NaN", ".NAN"), float("nan")),
        ((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
        (("-.inf", "-.Inf", "-.INF"), float("-inf")),
    ) for word in words}
)  # fmt: skip
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?|(?:\.[0-9]+|[0-9]+)[eE][-+]?[0-9]+)")


def parse_scalar(text: str) -> object:
    """Convert a scalar that is written without quotes.

    Raises:
        ValueError: a number has too many digits or would round to infinity.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise ValueError(text)
        return number
    return text


def describe(value: object) -> str:
    """`value` as written in YAML, or its kind if it is a list or a section."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, int | float):
        return quote(value).strip("'")
    if isinstance(value, dict):
        return "key: value pairs"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return quote(value)
