from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sys
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nncli.base.errors import DataError, UsageError
from nncli.data.formats.compression import (
    COMPRESSIONS,
    Compression,
    CompressionError,
    DecompressedStream,
    compression_of,
    detect_compression,
)
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.streams import InputFile, open_input
from nncli.data.sources.files.single_file import open_file
from tests.data.formats.support import zstd

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": zstd.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}
every_compression = pytest.mark.parametrize("compression", COMPRESSIONS, ids=lambda result: result.suffix)


def read(content: bytes, compression: Compression, size: int = -1) -> bytes:
    stream = io.BufferedReader(DecompressedStream(io.BytesIO(content), compression), 16)
    return b"".join(iter(lambda: stream.read(size), b""))


@every_compression
@given(content=st.binary(max_size=300), repeats=st.integers(1, 400), size=st.sampled_from([1, 7, 4096, -1]))
def test_the_content_is_read_back(compression: Compression, content: bytes, repeats: int, size: int) -> None:
    compressed = COMPRESS[compression.suffix](content * repeats)
    assert detect_compression(compressed[:16]) is compression
    assert read(compressed, compression, size) == content * repeats


@every_compression
def test_reading_nothing_reads_nothing(compression: Compression) -> None:
    stream = DecompressedStream(io.BytesIO(COMPRESS[compression.suffix](b"abc")), compression)
    assert [stream.read(size) for size in (0, 2, 0, -1, 0)] == [b"", b"ab", b"", b"c", b""]


@every_compression
def test_several_streams_and_zeros_between_them_are_one_file(compression: Compression) -> None:
    first, two = COMPRESS[compression.suffix](b"a\n"), COMPRESS[compression.suffix](b"1\n")
    assert read(first + bytes(8) + two + bytes(4), compression) == b"a\n1\n"


@every_compression
@pytest.mark.parametrize("cut", [-1, -9, 14])
def test_a_truncated_file_is_refused(compression: Compression, cut: int) -> None:
    compressed = COMPRESS[compression.suffix](os.urandom(1000))
    with pytest.raises(CompressionError):
        read(compressed[:cut], compression)


@every_compression
def test_what_follows_the_end_is_refused(compression: Compression) -> None:
    with pytest.raises(CompressionError):
        read(COMPRESS[compression.suffix](b"a\n") + b"more text", compression)


@every_compression
def test_a_changed_byte_is_refused_with_the_name_of_the_file(compression: Compression, tmp_path: Path) -> None:
    writer = io.BytesIO()
    with compression.open_writer(writer) as file:
        file.write(bytes(range(256)) * 40)
    content = bytearray(writer.getvalue())
    content[len(content) // 2] ^= 0x55
    (tmp_path / "0").write_bytes(content)
    with pytest.raises(DataError) as caught, open_input(tmp_path / "0", "s3://x/a.csv") as (_, stream):
        stream.read()
    assert caught.value.location is not None
    assert caught.value.location.source == "s3://x/a.csv"


@pytest.mark.slow
@every_compression
def test_the_same_content_gives_the_same_bytes(compression: Compression) -> None:
    content, results = os.urandom(1000) * 500, set()
    for size in (len(content), 4096, 100_003):
        with compression.open_writer(written := io.BytesIO()) as file:
            for start in range(0, len(content), size):
                file.write(content[start : start + size])
        results.add(written.getvalue())
    assert len(results) == 1


@every_compression
def test_a_file_that_grows_absurdly_is_refused(compression: Compression, monkeypatch: pytest.MonkeyPatch) -> None:
    compressed = COMPRESS[compression.suffix](bytes(4_000_000))
    assert len(read(compressed, compression, 1 << 16)) == 4_000_000
    monkeypatch.setattr("nncli.data.formats.compression.FREE_BYTES", 1 << 20)
    monkeypatch.setattr("nncli.data.formats.compression.MAX_RATIO", 500)
    with pytest.raises(CompressionError, match="500 times"):
        read(compressed, compression, 1 << 16)


def test_little_of_a_repetitive_file_is_decompressed_at_a_time() -> None:
    compressed = zstd.compress(bytes(200 << 20))
    stream = DecompressedStream(io.BytesIO(compressed), COMPRESSIONS[1])
    tracemalloc.start()
    try:
        assert len(stream.read(100)) == 100
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
    assert len(COMPRESSIONS[1].decoder().decompress(compressed, 1000)) == 1000


def test_a_frame_that_needs_much_memory_is_refused() -> None:
    parameters: dict[int, int] = {
        zstd.CompressionParameter.window_log: 30,
        zstd.CompressionParameter.enable_long_distance_matching: 1,
    }
    compressor = zstd.ZstdCompressor(options=parameters)
    with pytest.raises(CompressionError, match="memory"):
        read(compressor.compress(b"a\n") + compressor.flush(), COMPRESSIONS[1])


def test_frames_to_be_skipped_are_skipped() -> None:
    frame = b"\x50\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    assert detect_compression(frame[:10]) is COMPRESSIONS[1]
    assert read(frame + zstd.compress(b"a\n"), COMPRESSIONS[1]) == b"a\n"


def read_table(way: str, content: bytes, folder: Path) -> str:
    """The text of a compressed file by the ways that there are."""
    path = folder / ("a.csv" if way == "another name" else way)
    if way == "pipe":
        os.mkfifo(path)
        writer = threading.Thread(target=path.write_bytes, args=[content])
        writer.start()
    else:
        path.write_bytes(content)
    try:
        tables = [*open_file(InputFile.of(path)).read(ReadOptions())]
    finally:
        if way == "pipe":
            writer.join()
            path.unlink()
    return "\n".join(str(row) for table in tables for row in table.frame.rows())


@every_compression
@pytest.mark.parametrize("way", ["named", "another name", "pipe"])
def test_a_cut_file_is_an_error_wherever_it_is_cut(compression: Compression, way: str, tmp_path: Path) -> None:
    whole = COMPRESS[compression.suffix](b"a,b\n1,2\n3,4\n5,7\n")
    way = f"a.csv{compression.suffix}" if way == "named" else way
    assert read_table(way, whole, tmp_path).count("\n") == 2
    for cut in range(len(whole)):
        with pytest.raises(DataError) as caught:
            read_table(way, whole[:cut], tmp_path)
        assert cut == 0 or any(word in str(caught.value) for word in ("cut off", "damaged or truncated"))
    assert "cut off" in str(caught.value) or cut


@every_compression
def test_a_file_of_no_bytes_is_cut_off_if_its_name_says_that_it_is_compressed(
    compression: Compression, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="cut off"):
        read_table(f"a.csv{compression.suffix}", b"", tmp_path)
    with pytest.raises(DataError) as caught:
        read_table("another name", b"", tmp_path)
    assert "cut off" not in str(caught.value)


def test_a_zip_file_cut_to_a_few_bytes_is_no_text(tmp_path: Path) -> None:
    for cut in range(1, 4):
        with pytest.raises(DataError, match="cut off"):
            read_table("pipe", b"PK\x03\x04"[:cut], tmp_path)


CONTENT = st.builds(
    lambda lines, times: b"a,b\n" + "".join(lines).encode() * times,
    st.lists(st.sampled_from(["1,2\n", 'x,"y"\n', '"', ",", "\n", '\n,\n,a",",', "0" * 50]), max_size=8),
    st.integers(1, 300),
)
CHANGE = st.tuples(st.sampled_from(["flip", "set", "delete", "insert", "cut"]), st.floats(0, 1), st.integers(0, 255))


def changed(content: bytes, changes: list[tuple[str, float, int]]) -> bytes:
    result = bytearray(content)
    for kind, place, value in changes:
        at = int(place * max(len(result) - 1, 0))
        if kind == "cut" or not result:
            del result[at:]
        elif kind in ("flip", "set"):
            result[at] = result[at] ^ (1 << value % 8) if kind == "flip" else value
        elif kind == "delete":
            del result[at : at + 1 + value % 8]
        else:
            result[at:at] = bytes([value])
    return bytes(result)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [*COMPRESS, ".zip"])
@settings(max_examples=60, deadline=20_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=CONTENT, changes=st.lists(CHANGE, min_size=1, max_size=3))
def test_a_damaged_file_is_read_or_refused_in_a_short_time(
    suffix: str, content: bytes, changes: list[tuple[str, float, int]], tmp_path: Path
) -> None:
    if suffix == ".zip":
        with zipfile.ZipFile(file := io.BytesIO(), "w", zipfile.ZIP_BZIP2) as archive:
            archive.writestr("a.csv", content)
        damaged = changed(file.getvalue(), changes)
    else:
        damaged = changed(COMPRESS[suffix](content), changes)
    start = time.process_time()
    with suppress(DataError, UsageError):
        read_table("a.zip" if suffix == ".zip" else f"a.csv{suffix}", damaged, tmp_path)
    assert time.process_time() - start < 5


class StuckDecoder:
    eof, needs_input, unused_data = False, False, b""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return b""


def test_a_decoder_that_is_stuck_is_an_error() -> None:
    with pytest.raises(CompressionError):
        read(gzip.compress(b"a"), replace(COMPRESSIONS[0], decoder=StuckDecoder))


def test_text_that_begins_as_a_bz2_does_is_text() -> None:
    assert detect_compression(b"BZh9,b\n1,2\n") is None


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="Python has it itself")
def test_zstd_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "backports", None)
    for use in (COMPRESSIONS[1].decoder, lambda: COMPRESSIONS[1].open_writer(io.BytesIO())):
        with pytest.raises(UsageError) as caught:
            use()
        assert "nncli-train[zstd]" in str(caught.value.hint)


def test_suffixes_are_known_in_any_case() -> None:
    assert compression_of(".GZ") is COMPRESSIONS[0]
    assert compression_of(".csv") is None


def test_a_file_that_grows_absurdly_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.data.formats.compression.FREE_BYTES", 1 << 20)
    monkeypatch.setattr("nncli.data.formats.compression.MAX_RATIO", 500)
    (tmp_path / "a.csv.xz").write_bytes(lzma.compress(bytes(4_000_000)))
    with pytest.raises(DataError) as caught, open_input(tmp_path / "a.csv.xz") as (_, stream):
        stream.read()
    assert "damaged" not in str(caught.value)
