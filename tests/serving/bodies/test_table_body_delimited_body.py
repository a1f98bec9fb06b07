from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable

import pytest

from nncli.serving.bodies.table_body import FIRST_LINES, check_not_compressed, check_shape
from nncli.serving.problems import ProblemError
from tests.data.formats.support import zstd


@pytest.mark.parametrize(
    "body",
    [
        b"a,b\n" + b"1,2\n" * 1_000,
        b"a,b\r\n" + b"1,2\r\n" * 1_000,
        b"a,b\r" + b"1,2\r" * 1_000,
        b'a,b\n1,"' + b"text,\n" * 100_000 + b'"\n',
        b"a;b|c\td,e\n" * 1_000,
        b"a" * 100_000,
        b"",
    ],
)
def test_tables_within_the_limits_are_read(body: bytes) -> None:
    check_shape(body, 1_000, 5)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"1\n" * (1_001 + FIRST_LINES), 413),
        (b"1\r" * (1_001 + FIRST_LINES), 413),
        (b'"a\nb"\n' * (1_001 + FIRST_LINES), 413),
        (b"1\n" * (FIRST_LINES - 1) + b"1,2,3,4,5,6\n", 400),
        (b"\t\t\t\t\t", 400),
    ],
)
def test_too_many_lines_or_columns_are_refused(body: bytes, status: int) -> None:
    with pytest.raises(ProblemError) as caught:
        check_shape(body, 1_000, 5)
    assert caught.value.problem.status == status


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress, bz2.compress, lzma.compress])
def test_a_compressed_file_is_no_text_wherever_it_is_cut(compress: Callable[[bytes], bytes]) -> None:
    whole = compress(b"a,b\n1,2\n")
    for size in range(1, len(whole) + 1):
        with pytest.raises(ProblemError) as caught:
            check_not_compressed(whole[:size])
        assert caught.value.problem.status == 400
    check_not_compressed(b"a,b\n1,2\n")
    check_not_compressed(b"")
