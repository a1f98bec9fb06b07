"""A page as one HTML file, which needs nothing else: styles and charts are in it, scripts it has none."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from nncli.errors import Location, UsageError
from nncli.reporting.page import Page
from nncli.version import __version__

GENERATOR = f"nncli {__version__}"
MARK = b'<meta name="generator" content="nncli '
"""By which a file is known for a page of nncli's, in its first bytes."""
SUFFIXES = (".html", ".htm")


def refuse_other_than_html(file: Path) -> None:
    """Whoever names another kind of file would get a page that no program opens as that.

    Raises:
        UsageError: the file is not named as a page is.
    """
    if file.suffix.lower() not in SUFFIXES:
        raise UsageError(
            "a report is a page of HTML, and no other kind of file",
            place=Location(source=str(file)),
            hint="Name a file that ends in .html; a browser prints it as a PDF.",
        )


def html(page: Page) -> str:
    """The file's text. Everything but the drawings is escaped."""
    style = Markup((files("nncli.reporting") / "templates" / "page.css").read_text("utf-8"))
    text = _environment().get_template("page.html").render(page=page, style=style, generator=GENERATOR)
    return re.sub(r"\n\s*\n+", "\n", text).lstrip()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("nncli.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["drawn"] = drawn
    return environment


def drawn(svg: str, name: str, title: str, description: str) -> Markup:
    """A drawing as part of the page: as one picture with a name, its ids its own."""
    own = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    told = f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    role = f'role="img" aria-labelledby="{name}-title" aria-describedby="{name}-desc" '
    return Markup(own.replace("<svg ", f"<svg {role}", 1).replace(">", f">{told}", 1))
