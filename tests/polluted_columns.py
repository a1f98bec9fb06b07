"""Columns of numbers, dates and words as people have them: with two decimal marks, words among numbers, short years."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

R = random.Random
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class PollutedColumn:
    """Cells, and what each means: a number, or days since 1970; None if it is missing, or means neither."""

    what: Literal["numbers", "dates", "words"]
    cells: list[str]
    values: list[float | None]


def grouped(x: float, decimal: str, between: str) -> str:
    """1,234.50 with these marks."""
    return f"{x:,.2f}".translate(str.maketrans(",.", between + decimal))


NUMBERS: dict[str, Callable[[float], str]] = {
    "points": lambda x: f"{x:.2f}",
    "one decimal": lambda x: f"{x:.2f}".rstrip("0"),
    "commas": lambda x: f"{x:.2f}".replace(".", ","),
    "points and thousands": lambda x: grouped(x, ".", ","),
    "commas and thousands": lambda x: grouped(x, ",", "."),
    "apostrophes": lambda x: grouped(x, ".", "'"),
    "unit": lambda x: f"{x:.2f} kg",
    "percent": lambda x: f"{x:.2f} %",
    "money": lambda x: f"${grouped(x, '.', ',')}",
    "euros": lambda x: f"{grouped(x, ',', '.')} €",
}
DATES: dict[str, Callable[[date], str]] = {
    "iso": date.isoformat,
    "points": lambda d: f"{d:%d.%m.%Y}",
    "slashes": lambda d: f"{d:%d/%m/%Y}",
    "american": lambda d: f"{d.month}/{d.day}/{d.year}",
    "short points": lambda d: f"{d:%d.%m.%y}",
    "short slashes": lambda d: f"{d:%d/%m/%y}",
    "short american": lambda d: f"{d.month}/{d.day}/{d:%y}",
    "short year first": lambda d: f"{d:%y-%m-%d}",
    "short hyphens": lambda d: f"{d:%d-%m-%y}",
    "short name": lambda d: f"{d:%d-%b-%y}",
    "short clock": lambda d: f"{d:%d/%m/%y} 00:00",
    "french": lambda d: f"{d.day} août {d.year}",
}
MISSING = ("", "NA", "k.A.", "unknown", "?", "withheld", "-")


def polluted_column(r: R, rows: int) -> PollutedColumn:
    """A column of one family, with a pollution or without."""
    what = r.choice(["numbers", "numbers", "dates", "dates", "words"])
    if what == "words":
        words = r.choice([["red", "blue", "green"], ["e1", "e2", "12a"], ["1-2", "3-5", "10-12"], ["yes", "no"]])
        return PollutedColumn("words", r.choices(words, k=rows), [None] * rows)
    values: list[float | None]
    if what == "numbers":
        scale = r.choice([9, 900, 90_000])
        numbers = [round(r.uniform(0.01, scale), 2) for _ in range(rows)]
        main, other = r.choice([*NUMBERS.values()]), r.choice([*NUMBERS.values()])
        if r.random() < 0.6:
            other = main
        share, values = r.choice([0.01, 0.1, 0.4]), [*numbers]
        cells = [(other if r.random() < share else main)(x) for x in numbers]
    else:
        span = r.choice([300, 1000, 15_000])
        days = [date(1985, 1, 1) + timedelta(r.randint(0, span)) for _ in range(rows)]
        if r.random() < 0.2:
            days = [day.replace(day=min(day.day, 12)) for day in days]
        form, second = r.choice([*DATES.values()]), r.choice([*DATES.values()])
        if r.random() < 0.6:
            second = form
        share, values = r.choice([0.01, 0.3, 0.5]), [float((day - EPOCH).days) for day in days]
        cells = [(second if r.random() < share else form)(day) for day in days]
    if r.random() < 0.4:
        word, share = r.choice(MISSING), r.choice([0.005, 0.05, 0.3])
        for i in range(rows):
            if r.random() < share:
                cells[i], values[i] = word, None
    if r.random() < 0.1:
        cells = [f" {cell} " for cell in cells]
    return PollutedColumn("numbers" if what == "numbers" else "dates", cells, values)


def polluted_table(seed: int, columns: int = 5, rows: int = 120) -> tuple[str, dict[str, PollutedColumn]]:
    """The text of a CSV with a target `y` of plain whole numbers, and its columns by name."""
    r = R(f"polluted {seed}")
    made = {f"c{j}": polluted_column(r, rows) for j in range(columns)}
    separator = r.choice(",;\t")
    lines = [separator.join([*made, "y"])]
    for i in range(rows):
        cells = [*(column.cells[i] for column in made.values()), str(1000 + i * 37 % 501)]
        lines.append(separator.join(f'"{cell}"' if separator in cell else cell for cell in cells))
    return "\n".join(lines) + "\n", made
