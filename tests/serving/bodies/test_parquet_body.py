from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nncli.base.errors import DataError
from nncli.serving.bodies.body_size import BodyLimits, BodySize
from nncli.serving.bodies.parquet_body import read_parquet
from nncli.serving.problems import ProblemError
from tests.serving.bodies.test_table_body import parquet_of

FRAME = pl.DataFrame({"a": [1, 2, None], "b": ["x", None, "z"], "lists": [[1], [], [2, 3]]})


def size_of(max_body: int = 10_000, max_rows: int = 10) -> BodySize:
    """A size of nothing yet, within these limits."""
    return BodySize(BodyLimits(max_body, max_rows))


@pytest.mark.parametrize("options", [{}, {"compression": "uncompressed"}, {"row_group_size": 2}])
def test_the_columns_of_a_model_are_read_and_all_are_named(options: dict[str, Any]) -> None:
    size = size_of()
    frame, names = read_parquet(parquet_of(FRAME, **options), ["b", "a", "other"], size)
    assert_frame_equal(frame, FRAME[["a", "b"]])
    assert (names, size.rows) == (["a", "b", "lists"], 3)


def test_columns_that_the_model_does_not_read_do_not_count() -> None:
    body = parquet_of(FRAME[:1].with_columns(large=pl.lit("a" * 1_000_000)))
    assert read_parquet(body, ["a"], size_of())[0].columns == ["a"]
    with pytest.raises(ProblemError) as error:
        read_parquet(body, ["a", "large"], size_of())
    assert error.value.problem.status == 413


def test_too_many_rows_are_refused() -> None:
    with pytest.raises(ProblemError) as error:
        read_parquet(parquet_of(FRAME), ["a"], size_of(max_rows=2))
    assert error.value.problem.status == 413


def test_a_nested_column_of_the_model_is_named() -> None:
    with pytest.raises(DataError) as error:
        read_parquet(parquet_of(FRAME), ["lists"], size_of())
    assert error.value.location is not None
    assert error.value.location.column == "lists"


BODY = parquet_of(FRAME)


@pytest.mark.parametrize(
    "body",
    [b"", b"a,b\n1,x\n", BODY[:-10], BODY[:4] + BODY[-8:], BODY[:4] + BODY[40:], BODY[:-8] + b"\xff\xff\xff\x7fPAR1"],
)
def test_other_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(DataError):
        read_parquet(body, ["a"], size_of())
