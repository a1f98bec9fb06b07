import math
from collections.abc import Mapping

import pytest

from nncli.serving.bodies.body_size import BodyLimits
from nncli.serving.bodies.json_document import parse_document
from nncli.serving.models.served_model import ServedModel
from nncli.serving.problems.problem import ProblemError

LIMITS = BodyLimits(1_000_000, 10)


def test_nan_is_read(models: Mapping[str, ServedModel]) -> None:
    assert math.isnan(parse_document(b'{"a": NaN}', models["two"], LIMITS)["a"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b"[" * 100_000, 413),
        (b'{"a": ' + b"9" * 5_000 + b"}", 400),
        (b"nan", 400),
        (b'{"a": 1, "a": 2}', 400),
    ],
)
def test_what_is_no_json_is_refused(models: Mapping[str, ServedModel], body: bytes, status: int) -> None:
    with pytest.raises(ProblemError) as error:
        parse_document(body, models["two"], LIMITS)
    assert error.value.problem.status == status
