from __future__ import annotations

import pytest

from nncli.base.errors import DataError
from nncli.data.formats.csv.records import QUOTE, RecordBlock, check_strict_csv, positions_of


def check(text: bytes) -> None:
    check_strict_csv(RecordBlock(text, positions_of(text, QUOTE), 1), "t.csv", ",")


@pytest.mark.parametrize("text", [b"a,b\r\n1,2\n", b'"a","b ""c"""\n', b'a,"x\ny"\n', b"a,b"])
def test_text_that_all_readers_agree_on_passes(text: bytes) -> None:
    check(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [(b"a\nb\0\n", 2), (b"a\nb\nc\rd\n", 3), (b'a\nb"c"\n', 2), (b'a\n"b"c\n', 2), (b'a\n"b\nc\n', 2)],
)
def test_text_that_readers_disagree_on_is_refused_with_its_line(text: bytes, line: int) -> None:
    with pytest.raises(DataError) as caught:
        check(text)
    assert caught.value.location is not None
    assert caught.value.location.line == line
