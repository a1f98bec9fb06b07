"""Hints that reach a client: no options of commands, no keys of a configuration, and something that it can do."""

from __future__ import annotations

import re

import pytest

from nncli.api.prediction.tables import ON_ERROR_HINT
from nncli.data.columns.parsing import EMPTY_CELL_HINT, number_hint, plain_number_hint, unit_hint
from nncli.data.dialect import PLAIN_NUMBERS
from nncli.data.encoders.date import DATE_HINT, DATE_MODEL_HINT
from nncli.data.formats.streams import UTF8_HINT
from nncli.serving.problems import as_parameters, client_hint

AS_TEXT = "If it is text, send it as text/csv, text/tab-separated-values or application/jsonl."
COMMANDS = re.compile(r"--[a-z]|data\.[a-z]|under data|on_error|`")


@pytest.mark.parametrize(
    ("hint", "kept"),
    [
        (None, None),
        (ON_ERROR_HINT, None),
        (EMPTY_CELL_HINT, EMPTY_CELL_HINT),
        (f"{EMPTY_CELL_HINT} {ON_ERROR_HINT}", EMPTY_CELL_HINT),
        (f"{DATE_MODEL_HINT} {ON_ERROR_HINT}", DATE_MODEL_HINT),
        (DATE_HINT, EMPTY_CELL_HINT),
        (f"{plain_number_hint(PLAIN_NUMBERS)} {ON_ERROR_HINT}", plain_number_hint(PLAIN_NUMBERS)),
        (unit_hint("%"), unit_hint("%")),
        (number_hint("n.a.", "x", PLAIN_NUMBERS), "Correct the cell, or empty it."),
        ('Convert it to numbers or text, or leave it out: `drop: ["x"]` under data.', None),
        ("If it is text, name it .csv, .tsv or .jsonl, or set its format.", AS_TEXT),
        ("Save the file with line ends of Unix.", "Send the body with line ends of Unix."),
        ("Most likely the file has no line ends.", "Most likely the body has no line ends."),
    ],
)
def test_sentences_for_commands_are_left_out(hint: str | None, kept: str | None) -> None:
    assert client_hint(hint) == kept
    assert kept is None or not COMMANDS.search(kept)


def test_an_encoding_is_named_in_the_content_type() -> None:
    assert "charset=latin-1" in str(client_hint(UTF8_HINT))
    assert not COMMANDS.search(str(client_hint(UTF8_HINT)))


def test_options_become_parameters() -> None:
    assert as_parameters("For 90 % write --interval 0.9.") == "For 90 % write interval=0.9."
    assert as_parameters("Remove --per-class.") == "Remove per_class."
