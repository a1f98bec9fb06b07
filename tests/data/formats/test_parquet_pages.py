from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli.data.formats.compression import CompressionError
from nncli.data.formats.parquet_pages import ParquetError, check_pages, read_index
from tests.data.formats.parquet_files import Field, ParquetParts

pq = pytest.importorskip("pyarrow.parquet")
FRAME = pl.DataFrame(
    {"a": [1, 2, 3], "b": ["x", None, "x"], "l": [[1, 2], [], None], "s": [{"x": i} for i in range(3)]}
)


def bytes_of(frame: pl.DataFrame, **options: Any) -> bytes:
    """A Parquet file that PyArrow writes."""
    file = io.BytesIO()
    pq.write_table(frame.to_arrow(), file, **options)
    return file.getvalue()


def check(body: bytes) -> None:
    """Check the index and all pages."""
    file = io.BytesIO(body)
    index = read_index(file)
    for group in range(len(index.groups)):
        check_pages(file, index, group)


def changed(body: bytes, *, header: Callable[[dict[int, Field]], None], column: int = 0, page: int = -1) -> bytes:
    """The file with another header of a page."""
    parts = ParquetParts.of(body)
    header(parts.pages[column][page][0].value)
    return parts.bytes(parts.place())


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [True, False])
@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "lz4", "brotli"])
@pytest.mark.parametrize("rows", [1, 3])
def test_valid_files_are_not_refused(version: str, dictionary: bool, compression: str, rows: int) -> None:
    options = {"data_page_version": version, "use_dictionary": dictionary, "compression": compression}
    check(bytes_of(FRAME, **options, row_group_size=rows, data_page_size=1, write_batch_size=1))
    check(bytes_of(FRAME[:0], **options))


def test_the_index_has_the_groups_of_rows_and_which_columns_have_several_values_in_a_row() -> None:
    index = read_index(io.BytesIO(bytes_of(FRAME, row_group_size=2)))
    assert (index.rows, [rows for rows, _ in index.groups]) == (3, [2, 1])
    assert [chunk.is_repeated for chunk in index.chunks(0)] == [False, False, True, False]


def test_few_bytes_may_be_many_equal_rows() -> None:
    body = bytes_of(pl.DataFrame({"a": np.zeros(3_000_000)}), row_group_size=3_000_000)
    assert len(body) < 100_000
    check(body)


def test_a_header_may_be_long() -> None:
    file = io.BytesIO()
    pl.DataFrame({"a": ["z" * 100_000, "b"]}).write_parquet(file, statistics="full")
    check(file.getvalue())
    long = changed(file.getvalue(), header=lambda fields: fields.update({5: _with_text(fields[5], 100_000)}))
    assert long != file.getvalue()
    check(long)


def _with_text(page: Field, size: int) -> Field:
    """The header of a page with statistics of a long text."""
    page.value[5] = Field(12, {5: Field(8, b"z" * size)})
    return page


@pytest.mark.parametrize("number", [-1, -(1 << 31), 4, (1 << 31) - 1])
def test_a_page_of_a_wrong_number_of_values_is_refused(number: int) -> None:
    body = bytes_of(FRAME, use_dictionary=False)

    def change(fields: dict[int, Field]) -> None:
        fields[5].value[1].value = number

    check(changed(body, header=lambda fields: None))
    with pytest.raises(ParquetError):
        check(changed(body, header=change))


@pytest.mark.parametrize("number", [-1, -(1 << 31), (1 << 31) - 1])
@pytest.mark.parametrize("field", [1, 2, 3, 5, 6])
def test_numbers_of_a_page_of_version_2_are_checked(field: int, number: int) -> None:
    def change(fields: dict[int, Field]) -> None:
        fields[8].value[field].value = number

    body = bytes_of(FRAME, data_page_version="2.0", use_dictionary=False)
    if number < 0 or field not in (2, 3):
        with pytest.raises(ParquetError):
            check(changed(body, header=change))


@pytest.mark.parametrize("number", [-1, 1 << 20, (1 << 31) - 1])
def test_the_items_of_a_dictionary_are_checked(number: int) -> None:
    def change(fields: dict[int, Field]) -> None:
        fields[7].value[1].value = number

    with pytest.raises(ParquetError):
        check(changed(bytes_of(FRAME), header=change, page=0))


@pytest.mark.parametrize("number", [-1, 1 << 30, (1 << 31) - 1])
def test_a_page_that_grows_absurdly_is_refused_before_it_is_decompressed(number: int) -> None:
    def change(fields: dict[int, Field]) -> None:
        fields[2].value = number

    with pytest.raises((ParquetError, CompressionError)):
        check(changed(bytes_of(FRAME), header=change))


@pytest.mark.parametrize("number", [-1, 1 << 20])
def test_a_page_that_ends_outside_its_column_is_refused(number: int) -> None:
    def change(fields: dict[int, Field]) -> None:
        fields[3].value = number

    with pytest.raises(ParquetError):
        check(changed(bytes_of(FRAME), header=change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda footer: setattr(footer[3], "value", -1), "negative"),
        (lambda footer: setattr(footer[3], "value", 1 << 62), "rows"),
        (lambda footer: setattr(footer[4].value[0].value[3], "value", -3), "negative"),
        (lambda footer: footer[4].value[0].value[1].value.pop(), "columns"),
        (lambda footer: setattr(footer[4].value[0].value[1].value[0].value[3].value[9], "value", 1 << 40), "outside"),
        (lambda footer: setattr(footer[4].value[0].value[1].value[0].value[3].value[7], "value", 1 << 40), "outside"),
        (lambda footer: setattr(footer[4].value[0].value[1].value[0].value[3].value[5], "value", 9), "values"),
        (lambda footer: footer.pop(2), "not valid"),
        (lambda footer: footer.update({8: Field(12, {})}), "encrypted"),
    ],
)
def test_an_index_that_contradicts_itself_is_refused(change: Callable[[dict[int, Field]], None], words: str) -> None:
    parts = ParquetParts.of(bytes_of(FRAME, use_dictionary=False))
    chunks = parts.place()
    change(parts.footer.value)
    with pytest.raises(ParquetError, match=words):
        check(parts.bytes(chunks))


def test_an_encrypted_file_is_named() -> None:
    with pytest.raises(ParquetError, match="encrypted"):
        read_index(io.BytesIO(b"PARE" + bytes(20) + b"PARE"))
