from __future__ import annotations

from nncli.data.dialect import AUTO, CsvDialect
from nncli.data.formats.read_options import NumericColumns, ReadOptions


def test_numeric_columns_are_listed_or_excluded() -> None:
    assert NumericColumns.only(["a"]) == NumericColumns(frozenset("a"), inverted=False)
    assert NumericColumns.any_except(["a"]) == NumericColumns(frozenset("a"), inverted=True)


def test_fallback_encoding_is_that_of_the_training_table() -> None:
    assert ReadOptions().fallback_encoding == AUTO
    assert ReadOptions(training_dialect=CsvDialect(encoding="latin-1")).fallback_encoding == "latin-1"
