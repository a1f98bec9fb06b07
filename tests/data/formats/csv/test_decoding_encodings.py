from __future__ import annotations

import codecs
import encodings.aliases
import io
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.base.errors import DataError
from nncli.data.dialect import validate_encoding
from nncli.data.formats.csv.decoding import (
    DecodedStream,
    infer_wide_encoding,
    utf8_error,
    utf8_line,
    windows_1252_error,
)
from tests.assertions import raises


def accepts(encoding: str) -> bool:
    """Whether a configuration may name the encoding."""
    try:
        return bool(validate_encoding(encoding))
    except ValueError:
        return False


TABLE = "Größe;Straße;Preis €\n1,5;Café „Über“;12,50\n2;l’été – né…\xa0»;7\n"
WIDE = ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]


@pytest.mark.parametrize("encoding", WIDE)
@pytest.mark.parametrize("text", [TABLE, "name,年齢\n山田,31\n鈴木,40\n", "имя,год\nОльга,1980\n", "a\n1\n"])
def test_wide_encodings_are_inferred_from_nul_bytes(text: str, encoding: str) -> None:
    assert infer_wide_encoding(text.encode(encoding)) == encoding
    assert infer_wide_encoding(text.encode(encoding)[:-1]) == encoding


@pytest.mark.parametrize(
    "data",
    [
        b"",
        TABLE.encode(),
        TABLE.encode("cp1252"),
        b"a,b\n1,\0\n",
        b"\0,b\n1,2\n",
        b"\0a\0b\0\1\0\n",
        bytes(range(256)) * 4,
    ],
)
def test_other_bytes_are_no_wide_encoding(data: bytes) -> None:
    assert infer_wide_encoding(data) is None


@given(st.text(st.characters(max_codepoint=0x7F, exclude_characters="\0"), max_size=60), st.integers(0, 60))
def test_one_nul_makes_no_wide_encoding(text: str, position: int) -> None:
    data = text.encode()
    data = data[:position] + b"\0" + data[position:]
    result = infer_wide_encoding(data)
    assert result is None or len(data) < 12


def test_western_text_is_windows_1252() -> None:
    for text in (
        TABLE,
        "S\xc3O PAULO;1\n",
        "MA\xc7\xc3;1\n",
        "5 m², 20 °C, ½ l\n",
        "Ž Š š œuvre Île\n",
        "ÄÖÜß\n",
        "O´Brien\n",
    ):
        assert windows_1252_error(text.encode("cp1252")) is None


@pytest.mark.parametrize(
    ("data", "position"),
    [
        (b"ab\x81c", 2),  # undefined
        ("Мужской".encode("cp1251"), 0),
        ("Ελληνικά".encode("cp1253"), 0),
        ("a;日本語テキスト".encode("gbk"), 2),
        ("Łódź, złoty".encode("cp1250"), 7),
        ("Zażółć".encode("iso8859-2"), 2),
        ("Köln".encode("cp437"), 1),
        ("Jäger".encode("mac-roman"), 1),
        (b"M\xc3\xbcnchen\nK\xf6ln\n", 10),  # one line is UTF-8, the other is not
        (b"a,caf\xc3\nb,x\n", 5),  # a character that was cut
        (b'"caf\xc3",1', 4),
        (b"5 \xe2\x82", 2),
        (b"a\x01\xe4", 1),  # not text
    ],
)
def test_other_text_is_refused_at_its_first_evidence(data: bytes, position: int) -> None:
    assert utf8_error(data, is_end=True) is not None
    assert windows_1252_error(data) == position


@given(st.text(max_size=20), st.integers(0, 100))
def test_text_that_is_cut_has_an_error_at_the_cut_only(text: str, cut: int) -> None:
    data = text.encode()
    assert utf8_error(data[:cut], is_end=False) is None
    whole = len(data[:cut].decode(errors="ignore").encode())
    assert utf8_error(data[:cut], is_end=True) == (whole if whole < len(data[:cut]) else None)


def test_a_line_of_utf8_is_found_among_others() -> None:
    assert utf8_line(b"a\n\xe4\n\xc3\xa4\n") == 4
    assert utf8_line("l’été, né…\xa0»\n".encode("cp1252")) is None
    assert utf8_line(b"abc\n") is None
    assert utf8_line(codecs.BOM_UTF8) == 0


ENCODINGS = sorted({name for name in {*encodings.aliases.aliases.values()} if accepts(name)})
BYTES = st.binary(max_size=60) | st.text(max_size=30).map(lambda text: text.encode("utf-16-le", "surrogatepass"))


@settings(max_examples=150)
@given(BYTES, st.sampled_from([*ENCODINGS, "utf-16", "utf-32", "utf-7", "utf-8-sig"]), st.booleans())
def test_bytes_that_are_not_of_an_encoding_are_data_errors(data: bytes, encoding: str, is_fallback: bool) -> None:
    words = {"fallback" if is_fallback else "encoding": encoding}
    with suppress(DataError):
        stream = DecodedStream(io.BytesIO(data), "t.csv", **words)
        while stream.read(7):
            pass


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "UTF_16"])
@pytest.mark.parametrize("order", ["le", "be"])
def test_wide_text_without_a_mark_is_read_in_the_order_that_it_shows(encoding: str, order: str) -> None:
    data = TABLE.encode(f"{encoding.lower().replace('_', '-')}-{order}")

    assert DecodedStream(io.BytesIO(data), "t.csv", encoding).read(10_000).decode() == TABLE
    with raises(DataError, file="t.csv", line=1):
        DecodedStream(io.BytesIO(b"abc,d"), "t.csv", encoding)
