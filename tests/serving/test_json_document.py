import math

import pytest

from nncli.serving.json_document import parse_document
from nncli.serving.problem import ProblemError


def test_nan_is_read() -> None:
    assert math.isnan(parse_document(b'{"a": NaN}')["a"])


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a": ' + b"9" * 5_000 + b"}", b"nan"])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(ProblemError) as error:
        parse_document(body)
    assert error.value.problem.status == 400
