from __future__ import annotations

import bz2
import io
import json
import lzma
import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import fastavro
import polars as pl
import pytest

from nncli.base.errors import DataError, UsageError
from nncli.data.formats.streams import InputFile
from nncli.data.formats.writers import write_table
from nncli.data.sources.read_table import read_chunks, read_table
from nncli.integrations.avro import AvroFormat
from tests.data.formats.support import zstd

FRAME = pl.DataFrame({"n": [1, None, 3], "x": [0.5, None, -1.0], "s": ["a", "", None]})
SYNC = bytes(range(16))
CODECS: dict[str, Callable[[bytes], bytes]] = {
    "deflate": lambda data: zlib.compress(data)[2:],
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstandard": zstd.compress,
}


def number(value: int) -> bytes:
    bits, text = value << 1, bytearray()
    while bits >= 0x80:
        text.append(bits & 0x7F | 0x80)
        bits >>= 7
    return bytes((*text, bits))


def avro(schema: object, *blocks: tuple[int, bytes], codec: str = "null") -> bytes:
    pairs = {b"avro.codec": codec.encode(), b"avro.schema": json.dumps(schema).encode()}
    metadata = b"".join(number(len(text)) + text for pair in pairs.items() for text in pair)
    body = b"".join(number(count) + number(len(data)) + data + SYNC for count, data in blocks)
    return b"Obj\x01" + number(2) + metadata + number(0) + SYNC + body


def record(*types: object) -> dict[str, object]:
    fields = [{"name": name, "type": result} for name, result in zip("abcdef", types, strict=False)]
    return {"type": "record", "name": "row", "fields": fields}


def write(path: Path, codec: str = "uncompressed") -> Path:
    FRAME.write_avro(path, compression=codec)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("codec", ["uncompressed", "deflate", "snappy"])
def test_a_file_of_polars_is_read(tmp_path: Path, codec: str) -> None:
    assert read_table(write(tmp_path / "a.avro", codec)).frame.equals(FRAME)


@pytest.mark.parametrize("codec", CODECS)
def test_blocks_of_every_codec_are_read(tmp_path: Path, codec: str) -> None:
    blocks = [(3, CODECS[codec](number(i) + number(i + 1) + number(i + 2))) for i in (0, 3, 6)]
    (tmp_path / "a.avro").write_bytes(avro(record("int"), *blocks, codec=codec))
    assert read_table(tmp_path / "a.avro").frame["a"].to_list() == [*range(9)]


def test_blocks_come_as_tables_with_the_number_of_the_first_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.integrations.avro.GROUP_ROWS", 1)
    (tmp_path / "a.avro").write_bytes(avro(record("int"), (2, number(7) * 2), (1, number(8))))
    tables = [(table.first_row, table.frame["a"].to_list()) for table in read_chunks(tmp_path / "a.avro")]
    assert tables == [(1, [7, 7]), (3, [8])]


def test_an_enumeration_is_text_also_where_it_may_be_null_or_is_used_again(tmp_path: Path) -> None:
    words = {"type": "enum", "name": "words", "symbols": ["yes", "no"]}
    schema = record(words, ["null", "words"], "words")
    row = number(1) + number(1) + number(0) + number(0) + number(1) + number(0) + number(1)
    (tmp_path / "a.avro").write_bytes(avro(schema, (2, row)))
    assert read_table(tmp_path / "a.avro").frame.rows() == [("no", "yes", "yes"), ("no", None, "no")]


@pytest.mark.parametrize("result", [{"type": "map", "values": "int"}, ["null", "int", "string"]])
def test_a_column_that_is_no_cell_is_named(tmp_path: Path, result: object) -> None:
    (tmp_path / "a.avro").write_bytes(avro(record("int", result)))
    with pytest.raises(DataError) as caught:
        read_table(tmp_path / "a.avro")
    assert caught.value.location is not None
    assert caught.value.location.column == "b"


def test_a_table_of_no_rows_has_its_columns(tmp_path: Path) -> None:
    (tmp_path / "a.avro").write_bytes(avro(record("int", "string")))
    assert read_table(tmp_path / "a.avro").frame.schema == {"a": pl.Int32, "b": pl.String}


@pytest.mark.parametrize("codec", ["uncompressed", "deflate", "snappy"])
def test_a_truncated_file_is_refused(tmp_path: Path, codec: str) -> None:
    content = write(tmp_path / "a.avro", codec).read_bytes()
    block = content.rindex(content[-16:], 0, -16) + 16  # behind the header, which ends with the same marker
    for cut in range(1, len(content)):
        (tmp_path / "a.avro").write_bytes(content[:cut])
        try:
            assert len(read_table(tmp_path / "a.avro")) == 0
        except DataError:
            continue
        assert cut <= block


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a,b\n1,2\n",
        b"Obj\x01" + number(1),
        avro({"type": "map"}),
        avro("int"),
        avro(record("int"), (1, b"\x02"), codec="lzma"),
        avro(record("int"), (1 << 40, b"\x02")),
        avro(record("int"), (1, b"\x02"))[:-1] + b"?",
        avro({"type": "record", "name": "row", "fields": 1}),
    ],
)
def test_what_is_no_avro_file_is_refused_by_its_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.avro").write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_table(tmp_path / "a.avro")
    assert caught.value.location is not None
    assert caught.value.location.source == str(tmp_path / "a.avro")


@pytest.mark.parametrize("codec", CODECS)
def test_a_block_that_grows_absurdly_is_refused(tmp_path: Path, codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.data.formats.compression.FREE_BYTES", 1 << 20)
    monkeypatch.setattr("nncli.data.formats.compression.MAX_RATIO", 500)
    (tmp_path / "a.avro").write_bytes(avro(record("int"), (1, CODECS[codec](bytes(4 << 20))), codec=codec))
    with pytest.raises(DataError, match="500 times"):
        read_table(tmp_path / "a.avro")


def test_it_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write_table(FRAME, tmp_path / "a.avro")
    assert list(tmp_path.iterdir()) == []


def test_standard_input_is_detected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO(write(tmp_path / "a.avro").read_bytes())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(content))
    assert read_table(None).frame.equals(FRAME)
    assert AvroFormat().detects(content.getvalue()[:16])


TYPED = [
    ("int", 7, pl.Int32),
    ("long", 1 << 40, pl.Int64),
    ("float", 0.5, pl.Float32),
    ("double", 0.1, pl.Float64),
    ("boolean", True, pl.Boolean),
    ("string", "é", pl.String),
    ("bytes", b"\0\xff", pl.Binary),
    ({"type": "array", "items": ["null", "string"]}, ["a", None], pl.List(pl.String)),
    (record("int", "string"), {"a": 1, "b": "x"}, pl.Struct({"a": pl.Int32, "b": pl.String})),
    ({"type": "int", "logicalType": "date"}, date(1969, 12, 31), pl.Date),
    ({"type": "long", "logicalType": "local-timestamp-micros"}, datetime(2020, 1, 2, 3), pl.Datetime("us")),
    ({"type": "long", "logicalType": "timestamp-millis"}, datetime(2020, 1, 2, 3, tzinfo=UTC), pl.Datetime("ms")),
    ({"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2}, Decimal("1.25"), pl.Decimal(5, 2)),
]


@pytest.mark.parametrize(("kind", "value", "dtype"), TYPED, ids=[str(dtype) for *_, dtype in TYPED])
def test_each_type_that_a_cell_can_have_is_read(
    tmp_path: Path, kind: object, value: object, dtype: pl.DataType
) -> None:
    optional = ["null", {**kind, "name": "inner"} if isinstance(kind, dict) and kind["type"] == "record" else kind]
    with (tmp_path / "a.avro").open("wb") as file:
        fastavro.writer(file, fastavro.parse_schema(record(optional)), [{"a": value}, {"a": None}])
    frame = read_table(tmp_path / "a.avro").frame
    plain = value.replace(tzinfo=None) if isinstance(value, datetime) else value
    assert frame.schema == {"a": dtype}
    assert frame["a"].to_list() == [plain, None]
    assert AvroFormat().read_schema(InputFile.of(tmp_path / "a.avro")) == frame.schema
