"""One home for the options of every operation: a field of a class, from which every surface is made."""

from __future__ import annotations

import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nncli
from nncli.api.options import PredictOptions
from nncli.base.errors import UsageError
from nncli.base.option import declared_options

ROOT = Path(nncli.__file__).parents[1]
FIELD = """    proba: Annotated["""
NEW = """    rounded: Annotated[bool, Option("Round every number.", OUTPUT, http="Rounds every number.")] = False
"""
SURFACES = """
import inspect, sys
import nncli
from commands import commands
from nncli.api.load import Loaded
from nncli.serving.openapi import parameter_schemas
from nncli.serving.parameters import parse_parameters

assert nncli.__file__.startswith(sys.argv[1]), nncli.__file__
for function in (nncli.predict, nncli.predict_files, nncli.predict_to_file, Loaded.predict):
    assert inspect.signature(function).parameters["rounded"].default is False
    assert "rounded: Round every number." in function.__doc__
assert parse_parameters([("rounded", "true")]).rounded
assert parameter_schemas()["rounded"] == {"type": "boolean"}
page = commands()
assert "- `--rounded`: Round every number." in page[page.index("## nncli predict"):page.index("## nncli evaluate")]
"""


def run(folder: Path, *words: str, **variables: str) -> str:
    """The output of Python in a copy of the package."""
    path = os.pathsep.join([str(folder), str(ROOT / "docs")])
    environment = {**os.environ, "PYTHONPATH": path, **variables}
    result = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.slow
def test_an_option_that_is_declared_once_is_on_every_surface(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "nncli", tmp_path / "nncli", ignore=shutil.ignore_patterns("__pycache__"))
    home = tmp_path / "nncli" / "api" / "options.py"
    before, field, after = home.read_text().partition(FIELD)
    home.write_text(before + NEW + field + after)
    run(tmp_path, "-c", SURFACES, str(tmp_path))
    assert "--rounded" in run(tmp_path, "-m", "nncli", "predict", "--help")
    completed = run(
        tmp_path, "-m", "nncli", _NNCLI_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS="nncli predict --roun"
    )
    assert "--rounded" in completed


def test_the_keywords_of_a_function_are_its_options() -> None:
    parameters = inspect.signature(nncli.predict).parameters
    assert [*parameters] == [
        "run",
        "data",
        *(declared_option.field for declared_option in declared_options(PredictOptions)),
    ]
    assert parameters["per_class"].default is False
    assert nncli.predict.__doc__ is not None
    assert "\n    per_class: Cover this share of the rows of each class." in nncli.predict.__doc__
    assert "\n    conformity_score: Score of a class for `prediction_set`. lac" in nncli.predict.__doc__


def test_a_keyword_that_is_no_option_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="'probs'"):
        nncli.predict("run", "t.csv", probs=True)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        nncli.predict("run", "t.csv", True)  # type: ignore[call-arg]


def test_a_value_that_is_none_of_the_choices_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        PredictOptions(on_error="ignore")  # type: ignore[arg-type]
    assert str(caught.value) == "on_error is 'ignore'\n  Use fail, missing or skip."


def test_options_are_values_that_are_equal_and_hashed_whatever_sequence_they_were_given_as() -> None:
    assert {PredictOptions(keep=["a"], interval=[0.9])} == {PredictOptions(keep=("a",), interval=0.9)}
