from __future__ import annotations

import gzip
from functools import partial

import pytest

from nncli.serving.bodies.body_size import MAX_MEMBERS, check_encoding, gunzip
from nncli.serving.problems import ProblemError

compress = partial(gzip.compress, mtime=0)


def test_a_body_is_decompressed() -> None:
    assert gunzip(compress(b"abc"), 3) == b"abc"
    assert gunzip(compress(b"abc") + compress(b"def") + b"\0\0", 6) == b"abcdef"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"abc", 400),
        (compress(b"abc")[:-3], 400),
        (compress(b"abc")[:-8] + b"12345678", 400),
        (compress(b"abc") + b"junk", 400),
        (compress(b"a") * (MAX_MEMBERS + 1), 400),
        (compress(b"a" * 1_001), 413),
        (compress(b"a" * 501) * 2, 413),
        (compress(bytes(100_000_000)), 413),
    ],
)
def test_other_bodies_are_refused(body: bytes, status: int) -> None:
    with pytest.raises(ProblemError) as caught:
        gunzip(body, 1_000)
    assert caught.value.problem.status == status


def test_gzip_and_none_are_supported() -> None:
    assert [check_encoding(name) for name in (None, "", "identity", "GZIP", "x-gzip")] == [False] * 3 + [True] * 2
    for name in ("br", "deflate", "gzip, gzip"):
        with pytest.raises(ProblemError) as caught:
            check_encoding(name)
        assert caught.value.problem.status == 415
