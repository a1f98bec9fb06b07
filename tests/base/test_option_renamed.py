"""An option that has another name now is refused with it: on the command line, in Python and in addresses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import pytest

import nncli
from nncli.api.load import Loaded
from nncli.base.errors import NncliError
from nncli.base.option import RENAMED, Options, renamed
from nncli.cli.explain import AttributionsFile
from nncli.serving.models.served_model import PredictionOptions

PYTHON = {
    "predict": (("intervals", "interval"), ("sets", "prediction_set"), ("score", "conformity_score")),
    "evaluate": (("intervals", "interval"), ("sets", "prediction_set")),
    "tune": (("time", "time_limit"), ("assignments", "set")),
    "explain": (("repeats", "permutations"),),
    "init": (("assignments", "set"),),
    "predict_to_file": (("table", "output_table"), ("sets", "prediction_set")),
    "export": (("intervals", "interval"),),
}


@pytest.mark.parametrize(("function", "old", "new"), [(name, *pair) for name in PYTHON for pair in PYTHON[name]])
def test_an_old_keyword_is_refused_with_the_new_one(function: str, old: str, new: str) -> None:
    with pytest.raises(TypeError) as caught:
        getattr(nncli, function)("run", "table.csv", **{old: 1})
    assert isinstance(caught.value, NncliError)
    assert caught.value.exit_code == 2
    assert caught.value.hint == f"Use {new}."


def test_a_method_refuses_an_old_keyword_too() -> None:
    with pytest.raises(TypeError, match="predict has no option sets"):
        Loaded.predict(None, "table.csv", sets=0.9)  # type: ignore[arg-type, call-arg]


def test_a_keyword_that_never_was_is_pythons_error() -> None:
    with pytest.raises(TypeError, match="unexpected keyword") as caught:
        nncli.predict("run", "table.csv", setz=1)  # type: ignore[call-arg]
    assert not isinstance(caught.value, NncliError)


def test_an_old_name_means_an_option_that_there_is() -> None:
    assert renamed("level", {"prediction_set"}) == "prediction_set"
    assert renamed("level", {"interval", "prediction_set"}) == "interval"
    assert renamed("level", {"limit"}) is None
    assert renamed("interval", {"interval"}) is None


def subclasses(options: type[Options]) -> Iterator[type[Options]]:
    for derived in options.__subclasses__():
        yield derived
        yield from subclasses(derived)


@pytest.mark.parametrize(("old", "new"), RENAMED)
def test_every_row_of_the_table_is_about_an_option_of_today(old: str, new: str) -> None:
    assert issubclass(AttributionsFile, Options)  # the command line alone has it
    assert issubclass(PredictionOptions, Options)  # the server alone has it
    names = [{field.name for field in fields(options)} for options in subclasses(Options)]
    assert any(new in each and old not in each for each in names)
    assert RENAMED.count((old, new)) == 1
