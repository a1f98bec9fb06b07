from __future__ import annotations

from dataclasses import replace

from nncli.integrations.c.columns import date_plan, entries, longest_folded_key, missing_values
from nncli.nn.program.inputs import NumberInput
from tests.runtimes.hostile import category_input, program_of


def test_the_texts_of_a_table_are_in_the_order_of_their_bytes() -> None:
    text = entries("t1", [("b", 2), ("a", 1), ("é", 3), ("B", 4)])
    order = [text.index(item) for item in ('"B"', '"a"', '"b"', '"\\303\\251"')]
    assert order == sorted(order)


def test_a_text_with_a_nul_cannot_be_a_cell() -> None:
    assert '{"a\\377b", 2}' in entries("t1", [("a\0b", 2)])


def test_dates_are_read_in_their_formats_and_then_in_others_with_one_meaning() -> None:
    forms, pairs = date_plan(("%m/%d/%Y", "iso"))
    assert forms[:3] == ("%m/%d/%Y", "iso", "%B %Y")
    assert pairs[0] == ("%m/%d/%Y", "%m/%d/%Y")
    assert pairs[1] == ("%d-%m-%Y", "%m-%d-%Y")


def test_a_program_without_missing_values_has_an_empty_table() -> None:
    program = replace(program_of([NumberInput("x")]), missing_values=())
    assert missing_values(program).startswith("#define N_MISSING_VALUES 0\n")


def test_the_longest_key_in_any_case_has_room() -> None:
    assert longest_folded_key([category_input("c", ["true", "false"]), NumberInput("x")]) == 5
