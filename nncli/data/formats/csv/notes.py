"""Tell notes below a table from rows whose other cells are missing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nncli.data.formats.csv.titles import filled, is_value

WORDS = (
    "sources?|notes?|footnotes?|remarks?|comments?|disclaimer|copyright|license|generated|exported|created|printed|"
    "(?:last )?updated?|data as of|as of|accessed|end of (?:file|report|table)|"
    "quellen?|anmerkungen?|hinweise?|stand|erstellt|fuentes?|notas?|remarques?"
)
NOTE = re.compile(
    rf"(?i)\s*(?:(?:{WORDS})\b\s*(?:[:=.(-]|\d|(?:on|at|by|am|von)\b|$)|[*†‡©]|\(?[0-9a-z]\)\s|\[[0-9a-z]+\]\s)"
)
"""How notes below a table begin."""
NO_NOTE = ["", "?", "?"]
"""Stands for the cells of a record that is no note."""
TOTAL = re.compile(
    r"(?i)\s*(?:(?:grand|sub|overall)[ -]?)?(?:totals?|sum|summe|gesamt|insgesamt|gesamtsumme|suma|totale|average)\b\W*"
)


@dataclass(frozen=True)
class TableShape:
    """The properties of a table by which notes below it are recognized.

    A record has `width` cells, of which those behind the `columns` are empty. `first_length` is the length
    of the longest cell in the first column; `begins_with_values`: that column holds numbers or dates. `is_spaced`:
    there are blank records between rows.
    """

    columns: int
    width: int
    first_length: int
    begins_with_values: bool
    is_spaced: bool


def first_note(records: Sequence[Sequence[str]], shape: TableShape) -> int | None:
    """The position of the first record that is a note by evidence, or of the blank records above it.

    `records` are the last ones of the table, without a row that is complete.
    """
    above, last_value = None, -1
    for i, cells in enumerate(records):
        if is_value((filled(cells) or [""])[0]):
            last_value = i
    for i in range(last_value + 1, len(records)):
        present = filled(records[i])
        if not present:
            above = i if above is None else above
        elif _is_note(records[i], present[0], shape, is_apart=above is not None):
            return i if above is None else above
        else:
            above = None
    return None


def _is_note(cells: Sequence[str], text: str, shape: TableShape, *, is_apart: bool) -> bool:
    """Whether a record whose first text is `text` is a note; `is_apart`: there is an empty record above it."""
    if NOTE.match(text):
        return True
    if is_value(text):
        return False
    words = len(text.split())
    is_long = words > 3 and len(text) > 2 * shape.first_length
    if len(cells) < shape.columns:
        is_apart = is_apart and not shape.is_spaced
    elif shape.width < 3:  # as a row it would have half of its cells
        is_apart = False
    return words > 1 and (is_apart or is_long or shape.begins_with_values)
