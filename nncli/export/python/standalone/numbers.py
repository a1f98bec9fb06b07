"""Cells of text as numbers: as nncli/data/columns/parsing.py and spellings.py read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from nncli.data.grammar import PARENTHESES, PERCENT, other_forms, separator_pattern, training_form
from nncli.export.python.standalone.texts import SPACE, SPACES

NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf|infinity|nan)", re.ASCII | re.IGNORECASE
)
IN_PARENTHESES = re.compile(rf"[{SPACE}]*\(([^()+0-9-]*[0-9][^()+-]*)\)[{SPACE}]*")
BOOLEANS = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class NumberFormat:
    """How numbers are written: the marks of the training table, the unit of a column, and whether it reads booleans."""

    decimal: str = "."
    thousands: str | None = None
    unit: str | None = None
    reads_booleans: bool = False

    def read(self, text: str) -> float | None:
        """The number of a cell, NaN for `nan`; None if it has no single meaning."""
        number = self._in_training_spelling(text)
        if number is None:
            number = self._in_another_spelling(text)
        if number is None and self.reads_booleans:
            number = BOOLEANS.get(text.strip(SPACES).lower())
        return number

    def _in_training_spelling(self, text: str) -> float | None:
        bare = text if self.unit is None else without_unit(text, self.unit)
        if bare is None:
            return None
        if self.decimal == "," or self.thousands is not None:
            if not self._training_form.search(bare):
                return None
            between = separator_pattern(self.thousands)
            bare = re.sub(between, "", bare) if between else bare
            bare = bare.replace(self.decimal, ".", 1)
        return parse(bare)

    @cached_property
    def _training_form(self) -> re.Pattern[str]:
        """Matches numbers with the marks of the training table, and texts without a digit, such as nan."""
        number = training_form(self.decimal, self.thousands)
        return re.compile(rf"\A[{SPACE}]*(?![{SPACE}]){number}[{SPACE}]*\Z|\A[^0-9]*\Z")

    @cached_property
    def _other_forms(self) -> list[tuple[str, re.Pattern[str]]]:
        """Regular expressions of thousands separators, and of the numbers with each that have one meaning."""
        return [(between, re.compile(rf"[+-]?(?:{form})")) for between, form in other_forms(self.decimal)]

    def _in_another_spelling(self, text: str) -> float | None:
        bare: str | None = re.sub("[−–]", "-", text.strip(SPACES), count=1)
        if self.unit is not None and bare is not None:
            stripped = without_unit(bare, self.unit)
            if stripped is None and self.unit not in PERCENT:
                stripped = without_unit(bare, PARENTHESES)
            bare = stripped
        if bare is None:
            return None
        for between, form in self._other_forms:
            if form.fullmatch(bare):
                plain = re.sub(between, "", bare) if between else bare
                number = parse(plain.replace(self.decimal, ".", 1), strips=False)
                if number is not None:
                    return number
        return None


def parse(text: str, *, strips: bool = True) -> float | None:
    """A number with a decimal point, an infinity or NaN; None for other texts."""
    bare = text.strip(SPACES) if strips else text
    return float(bare) if NUMBER.fullmatch(bare) else None


def without_unit(text: str, unit: str) -> str | None:
    """The text without the unit, None if it lacks it; a text without a digit, such as nan, as it is."""
    if not re.search("[0-9]", text):
        return text
    if unit != PARENTHESES:
        sign = re.escape(unit)
        place = rf"\A[{SPACE}(+-]*{sign}|{sign}[{SPACE})]*\Z"
        if text.count(unit) != 1 or not re.search(place, text):
            return None
        text = text.replace(unit, "", 1)
    enclosed = IN_PARENTHESES.fullmatch(text)
    text = f"-{enclosed[1]}" if enclosed else text
    return re.sub(rf"\A[{SPACE}]*([+-])[{SPACE}]+", r"\1", text).strip(SPACES)
