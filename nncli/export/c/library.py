"""The functions of the .c files of this folder, as far as other C source uses them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from nncli.export.c.identifiers import words_of

FILES = ("cells", "categories", "numbers", "number_spellings", "dates", "date_formats", "text", "helpers")
"""In an order in which each follows what it uses."""
DEFINED = re.compile(
    r"^(?:static (?:\w++ )*+\**+(\w++)\(|static const [^\n\[]*\b(\w++)\[|struct (\w+) \{|#define (\w+))", re.MULTILINE
)


@dataclass(frozen=True)
class Part:
    """One function, structure or group of macros; or the title of a file, which defines nothing.

    `words` are the identifiers in it, `check_words` also those in what is compiled with -DCHECK alone.
    """

    text: str
    file: str
    defined: frozenset[str]
    words: frozenset[str]
    check_words: frozenset[str]


def template(name: str) -> str:
    """The text of a .c file of this folder."""
    return (files("nncli.export.c") / f"{name}.c").read_text(encoding="utf-8")


@cache
def parts() -> tuple[Part, ...]:
    """The parts of all files, which blank lines separate."""
    found = []
    for name in FILES:
        for text in template(name).strip().split("\n\n"):
            code = re.sub(r"/\*.*?(?:\*/|\Z)", "", text, flags=re.DOTALL)
            defined = {word for groups in DEFINED.findall(code) for word in groups if word}
            always = re.sub(r"#ifdef CHECK.*?(?:#endif|\Z)", "", code, flags=re.DOTALL)
            words = frozenset(words_of(always)), frozenset(words_of(code))
            found.append(Part(text, name, frozenset(defined), *words))
    return tuple(found)


@cache
def reserved_words() -> frozenset[str]:
    """All identifiers of the files."""
    programs = [words_of(template(name)) for name in ("main", "write_number")]
    return frozenset().union(*(part.check_words for part in parts()), *programs)


def used_parts(source: str, *, without: Sequence[Part] = ()) -> list[Part]:
    """The parts that C source uses, in order, besides those that it has already, with all that these use."""
    return _used(source, without, lambda part: part.words)


def check_parts(source: str, *, without: Sequence[Part] = ()) -> list[Part]:
    """The parts as `used_parts` returns them, and those that are used with -DCHECK alone."""
    return _used(source, without, lambda part: part.check_words)


def _used(source: str, without: Sequence[Part], words_in: Callable[[Part], frozenset[str]]) -> list[Part]:
    words, used = words_of(source), set[Part]()
    known = set(without)
    while found := [part for part in parts() if part not in used and part.defined & words]:
        used.update(found)
        words = words.union(*map(words_in, found))
    return [part for part in parts() if part in used and part not in known]


def source_of(used: Sequence[Part], of_check: Sequence[Part] = ()) -> str:
    """The text of parts, with the titles of their files; those of `of_check` are compiled with -DCHECK alone."""
    titles = {part.file: part for part in parts() if not part.defined}
    texts, last = [], ""
    for part in (part for part in parts() if part in {*used, *of_check}):
        if part.file != last and part.file in titles:
            texts.append(titles[part.file].text)
        texts.append(part.text if part in used else f"#ifdef CHECK\n{part.text}\n#endif")
        last = part.file
    return "\n\n".join(texts) + "\n" if texts else ""
