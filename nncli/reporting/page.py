"""What a page is made of, before it is HTML: sections of paragraphs, tables and figures.

All text is plain: it is escaped where the page is written, in nncli/reporting/html.py, and nowhere else.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from nncli.text import INVISIBLE_LETTERS, MAX_QUOTE_LENGTH, escape_unprintable

Level = Literal["note", "warning", "error"]
ISOLATED = "\u2068\u2069"
"""Between these two, text of any direction does not turn what is around it."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table; `share`, from 0 to 1, says how much it is shaded."""

    text: str
    share: float = 0.0


@dataclass(frozen=True)
class Table:
    """Rows of cells, the first of each being what it is about; columns at `prose` are words, the rest numbers.

    One that `folds` shows the cells of a row one beneath the other where there is no room to show them side by side.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    prose: tuple[int, ...] = (0,)
    note: str = ""
    folds: bool = False
    kind: ClassVar[str] = "table"

    @property
    def cells(self) -> tuple[tuple[Cell, ...], ...]:
        """The rows, every cell as a `Cell`."""
        return tuple(tuple(c if isinstance(c, Cell) else Cell(c) for c in row) for row in self.rows)


@dataclass(frozen=True)
class Figure:
    """A chart as SVG, which is trusted, what it shows in words, and its numbers."""

    svg: str
    title: str
    description: str
    table: Table
    kind: ClassVar[str] = "figure"


@dataclass(frozen=True)
class Gallery:
    """Figures beside one another where there is room."""

    figures: tuple[Figure, ...]
    kind: ClassVar[str] = "gallery"


@dataclass(frozen=True)
class Paragraph:
    """A few sentences."""

    text: str
    kind: ClassVar[str] = "paragraph"


@dataclass(frozen=True)
class Notice:
    """What must not be overlooked."""

    level: Level
    text: str
    kind: ClassVar[str] = "notice"


@dataclass(frozen=True)
class Facts:
    """Names and what they are."""

    pairs: tuple[tuple[str, str], ...]
    kind: ClassVar[str] = "facts"


@dataclass(frozen=True)
class Listing:
    """Text of a file, or a command, letter by letter; folded away where it is `long`."""

    title: str
    text: str
    long: bool = True
    kind: ClassVar[str] = "listing"


@dataclass(frozen=True)
class Points:
    """A list of sentences."""

    items: tuple[str, ...]
    kind: ClassVar[str] = "points"


@dataclass(frozen=True)
class Heading:
    """Of a part of a section."""

    text: str
    kind: ClassVar[str] = "heading"


Part: TypeAlias = Table | Figure | Gallery | Paragraph | Notice | Facts | Points | Listing | Heading


@dataclass(frozen=True)
class Section:
    """A part of the page with a title, found again by its `name`."""

    name: str
    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Page:
    """All that is shown. `lead` is the one sentence for who reads no more than that."""

    title: str
    lead: str
    notices: tuple[Notice, ...]
    sections: tuple[Section, ...]
    footer: str


def shown(name: object, most: int = MAX_QUOTE_LENGTH) -> str:
    """A name or a cell of a table on one line, shortened, with what would not show or would turn the text spelled out.

    What is written from right to left keeps to itself, between the characters for that.
    """
    text = escape_unprintable(str(name).removeprefix(ISOLATED[0]).removesuffix(ISOLATED[1]), keep=INVISIBLE_LETTERS)
    text = text if len(text) <= most else text[: most - 1] + "…"
    turned = any(unicodedata.bidirectional(c) in ("R", "AL") for c in text)
    return text.join(ISOLATED) if turned else text


def number(value: float | None) -> str:
    """Four significant digits; a dash for what is undefined, 0 for what is no more than rounding."""
    if value is None or value != value:
        return "–"
    if abs(value) < 1e-12:
        return "0"
    if abs(value) == float("inf"):
        return "∞" if value > 0 else "−∞"
    text = f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"
    return text.replace("-", "−")


def percent(share: float) -> str:
    """`12.5 %`, and no 0 % or 100 % for what is not quite."""
    text = f"{100 * share:.1f}"
    if text == "100.0" and share < 1:
        text = "> 99.9"
    if text == "0.0" and share > 0:
        text = "< 0.1"
    return "0 %" if text == "0.0" else "100 %" if text == "100.0" else f"{text} %"
