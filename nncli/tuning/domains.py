"""What a parameter of the search space is chosen from: numbers of a range, or one of several choices."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10
from typing import TypeAlias

Value: TypeAlias = int | float
"""The value of a parameter in a trial: a number, or the index of a choice."""

SIGNIFICANT_DIGITS = 4
"""Digits of the numbers that are trained with: more make no difference, and these can be read."""


@dataclass(frozen=True)
class NumberDomain:
    """The numbers from `low` to `high`, both included; `step` is their distance, or None."""

    low: int | float
    high: int | float
    step: int | float | None
    is_log: bool
    is_int: bool

    def rounded(self, value: Value) -> Value:
        """The number of the domain with few digits that is closest to `value`."""
        if self.is_int:
            return int(value)
        if self.step is not None:
            places = max(0, SIGNIFICANT_DIGITS - floor(log10(self.step)))
            return round(float(value), places)
        rounded = float(f"{float(value):.{SIGNIFICANT_DIGITS}g}")
        return min(max(rounded, float(self.low)), float(self.high))

    @property
    def values(self) -> tuple[Value, ...] | None:
        """All numbers, or None if there are too many to list."""
        step = self.step if self.step is not None else 1 if self.is_int and not self.is_log else None
        if step is None:
            return None
        count = floor((self.high - self.low) / step + 1e-9) + 1
        return tuple(self.rounded(self.low + i * step) for i in range(count))


@dataclass(frozen=True)
class ChoiceDomain:
    """Several choices; `labels` are their texts in tables."""

    choices: tuple[object, ...]
    labels: tuple[str, ...]

    def rounded(self, value: Value) -> Value:
        """The index itself."""
        return int(value)

    @property
    def values(self) -> tuple[Value, ...]:
        """The indices of the choices."""
        return tuple(range(len(self.choices)))


Domain: TypeAlias = NumberDomain | ChoiceDomain
