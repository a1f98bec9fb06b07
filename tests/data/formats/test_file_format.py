from __future__ import annotations

import polars

from nncli.data.dialect import CsvDialect
from nncli.data.formats.file_format import as_tables
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.streams import InputFile


def test_frames_become_tables_with_row_numbers_missing_values_and_the_training_dialect() -> None:
    frames = [(1, polars.DataFrame({"a": ["x"]})), (2, polars.DataFrame({"a": ["NA"]}))]
    options = ReadOptions(training_dialect=CsvDialect(decimal=","), missing_values=("NA",))
    tables = list(as_tables(frames, InputFile.of(None), options))
    assert [table.frame["a"].to_list() for table in tables] == [["x"], [None]]
    assert [table.first_row for table in tables] == [1, 2]
    assert {table.dialect.decimal for table in tables} == {","}
