"""Avro files, read by fastavro: rows with a schema, in blocks. Polars reads fewer of Avro's types and codecs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, Any, NoReturn, cast

import polars as pl

from nncli.extend import (
    DataError,
    FileFormat,
    FormatKind,
    InputFile,
    Location,
    ReadOptions,
    SizeLimit,
    Table,
    as_tables,
    extra_required,
    open_input,
    peek,
    read_exactly,
    translate_damage,
    wrong_format,
)

MAGIC = b"Obj\x01"
GROUP_ROWS = 1 << 16
"""Rows from which a table is yielded."""
TYPES: dict[str, Any] = {
    "null": pl.Null,
    "boolean": pl.Boolean,
    "int": pl.Int32,
    "long": pl.Int64,
    "float": pl.Float32,
    "double": pl.Float64,
    "bytes": pl.Binary,
    "fixed": pl.Binary,
    "string": pl.String,
    "enum": pl.String,
}
LOGICAL_TYPES: dict[str, Any] = {
    "date": pl.Date,
    "time-millis": pl.Time,
    "time-micros": pl.Time,
    "timestamp-millis": pl.Datetime("ms", "UTC"),
    "timestamp-micros": pl.Datetime("us", "UTC"),
    "local-timestamp-millis": pl.Datetime("ms"),
    "local-timestamp-micros": pl.Datetime("us"),
}


class AvroFormat(FileFormat):
    """The Avro format. It is only read."""

    def detects(self, head: bytes) -> bool:
        """Whether the stream begins as an Avro file does."""
        return head.startswith(MAGIC)

    def read_schema(self, file: InputFile) -> pl.Schema:
        """The types of the columns, from the header."""
        with open_input(file.path, file.name) as (_, stream):
            return next(read_avro(stream, file.name, whole=True, rows=False))[1].schema

    def read_stream(self, stream: IO[bytes], file: InputFile, options: ReadOptions) -> Iterator[Table]:
        """Yield a table for some blocks of rows, or one table of all rows."""
        return as_tables(read_avro(stream, file.name, whole=options.rows is None), file, options)


AVRO = FormatKind(
    (".avro",),
    "nncli.integrations.avro:AvroFormat",
    is_columnar=True,
    is_compressed=True,
    is_written=False,
    name="avro",
)


def read_avro(stream: IO[bytes], source: str, *, whole: bool, rows: bool = True) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield the number of the first row and the rows, some blocks at a time, or all of them; none unless `rows`.

    Raises:
        DataError: this is no Avro file, it is damaged, or a column has a type that is no cell of a table.
        UsageError: the package fastavro is not installed.
    """
    with extra_required("avro", ".avro needs the package fastavro, which is not installed"):
        import fastavro
    head, stream = peek(stream)
    if not head.startswith(MAGIC):
        raise wrong_format("this is not an Avro file", head, source)
    first, n_rows = 1, 0
    # fastavro has no list of what it raises for damaged bytes.
    with translate_damage("the Avro file", source, Exception):
        blocks: Any = fastavro.block_reader(cast("IO[bytes]", _CountedStream(stream)))
        columns = _columns_of(blocks.writer_schema, source)
        cells: list[list[Any]] = [[] for _ in columns]
        limit = SizeLimit()
        for block in blocks if rows else ():
            n_bytes = len(block.bytes_.getbuffer())
            limit.source, limit.size = limit.source + block.size, limit.size + n_bytes
            limit.check()
            if not 0 <= block.num_records <= n_bytes:  # a row of any column takes a byte
                raise ValueError(f"a block of {n_bytes:,} bytes is said to have {block.num_records:,} rows")
            for record in block:
                assert isinstance(record, dict)
                for of_column, cell in zip(cells, record.values(), strict=True):
                    of_column.append(cell)
            n_rows += block.num_records
            if not whole and n_rows >= GROUP_ROWS:
                yield first, _frame(columns, cells)
                first, n_rows, cells = first + n_rows, 0, [[] for _ in columns]
        if n_rows or first == 1:
            yield first, _frame(columns, cells)


class _CountedStream:
    """A stream with a position, in which a wrong size does not reserve memory."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._position = stream, 0

    def read(self, size: int) -> bytes:
        data = read_exactly(self._stream, size)
        self._position += len(data)
        return data

    def tell(self) -> int:
        return self._position


def _frame(columns: dict[str, Any], cells: Sequence[list[Any]]) -> pl.DataFrame:
    """The rows as a frame: times of UTC have no zone."""
    series = [pl.Series(name, values, kind) for (name, kind), values in zip(columns.items(), cells, strict=True)]
    return pl.DataFrame(
        column.dt.replace_time_zone(None) if getattr(column.dtype, "time_zone", None) else column for column in series
    )


def _columns_of(schema: Any, source: str) -> dict[str, Any]:
    """The type of each column.

    Raises:
        DataError: the rows are no records, or a column has a type that is no cell of a table.
    """
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise DataError("the rows of the Avro file are not records", location=Location(source=source))
    named = dict[str, Any]()
    return {field["name"]: _type(field["type"], field["name"], source, named) for field in schema["fields"]}


def _type(schema: Any, column: str, source: str, named: dict[str, Any]) -> Any:
    """The Polars type of a column, or within one; `named` are the types that have a name, as far as they are known.

    Raises:
        DataError: it has a map, or a union of several types.
    """

    def refuse(what: str) -> NoReturn:
        raise DataError(
            f"the column {what}, which is no cell of a table",
            location=Location(source=source, column=column),
            hint="Write the file without the column, or as one column for each.",
        )

    if isinstance(schema, str):
        return named[schema] if schema in named else TYPES[schema]
    if isinstance(schema, list):
        others = [choice for choice in schema if choice != "null"]
        if len(others) != 1 or len(schema) != 2:
            names = [choice if isinstance(choice, str) else str(choice["type"]) for choice in schema]
            refuse(f"may be of several types ({', '.join(names)})")
        return _type(others[0], column, source, named)
    kind = schema["type"]
    if kind == "map":
        refuse("holds a map of keys and values")
    if kind == "array":
        return pl.List(_type(schema["items"], column, source, named))
    if kind == "record":
        fields = {field["name"]: _type(field["type"], column, source, named) for field in schema["fields"]}
        result: Any = pl.Struct(fields)
    elif schema.get("logicalType") == "decimal":
        result = pl.Decimal(schema["precision"], schema.get("scale", 0))
    elif schema.get("logicalType") == "uuid":
        result = pl.String
    else:
        result = LOGICAL_TYPES.get(schema.get("logicalType"), TYPES[kind] if isinstance(kind, str) else None)
        result = _type(kind, column, source, named) if result is None else result
    if "name" in schema:
        named[schema["name"]] = result
    return result
