from __future__ import annotations

import pytest

from nncli.integrations.onnx.model import missing_spelling, missing_word, spelling_codes
from nncli.nn.program.inputs import CategoryInput, TextInput

NUMBERS = CategoryInput(
    "n",
    ("-4", "3", "x"),
    (("-4", 2), ("3", 3), ("x", 4)),
    (("-4", 2), ("3", 3), ("x", 4)),
    (),
    5,
    (None, "?", "-4", "3", "x"),
)
YES_NO = CategoryInput("b", ("No", "Yes"), (("No", 2), ("Yes", 3)), (), (("no", 2), ("yes", 3)), 4, (None, "?", "No"))


def test_missing_values_come_first_and_common_spellings_last() -> None:
    codes = spelling_codes(NUMBERS, ("", "x"))
    assert codes == {"": 0, "x": 0, "-4": 2, "-4.0": 2, "-4.00": 2, "3": 3, "3.0": 3, "3.00": 3}


def test_true_and_false_are_read_in_any_case() -> None:
    codes = spelling_codes(YES_NO, ("",))
    no, yes = ("no", "NO", "No", "nO"), ("yes", "yeS", "yEs", "yES", "Yes", "YeS", "YEs", "YES")
    assert codes == {"": 0} | dict.fromkeys(no, 2) | dict.fromkeys(yes, 3)


@pytest.mark.parametrize(
    ("missing_values", "spelling"), [(("NA", ""), ""), (("NA", "?"), "NA"), ((), "(missing)")], ids=str
)
def test_a_missing_category_has_a_spelling_that_is_no_category(missing_values: tuple[str, ...], spelling: str) -> None:
    assert missing_spelling(NUMBERS, missing_values) == spelling
    assert spelling_codes(NUMBERS, missing_values)[spelling] == 0


def test_the_word_of_a_missing_text_is_no_term() -> None:
    assert missing_word(TextInput("t", ("(missing)", "good"))) == "(missing)_"
