"""The content of a page: sections of paragraphs, tables and figures.

All text is plain. It is escaped in this file, and nowhere else.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, TypeAlias

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from nncli.base.atomic_files import check_overwrite, write_text
from nncli.base.errors import Location, UsageError
from nncli.base.text import INVISIBLE_LETTERS, MAX_QUOTE_LENGTH, escape_unprintable, format_number, short_number
from nncli.base.web_page import base_style
from nncli.version import __version__

NoticeLevel = Literal["note", "warning", "error"]
ISOLATED = "\u2068\u2069"
"""Unicode isolates: between them, right-to-left text does not reorder its surroundings."""


@dataclass(frozen=True)
class Effect:
    """What moves a value up or down: its name, the change as text, and its size from -1 to 1."""

    name: str
    change: str
    size: float


@dataclass(frozen=True)
class Cell:
    """A cell of a table; `exact` is what a shortened `text` stands for.

    `bars` are the heights of a small bar chart; `effects` are drawn as signed bars in place of the exact text.
    """

    text: str
    exact: str = ""
    bars: tuple[float, ...] = ()
    effects: tuple[Effect, ...] = ()

    @property
    def full(self) -> str:
        """The text with all that it stands for."""
        return self.exact or self.text


def number_cell(value: float | None) -> Cell:
    """A number with three significant digits, which stands for one with more."""
    return shortened(short_number(value), format_number(value))


def shortened(text: str, exact: str) -> Cell:
    """A text that stands for a longer one."""
    return Cell(text, "" if text == exact else exact)


Row: TypeAlias = tuple[str | Cell, ...]
"""The cells of a row of a table; a text is a cell."""


class Block:
    """A part of a section, whose `kind` the template and JSON name."""

    @property
    def kind(self) -> str:
        """The name of the class in lower case, without `Block`."""
        return type(self).__name__.removesuffix("Block").lower()


@dataclass(frozen=True)
class TableBlock(Block):
    """A table whose first column is the header of each row; the columns `prose` are text, the rest numbers.

    If it `folds`, narrow screens show the cells of a row below each other.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    prose: tuple[int, ...] = (0,)
    note: str = ""
    folds: bool = False

    @property
    def cells(self) -> tuple[tuple[Cell, ...], ...]:
        """The rows, with every cell as a `Cell`."""
        return tuple(tuple(c if isinstance(c, Cell) else Cell(c) for c in row) for row in self.rows)


@dataclass(frozen=True)
class FigureBlock(Block):
    """A chart as SVG, with a description and a table of its numbers; a `wide` one takes the whole width."""

    svg: str
    title: str
    description: str
    table: TableBlock
    wide: bool = False


@dataclass(frozen=True)
class Gallery(Block):
    """Figures side by side."""

    figures: tuple[FigureBlock, ...]


@dataclass(frozen=True)
class Paragraph(Block):
    """A paragraph of text."""

    text: str


@dataclass(frozen=True)
class Notice(Block):
    """A highlighted note, warning or error."""

    level: NoticeLevel
    text: str


@dataclass(frozen=True)
class Facts(Block):
    """Pairs of a name and a value."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Listing(Block):
    """Preformatted text, such as a file or a command; collapsed if it is `long`."""

    title: str
    text: str
    long: bool = True


@dataclass(frozen=True)
class Points(Block):
    """A bulleted list."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Heading(Block):
    """A heading within a section."""

    text: str


@dataclass(frozen=True)
class ColumnsBlock(Block):
    """Parts that stand side by side where there is room."""

    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Details(Block):
    """Parts that are folded until the reader opens them, under a title; printed, they are open."""

    title: str
    parts: tuple[Part, ...]


METHOD = "How this is measured"


def method(*texts: str) -> Details:
    """Paragraphs on how the figures of a section are computed."""
    return Details(METHOD, tuple(map(Paragraph, texts)))


Part: TypeAlias = (
    TableBlock
    | FigureBlock
    | Gallery
    | Paragraph
    | Notice
    | Facts
    | Points
    | Listing
    | Heading
    | ColumnsBlock
    | Details
)


@dataclass(frozen=True)
class Section:
    """A section of the page; `name` is its anchor. If it is `wide`, no other stands beside it on a wide screen."""

    name: str
    title: str
    parts: tuple[Part, ...]
    wide: bool = False

    def with_method(self, text: str) -> Section:
        """The section with a paragraph before those on how its figures are computed, which it ends with."""
        *others, last = self.parts
        if isinstance(last, Details) and last.title == METHOD:
            return replace(self, parts=(*others, replace(last, parts=(Paragraph(text), *last.parts))))
        return replace(self, parts=(*self.parts, method(text)))


@dataclass(frozen=True)
class Tile:
    """A number at the head of the page, with its name above it and a remark below it."""

    label: str
    value: str
    remark: str = ""
    exact: str = ""


@dataclass(frozen=True)
class Verdict:
    """A sentence on whether the model is better than something; `is_clear` where that is more than chance.

    In short it is a `relation` to `others` by a `measure`, such as `Clearly better than` `the baseline` by `RMSE`.
    """

    text: str
    is_clear: bool
    relation: str = ""
    others: str = ""
    measure: str = ""


def headline(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """The verdicts in short; those of one relation in one sentence."""
    relations = dict.fromkeys(verdict.relation for verdict in verdicts if verdict.relation)
    short = [replace(verdict, others="") for verdict in verdicts if not verdict.relation]
    for relation in relations:
        same = [verdict for verdict in verdicts if verdict.relation == relation]
        others = list(dict.fromkeys(verdict.others for verdict in same))
        text = " and ".join(filter(None, (", ".join(others[:-1]), others[-1])))
        measure = f", by {same[0].measure}" if same[0].measure else ""
        short.append(Verdict(f"{relation} {text}{measure}.", same[0].is_clear))
    return tuple(short)


@dataclass(frozen=True)
class Page:
    """A page: its verdict, its tiles, and a `picture` beside them; `lead` is a shorter `summary` to stand there."""

    title: str
    summary: str
    notices: tuple[Notice, ...]
    sections: tuple[Section, ...]
    verdicts: tuple[Verdict, ...] = ()
    tiles: tuple[Tile, ...] = ()
    picture: FigureBlock | None = None
    lead: str = ""

    @property
    def headline(self) -> tuple[Verdict, ...]:
        """The verdicts in short."""
        return headline(self.verdicts)


def capitalized(text: str) -> str:
    """A text that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def display(name: object, max_length: int = MAX_QUOTE_LENGTH) -> str:
    """A name or a cell on one line: shortened, with invisible and direction-changing characters escaped.

    Right-to-left text is put between Unicode isolates.
    """
    text = escape_unprintable(str(name).removeprefix(ISOLATED[0]).removesuffix(ISOLATED[1]), keep=INVISIBLE_LETTERS)
    text = text if len(text) <= max_length else text[: max_length - 1] + "…"
    right_to_left = any(unicodedata.bidirectional(c) in ("R", "AL") for c in text)
    return text.join(ISOLATED) if right_to_left else text


GENERATOR = f"nncli {__version__}"
MARK = b'<meta name="generator" content="nncli '
"""Bytes near the beginning of a file that identify a page written by nncli."""
SUFFIXES = (".html", ".htm")


def check_html_suffix(file: Path) -> None:
    """Check that a file name ends in .html or .htm.

    Raises:
        UsageError: it does not.
    """
    if file.suffix.lower() not in SUFFIXES:
        raise UsageError(
            "a report is an HTML file",
            location=Location(source=str(file)),
            hint="Use a file name that ends in .html. To get a PDF, print the page from a browser.",
        )


def write_page(page: Page, path: Path, *, force: bool = False) -> None:
    """Write a page.

    Raises:
        UsageError: the file exists, or its name does not end in .html or .htm.
    """
    check_html_suffix(path)
    check_overwrite(path, force=force)
    write_text(path, render(page))


def render(page: Page) -> str:
    """The HTML of a page. All text is escaped; only the SVG of charts is not."""
    style = Markup(base_style() + (files("nncli.analysis.report") / "templates" / "page.css").read_text("utf-8"))
    text = _environment().get_template("page.html").render(page=page, style=style, generator=GENERATOR)
    return re.sub(r"\n\s*\n+", "\n", text).lstrip()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("nncli.analysis.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inline_svg"] = inline_svg
    return environment


def inline_svg(svg: str, name: str, title: str, description: str) -> Markup:
    """SVG as an accessible image, with ids made unique by the prefix `name`."""
    unique = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    labels = f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    role = f'role="img" aria-labelledby="{name}-title" aria-describedby="{name}-desc" '
    return Markup(unique.replace("<svg ", f"<svg {role}", 1).replace(">", f">{labels}", 1))
