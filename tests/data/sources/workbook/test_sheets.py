from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from nncli.base.errors import DataError
from nncli.data.dialect import CsvDialect
from nncli.data.formats.read_options import ReadOptions
from nncli.data.sources.open import open_reader
from nncli.data.sources.table_source import TableSource
from tests.data.sources.workbook.support import write

WORKBOOKS = Path("tests/data/workbooks")


@pytest.mark.slow
@pytest.mark.parametrize("sheet", ["Sales", "Merged", "Times", "Hidden"])
@pytest.mark.parametrize("suffix", ["xlsx", "xls", "ods"])
def test_a_copy_is_read_as_its_workbook_with_any_options(tmp_path: Path, sheet: str, suffix: str) -> None:
    reader = open_reader(TableSource(path=str(WORKBOOKS / f"libreoffice-since-1900.{suffix}"), sheet=sheet))
    assert reader.needs_copy
    copy = pickle.loads(pickle.dumps(reader.copy_to(tmp_path)))
    assert (copy.name, copy.checksum()) == (reader.name, reader.checksum())
    assert not copy.needs_copy
    for options in (
        ReadOptions(),
        ReadOptions(missing_values=("Oslo", "7"), dialect=CsvDialect(decimal=",", footer_rows=1)),
        ReadOptions(dialect=CsvDialect(header=False)),
    ):
        outcomes = list[object]()
        for source in (reader, copy):
            try:
                (table,) = source.read(options)
                outcomes.append((table.frame.to_dict(as_series=False), table.source, table.notes, table.details))
            except DataError as error:
                outcomes.append(str(error))
        assert outcomes[0] == outcomes[1]


def test_a_copy_keeps_errors_and_the_range(tmp_path: Path) -> None:
    path = write(tmp_path / "t.xlsx", [["a", "b"], [1, "#REF!"], [2, 3]])
    copy = open_reader(TableSource(path=str(path))).copy_to(tmp_path)
    with pytest.raises(DataError, match="B2 has the error #REF!"):
        list(copy.read(ReadOptions()))
    copy = open_reader(TableSource(path=str(path), range="A1:A3")).copy_to(tmp_path)
    (table,) = copy.read(ReadOptions())
    assert table.frame.to_dict(as_series=False) == {"a": [1, 2]}
