"""The style that all HTML pages begin with: colors in light, dark and print, type, notes, what folds and has focus."""

from __future__ import annotations

from importlib.resources import files


def base_style() -> str:
    """The style sheet, to which a page adds that of its parts."""
    return (files("nncli.base") / "web_style.css").read_text("utf-8")
