"""The annealing factor falls from 1 to 0 along half a cosine."""

from __future__ import annotations

import pytest

from nncli.nn.layers.layer import annealing_factor


@pytest.mark.parametrize(("t", "factor"), [(0.0, 1.0), (0.49, 1.0), (0.5, 1.0), (0.75, 0.5), (1.0, 0.0), (2.0, 0.0)])
def test_flat_cosine_is_flat_and_then_falls_to_0(t: float, factor: float) -> None:
    assert annealing_factor("flat_cosine", t) == pytest.approx(factor)
    assert annealing_factor("constant", t) == 1.0
