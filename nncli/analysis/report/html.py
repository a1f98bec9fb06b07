"""Render a page as one self-contained HTML file, with styles and charts inside and without scripts."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from nncli.analysis.report.page import Page
from nncli.base.errors import Location, UsageError
from nncli.version import __version__

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


def render(page: Page) -> str:
    """The HTML of a page. All text is escaped; only the SVG of charts is not."""
    style = Markup((files("nncli.analysis.report") / "templates" / "page.css").read_text("utf-8"))
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
