"""Finding out how a CSV file is written from how it begins: its separator and its decimal mark.

Nothing is found out that could be otherwise: where the beginning of a file can be read in two ways, it is refused
with both. A model that was trained before settles what is open, as its table was written.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

import numpy as np

from nncli.data.dialect import AUTO, BAR, COMMA, SEMICOLON, TAB, CsvDialect
from nncli.data.io.csv.blocks import NEWLINE, QUOTE, end_of_records, outside, positions
from nncli.data.io.csv.decoding import UTF8, DecodedStream
from nncli.errors import DataError, Location
from nncli.text import join_quoted, quote

SEPARATORS = {COMMA: "commas", SEMICOLON: "semicolons", TAB: "tabs", BAR: "bars"}
RECORDS = 1000
"""So many of the first records are looked at."""
JSON = re.compile(rb'\s*(\[\s*)?\{\s*"[^"]*"\s*:')
"""How an object, or a list of them, begins; no CSV does."""
GROUPED = r"[+-]?[1-9][0-9]{0,2}"
EXPONENT = r"(?:[eE][+-]?[0-9]+)?"
AMBIGUOUS = {mark: re.compile(rf"{GROUPED}\{mark}[0-9]{{3}}") for mark in ",."}
"""1,234 and 1.234: thousands, or fractions of three digits."""
UNAMBIGUOUS = {
    ",": re.compile(rf"[+-]?(?:[0-9]*|[0-9]{{1,3}}(?:\.[0-9]{{3}})+),[0-9]+{EXPONENT}"),
    ".": re.compile(rf"[+-]?(?:[0-9]*|[0-9]{{1,3}}(?:,[0-9]{{3}})+)\.[0-9]+{EXPONENT}|{GROUPED}(?:,[0-9]{{3}}){{2,}}"),
}
"""Cells that have this decimal mark, unless they are OPEN."""


AROUND = re.compile(r"^[^\w.,+-]*(?:[A-Z]{3}\s*)?[^\w.,+-]*|(?:\s*[A-Z]{3})?[^\w.,]*$")
"""What may stand around a number: a sign of currency or percent, a currency's code, brackets; see units.py."""


def sniff_dialect(
    text: DecodedStream,
    source: str,
    wanted: CsvDialect,
    *,
    default_separator: str | None,
    training_dialect: CsvDialect | None,
) -> tuple[CsvDialect, tuple[str, ...]]:
    """The dialect of a file, and a note for the person if it is not what one would think.

    `usual` is the separator that the name of the file says; `trained` the dialect of the table that the model learnt
    from, if there is a model.

    Raises:
        DataError: the separator or the decimal mark is not clear.
    """
    if training_dialect is not None and training_dialect.thousands is not None and wanted.mark == AUTO:
        # With these a point or a comma may be either, so that only the person's word counts, given in training.
        wanted = wanted.model_copy(
            update={"decimal": training_dialect.decimal, "thousands": training_dialect.thousands}
        )
    sample = records(text)
    refuse_json(sample, source)
    separator = wanted.separator
    if separator == AUTO:
        separator = separator_of(
            sample, source, default_separator, None if training_dialect is None else training_dialect.separator
        )
    decimal: str = wanted.mark
    if decimal == AUTO:
        known = None if training_dialect is None else training_dialect.mark
        decimal = known or "."
        if separator in (SEMICOLON, TAB) or decimal == COMMA:
            decimal = decimal_of(sample, source, separator, wanted.thousands or "", known)
    found = wanted.resolved(separator=separator, decimal=decimal)
    said = []
    if wanted.encoding == AUTO and text.encoding not in (AUTO, UTF8):
        said.append(f"encoding {text.encoding}")
    if wanted.separator == AUTO and separator != (default_separator or COMMA):
        said.append("tabs as separators" if separator == TAB else f"separator {quote(separator)}")
    if wanted.mark == AUTO and found.decimal == "," and (separator != COMMA or b'"' in sample):
        said.append("decimal comma")
    if text.old_mac:
        said.append("lines that end in a carriage return")
    words = " and ".join(filter(None, [", ".join(said[:-1]), said[-1]])) if said else ""
    return found, (f"{source}: read with {words}",) if said else ()


def refuse_json(sample: bytes, source: str) -> None:
    """Raise the DataError for JSON under the name of a CSV: objects, or a list of them."""
    if found := JSON.match(sample):
        way = "Make them of the list, as `jq -c '.[]'` does, and name" if found[1] else "If it is that, name"
        raise DataError(
            "the file holds JSON, not CSV",
            place=Location(source=source, line=1),
            hint=f"JSON is read as JSON lines, one object a line. {way} the file .jsonl.",
        )


def records(text: DecodedStream) -> bytes:
    """The whole records of the sample; all of it when there is not one."""
    sample = text.sample
    if not text.whole:
        sample = sample[: end_of_records(sample, positions(sample, QUOTE), inside=False)]
    return sample or text.sample


def separator_of(sample: bytes, source: str, usual: str | None, known: str | None) -> str:
    """The separator that the header and all of the first records have equally often.

    Where none is, the header decides, and a record that disagrees is refused when it is read.
    """
    quotes = positions(sample, QUOTE)
    ends = outside(positions(sample, NEWLINE), quotes)
    starts = np.concatenate([[0], ends + 1])
    ends = np.append(ends, len(sample))
    text = np.frombuffer(sample + b"\n", np.uint8)
    blank = (ends <= starts) | ((ends == starts + 1) & (text[np.minimum(starts, len(sample))] == ord("\r")))
    starts, ends = starts[~blank][:RECORDS], ends[~blank][:RECORDS]
    where = {mark: outside(positions(sample, ord(mark)), quotes) for mark in SEPARATORS}
    counts = {mark: np.searchsorted(at, ends) - np.searchsorted(at, starts) for mark, at in where.items()}
    heads = [mark for mark, count in counts.items() if count.size and count[0]]
    agreeing = [mark for mark in heads if (counts[mark] == counts[mark][0]).all()]
    if len(agreeing) > 1 and usual != TAB and known not in agreeing:
        called = [SEPARATORS[mark] for mark in agreeing]
        raise DataError(
            f"the cells could be separated by {called[0]} or by {called[1]}",
            place=Location(source=source, line=1 + sample.count(b"\n", 0, int(starts[0]))),
            hint=f"Say which: {' or '.join(f'`data.separator: {spelled(mark)}`' for mark in agreeing)}.",
        )
    liked = [mark for mark in (TAB if usual == TAB else None, known, usual, TAB if usual is None else None) if mark]
    open_to = agreeing or heads
    return next((mark for mark in liked if mark in open_to), open_to[0] if open_to else usual or COMMA)


def spelled(mark: str) -> str:
    """The mark as YAML."""
    return '"\\t"' if mark == TAB else f'"{mark}"'


def cells_of(sample: bytes, separator: str) -> Iterator[str]:
    """The cells of the first records, without spaces around them."""
    lines = csv.reader(io.StringIO(sample.decode(errors="replace"), newline=""), delimiter=separator)
    try:
        for number, record in enumerate(lines):
            if number > RECORDS:
                return
            yield from (cell.strip() for cell in record if number)
    except csv.Error:
        return  # the reader says better what is wrong


def decimal_of(sample: bytes, source: str, separator: str, thousands: str, known: str | None) -> str:
    """The decimal mark of the cells that look like numbers; `known` where these leave it open."""
    clear: dict[str, str] = {}
    either: dict[str, str] = {}
    for cell in cells_of(sample, separator):
        number = AROUND.sub("", cell)
        number = number.replace(thousands, "") if thousands else number
        for mark in ",.":
            if AMBIGUOUS[mark].fullmatch(number):
                either.setdefault(mark, cell)
            elif UNAMBIGUOUS[mark].fullmatch(number):
                clear.setdefault(mark, cell)
    if len(clear) == 1:
        return next(iter(clear))
    if known is not None:
        return known
    if clear:
        raise DataError(
            f"{join_quoted(clear.values())} cannot both be numbers: a comma and a point seem to be the decimal mark",
            place=Location(source=source),
            hint='Say which is: `data.decimal: ","` or `data.decimal: "."`.',
        )
    # Tables with semicolons come from where the comma is the decimal mark, and the point may group thousands.
    doubtful = {mark: cell for mark, cell in either.items() if mark == "," or separator == SEMICOLON}
    if doubtful:
        mark, cell = next(iter(doubtful.items()))
        raise DataError(
            f"{quote(cell)} can be read in two ways",
            place=Location(source=source),
            hint=f'With `data.decimal: "{mark}"` it is {cell.replace(mark, ".")}; '
            f'with `data.thousands: "{mark}"` it is {cell.replace(mark, "")}.',
        )
    return "."
