from __future__ import annotations

import polars as pl
import pytest

from nncli.base.errors import DataError, Location
from nncli.data.formats.streams import InputFile
from nncli.data.sources.files.column_alignment import FileColumns, common_type
from nncli.data.sources.files.partition import PartitionFile

A, B = (PartitionFile(InputFile(None, f"data/{name}.parquet"), f"{name}.parquet") for name in "ab")


@pytest.mark.parametrize(
    ("first", "other", "expected"),
    [
        (pl.Int32(), pl.Int64(), pl.Int64()),
        (pl.Int64(), pl.Float64(), pl.Float64()),
        (pl.Float32(), pl.Int8(), pl.Float64()),
        (pl.Float32(), pl.Float64(), pl.Float64()),
        (pl.UInt64(), pl.Int64(), None),
        (pl.Null(), pl.Date(), pl.Date()),
        (pl.String(), pl.Categorical(), pl.String()),
        (pl.Enum(["a"]), pl.Enum(["b"]), pl.String()),
        (pl.Datetime("ms"), pl.Datetime("us"), pl.Datetime("us")),
        (pl.Datetime("us", "UTC"), pl.Datetime("us"), None),
        (pl.String(), pl.Int64(), None),
        (pl.Boolean(), pl.Int64(), None),
        (pl.Date(), pl.Datetime("us"), None),
    ],
)
def test_types_go_together_where_no_value_changes(
    first: pl.DataType, other: pl.DataType, expected: pl.DataType | None
) -> None:
    results = [common_type(*types) for types in ((first, other), (other, first))]
    wider = [result if expected is None or expected.is_numeric() else expected for result in results]
    assert wider == [expected, expected]


def columns(*schemas: dict[str, pl.DataType], keys: dict[str, pl.DataType] | None = None) -> FileColumns:
    result = FileColumns(keys or {})
    for part, schema in zip((A, B), schemas, strict=False):
        result.add_file(part, schema)
    return result


def refused(*schemas: dict[str, pl.DataType]) -> tuple[Location, str]:
    with pytest.raises(DataError) as caught:
        columns(*schemas)
    assert caught.value.location is not None
    return caught.value.location, str(caught.value)


def test_columns_in_another_order_are_put_in_order() -> None:
    result = columns({"x": pl.Int64(), "s": pl.String()}, {"s": pl.String(), "x": pl.Int64()})
    assert result.aligned(B, pl.DataFrame({"s": ["a"], "x": [1]}), 1).rows() == [(1, "a")]


def test_other_columns_are_refused_with_the_file_and_their_names() -> None:
    place, message = refused({"x": pl.Int64(), "y": pl.Int64()}, {"x": pl.Int64(), "z": pl.Int64()})
    assert place.source == B.file.name
    assert "'y'" in message
    assert "'z'" in message


def test_types_that_do_not_go_together_are_refused_with_the_file_and_the_column() -> None:
    place, message = refused({"x": pl.Int64()}, {"x": pl.String()})
    assert (place.source, place.column) == (B.file.name, "x")
    assert A.file.name in message


def test_integers_become_floats_and_missing_columns_get_the_type_of_the_others() -> None:
    result = columns({"x": pl.Int64(), "n": pl.Null()}, {"x": pl.Float64(), "n": pl.Int64()})
    frame = result.aligned(A, pl.DataFrame({"x": [1], "n": [None]}, schema={"x": pl.Int64, "n": pl.String}), 1)
    assert frame.schema == {"x": pl.Float64, "n": pl.Int64}


def test_an_integer_that_no_float_holds_is_refused_with_its_row() -> None:
    result = columns({"x": pl.Int64()}, {"x": pl.Float64()})
    with pytest.raises(DataError) as caught:
        result.aligned(A, pl.DataFrame({"x": [1, -(2**53) - 1]}), 11)
    assert caught.value.location == Location(source=A.file.name, row=12, column="x")


@pytest.mark.parametrize("cells", [[1, 1], ["1", "01"]])
def test_a_column_that_agrees_with_its_folder_is_that_of_the_folder(cells: list[object]) -> None:
    part = PartitionFile(A.file, A.label, {"month": "01"})
    result = FileColumns({"month": pl.Int64()})
    frame = pl.DataFrame({"x": [1, 2], "month": cells})
    result.add_file(part, frame.schema)
    assert result.aligned(part, frame, 1).rows() == [(1, 1), (2, 1)]


def test_a_column_that_contradicts_its_folder_is_refused_with_its_row() -> None:
    part = PartitionFile(A.file, A.label, {"month": "01"})
    result = FileColumns({"month": pl.Int64()})
    frame = pl.DataFrame({"x": [1, 2], "month": [1, 2]})
    result.add_file(part, frame.schema)
    with pytest.raises(DataError) as caught:
        result.aligned(part, frame, 1)
    assert caught.value.location == Location(source=A.file.name, row=2, column="month")
