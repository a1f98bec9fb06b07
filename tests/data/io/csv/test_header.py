from __future__ import annotations

import pytest

from nncli.data.io.csv.blocks import QUOTE, Block, positions_of
from nncli.data.io.csv.header import CsvHeader, header_of
from nncli.errors import DataError


def header(text: bytes) -> tuple[CsvHeader, Block]:
    return header_of(Block(text, positions_of(text, QUOTE), 1), "t.csv", ",", False)


def test_the_names_are_read_and_the_rows_are_left() -> None:
    read, rest = header(b'a,"b, c"\n1,2\n')
    assert (read.names, rest.data, rest.line) == (("a", "b, c"), b"1,2\n", 2)
    assert read.no_rows().columns == ["a", "b, c"]


@pytest.mark.parametrize(
    ("text", "named"), [(b"a,,c\n", "column 2"), (b"a,b,a\n", "'a'"), (b"a;b\n1;2\n", "data.separator")]
)
def test_a_header_that_names_no_table_is_refused(text: bytes, named: str) -> None:
    with pytest.raises(DataError) as caught:
        header(text)
    assert named in str(caught.value)
    assert caught.value.location is not None
    assert caught.value.location.line == 1
