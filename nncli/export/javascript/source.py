"""The runtime of exported JavaScript modules: the parts of it that a program needs, in few characters."""

from __future__ import annotations

import re
from collections.abc import Collection
from importlib.resources import files

FOLDER = "runtime"
KEPT = "|".join(
    (
        *(r'"(?:\\.|[^"\\])*"', r"`(?:\\.|[^`\\])*`", r"/\*[\s\S]*?\*/"),  # strings, templates, comments with types
        r"/(?![/ *])(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\n\[])+/[a-z]*",  # regular expressions
    )
)
"""What stays as it is. The runtime has no template within a template, and a space after each division sign."""
SPACES = r" *([{}()\[\],;:?=<>&|+*%.!-]) *"


def runtime_source(kinds: Collection[str]) -> str:
    """The runtime for inputs of these kinds, with the places for its data as comments such as /*INPUTS*/."""
    names = ["module", *(["numbers"] * ("number" in kinds)), *(["dates"] * ("date" in kinds)), "operations"]
    folder = files("nncli.export.javascript") / FOLDER
    return "".join(compact((folder / f"{name}.js").read_text("utf-8")) for name in names)


def compact(source: str) -> str:
    r"""A source without comments of one line, indentation and spaces that mean nothing.

    >>> compact('// sum\nconst f = (a, b) => {\n  return a + b; // both\n};\n\n')
    'const f=(a,b)=>{\nreturn a+b;\n};\n'
    """
    pattern = rf"({KEPT})|//[^\n]*|{SPACES}|^ +| +(?=$|//)"
    short = re.sub(pattern, lambda found: found[1] or found[2] or "", source, flags=re.MULTILINE)
    return re.sub(r"\n{2,}", "\n", short).lstrip("\n")
