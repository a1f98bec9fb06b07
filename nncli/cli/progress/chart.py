"""Curves of the losses as text: braille dots, eight to a character, or plain ASCII where a terminal has no braille."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, isfinite, log, nan
from typing import Literal, TypeAlias

MOST_POINTS = 256
"""Points that a curve keeps, however many epochs there are: in the end one or more for each dot across."""
WORTH_A_LOGARITHM = 30.0
"""The ratio of the highest to the lowest value from which the axis is logarithmic."""
LABEL = 9
"""Columns of the axis's labels."""
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The bit of a dot in a braille character, by column and row from the top (Unicode 15, 21.1)."""

Role: TypeAlias = Literal["loss", "val_loss", "best", "axis"]
Span: TypeAlias = tuple[str, Role]
"""A piece of a line, and what it shows."""


class Curve:
    """A value for each epoch, kept as at most MOST_POINTS means of `stride` epochs each."""

    def __init__(self) -> None:
        self.stride = 1
        self._points: list[float] = []
        self._sum, self._finite, self._epochs = 0.0, 0, 0  # of the latest point, which is not full yet

    def add(self, value: float | None) -> None:
        """The value of the next epoch; what is missing or not finite leaves a gap."""
        if value is not None and isfinite(value):
            self._sum, self._finite = self._sum + value, self._finite + 1
        self._epochs += 1
        if self._epochs == self.stride:
            self._points.append(self._mean())
            self._sum, self._finite, self._epochs = 0.0, 0, 0
            if len(self._points) == MOST_POINTS:
                self._points = list(map(_between, self._points[::2], self._points[1::2]))
                self.stride *= 2

    def go_back(self, epoch: int) -> None:
        """Forget what came after so many epochs."""
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
        """The means, in the order of the epochs; no number where there is a gap."""
        return [*self._points, self._mean()] if self._epochs else [*self._points]

    def _mean(self) -> float:
        return self._sum / self._finite if self._finite else nan


def _between(a: float, b: float) -> float:
    if isfinite(a) and isfinite(b):
        return a / 2 + b / 2
    return a if isfinite(a) else b


@dataclass(frozen=True)
class Scale:
    """From values to heights between 0 and 1."""

    low: float
    high: float
    logarithmic: bool

    @classmethod
    def of(cls, values: Sequence[float]) -> Scale | None:
        """One that all finite values fit; None where there are none."""
        low, high = min(filter(isfinite, values), default=inf), max(filter(isfinite, values), default=-inf)
        return None if low > high else cls(low, high, low > 0.0 and high / low > WORTH_A_LOGARITHM)

    def heights(self, values: Sequence[float]) -> list[float]:
        """Where each value stands; no number for one that is not finite."""
        low, high, of = self._of(self.low), self._of(self.high), self._of
        if high == low:
            return [0.5 if isfinite(value) else nan for value in values]
        return [(of(value) - low) / (high - low) if isfinite(value) else nan for value in values]

    def _of(self, value: float) -> float:
        return log(value) if self.logarithmic else value / 2  # halved, the widest span is finite


class _Canvas:
    """Characters of `across` by `down` dots each."""

    def __init__(self, width: int, height: int, *, braille: bool) -> None:
        self.across, self.down = (2, 4) if braille else (1, 1)
        self._braille = braille
        self._marks: list[list[int]] = [[0] * width for _ in range(height)]
        self._roles: list[list[Role]] = [["axis"] * width for _ in range(height)]

    def plot(self, points: Sequence[float], scale: Scale, role: Role) -> None:
        """A line from point to point, from the left edge to the right one; that of `loss` is dotted."""
        right, bottom = len(self._marks[0]) * self.across - 1, len(self._marks) * self.down - 1
        before: tuple[int, int] | None = None
        stretch = right / max(len(points) - 1, 1)
        for i, height in enumerate(scale.heights(points)):
            if not isfinite(height):
                before = None
                continue
            x, y = round(i * stretch), round((1.0 - height) * bottom)
            for at, top, end in _columns(before or (x, y), (x, y)):
                if role == "loss" and self._braille and at % 2:
                    continue
                for dot in range(top, end + 1):
                    self._set(at, dot, role)
            before = x, y

    def _set(self, x: int, y: int, role: Role) -> None:
        row, column = y // self.down, x // self.across
        bit = DOTS[x % 2][y % 4] if self._braille else ord("." if role == "loss" else "*")
        self._marks[row][column] = self._marks[row][column] | bit if self._braille else bit
        self._roles[row][column] = role

    def line(self, row: int) -> list[Span]:
        """A line of characters, those of one role together."""
        spans: list[Span] = []
        for mark, role in zip(self._marks[row], self._roles[row], strict=True):
            character = " " if not mark else chr(0x2800 + mark) if self._braille else chr(mark)
            if spans and spans[-1][1] == role:
                spans[-1] = spans[-1][0] + character, role
            else:
                spans.append((character, role))
        return spans


def _columns(a: tuple[int, int], b: tuple[int, int]) -> Iterator[tuple[int, int, int]]:
    """For each column of dots on the way from a to b: its number, and its first and last row, none twice."""
    (x0, y0), (x1, y1) = a, b
    last = y0
    for x in range(x0, x1 + 1):
        y = y1 if x == x1 else round(y0 + (y1 - y0) * (x - x0) / (x1 - x0))
        yield x, min(y, last + 1), max(y, last - 1)
        last = y


def chart(
    loss: Curve, val_loss: Curve, *, epoch: int, best: int | None, width: int, height: int, braille: bool
) -> list[list[Span]]:
    """Both curves over the epochs 1 to `epoch`, `height` lines of `width` columns; beneath them the best is marked.

    The axis tells the lowest and the highest value, and says where it is logarithmic. A size too small for a curve
    gives no lines at all, and so do values of which none is finite.
    """
    columns, rows = width - LABEL - 2, height - 1
    curves: list[tuple[Role, list[float]]] = [("loss", loss.points), ("val_loss", val_loss.points)]
    scale = Scale.of([value for _, points in curves for value in points])
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
        label = f"{labels.get(row, ''):>{LABEL}} {edge[row not in labels]}"
        lines.append([(label[-LABEL - 2 :], "axis"), *canvas.line(row)])
    return [*lines, _epochs(epoch, best, columns, braille=braille)]


def _epochs(epoch: int, best: int | None, columns: int, *, braille: bool) -> list[Span]:
    """The line beneath: the first epoch, the last, and a mark at the best, which the others make room for."""
    at = -1 if best is None else round((best - 1) * (columns - 1) / max(epoch - 1, 1))
    line, last = [" "] * columns, f"{epoch}"
    end = columns if at < columns - len(last) - 1 else at - 1
    if epoch > 1 and end - len(last) > 1:
        line[end - len(last) : end] = last
    if at:
        line[0] = "1"
    before = f"{'epoch':>{LABEL}}  "
    if best is None:
        return [(before + "".join(line), "axis")]
    mark = "▲" if braille else "^"
    return [(before + "".join(line[:at]), "axis"), (mark, "best"), ("".join(line[at + 1 :]), "axis")]
