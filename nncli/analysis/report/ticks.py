"""Ticks of charts: positions on logarithmic axes, and numbers that tell neighboring ticks apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, floor, isfinite, log10

from matplotlib.ticker import Formatter, Locator

MAX_LOG_TICKS = 7
"""Most ticks of a logarithmic axis."""
EXPONENT_FROM, EXPONENT_BELOW = 1e6, 1e-4
"""The largest tick from which, and below which, numbers are written with an exponent."""
MAX_DIGITS = 17
"""Significant digits that tell any two numbers apart."""
TOLERANCE = 0.02
"""Largest error of a tick's number, as a fraction of the distance to the next tick."""


class PlainFormatter(Formatter):
    """Formats all ticks of an axis with as many digits as tell them apart."""

    def __init__(self) -> None:
        self._labels: dict[float, str] = {}

    def set_locs(self, locs: Sequence[float]) -> None:
        """Format the ticks at these positions."""
        values = [float(value) for value in locs]
        self._labels = dict(zip(values, tick_labels(values), strict=True))

    def __call__(self, x: float, pos: int | None = None) -> str:
        """The label of the tick at `x`."""
        return self._labels.get(float(x)) or tick_labels([float(x)])[0]


class PlainLogLocator(Locator):
    """Ticks of a logarithmic axis: 1, 2 and 5 times the powers of ten, or some of the powers."""

    def __call__(self) -> Sequence[float]:
        """The positions for the present limits."""
        low, high = self.axis.get_view_interval()  # type: ignore[union-attr]
        return self.tick_values(low, high)

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        """The positions between two positive limits, in ascending order."""
        return log_ticks(*sorted((float(vmin), float(vmax))))


def log_ticks(low: float, high: float) -> list[float]:
    """At most MAX_LOG_TICKS positions between two positive limits."""
    if not 0 < low <= high or not isfinite(high):
        return []
    first, last = floor(log10(low)), ceil(log10(high))
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [value for k in range(first, last + 1) for s in steps if low <= (value := _power(s, k)) <= high]
        if len(ticks) <= MAX_LOG_TICKS:
            return ticks
    stride = ceil(len(ticks) / MAX_LOG_TICKS)
    return ticks[(len(ticks) - 1) % stride :: stride]


def _power(factor: int, exponent: int) -> float:
    """`factor` times a power of ten, rounded correctly."""
    return float(f"{factor}e{exponent}")


def tick_labels(values: Sequence[float]) -> list[str]:
    """Short numbers for ticks, with the fewest digits by which all of them differ."""
    finite = sorted({value for value in values if isfinite(value)})
    largest = max(map(abs, finite), default=0.0)
    gap = min((b - a for a, b in pairwise(finite)), default=0.0)
    exact = [0.0 if abs(value) < 1e-9 * gap else value for value in values]
    spread = {value: _neighbor_gap(value, finite) for value in exact}
    for digits in range(3, MAX_DIGITS + 1):
        if all(abs(float(f"{value:.{digits}g}") - value) <= TOLERANCE * spread[value] for value in exact):
            break
    scientific = largest >= EXPONENT_FROM or 0 < largest < EXPONENT_BELOW
    return [_label(float(f"{value:.{digits}g}"), digits, scientific=scientific) for value in exact]


def _neighbor_gap(value: float, finite: Sequence[float]) -> float:
    """The distance from `value` to the nearest other position; without another, the size of the value."""
    others = [abs(other - value) for other in finite if other != value]
    return min(others, default=abs(value)) or abs(value)


def _label(value: float, digits: int, *, scientific: bool) -> str:
    if value == 0:
        return "0"
    if scientific and not EXPONENT_BELOW <= abs(value) < EXPONENT_FROM:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        text = f"{mantissa}e{int(exponent)}"
    else:
        places = max(0, digits - 1 - floor(log10(abs(value))))
        text = f"{value:,.{places}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "−")
