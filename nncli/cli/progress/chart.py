"""Learning curves as text: braille dots, eight per character, or ASCII."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, isfinite, log, nan
from typing import Literal, TypeAlias

MAX_POINTS = 256
"""The largest number of points of a curve."""
LOG_SCALE_RATIO = 30.0
"""The ratio of the largest to the smallest value above which the axis is logarithmic."""
LABEL_WIDTH = 9
"""Width of the labels of the axis in characters."""
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The bit of a dot in a braille character, by column and row from the top (Unicode 15, 21.1)."""

LineRole: TypeAlias = Literal["loss", "monitored", "best", "axis"]
Span: TypeAlias = tuple[str, LineRole]
"""A part of a line, and what it shows."""


class Curve:
    """A value per epoch, stored as at most MAX_POINTS means of `stride` epochs each."""

    def __init__(self) -> None:
        self.stride = 1
        self._points: list[float] = []
        self._sum, self._finite, self._epochs = 0.0, 0, 0  # of the last, incomplete point

    def add(self, value: float | None) -> None:
        """Append the value of the next epoch; None or a value that is not finite is a gap."""
        if value is not None and isfinite(value):
            self._sum, self._finite = self._sum + value, self._finite + 1
        self._epochs += 1
        if self._epochs == self.stride:
            self._points.append(self._mean())
            self._sum, self._finite, self._epochs = 0.0, 0, 0
            if len(self._points) == MAX_POINTS:
                self._points = list(map(_mean_of_finite, self._points[::2], self._points[1::2]))
                self.stride *= 2

    def truncate(self, epoch: int) -> None:
        """Remove the values after `epoch`."""
        whole, rest = divmod(epoch, self.stride)
        if whole < len(self._points):
            value = self._points[whole]
            del self._points[whole:]
        elif rest < self._epochs:
            value = self._mean()
        else:
            return
        self._finite = rest if isfinite(value) else 0
        self._sum, self._epochs = value * self._finite if self._finite else 0.0, rest

    @property
    def points(self) -> list[float]:
        """The means in order; NaN is a gap."""
        return [*self._points, self._mean()] if self._epochs else [*self._points]

    def _mean(self) -> float:
        return self._sum / self._finite if self._finite else nan


def _mean_of_finite(a: float, b: float) -> float:
    if isfinite(a) and isfinite(b):
        return a / 2 + b / 2
    return a if isfinite(a) else b


@dataclass(frozen=True)
class AxisScale:
    """A linear or logarithmic map from values to heights between 0 and 1."""

    low: float
    high: float
    logarithmic: bool

    @classmethod
    def of(cls, values: Sequence[float]) -> AxisScale | None:
        """The scale of the range of the finite values; None if there are none."""
        low, high = min(filter(isfinite, values), default=inf), max(filter(isfinite, values), default=-inf)
        return None if low > high else cls(low, high, low > 0.0 and high / low > LOG_SCALE_RATIO)

    def heights(self, values: Sequence[float]) -> list[float]:
        """The height of each value; NaN for one that is not finite."""
        low, high, of = self._of(self.low), self._of(self.high), self._of
        if high == low:
            return [0.5 if isfinite(value) else nan for value in values]
        return [(of(value) - low) / (high - low) if isfinite(value) else nan for value in values]

    def _of(self, value: float) -> float:
        return log(value) if self.logarithmic else value / 2  # halved so that the range does not overflow


class _Canvas:
    """A grid of characters of `across` by `down` dots each."""

    def __init__(self, width: int, height: int, *, braille: bool) -> None:
        self.across, self.down = (2, 4) if braille else (1, 1)
        self._braille = braille
        self._marks: list[list[int]] = [[0] * width for _ in range(height)]
        self._roles: list[list[LineRole]] = [["axis"] * width for _ in range(height)]

    def plot(self, points: Sequence[float], scale: AxisScale, role: LineRole) -> None:
        """Draw a line through the points across the full width; that of `loss` is dotted."""
        right, bottom = len(self._marks[0]) * self.across - 1, len(self._marks) * self.down - 1
        previous: tuple[int, int] | None = None
        step = right / max(len(points) - 1, 1)
        for i, height in enumerate(scale.heights(points)):
            if not isfinite(height):
                previous = None
                continue
            x, y = round(i * step), round((1.0 - height) * bottom)
            for at, top, end in _columns(previous or (x, y), (x, y)):
                if role == "loss" and self._braille and at % 2:
                    continue
                for dot in range(top, end + 1):
                    self._set(at, dot, role)
            previous = x, y

    def _set(self, x: int, y: int, role: LineRole) -> None:
        row, column = y // self.down, x // self.across
        bit = DOTS[x % 2][y % 4] if self._braille else ord("." if role == "loss" else "*")
        self._marks[row][column] = self._marks[row][column] | bit if self._braille else bit
        self._roles[row][column] = role

    def line(self, row: int) -> list[Span]:
        """The characters of a row, grouped by role."""
        spans: list[Span] = []
        for mark, role in zip(self._marks[row], self._roles[row], strict=True):
            character = " " if not mark else chr(0x2800 + mark) if self._braille else chr(mark)
            if spans and spans[-1][1] == role:
                spans[-1] = spans[-1][0] + character, role
            else:
                spans.append((character, role))
        return spans


def _columns(a: tuple[int, int], b: tuple[int, int]) -> Iterator[tuple[int, int, int]]:
    """For each column of dots on the line from a to b: its index and its first and last row."""
    (x0, y0), (x1, y1) = a, b
    last = y0
    for x in range(x0, x1 + 1):
        y = y1 if x == x1 else round(y0 + (y1 - y0) * (x - x0) / (x1 - x0))
        yield x, min(y, last + 1), max(y, last - 1)
        last = y


def chart(
    loss: Curve,
    monitored: Curve,
    *,
    epoch: int,
    best: int | None,
    width: int,
    height: int,
    braille: bool,
    unit: str = "epoch",
) -> list[list[Span]]:
    """Draw both curves over the epochs 1 to `epoch` in `height` lines of `width` columns, and mark the best epoch.

    `unit` is what is counted instead of epochs. The axis is labeled with the smallest and largest value, and with `log`
    if it is logarithmic. There are no lines if the size is too small or no value is finite.
    """
    columns, rows = width - LABEL_WIDTH - 2, height - 1
    curves: list[tuple[LineRole, list[float]]] = [("loss", loss.points), ("monitored", monitored.points)]
    scale = AxisScale.of([value for _, points in curves for value in points])
    if columns < 2 or rows < 2 or scale is None:
        return []
    canvas = _Canvas(columns, rows, braille=braille)
    for role, points in curves:
        canvas.plot(points, scale, role)
    labels = {0: f"{scale.high:.4g}", rows - 1: f"{scale.low:.4g}"}
    if scale.logarithmic and rows > 2:
        labels[rows // 2] = "log"
    edge = "┤│" if braille else "||"
    lines: list[list[Span]] = []
    for row in range(rows):
        label = f"{labels.get(row, ''):>{LABEL_WIDTH}} {edge[row not in labels]}"
        lines.append([(label[-LABEL_WIDTH - 2 :], "axis"), *canvas.line(row)])
    return [*lines, _epochs(epoch, best, columns, unit, braille=braille)]


def _epochs(epoch: int, best: int | None, columns: int, unit: str, *, braille: bool) -> list[Span]:
    """The axis of epochs: the first, the last, and a mark at the best; overlapping numbers are omitted."""
    at = -1 if best is None else round((best - 1) * (columns - 1) / max(epoch - 1, 1))
    line, last = [" "] * columns, f"{epoch}"
    end = columns if at < columns - len(last) - 1 else at - 1
    if epoch > 1 and end - len(last) > 1:
        line[end - len(last) : end] = last
    if at:
        line[0] = "1"
    before = f"{unit:>{LABEL_WIDTH}}  "
    if best is None:
        return [(before + "".join(line), "axis")]
    mark = "▲" if braille else "^"
    return [(before + "".join(line[:at]), "axis"), (mark, "best"), ("".join(line[at + 1 :]), "axis")]
