from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from nncli.data import arrays


@pytest.mark.parametrize(
    ("alias", "scalar"),
    [
        (arrays.Floats, np.float64),
        (arrays.Codes, np.int64),
        (arrays.RowIndices, np.int64),
        (arrays.ByteArray, np.uint8),
        (arrays.Mask, np.bool_),
    ],
)
def test_aliases_have_the_element_type_of_the_arrays_they_name(alias: Any, scalar: type) -> None:
    assert scalar in get_args(get_args(alias)[1])
