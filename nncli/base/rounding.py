"""Rounding of numbers that are cells of single rows, for files that others see."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import floor, log10

DIGITS = 3


def rounded_apart(values: Sequence[float], center: float = 0.0) -> tuple[float, ...]:
    """Ascending numbers, rounded to three digits of their distances from `center`.

    Equal ones stay equal, and others stay apart and in order: those that become equal are spread up to the next one.

    >>> rounded_apart([1.23456, 45.6789, 45.6789])
    (1.23, 45.7, 45.7)
    """
    spread: dict[float, float] = {}
    groups = [(rounded, [*group]) for rounded, group in groupby(dict.fromkeys(values), lambda x: _rounded(x - center))]
    following = [rounded for rounded, _ in groups[1:]] + [float("inf")]
    for (rounded, group), after in zip(groups, following, strict=True):
        step = min(after - rounded, _unit(rounded)) / len(group)
        spread |= {value: center + rounded + i * step for i, value in enumerate(group)}
    return tuple(spread[value] for value in values)


def _rounded(x: float) -> float:
    return float(f"{x:.{DIGITS - 1}e}")


def _unit(x: float) -> float:
    """One unit in the last digit of a rounded number."""
    return 10.0 ** (floor(log10(abs(x))) - DIGITS + 1) if x else 1e-300
