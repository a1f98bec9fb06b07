from __future__ import annotations

import polars
import pytest

from nncli.base.errors import DataError
from nncli.data.formats.sinks import ColumnCheck, translate_write_errors


def test_only_the_first_chunk_begins_a_file_and_other_columns_raise() -> None:
    check, frame = ColumnCheck("t.csv"), polars.DataFrame({"a": [1], "b": [2]})
    assert [check.begin(frame), check.begin(frame)] == [True, False]
    with pytest.raises(DataError) as caught:
        check.begin(frame.select("b", "a"))
    assert caught.value.location is not None
    assert caught.value.location.source == "t.csv"


def test_write_errors_name_the_nested_column() -> None:
    frame = polars.DataFrame({"a": [1], "b": [[1]]})
    with pytest.raises(DataError) as caught, translate_write_errors(frame, "t.csv"):
        frame.write_csv()
    assert caught.value.location is not None
    assert caught.value.location.column == "b"
