"""The names of the files of answers."""

from __future__ import annotations

from pathlib import PurePath

from nncli.base.errors import UsageError
from nncli.data.formats.registry import FORMATS, Format, suffix_of, writable_format


def answer_name(name: PurePath, format: Format | None = None) -> PurePath:  # noqa: A002
    """The name of the answers of a file: its own name, or with the suffix of `format`.

    What can only be read, such as a workbook, has its answers in CSV. A compressed file has compressed answers.

    >>> str(answer_name(PurePath("b/x.csv.gz"))), str(answer_name(PurePath("x.xlsx")))
    ('b/x.csv.gz', 'x.csv')
    >>> str(answer_name(PurePath("x.csv.gz"), Format.JSONL)), str(answer_name(PurePath("x.csv.gz"), Format.PARQUET))
    ('x.jsonl.gz', 'x.parquet')
    """
    own = _format_of(name)
    if own is not None and format in (None, own):
        return name
    is_compressed = suffix_of(name) != name.suffix.lower()
    inner = name.with_suffix("") if is_compressed else name
    if own is None and _format_of(inner.with_suffix("")) is not None:  # such as x.csv.zip
        return answer_name(inner.with_suffix(""), format)
    answer = inner.with_suffix(FORMATS[format or Format.CSV].suffixes[0])
    compressed = answer.with_name(answer.name + name.suffix)
    return compressed if is_compressed and _format_of(compressed) is not None else answer


def _format_of(name: PurePath) -> Format | None:
    """The format that a name tells, or None if none can be written under that name."""
    try:
        return writable_format(name)
    except UsageError:
        return None
