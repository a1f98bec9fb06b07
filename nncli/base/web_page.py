"""What all HTML pages share: the document, the style it begins with, and text and data that are safe inside it.

The style has colors in light, dark and print, type, notes, what folds and has focus.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import escape
from importlib.resources import files
from string import Template

from nncli.base.text import escape_unprintable

PACKAGE = "nncli.base"


def template(name: str, package: str = PACKAGE) -> str:
    """The text of a file in the folder of templates of a package."""
    return (files(package) / "templates" / name).read_text("utf-8")


def base_style() -> str:
    """The style sheet, to which a page adds that of its parts."""
    return template("base.css")


def html_text(text: str) -> str:
    """A text as HTML, in elements and in attributes."""
    return escape(escape_unprintable(text, keep="\u200c\u200d"))


def readable_text(text: str) -> str:
    """A name or label with what cannot be seen escaped; quotes around one of spaces alone."""
    seen = escape_unprintable(text, keep="\u200c\u200d")
    return seen if seen.strip() else f"“{seen}”"


def document(title: str, style: str, body: str, *, script: str | None = None, metadata: str = "") -> str:
    """The HTML of a page; `body` and `metadata`, the elements of its head, are HTML."""
    element = "" if script is None else f'\n<script type="module">{script}</script>'
    body = body.rstrip("\n") + element
    return Template(template("document.html")).substitute(
        metadata=metadata, title=html_text(title), style=style, body=body
    )


def offline_document(title: str, style: str, body: str, *, script: str, version: str) -> str:
    """The HTML of a page in a file, written by a version of nncli: it has its script inside, and may load nothing."""
    policy = f"default-src 'none'; script-src '{source_hash(script)}'; style-src '{source_hash(style)}'; img-src data:"
    metadata = Template(template("metadata.html")).substitute(
        policy=f"{policy}; base-uri 'none'; form-action 'none'", version=html_text(version)
    )
    return document(title, style, body, script=script, metadata=metadata)


def safe_script(text: str) -> str:
    """A script that does not end, or become a comment of, the element around it: `<` is escaped where it would.

    It can only be part of such a word in a string, where `\\x3c` is the same character.
    """
    return re.sub(r"<(?=!--|/?script)", r"\\x3c", text.replace("\r", ""), flags=re.IGNORECASE)


def source_hash(text: str) -> str:
    """The source expression of an inline text for a content security policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def as_literal(value: object) -> str:
    """A value of JSON as an expression of JavaScript that may stand in a page: `<` and unprintable characters escaped.

    >>> print(as_literal(["</script>", "Zürich\\u2028"]))
    ["\\u003c/script>","Zürich\\u2028"]
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return re.sub(r"[^ -;=-~]", lambda match: _escape(match[0]), text)


def _escape(character: str) -> str:
    if character != "<" and character.isprintable():
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
