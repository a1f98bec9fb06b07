"""The section `tune` is checked like any other, also what is inside choices."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.base.errors import ConfigError
from nncli.base.spec import non_defaults
from nncli.config.loading import load_document
from nncli.config.schema.config import Config
from nncli.config.schema.data import DataSection
from nncli.config.schema.tune import SEARCHABLE_DATA, UNSEARCHABLE, Choices, Range, TuneSection
from nncli.config.yaml.parser import parse
from tests.tuning.spaces import FIRST_LINE, loaded


def test_a_section_is_written_with_the_keys_that_it_was_read_with() -> None:
    written = {
        "trials": 5,
        "search": {
            "learning_rate": {"from": 1e-4, "to": 0.1, "scale": "log"},
            "optimizer": {"choices": [{"type": "sgd", "momentum": {"from": 0.5, "to": 0.9}}, "adam"]},
            "layers": {"choices": [[8, {"choices": [4, 5]}], []]},
        },
    }
    section = TuneSection.model_validate(written)
    assert non_defaults(section) == written
    assert TuneSection.model_validate(non_defaults(section)) == section


def test_a_search_space_inside_a_choice_is_one() -> None:
    domain = TuneSection.model_validate({"search": {"a": {"choices": [{"b": [{"from": 1, "to": 2}]}]}}}).search["a"]
    assert isinstance(domain, Choices)
    assert isinstance(domain.choices[0]["b"][0], Range)


def test_no_key_of_a_configuration_is_a_key_of_a_search_space() -> None:
    """A value with such a key could not be told from a search space inside a choice."""
    from nncli.config.json_schema import json_schema

    assert json_schema().count('"from": {') == json_schema().count('"to": {') == 1


def test_keys_that_cannot_be_searched_exist() -> None:
    assert UNSEARCHABLE.keys() - {"tune"} <= Config.model_fields.keys()
    assert {*SEARCHABLE_DATA} <= DataSection.model_fields.keys()


@pytest.mark.parametrize(
    ("search", "character", "key"),
    [
        ("l2: {from: 1, to: 1}", 9, "l2"),
        ("l2: {from: 1.0, to: 0.5}", 9, "l2"),
        ("l2: {from: .nan, to: 1}", 16, "l2.from"),
        ("l2: {from: 0, to: .inf}", 23, "l2.to"),
        ("l2: {from: 0, to: 1, scale: log}", 9, "l2"),
        ("l2: {from: 1, to: 9, scale: log, step: 2}", 9, "l2"),
        ("l2: {from: 0, to: 1, step: 2}", 9, "l2"),
        ("l2: {from: 0, to: 1, step: 0}", 32, "l2.step"),
        ("l2: {from: 0, to: 1, scale: exp}", 33, "l2.scale"),
        ("l2: {from: -1e308, to: 1e308}", 9, "l2"),
        ("l2: {from: 0, to: 1e308, step: 1e-5}", 9, "l2"),
        ("l2: {from: true, to: 1}", 16, "l2.from"),
        ("l2: {from: 0}", 5, "l2.to"),
        ("l2: {from: 0, too: 1}", 19, "l2.too"),
        ("l2: {from: a, to: 1}", 16, "l2.from"),
        ("l2: {choices: []}", 19, "l2.choices"),
        ("l2: {choices: 1}", 19, "l2.choices"),
        ("l2: {choices: [1], to: 2}", 24, "l2.to"),
        ("l2: [1, 2]", 9, "l2"),
        ("l2: 0.5", 9, "l2"),
        ("optimizer: {choices: [adam, {type: sgd, momentum: {from: 1, to: 0}}]}", 55, "optimizer.choices.1.momentum"),
        ("optimizer: {choices: [{type: sgd, momentum: {from: 0}}]}", 39, "optimizer.choices.0.momentum.to"),
        ("layers: {choices: [[8, {choices: []}]]}", 38, "layers.choices.0.1.choices"),
    ],
)
def test_a_mistake_has_its_place(search: str, character: int, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(search)
    (issue,) = caught.value.issues
    assert (issue.location.key, issue.location.line) == (f"tune.search.{key}", FIRST_LINE + 1)
    assert issue.location.character == character
    assert issue.excerpt is not None


def test_names_that_other_programs_use_have_a_correction() -> None:
    with pytest.raises(ConfigError) as caught:
        loaded("l2: {min: 0, max: 1}\nepochs: {values: [1, 2]}")
    assert [issue.fix and issue.fix.path[-1] for issue in caught.value.issues][:2] == ["from", "to"]
    assert {issue.location.line for issue in caught.value.issues} == {FIRST_LINE + 1, FIRST_LINE + 2}


@pytest.mark.parametrize(
    ("search", "key", "hint"),
    [
        ("l2: {choice: [0, 1]}", "l2.choice", "'choices'"),
        ("l2: {values: [0, 1]}", "l2.values", "'choices'"),
        ("l2: {from: 0, to: 1, log: true}", "l2.log", "scale: log"),
        ("l2: {type: float, from: 0, to: 1}", "l2.type", "Leave it out"),
        ("l2: [0, 1]", "l2", "l2: {choices: [0, 1]}"),
    ],
)
def test_the_ways_of_other_programs_have_one_issue_that_says_what_is_written_here(
    search: str, key: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(search)
    (issue,) = caught.value.issues
    assert issue.location.key == f"tune.search.{key}"
    assert hint in (issue.hint or "")


@pytest.mark.parametrize(
    "settings", ["trials: 0", "time_limit: soon", "folds: 1", "sampler: best", "lag: 0", "trails: 5"]
)
def test_settings_are_checked(settings: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded("l2: {from: 0, to: 1}", settings=settings)
    assert caught.value.issues[0].location.line == FIRST_LINE - 1


@pytest.mark.parametrize("word", ["parameters", "search_space", "grid"])
def test_the_search_space_of_another_program_is_not_moved_to_the_top_level(word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded("l2: {from: 0, to: 1}", settings=f"{word}: {{batch_size: {{choices: [16, 32]}}}}")

    (issue,) = caught.value.issues
    assert issue.location.key == f"tune.{word}"
    assert issue.hint is not None
    example = issue.hint.removeprefix("Write the search space as search, for example search: ").removesuffix(".")
    assert loaded(example[1:-1]).tune is not None


def test_a_configuration_without_the_section_has_none() -> None:
    document = parse("data: {path: t.csv, target: y}", "c.yaml")
    assert load_document(document, (), folder=Path(), name="c").tune is None
