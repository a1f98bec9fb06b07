from __future__ import annotations

import io
from functools import partial

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nncli.base.errors import DataError
from nncli.data.formats.arrow_messages import END_OF_STREAM, read_messages
from nncli.serving.bodies.arrow_body import MAX_DEPTH, read_arrow
from nncli.serving.bodies.body_size import BodyLimits, BodySize
from nncli.serving.problems import ProblemError
from tests.serving.bodies.test_table_body import arrow_file_of, arrow_of

FRAME = pl.DataFrame({"a": [1, 2, None], "b": ["x", None, "z"]})
WRITERS = pytest.mark.parametrize("write", [arrow_of, arrow_file_of, partial(arrow_file_of, compression="zstd")])


def size_of(max_body: int = 10_000, max_rows: int = 10) -> BodySize:
    """A size of nothing yet, within these limits."""
    return BodySize(BodyLimits(max_body, max_rows))


@WRITERS
def test_files_and_streams_are_read(write: partial[bytes]) -> None:
    assert_frame_equal(read_arrow(write(FRAME), size_of()), FRAME)


def test_the_batches_of_a_stream_are_one_frame() -> None:
    schema, batch = read_messages(io.BytesIO(arrow_of(FRAME)))
    size = size_of()
    body = b"".join([schema.data, batch.data, batch.data, END_OF_STREAM])
    assert_frame_equal(read_arrow(body, size), pl.concat([FRAME] * 2))
    assert size.rows == 6


@WRITERS
@pytest.mark.parametrize("limits", [{"max_rows": 2}, {"max_body": 10}])
def test_a_body_beyond_its_limits_is_refused(write: partial[bytes], limits: dict[str, int]) -> None:
    with pytest.raises(ProblemError) as error:
        read_arrow(write(FRAME), size_of(**limits))
    assert error.value.problem.status == 413


@WRITERS
def test_nesting_is_limited(write: partial[bytes]) -> None:
    columns = [pl.Series("a", [1])]
    for _ in range(MAX_DEPTH):
        columns.append(pl.Series("a", [columns[-1].to_list()]))
    read_arrow(write(columns[-2].to_frame()), size_of())
    with pytest.raises(DataError, match="nested more than"):
        read_arrow(write(columns[-1].to_frame()), size_of())


@pytest.mark.parametrize(
    "body", [b"", b"a,b\n1,x\n", arrow_of(FRAME)[:-30], arrow_file_of(FRAME)[:-30], arrow_file_of(FRAME)[:8]]
)
def test_other_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(DataError):
        read_arrow(body, size_of())
