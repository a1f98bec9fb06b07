from __future__ import annotations

import pytest

from nncli.data.encoders.encoding_options import CategoricalOptions


@pytest.mark.parametrize(("c", "width"), [(2, None), (32, None), (33, 12), (10_000, 50)])
def test_more_than_max_one_hot_categories_are_embedded(c: int, width: int | None) -> None:
    assert CategoricalOptions().width_for(c) == width


def test_two_categories_become_a_sign_column_if_configured() -> None:
    assert CategoricalOptions(max_one_hot=0).width_for(2) is not None
    assert CategoricalOptions(max_one_hot=0, binary="sign").width_for(2) is None
    assert CategoricalOptions(embedding_width=7).width_for(100) == 7
