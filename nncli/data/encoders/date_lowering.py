"""The parts of dates as operations of a program, from days since 1970-01-01, a Thursday.

The calendar is that of Hinnant, "chrono-compatible low-level date algorithms", 2013: its divisions of whole numbers are
exact in float64.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from nncli.nn.program.values import Value, absolute, floor, maximum, minimum, select

Cycle: TypeAlias = Literal["month", "weekday", "hour"]


class Calendar(NamedTuple):
    """The year and the month, from 1, of dates (rows, 1)."""

    year: Value
    month: Value


def lower_calendar(days: Value) -> Calendar:
    """The year and the month of days since 1970, in the Gregorian calendar; years begin in March for the arithmetic."""
    z = floor(days) + 719_468.0
    era = floor(z / 146_097.0)
    day_of_era = z - era * 146_097.0
    leap_days = floor(day_of_era / 1_460.0) - floor(day_of_era / 36_524.0) + floor(day_of_era / 146_096.0)
    year_of_era = floor((day_of_era - leap_days) / 365.0)
    day_of_year = day_of_era - (year_of_era * 365.0 + floor(year_of_era / 4.0) - floor(year_of_era / 100.0))
    from_march = floor((day_of_year * 5.0 + 2.0) / 153.0)
    month = from_march + select(from_march >= 10.0, -9.0, 3.0)
    return Calendar(year_of_era + era * 400.0 + (month <= 2.0), month)


def lower_cycle(cycle: Cycle, days: Value) -> Value:
    """The position within the cycle, in [0, 1)."""
    if cycle == "month":
        return (lower_calendar(days).month - 1.0) / 12.0
    if cycle == "weekday":
        from_monday = floor(days) + 3.0
        return (from_monday - floor(from_monday / 7.0) * 7.0) / 7.0
    return days - floor(days)


def lower_shift_into_range(days: Value, low: float, high: float, days_per_year: float) -> Value:
    """The operations of `DateColumn._shift_into_range`."""

    def shift(end: float, sign: float) -> Value:
        years = floor(absolute(days - end) / days_per_year * -1.0) * -1.0
        moved = days + _round_half_even(years * days_per_year) * sign
        is_far = moved < low if sign < 0.0 else moved > high
        return select(is_far, end, minimum(maximum(moved, low), high))

    return select(days > high, shift(high, -1.0), select(days < low, shift(low, 1.0), days))


def _round_half_even(x: Value) -> Value:
    """The nearest whole number, the even one of two."""
    nearest = floor(x + 0.5)
    is_odd = nearest - floor(nearest / 2.0) * 2.0
    return nearest - is_odd * (nearest - x >= 0.5)
