import struct
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli.serving.open_inference import (
    BYTES,
    NUMBERS,
    bytes_of_series,
    check_datatype,
    datatype_of,
    json_of_series,
    series_of_bytes,
    series_of_json,
)
from nncli.serving.problems import Problem, ProblemError


def _bytes_of(*texts: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def _column(datatype: str, data: Any, rows: int) -> pl.Series:
    if isinstance(data, bytes):
        return series_of_bytes("a", datatype, memoryview(data), rows)
    return series_of_json("a", datatype, data, rows)


def _problem(datatype: str, data: Any, rows: int) -> Problem:
    with pytest.raises(ProblemError) as error:
        _column(datatype, data, rows)
    assert (error.value.problem.status, error.value.problem.column) == (422, "a")
    return error.value.problem


@pytest.mark.parametrize("datatype", [item for item in NUMBERS if item != "BOOL"])
def test_numbers_are_the_same_as_json_and_as_binary_data(datatype: str) -> None:
    values = np.array([0, 1, 100], NUMBERS[datatype])
    from_json = series_of_json("a", datatype, values.tolist(), 3)
    assert from_json.equals(series_of_bytes("a", datatype, memoryview(values.tobytes()), 3))
    assert from_json.to_list() == [0, 1, 100]


def test_a_number_of_32_bits_is_that_of_the_binary_data() -> None:
    assert series_of_json("a", "FP32", [0.1], 1)[0] == float(np.float32(0.1))


def test_nan_and_null_are_missing_values() -> None:
    data = np.array([1.0, np.nan]).tobytes()
    assert series_of_bytes("a", "FP64", memoryview(data), 2).to_list() == [1.0, None]
    assert series_of_json("a", "FP64", [float("nan"), None], 2).to_list() == [None, None]
    assert series_of_json("a", BYTES, ["x", None], 2).to_list() == ["x", None]
    assert series_of_json("a", "INT8", [None, 3], 2).to_list() == [None, 3]


def test_a_name_that_looks_like_a_pattern_is_a_name() -> None:
    column = series_of_json("^a.*$", "FP64", [1.0, None], 2)
    assert (column.name, column.to_list()) == ("^a.*$", [1.0, None])


def test_texts_and_booleans_are_read_in_both_forms() -> None:
    assert series_of_bytes("a", BYTES, memoryview(_bytes_of(b"", "é".encode())), 2).to_list() == ["", "é"]
    assert series_of_json("a", BYTES, ["", "é"], 2).to_list() == ["", "é"]
    assert series_of_bytes("a", "BOOL", memoryview(b"\x00\x01"), 2).to_list() == [False, True]
    assert series_of_json("a", "BOOL", [False, True], 2).to_list() == [False, True]


def test_rows_of_one_element_may_be_arrays() -> None:
    assert series_of_json("a", "INT64", [[1], [2]], 2).to_list() == [1, 2]


def test_no_rows_are_a_column_without_rows() -> None:
    for datatype in (*NUMBERS, BYTES):
        assert len(series_of_json("a", datatype, [], 0)) == len(series_of_bytes("a", datatype, memoryview(b""), 0)) == 0


@pytest.mark.parametrize(
    ("datatype", "data"),
    [
        ("FP64", [1.0, "2"]),
        ("FP64", [1.0, True]),
        ("FP64", [1.0, [2.0, 3.0]]),
        ("INT8", [1, 128]),
        ("UINT8", [1, -1]),
        ("INT64", [1, 2.0]),
        ("INT64", [1, 1 << 63]),
        ("UINT64", [1, 1 << 64]),
        ("INT64", [1, False]),
        ("BOOL", [True, 1]),
        (BYTES, ["x", 1]),
        (BYTES, ["x", {}]),
        (BYTES, ["x", "\ud800"]),
        (BYTES, _bytes_of(b"x", b"\xff")),
        (BYTES, _bytes_of(b"x", b"y")[:-1]),
    ],
)
def test_an_element_of_another_type_is_named_by_its_row(datatype: str, data: Any) -> None:
    assert _problem(datatype, data, 2).row == 2


@pytest.mark.parametrize(
    ("datatype", "data"),
    [
        ("FP64", [1.0]),
        ("FP64", [1.0, 2.0, 3.0]),
        ("FP64", None),
        ("FP64", "1, 2"),
        ("FP64", b"1234567"),
        ("FP64", b"x" * 24),
        ("BOOL", b"\x01"),
        (BYTES, b""),
        (BYTES, _bytes_of(b"x")),
        (BYTES, _bytes_of(b"x", b"y", b"z")),
        (BYTES, _bytes_of(b"x") + b"\xff\xff"),
        (BYTES, b"\xff\xff\xff\xff"),
    ],
)
def test_another_number_of_elements_is_refused(datatype: str, data: Any) -> None:
    _problem(datatype, data, 2)


def test_an_infinite_number_is_left_to_the_model_which_names_its_row() -> None:
    assert series_of_json("a", "FP64", [10**400, -(10**400)], 2).to_list() == [float("inf"), float("inf")]


@pytest.mark.parametrize("datatype", ["BF16", "fp64", "", None, 3, ["FP64"]])
def test_another_datatype_is_refused_with_those_there_are(datatype: object) -> None:
    with pytest.raises(ProblemError) as error:
        check_datatype("a", datatype)
    assert "'FP64'" in str(error.value.problem.hint)


@pytest.mark.parametrize(
    ("column", "datatype", "data"),
    [
        (pl.Series([1.5, -2.0]), "FP64", struct.pack("<2d", 1.5, -2.0)),
        (pl.Series([0.5], dtype=pl.Float32), "FP32", struct.pack("<f", 0.5)),
        (pl.Series([1, -2]), "INT64", struct.pack("<2q", 1, -2)),
        (pl.Series([True, False]), "BOOL", b"\x01\x00"),
        (pl.Series(["a", "é"]), BYTES, _bytes_of(b"a", "é".encode())),
    ],
)
def test_columns_of_answers_have_their_datatype(column: pl.Series, datatype: str, data: bytes) -> None:
    assert (datatype_of(column.dtype), bytes_of_series(column)) == (datatype, data)
    assert json_of_series(column) == column.to_list()
    assert series_of_bytes("", datatype, memoryview(data), len(column)).to_list() == column.to_list()


def test_numbers_that_json_does_not_have_are_null() -> None:
    assert json_of_series(pl.Series([float("nan"), float("inf"), 1.0])) == [None, None, 1.0]
