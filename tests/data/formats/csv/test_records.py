from __future__ import annotations

import csv
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.data.formats.csv.records import QUOTE, Records, positions_of, split_record


def records(data: bytes, separator: str = ",") -> Records:
    return Records.of(data, positions_of(data, QUOTE), separator)


def test_records_have_places_and_counts() -> None:
    result = records(b'a,b\r\n\n"x\ny",,1\r\n\r\nlast')
    assert [result.bytes(i) for i in range(len(result))] == [b"a,b", b"", b'"x\ny",,1', b"", b"last"]
    assert result.counts.tolist() == [2, 1, 3, 1, 1]
    assert result.blank.tolist() == [False, True, False, True, False]
    assert [result.line(i) for i in range(len(result))] == [1, 2, 3, 5, 6]


def test_no_text_has_no_records() -> None:
    assert len(records(b"")) == 0


@given(st.lists(st.lists(st.text("ab, ;", max_size=3), min_size=2, max_size=4), min_size=1, max_size=5))
def test_lines_without_quotes_are_split_at_newlines_and_separators(rows: list[list[str]]) -> None:
    plain = [[cell.replace(",", "") for cell in row] for row in rows]
    result = records("\n".join(map(",".join, plain)).encode())
    assert [split_record(result.bytes(i), ",") for i in range(len(result))] == plain
    assert result.counts.tolist() == [*map(len, plain)]


@pytest.mark.slow
def test_the_time_for_unclear_quotes_does_not_grow_with_the_square_of_the_text() -> None:
    times = []
    for n in (2_000, 4_000, 8_000):
        start = time.thread_time()
        Records.of_text(b'\n,\n,a",",' * n, ",")
        times.append(time.thread_time() - start)
    assert times[2] < max(3 * times[1], 0.5)


def test_a_record_that_is_no_text_is_an_error() -> None:
    with pytest.raises(UnicodeDecodeError):
        split_record(b"\xff", ",")
    with pytest.raises(csv.Error):
        split_record(b"a" * 200_000, ",")
    assert split_record(b"", ",") == []
