"""Advice is worded for who reads it: on a terminal, in Python or over HTTP."""

from __future__ import annotations

from multiprocessing.reduction import ForkingPickler
from pickle import loads

import pytest

from nncli.api.options import MISSING_OR_SKIP, OutputColumns
from nncli.base.errors import (
    Action,
    Advice,
    CellError,
    InstallExtra,
    NameAsText,
    ResumeRun,
    RunCommand,
    SetKey,
    UsageError,
    UseOption,
    extra_required,
    in_python,
    in_terminal,
    sentences,
    worded,
)
from nncli.models.conformal.uncertainty_options import UncertaintyOptions


@pytest.mark.parametrize(
    ("action", "terminal", "python"),
    [
        (SetKey("data.decimal", ","), "--set data.decimal=,", "set='data.decimal=,'"),
        (SetKey("loss", "{type: cox}"), "--set 'loss={type: cox}'", "set='loss={type: cox}'"),
        (SetKey("data.decimal"), "data.decimal", "data.decimal"),
        (
            ResumeRun("r", (SetKey("epochs", "9"),)),
            "nncli train --resume r --set epochs=9",
            "nncli.train(resume='r', set='epochs=9')",
        ),
        (
            ResumeRun("r", operation="cross-validate"),
            "nncli cross-validate --resume r",
            "nncli.cross_validate(resume='r')",
        ),
        (
            RunCommand("threshold", ("RUN",), (UseOption("cost", "cost", (1, 20), placeholder="fp=1,fn=20"),)),
            "nncli threshold RUN --cost fp=1,fn=20",
            "nncli.threshold(RUN, cost=(1, 20))",
        ),
        (UncertaintyOptions.use("interval", 0.9), "--interval 0.9", "interval=0.9"),
        (UncertaintyOptions.use("per_class"), "--per-class", "per_class"),
        (OutputColumns.use("proba", True), "--proba", "proba=True"),
        (UseOption("check", "check", False), "--no-check", "check=False"),
        (ResumeRun("runs/my run"), "nncli train --resume 'runs/my run'", "nncli.train(resume='runs/my run')"),
        (InstallExtra("excel"), "pip install 'nncli-train[excel]'", "pip install 'nncli-train[excel]'"),
    ],
)
def test_each_action_is_worded_for_a_surface(action: Action, terminal: str, python: str) -> None:
    assert in_terminal(action) == Advice(action) == terminal
    assert in_python(action) == Advice(action).on(in_python) == python


def test_an_option_that_is_not_declared_cannot_be_advised() -> None:
    with pytest.raises(ValueError, match="not enough values"):
        UncertaintyOptions.use("intervals")


def test_an_advice_that_cannot_be_followed_is_left_out_and_the_others_stay() -> None:
    advice = sentences("Correct it.", Advice("Set ", SetKey("a", "1"), "."), None, "Or stop.")
    assert advice == "Correct it. Set --set a=1. Or stop."
    assert advice.on(lambda action: None) == "Correct it. Or stop."
    assert sentences(None, None) == ""


def test_an_advice_that_is_spelled_for_python_is_still_worded_for_a_terminal() -> None:
    advice = Advice("Use ", UseOption("by", "by", "a b"), ".")
    spelled = advice.spelled(in_python)
    assert spelled == "Use by='a b'."
    assert worded(spelled, in_terminal) == advice == "Use --by 'a b'."


def test_a_text_is_the_same_everywhere() -> None:
    assert worded("Correct it.", lambda action: None) == "Correct it."


def test_a_value_that_only_the_command_line_needs_has_a_placeholder_there() -> None:
    advice = Advice("Add ", UseOption("attributions", "attributions", True, placeholder="FILE"))
    assert str(advice) == "Add --attributions FILE"
    assert advice.on(in_python) == "Add attributions=True"


def test_an_error_in_python_names_keywords() -> None:
    hint = sentences("Correct it.", Advice("Or use ", *MISSING_OR_SKIP.parts, "."))
    error = UsageError(Advice(UncertaintyOptions.use("prediction_set"), " is wrong"), hint=hint)
    assert str(error) == "prediction_set is wrong\n  Correct it. Or use on_error='missing' or on_error='skip'."
    shown = "--prediction-set is wrong\n  Correct it. Or use --on-error missing or --on-error skip."
    assert error.on(in_terminal) == f"{error.message}\n  {error.hint}" == shown


def test_an_advice_survives_the_way_between_processes() -> None:
    error = CellError("x is wrong", hint="Correct it.").for_model(MISSING_OR_SKIP)
    copy = loads(bytes(ForkingPickler.dumps(error)))
    assert str(copy) == str(error)
    assert copy.on(in_terminal) == error.on(in_terminal)
    assert isinstance(copy.hint, Advice)


def test_what_is_missing_is_installed_as_an_extra() -> None:
    with pytest.raises(UsageError) as caught, extra_required("excel", "workbooks need calamine"):
        raise ImportError
    assert caught.value.hint == "pip install 'nncli-train[excel]'"


def test_a_file_may_be_text() -> None:
    assert (
        Advice("If it is text, ", NameAsText(), ".")
        == "If it is text, name it .csv, .tsv or .jsonl, or set its format."
    )
