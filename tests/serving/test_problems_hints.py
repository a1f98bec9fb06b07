"""Hints that reach a client: no options of commands, no keys of a configuration, and something that it can do."""

from __future__ import annotations

import re

import pytest

from nncli.api.prediction.tables import ON_ERROR_HINT
from nncli.base.errors import Advice, DataError, InstallExtra, SetKey, UsageError, sentences
from nncli.data.columns.parsing import EMPTY_CELL_HINT, plain_number_hint, unit_hint
from nncli.data.dialect import PLAIN_NUMBERS
from nncli.data.encoders.date import DATE_MODEL_HINT
from nncli.data.formats.streams import NOT_TEXT, UTF8_HINT
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.serving.problems import problem_of

AS_TEXT = "If it is text, send it as text/csv, text/tab-separated-values or application/jsonl."
COMMANDS = re.compile(r"--[a-z]|data\.[a-z]|under data|on_error")


@pytest.mark.parametrize(
    ("hint", "kept"),
    [
        (None, None),
        (ON_ERROR_HINT, None),
        (EMPTY_CELL_HINT, EMPTY_CELL_HINT),
        (sentences(EMPTY_CELL_HINT, ON_ERROR_HINT), EMPTY_CELL_HINT),
        (sentences(DATE_MODEL_HINT, ON_ERROR_HINT), DATE_MODEL_HINT),
        (sentences(plain_number_hint(PLAIN_NUMBERS), ON_ERROR_HINT), plain_number_hint(PLAIN_NUMBERS)),
        (unit_hint("%", PLAIN_NUMBERS), unit_hint("%", PLAIN_NUMBERS)),
        (sentences("Convert it.", Advice("Or leave it out: ", SetKey("drop", "[x]"), ".")), "Convert it."),
        (Advice(InstallExtra("excel")), None),
        (NOT_TEXT, AS_TEXT),
    ],
)
def test_what_only_who_runs_the_server_can_do_is_left_out(hint: str | None, kept: str | None) -> None:
    assert problem_of(DataError("it is wrong", hint=hint)).hint == kept
    assert kept is None or not COMMANDS.search(kept)


def test_an_encoding_is_named_in_the_content_type() -> None:
    hint = str(problem_of(DataError("it is wrong", hint=UTF8_HINT)).hint)
    assert "charset=latin-1" in hint
    assert not COMMANDS.search(hint)


def test_options_become_parameters() -> None:
    use = UncertaintyOptions.use
    problem = problem_of(
        UsageError(Advice(use("per_class"), " is wrong"), hint=Advice("Use ", use("prediction_set", 0.9), "."))
    )
    assert (problem.detail, problem.hint) == ("per_class is wrong", "Use prediction_set=0.9.")
