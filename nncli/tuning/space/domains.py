"""What a parameter of the search space is chosen from: numbers of a range, or one of several choices."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10
from typing import TypeAlias

Value: TypeAlias = int | float
"""The value of a parameter in a trial: a number, or the index of a choice."""

SIGNIFICANT_DIGITS = 4
"""Digits of the numbers that are trained with: more make no difference, and these can be read."""
MIN_VALUES, MAX_DIGITS = 1_000, 17
"""Numbers of a narrow range that differ, which then have more digits; 17 are all of a floating-point number."""
MAX_VALUES = 1_000_000
"""Numbers of a range that are listed."""


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
        if self.step is None:
            rounded = float(f"{float(value):.{self._digits(float(value))}g}")
        else:
            rounded = round(float(value), max(0, SIGNIFICANT_DIGITS - floor(log10(self.step))))
        return min(max(rounded, float(self.low)), float(self.high))

    def _digits(self, value: float) -> int:
        """The significant digits of a fraction: enough for about MIN_VALUES different ones in the range."""
        if value == 0.0:
            return SIGNIFICANT_DIGITS
        unit = (float(self.high) - float(self.low)) / MIN_VALUES
        digits = floor(log10(abs(value))) - floor(log10(unit)) + 1 if unit else MAX_DIGITS
        return min(MAX_DIGITS, max(SIGNIFICANT_DIGITS, digits))

    def contains(self, value: Value) -> bool:
        """Whether the number is one of the domain."""
        if not self.low <= value <= self.high:
            return False
        distance = self._distance
        steps = 0.0 if distance is None else (value - self.low) / distance
        return abs(steps - round(steps)) < 1e-8

    @property
    def count(self) -> int | None:
        """How many numbers there are; None if they are not finite."""
        distance = self._distance
        return None if distance is None else floor((self.high - self.low) / distance + 1e-8) + 1

    @property
    def values(self) -> tuple[Value, ...] | None:
        """All numbers, or None if there are too many to list."""
        count, distance = self.count, self._distance
        if count is None or distance is None or count > MAX_VALUES:
            return None
        return tuple(self.rounded(self.low + i * distance) for i in range(count))

    @property
    def _distance(self) -> int | float | None:
        return self.step if self.step is not None or not self.is_int else 1


@dataclass(frozen=True)
class ChoiceDomain:
    """Several choices; `labels` are their texts in tables."""

    choices: tuple[object, ...]
    labels: tuple[str, ...]

    def rounded(self, value: Value) -> Value:
        """The index itself."""
        return int(value)

    def contains(self, value: Value) -> bool:
        """Whether there is a choice of that index."""
        return value in range(self.count)

    @property
    def count(self) -> int:
        """How many choices there are."""
        return len(self.choices)

    @property
    def values(self) -> tuple[Value, ...]:
        """The indices of the choices."""
        return tuple(range(self.count))


Domain: TypeAlias = NumberDomain | ChoiceDomain
