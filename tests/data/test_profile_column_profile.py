from __future__ import annotations

from nncli.data.encoders.column_types import ColumnType
from nncli.data.profile import ColumnProfile


def test_a_column_is_unique_if_no_value_is_missing_or_repeats() -> None:
    def profile(rows: int, missing: int, distinct: int) -> ColumnProfile:
        return ColumnProfile("x", ColumnType.NUMERIC, ColumnType.NUMERIC, rows, missing, distinct)

    assert profile(3, 0, 3).is_unique
    assert not profile(3, 1, 2).is_unique
    assert not profile(3, 0, 2).is_unique
    assert not profile(1, 0, 1).is_unique
    assert profile(3, 1, 2).present == 2
