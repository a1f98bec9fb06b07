from __future__ import annotations

from nncli.integrations.c.columns import name_columns
from nncli.integrations.c.identifiers import Identifiers
from nncli.nn.program.inputs import DateInput, NumberInput, ProgramInput, TextInput
from tests.runtimes.hostile import category_input

INPUTS: list[ProgramInput] = [
    NumberInput("price", "$"),
    category_input("row", ["Oslo", "oslo", "missing"]),
    DateInput("born", ("iso",)),
    TextInput("Row", ("good",)),
]


def test_columns_have_members_readers_and_enumerators_that_differ() -> None:
    columns = name_columns(INPUTS, Identifiers(("read_born",)))
    assert [column.field for column in columns] == ["price", "row_2", "born", "row_3"]
    assert [column.reader for column in columns] == ["read_price", "read_row_2", "read_born_2", "read_row_3"]
    assert columns[1].enumerators == ("row_2_missing", "row_2_other", "row_2_oslo", "row_2_oslo_2", "row_2_missing_2")
    assert [column.type for column in columns] == ["double", "enum row_2", "double", "const char *"]


def test_an_enumerator_has_the_code_of_its_category_and_its_name_in_a_comment() -> None:
    text = name_columns(INPUTS, Identifiers())[1].enumeration
    assert "    row_2_oslo_2 = 3, /* oslo */\n    row_2_missing_2 = 4 /* missing */\n" in text


def test_a_cell_that_cannot_be_read_has_a_reason() -> None:
    reasons = [column.expected for column in name_columns(INPUTS, Identifiers())]
    assert reasons[0] == "is not a finite number with $"
    assert reasons[2] == "is not a date in ISO 8601, such as 2024-05-31"
