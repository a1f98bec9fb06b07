"""What MkDocs does beside its own: formulas become MathML, and the example report is made if it is not there.

MathML is drawn by the browser itself, so a page needs no script and no network for its formulas.
"""

from __future__ import annotations

import html
import re
import sys
from pathlib import Path

from latex2mathml.converter import convert

DOCS = Path(__file__).parent
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)


def on_pre_build(**_: object) -> None:
    """Train the example model and write its report, once."""
    sys.path.insert(0, str(DOCS))
    from make_report import REPORT, make_report

    if not REPORT.exists():
        make_report()


def on_page_content(content: str, **_: object) -> str:
    """Replace the formulas of a page by MathML."""
    return FORMULA.sub(_mathml, content)


def _mathml(match: re.Match[str]) -> str:
    tag, formula = match[1], html.unescape(match[2]).strip()
    block = tag == "div"
    math = convert(formula, display="block" if block else "inline")
    return f'<{tag} class="formula">{math}</{tag}>'
