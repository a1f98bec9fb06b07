from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import DataError
from nncli.data.formats.csv import records as module
from nncli.data.formats.csv.records import QUOTE, blocks, end_of_records, positions_of

texts = st.text(alphabet='a,"\n\r', min_size=1).map(str.encode)


@given(texts, st.integers(1, 20))
def test_blocks_put_together_are_the_text_and_know_their_quotes_and_lines(text: bytes, size: int) -> None:
    seen = b""
    for block in blocks(io.BytesIO(text), "x", size=size):
        assert block.line == 1 + seen.count(b"\n")
        assert block.quotes.tolist() == [at for at, byte in enumerate(block.data) if byte == QUOTE]
        seen += block.data
    assert seen == text


@given(texts, st.integers(1, 20))
def test_every_block_but_the_last_ends_at_a_newline_outside_quotes(text: bytes, size: int) -> None:
    *whole, _ = blocks(io.BytesIO(text), "x", size=size)
    for block in whole:
        assert block.data.endswith(b"\n")
        assert block.data.count(b'"') % 2 == 0


@given(texts, st.booleans())
def test_the_cut_is_at_the_last_newline_outside_quotes(text: bytes, inside: bool) -> None:
    ends = [at + 1 for at, byte in enumerate(text) if byte == ord("\n") and (text[:at].count(b'"') + inside) % 2 == 0]
    assert end_of_records(text, positions_of(text, QUOTE), inside=inside) == (ends[-1] if ends else 0)


@pytest.mark.parametrize(("text", "hint"), [(b'"' + b"a\n" * 50, "never closed"), (b"a" * 100, "no line ends")])
def test_a_record_without_end_is_refused(monkeypatch: pytest.MonkeyPatch, text: bytes, hint: str) -> None:
    monkeypatch.setattr(module, "MAX_RECORD_BYTES", 64)
    with pytest.raises(DataError, match="longer than") as caught:
        list(blocks(io.BytesIO(b"a\n" + text), "x", size=8))
    assert caught.value.location is not None
    assert caught.value.location.line == 2
    assert hint in str(caught.value.hint)


def test_a_byte_is_found_wherever_it_stands() -> None:
    assert positions_of(b'a"b""', QUOTE).tolist() == [1, 3, 4]
    assert positions_of(b"abc", QUOTE).dtype == np.int64
