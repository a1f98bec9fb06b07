from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from nncli.base.errors import DataError
from nncli.data.formats.csv import decoding
from nncli.data.formats.csv.decoding import DecodedStream, is_ascii_compatible
from nncli.data.formats.csv.records import NO_POSITIONS, RecordBlock, check_utf8
from tests.assertions import raises

ENCODINGS = [
    "utf-8",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "latin-1",
    "cp1252",
    "shift_jis",
    "iso2022_jp",
    "utf-7",
]


def pieces(text: DecodedStream, size: int) -> Iterator[bytes]:
    while data := text.read(size):
        yield data


def decoded(data: bytes, encoding: str = "auto", fallback: str = "auto", size: int = 7) -> str:
    return b"".join(pieces(DecodedStream(io.BytesIO(data), "x.csv", encoding, fallback), size)).decode()


@pytest.fixture(params=[2, 5, 1 << 20])
def sample_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(decoding, "SAMPLE_BYTES", request.param)
    return int(request.param)


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=30),
    st.sampled_from(ENCODINGS),
    st.integers(1, 9),
    st.sampled_from([1, 3, 1 << 20]),
)
@example("\x1b", "iso2022_jp", 1, 1)
def test_text_comes_back_whatever_it_is_written_in(text: str, encoding: str, size: int, sample: int) -> None:
    data = text.encode(encoding, "ignore")
    # A NUL after the byte-order mark of UTF-16 makes it that of UTF-32: such a beginning is ambiguous.
    assume(codecs.lookup(encoding).name != "utf-16" or not data.startswith(codecs.BOM_UTF32_LE))
    try:
        expected = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError:  # a lone escape, which some codecs write and cannot read
        expected = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "SAMPLE_BYTES", sample)
        if expected is None:
            with pytest.raises(DataError, match=encoding):
                decoded(data, encoding, size=size)
        else:
            assert decoded(data, encoding, size=size) == expected


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_mark_says_the_encoding(encoding: str, sample_bytes: int) -> None:
    assert decoded("a,é\n1,😀\n".encode(encoding)) == "a,é\n1,😀\n"
    assert decoded("\ufeffa\n".encode("utf-16-be")) == "a\n"


@pytest.mark.parametrize(("encoding", "said"), [("utf-16", "UTF-8"), ("utf-8", "latin-1"), ("utf-16-le", "utf-16-be")])
def test_a_mark_that_contradicts_the_person_is_refused(encoding: str, said: str) -> None:
    if encoding == said:
        return
    with pytest.raises(DataError, match=f"not {said}"):
        decoded("\ufeffa\n".encode(encoding) if encoding != "utf-16" else "a".encode(encoding), said)


def test_unmarked_text_falls_back_on_what_the_model_was_trained_with(sample_bytes: int) -> None:
    plain = "a,b\n" * 50
    for text in ("é", plain + "é,1\n", plain + "née"):
        for size in (1, 3, 100):
            assert decoded(text.encode("latin-1"), fallback="latin-1", size=size) == text
            assert decoded(text.encode("utf-8"), fallback="latin-1", size=size) == text
            assert decoded(text.encode("utf-16"), fallback="latin-1", size=size) == text
    assert decoded("é日".encode("utf-16-le"), fallback="utf-16-le") == "é日"


def test_bytes_that_are_no_text_are_refused_by_their_line(sample_bytes: int) -> None:
    with pytest.raises(DataError, match=r"x.csv:3: the bytes 0x81 are not cp1252 text"):
        decoded(b"a\nb\n\x81\n", "cp1252")
    with pytest.raises(DataError, match="utf-16"):
        decoded("a\nb\n".encode("utf-16") + b"\x00")


@pytest.mark.parametrize("size", [1, 100])
def test_lines_of_old_macs_are_given_line_feeds(size: int, sample_bytes: int) -> None:
    text = DecodedStream(io.BytesIO(b"a,b\r1,2\r\r3,4\r"), "x.csv")
    if sample_bytes > 4:
        assert text.old_mac
        assert b"".join(pieces(text, size)) == b"a,b\n1,2\n\n3,4\n"


def test_line_ends_that_change_along_the_way_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "SAMPLE_BYTES", 5)
    with pytest.raises(DataError, match="carriage return at first"):
        decoded(b"a,b\r1,2\r3,4\n")


@pytest.mark.parametrize("sample", [1, 2, 3, 4, 5, 100])
def test_half_of_a_line_end_makes_no_old_mac(sample: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "SAMPLE_BYTES", sample)
    assert decoded(b"abcd\r\n1\r\n") == "abcd\r\n1\r\n"


def test_only_encodings_that_keep_ascii_can_wait_for_a_decision() -> None:
    assert all(is_ascii_compatible(name) for name in ("latin-1", "cp1252", "shift_jis", "euc_jp", "gb18030"))
    assert not any(is_ascii_compatible(name) for name in ("utf-16-le", "utf-7", "iso2022_jp", "hz", "cp037"))


@pytest.mark.parametrize("size", [1, 5, 6, 7, 100])
def test_what_is_read_of_a_file_ends_with_a_line_and_all_of_it_comes(tmp_path: Path, size: int) -> None:
    data = b"".join(b"%d,abc\n" % i for i in range(40)) + b"no end"
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    with path.open("rb") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "SAMPLE_BYTES", 3)
        text = DecodedStream(file, "x.csv")
        first = text.read(len(text.sample))
        parts = list(pieces(text, size))
    assert first + b"".join(parts) == data
    assert all(part.endswith(b"\n") for part in parts[:-1])


def test_a_line_without_an_end_is_not_looked_ahead_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"x" * 1000)
    with path.open("rb") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "SAMPLE_BYTES", 10)
        patch.setattr(decoding, "MAX_LOOKAHEAD", 20)
        assert len(DecodedStream(file, "x.csv").sample) == 4 + 30


WINDOWS = "Größe;Straße\n" + "1,5;plain\n" * 30 + "2;Café „Über“ – né…\n"


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("plain", [0, 50])
def test_text_that_is_not_utf8_is_windows_1252(size: int, plain: int, sample_bytes: int) -> None:
    data = b"a;b\n" * plain + WINDOWS.encode("cp1252")
    text = DecodedStream(io.BytesIO(data), "x.csv")
    assert b"".join(pieces(text, size)).decode() == "a;b\n" * plain + WINDOWS
    assert text.encoding == "cp1252"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_text_without_a_mark_is_recognized(encoding: str) -> None:
    text = DecodedStream(io.BytesIO(WINDOWS.encode(encoding)), "x.csv")
    assert (text.encoding, b"".join(pieces(text, 7)).decode()) == (encoding, WINDOWS)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"a\n" * 20 + b"K\xf6ln\n" + b"b\n" * 20 + "Köln\n".encode(), 42),
        (b"a\n" * 20 + "Köln\n".encode() + b"b\n" * 20 + b"K\xf6ln\n", 42),
        (b"a\n" * 20 + b"K\x81\n", 21),
        (b"a\n" * 20 + b"K\xf6ln\n" + b"b\n" * 20 + b"\x81\n", 42),
        (b"a\n" * 20 + b"caf\xc3\n", 21),
        (b"a\n" * 20 + "Köln\n".encode() + b"b\n" * 20 + "Köln".encode()[:2], 42),
    ],
)
def test_mixed_and_cut_text_is_refused_with_its_line(data: bytes, line: int, sample_bytes: int) -> None:
    with raises(DataError, file="x.csv", line=line):
        text = DecodedStream(io.BytesIO(data), "x.csv")
        whole = b"".join(pieces(text, 7))
        check_utf8(RecordBlock(whole, NO_POSITIONS, 1), "x.csv")


@pytest.mark.parametrize(("last", "line"), [(b"K\x81\n", 3001), (b"K\xf6ln\n" + b"b\n" * 9 + b"\x81\n", 3011)])
def test_the_line_is_counted_in_plain_files_and_streams(last: bytes, line: int, tmp_path: Path) -> None:
    data = b"abc,def\n" * 3000 + last
    (tmp_path / "x.csv").write_bytes(data)
    with pytest.MonkeyPatch.context() as patch, (tmp_path / "x.csv").open("rb") as file:
        patch.setattr(decoding, "SAMPLE_BYTES", 1000)
        for stream in (file, io.BytesIO(data)):
            with raises(DataError, file="x.csv", line=line):
                b"".join(pieces(DecodedStream(stream, "x.csv"), 700))
