"""The parts that pages with a form share: the document around them, templates, content security policies, texts."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from string import Template

from nncli.export.html.fields import html_text
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput, TextInput

TYPICAL = (
    (NumberInput, "the median of a column of numbers"),
    (CategoryInput, "the most frequent category"),
    (DateInput, "the median date"),
    (TextInput, "no text"),
)
"""What the typical value of each kind of input is."""


def template(name: str, package: str = "nncli.export.html") -> str:
    """The text of a file in the folder of templates of a package."""
    return (files(package) / "templates" / name).read_text("utf-8")


def document(title: str, style: str, body: str, *, script: str | None = None, metadata: str = "") -> str:
    """The HTML of a page; `body` and `metadata`, the elements of its head, are HTML."""
    element = "" if script is None else f'\n<script type="module">{script}</script>'
    body = body.rstrip("\n") + element
    return Template(template("document.html")).substitute(
        metadata=metadata, title=html_text(title), style=style, body=body
    )


def safe_script(text: str) -> str:
    """A script that does not end, or become a comment of, the element around it: `<` is escaped where it would.

    It can only be part of such a word in a string, where `\\x3c` is the same character.
    """
    return re.sub(r"<(?=!--|/?script)", r"\\x3c", text.replace("\r", ""), flags=re.IGNORECASE)


def source_hash(text: str) -> str:
    """The source expression of an inline text for a content security policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def title_of(targets: Sequence[str]) -> str:
    """The title of a page that predicts these targets."""
    return f"Prediction of {', '.join(targets[:3])}" + (f" and {len(targets) - 3} more" if len(targets) > 3 else "")


def explanation(inputs: Sequence[ProgramInput], *, are_classes: bool) -> str:
    """The HTML of the part that shows effects, and the exact values."""
    method = html_text(effects_text(inputs, are_classes=are_classes))
    return Template(template("explanation.html")).substitute(method=method)


def effects_text(inputs: Sequence[ProgramInput], *, are_classes: bool) -> str:
    """How the effects of columns are computed."""
    kinds = [text for kind, text in TYPICAL if any(isinstance(column, kind) for column in inputs)]
    typical = " and ".join(filter(None, [", ".join(kinds[:-1]), kinds[-1]])) if kinds else ""
    measure, points = "prediction", ""
    if are_classes:
        measure, points = "probability of the predicted class", ", in percentage points"
    return (
        f"The difference between this {measure} and the one with that column alone at its typical value, and the "
        f"others as entered. Typical is, in the training rows, {typical}; of a column that is mostly missing, a "
        f"missing value. The three largest differences are shown{points}. They describe the model, not causes, and do "
        "not add up to the whole."
    )
