"""How a CSV file spells its text and its numbers."""

from __future__ import annotations

import codecs
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from nncli.spec import Spec, StrictStr

AUTO: Literal["auto"] = "auto"
COMMA, SEMICOLON, TAB, BAR = ",", ";", "\t", "|"
SPACES = "[ \xa0\u202f]"
"""What looks like a space between the digits of a number: a plain one, and the two that do not break a line."""
DIRECTIVE = re.compile(r"%(?:\.f|.?)", re.DOTALL)
DIRECTIVES = {
    **{"%Y": "year", "%y": "year", "%m": "month", "%b": "month", "%B": "month", "%d": "day"},
    **{"%H": "hour", "%I": "hour", "%M": "minute", "%S": "second", "%.f": "fraction", "%p": "half", "%z": "zone"},
}
"""What a form of dates may have, by what it says."""
PROBE = 'a1,.;"\n'
NOT_FOR_FILES = ("idna", "punycode", "unicode-escape", "raw-unicode-escape")


def validate_encoding(name: str) -> str:
    """`name`, once it is known that Python has such a codec, and that it reads text piece by piece."""
    if name == AUTO:
        return name
    try:
        codec = codecs.lookup(name)
        known = codec.incrementaldecoder is not None and codec.name not in NOT_FOR_FILES
        known = known and PROBE.encode(name).decode(name) == PROBE
    except (LookupError, ValueError, TypeError):
        known = False
    if not known:
        raise ValueError(f"there is no text encoding {name!r}; use auto, utf-8, latin-1, cp1252, utf-16 …")
    return name


def single_character(what: str, forbidden: str) -> AfterValidator:
    def check(value: str) -> str:
        if value != AUTO and (len(value) != 1 or value in forbidden or value.isalnum() or not value.isascii()):
            raise ValueError(f"{what} is one character that is no letter, digit, quote or line end: found {value!r}")
        return value

    return AfterValidator(check)


def validate_date_format(value: str) -> str:
    """`value`, once it is known to have year, month and day, each once, and hour and minute, or neither."""
    parts = DIRECTIVE.findall(value)
    has = {DIRECTIVES.get(part, "") for part in parts}
    whole = (
        {"year", "month", "day"} <= has and ("hour" in has) == ("minute" in has) and ("%I" in parts) == ("%p" in parts)
    )
    if value != AUTO and not (whole and "" not in has and len(has) == len(parts)):
        raise ValueError(
            "a form of dates has %Y or %y, %m, %b or %B, and %d; maybe %H or %I with %p, %M, %S, %.f and %z, as in "
            f"%d.%m.%Y or %m/%d/%Y %H:%M: found {value!r}"
        )
    return value


def validate_thousands(value: str) -> str:
    if len(value) != 1 or value.isalnum() or value in '"\n\r\0+-':
        raise ValueError(f"a thousands separator is one character, such as ',' or ' ': found {value!r}")
    return value


Encoding = Annotated[StrictStr, AfterValidator(validate_encoding)]
Separator = Annotated[StrictStr, single_character("a separator", '"\n\r\0')]
Decimal = Literal["auto", ".", ","]
Thousands = Annotated[StrictStr, AfterValidator(validate_thousands)]
DateFormat = Annotated[StrictStr, AfterValidator(validate_date_format)]


class CsvDialect(Spec):
    """How a file is to be read, or was. What is `auto` is found out from the file, or refused where it is not clear.

    `decimal` and `thousands` also say how numbers are spelled in the text columns of other formats, where auto is
    the point; `date_format` says how dates are written in text, where auto is what each column is found to be.
    """

    encoding: Encoding = AUTO
    separator: Separator = AUTO
    decimal: Decimal = AUTO
    thousands: Thousands | None = None
    date_format: DateFormat = AUTO

    @model_validator(mode="after")
    def _marks_differ(self) -> CsvDialect:
        if self.thousands is not None and self.thousands == self.decimal:
            raise ValueError(f"decimal and thousands cannot both be {self.thousands!r}")
        return self

    @property
    def has_plain_numbers(self) -> bool:
        """Whether numbers are spelled as computers do."""
        return self.decimal != "," and self.thousands is None

    @property
    def decimal_mark(self) -> Literal[".", ",", "auto"]:
        """The decimal mark, as far as the settings say it: thousands of one kind leave only the other."""
        if self.decimal == AUTO and self.thousands == ".":
            return ","
        return "." if self.decimal == AUTO and self.thousands == "," else self.decimal

    def resolved(self, **found: str) -> CsvDialect:
        """The dialect with the values that were found in the file; the decimal mark defaults to the point."""
        decimal = self.decimal_mark if self.decimal_mark != AUTO else "."
        return self.model_copy(update={"decimal": decimal, **found})


PLAIN_NUMBERS = CsvDialect(decimal=".")
"""Numbers as computers spell them."""
