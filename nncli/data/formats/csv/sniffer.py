"""Infer the separator and the decimal mark of a CSV file from its beginning.

A beginning that can be read in two ways is an error that names both. If there is a trained model, the dialect of its
training table decides.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from nncli.base.errors import Advice, DataError, Location, SetKey
from nncli.base.text import quote
from nncli.data.columns.decimal_marks import DecimalMarks
from nncli.data.dialect import AUTO, BAR, COMMA, SEMICOLON, TAB, CsvDialect, Quote
from nncli.data.formats.csv.decoding import UTF8, DecodedStream
from nncli.data.formats.csv.header import MAX_TITLES, find_header, has_gaps
from nncli.data.formats.csv.records import (
    MAX_RECORD_BYTES,
    LiteralQuotes,
    QuoteRepair,
    RecordBlock,
    Records,
    end_of_records,
    quotes_of,
    split_record,
    unify_line_ends,
)

SEPARATORS = {COMMA: "commas", SEMICOLON: "semicolons", TAB: "tabs", BAR: "bars"}
SAMPLE_RECORDS = 1000
"""Number of records that are read to infer the dialect."""
JSON = re.compile(rb'\s*(\[\s*)?\{\s*"[^"]*"\s*:')
"""How a JSON object, or a list of them, begins; no CSV does."""
HTML = re.compile(rb"\s*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
"""How a web page begins, such as a login page that was downloaded instead of a table."""


def sniff_dialect(
    text: DecodedStream,
    source: str,
    configured: CsvDialect,
    *,
    default_separator: str | None,
    training_dialect: CsvDialect | None,
    max_bytes: int | None = None,
) -> tuple[CsvDialect, tuple[str, ...]]:
    """Infer the dialect of a file, with a note if it is not the default of its file name.

    `default_separator` is that of the file name's suffix; `training_dialect` that of the training table, if there is a
    trained model, or that of the first of several files. The records are those in the first `max_bytes`.

    Raises:
        DataError: the separator or the decimal mark is ambiguous.
    """
    trained = training_dialect
    if trained is not None and (trained.thousands or trained.decimals) and configured.decimal_mark == AUTO:
        # With both marks in the table a point or a comma is ambiguous, so the settings made for training apply.
        marks = {key: getattr(trained, key) for key in ("decimal", "decimals", "thousands")}
        configured = configured.model_copy(update=marks)
    sample = complete_records(text, configured.quote)
    if max_bytes is not None and (
        end := end_of_records(head := sample[:max_bytes], quotes_of(head, configured.quote), inside=False)
    ):
        sample = head[:end]
    check_format(sample, source)
    separator = configured.separator
    if separator == AUTO:
        separator = sniff_separator(
            sample,
            source,
            default_separator,
            None if training_dialect is None else training_dialect.separator,
            configured.quote,
        )
    decimal: str = configured.decimal_mark
    if decimal == AUTO:
        decimal = "." if training_dialect is None else training_dialect.decimal_mark
        if separator in (SEMICOLON, TAB) or decimal == COMMA:
            cells = cells_of(sample, separator, configured.quote)
            decimal = sniff_decimal(cells, source, separator, configured.thousands or "", training_dialect)
    dialect = configured.resolved(separator=separator, decimal=decimal)
    said = []
    if configured.encoding == AUTO and text.encoding not in (AUTO, UTF8):
        said.append(f"encoding {text.encoding}")
    if configured.separator == AUTO and separator != (default_separator or COMMA):
        said.append("tabs as separators" if separator == TAB else f"separator {quote(separator)}")
    if configured.decimal_mark == AUTO and dialect.decimal == "," and (separator != COMMA or b'"' in sample):
        said.append("decimal comma")
    if text.old_mac:
        said.append("lines that end in a carriage return")
    words = " and ".join(filter(None, [", ".join(said[:-1]), said[-1]])) if said else ""
    return dialect, (f"{source}: read with {words}",) if said else ()


def check_format(sample: bytes, source: str) -> None:
    """Raise a DataError if a file that is named like a CSV holds JSON or a web page."""
    if HTML.match(sample):
        raise DataError(
            "the file holds a web page (HTML), not CSV",
            location=Location(source=source, line=1),
            hint="Open it in a browser: it may be a login page or an error message. Download the table itself.",
        )
    if match := JSON.match(sample):
        fix = "Convert the list with `jq -c '.[]'`, and rename" if match[1] else "If it is in this form, rename"
        raise DataError(
            "the file holds JSON, not CSV",
            location=Location(source=source, line=1),
            hint=f"Only JSON lines are supported, one object per line. {fix} the file to .jsonl.",
        )


def complete_records(text: DecodedStream, quote: Quote) -> bytes:
    """The complete records of the sample, which is extended until it has one; all of it if it is the whole file.

    Every record ends with a newline.
    """
    end = 0
    while not text.is_complete and not (
        end := end_of_records(text.sample, quotes_of(text.sample, quote), inside=False)
    ):
        if len(text.sample) > MAX_RECORD_BYTES:
            break
        text.extend_sample()
    sample = text.sample[:end] if end else text.sample
    return unify_line_ends(RecordBlock(sample, quotes_of(sample, quote), 1)).data


def sniff_separator(
    sample: bytes, source: str, default_separator: str | None, training_separator: str | None, quote: Quote = AUTO
) -> str:
    """The separator that occurs equally often in the header and all of the first records.

    If there is none, it is that with which most records have the same number of cells: there may be titles above the
    header, or rows of another length. If no records agree, the header decides, and a record that differs is refused
    when it is read.
    """
    quotes = quotes_of(sample, quote)
    marks = [mark for mark in SEPARATORS if mark.encode() in sample]
    if quote == "none" or all(QuoteRepair(mark).is_needed(sample, quotes) for mark in marks):
        records = {mark: Records.of_text(sample, mark, quote) for mark in marks}
    else:
        records = {mark: Records.of(sample, quotes, mark) for mark in marks}
    if not records:
        return default_separator or COMMA
    counts = {
        mark: sample_records.counts[~sample_records.blank][:SAMPLE_RECORDS] for mark, sample_records in records.items()
    }
    heads = [mark for mark, count in counts.items() if count.size and count[0] > 1]
    agreeing = [mark for mark in heads if (counts[mark] == counts[mark][0]).all()]
    if len(agreeing) > 1 and default_separator != TAB and training_separator not in agreeing:
        first = records[agreeing[0]]  # has a record, which by another separator may be a quotation that never ends
        called = [SEPARATORS[mark] for mark in agreeing]
        choices = [part for mark in agreeing for part in (" or ", separator_is(mark))]
        raise DataError(
            f"the separator is ambiguous: {called[0]} or {called[1]}",
            location=Location(source=source, line=first.line(int(np.argmin(first.blank)))),
            hint=Advice("Use one: ", *choices[1:], "."),
        )
    if default_separator in (TAB, None):  # the suffix .tsv, or none that says anything
        preferred = [TAB, training_separator, default_separator] if default_separator else [training_separator, TAB]
    else:
        preferred = [training_separator, default_separator]
    candidates = agreeing or _most_regular(records) or heads
    preferred += candidates
    chosen = next((mark for mark in preferred if mark is not None and mark in candidates), default_separator or COMMA)
    if training_separator is None and not sample.startswith(b'"'):
        _check_one_column(chosen, counts, source)
    return chosen


def _check_one_column(separator: str, counts: dict[str, npt.NDArray[np.int64]], source: str) -> None:
    """Raise a DataError if no record has the separator, and many have another one.

    A table of one column has nothing to train on.
    """
    if separator in counts and counts[separator].max(initial=0) > 1:
        return
    for mark, count in counts.items():
        number = int(np.count_nonzero(count > 1))
        if number > 1 and 4 * number >= count.size:
            raise DataError(
                f"the table has one column, or {int(np.bincount(count).argmax())} columns separated by "
                f"{SEPARATORS[mark]} below titles",
                location=Location(source=source, line=1),
                hint=Advice(
                    *(
                        "Use ",
                        separator_is(mark),
                        " and the line of the names, such as ",
                        SetKey("data.header_row", "2"),
                    ),
                    *("; or ", separator_is(separator), " if it is one column."),
                ),
            )


def _most_regular(records: dict[str, Records]) -> list[str]:
    """The separators with which the largest number of records have the same number of cells, more than one.

    If the first record does not have the separator, it must be a title above a header.
    """
    regular: dict[str, int] = {}
    for mark, sample_records in records.items():
        numbers = np.flatnonzero(~sample_records.blank[:SAMPLE_RECORDS])
        counts = sample_records.counts[numbers]
        number = int(np.bincount(counts[counts > 1], minlength=1).max())
        if number > 1 and (counts[0] > 1 or _has_titles(sample_records, numbers, mark)):
            regular[mark] = number
    return [mark for mark, number in regular.items() if number == max(regular.values())]


def _has_titles(records: Records, numbers: npt.NDArray[np.int64], separator: str) -> bool:
    """Whether there is a header below titles, if this is the separator."""
    try:
        rows = [split_record(records.bytes(int(i)), separator) for i in numbers]
    except (csv.Error, UnicodeDecodeError):
        return False
    header = find_header(rows, has_blank_lines=has_gaps(numbers[: MAX_TITLES + 1]))
    return header.at > 0 and header.instead is None


def separator_is(mark: str) -> SetKey:
    """The action of naming the separator."""
    return SetKey("data.separator", mark if mark.strip() else as_yaml(mark))


def as_yaml(mark: str) -> str:
    """The mark as YAML."""
    return '"\\t"' if mark == TAB else f'"{mark}"'


def cells_of(sample: bytes, separator: str, quote: Quote = AUTO) -> Iterator[str]:
    """Yield the cells of the first records, without surrounding spaces."""
    if quote == "none":
        sample, *_ = LiteralQuotes(separator).repair(sample, is_end=True)
    lines = csv.reader(io.StringIO(sample.decode(errors="replace"), newline=""), delimiter=separator)
    try:
        for number, record in enumerate(lines):
            if number > SAMPLE_RECORDS:
                return
            yield from (cell.strip() for cell in record if number)
    except csv.Error:
        return  # the reader says better what is wrong


def sniff_decimal(
    cells: Iterable[str], source: str, separator: str, thousands: str, training_dialect: CsvDialect | None
) -> str:
    """The decimal mark of the cells that look like numbers, or that of the training table if these are ambiguous.

    A file with both marks has decimal points; see nncli/data/columns/decimal_marks.py for its columns with a comma.
    The training table decides only for files with its separator: another one suggests that numbers differ, too.
    """
    marks = DecimalMarks.of(cells, thousands)
    clear, either = marks.clear, marks.either
    if len(clear) == 1:
        return next(iter(clear))
    if training_dialect is not None and (clear or training_dialect.separator in (AUTO, separator)):
        return training_dialect.decimal_mark
    if clear:  # both; which columns have a comma is found in the cells
        return "."
    # Tables with semicolons come from where the comma is the decimal mark, and the point may group thousands.
    ambiguous = {mark: cell for mark, cell in either.items() if mark == "," or separator == SEMICOLON}
    if ambiguous:
        mark, cell = next(iter(ambiguous.items()))
        hint: str = Advice(
            *("With ", SetKey("data.decimal", mark), f" it is {cell.replace(mark, '.')}; with "),
            *(SetKey("data.thousands", mark), f" it is {cell.replace(mark, '')}."),
        )
        if training_dialect is not None:
            hint = f"Separate the cells as in the training table, by {SEPARATORS[training_dialect.separator]}."
        raise DataError(f"the number {quote(cell)} is ambiguous", location=Location(source=source), hint=hint)
    return "." if training_dialect is None else training_dialect.decimal_mark
