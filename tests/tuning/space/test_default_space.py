"""Without a search space, one that fits the preset, the task and the configuration is searched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nncli.base.errors import UsageError
from nncli.config.loading import QUALITIES, TABULAR, TEXTBOOK, LoadedConfig, load_document
from nncli.config.schema.tune import Range, TuneSection
from nncli.config.yaml.parser import parse
from nncli.targets.classes import ClassificationTarget
from nncli.targets.number import RegressionTarget
from nncli.targets.target import KINDS, TargetKind
from nncli.tuning.space.build_space import build_space
from nncli.tuning.space.default_space import SPACES, TableFeatures, default_space, with_default_space
from nncli.tuning.space.load_search import load_search

SECTION = TuneSection(trials=3)
MIXED = TableFeatures(categorical=2, numeric=3, width=9, kind=ClassificationTarget)


def loaded(text: str) -> LoadedConfig:
    """A configuration of a table with the keys of the text."""
    document = parse(f"data: {{path: t.csv, target: y}}\n{text}", "c.yaml")
    return load_document(document, (), folder=Path.cwd(), name="c")


def searched(text: str, kind: TargetKind = ClassificationTarget) -> list[str]:
    """The keys that are searched by default; each has a valid domain."""
    configuration, section = with_default_space(loaded(text), SECTION, replace(MIXED, kind=kind))
    assert configuration.tune == section
    assert section.trials == SECTION.trials
    space = build_space(configuration, section)
    assert {parameter.name for parameter in space.parameters} >= section.search.keys()
    return list(section.search)


def test_a_space_for_each_preset_ships_and_fits_it() -> None:
    assert {file.stem for file in SPACES.glob("*.yaml")} == {TABULAR, TEXTBOOK}
    for name in (TABULAR, TEXTBOOK):
        space, _ = default_space(name)
        assert space.always
        assert not {*space.always} & {*space.classification, *space.regression}


@pytest.mark.parametrize("quality", QUALITIES)
def test_the_preset_tabular_is_searched_in_all_its_keys(quality: str) -> None:
    keys = searched(f"quality: {quality}")
    space, _ = default_space(TABULAR)
    assert {*space.always, *space.classification} == {*keys}


@pytest.mark.parametrize(
    ("text", "low"),
    [
        ("", 0.02),
        ("learning_rate: 0.05", 1e-3),
        ("layers: [8]\nlearning_rate: {type: cosine, peak: 0.1}", 1e-4),
        ("layers: [8]\nlearning_rate: {type: one_cycle, peak: 0.1}", 1e-3),
    ],
)
def test_the_range_of_the_peak_is_that_of_the_schedule(text: str, low: float) -> None:
    _, section = with_default_space(loaded(text), SECTION, MIXED)
    domain = section.search["learning_rate.peak"]
    assert isinstance(domain, Range)
    assert domain.low == low


def test_label_smoothing_is_for_classes_alone() -> None:
    assert "loss" in searched("", ClassificationTarget)
    assert "loss" not in searched("", RegressionTarget)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "present", "absent"),
    [
        ("layers: [64, 32]", {"learning_rate", "layers", "optimizer"}, {"layers.*.units", "layers.*.rate"}),
        ("preset: textbook", {"learning_rate", "layers", "optimizer", "l2"}, {"layers.*.rate", "learning_rate.peak"}),
        ("layers: [64, dropout]", {"layers.*.units", "layers.*.rate"}, {"layers"}),
        ("layers: [{type: dense, units: 64, activation: tanh}]", {"layers.*.units"}, {"layers"}),
        ("layers: [8]\nlearning_rate: 0.1", {"learning_rate"}, {"learning_rate.peak"}),
        ("layers: [8]\nlearning_rate: {type: cosine, peak: 0.1}", {"learning_rate.peak"}, {"learning_rate"}),
        ("layers: [8]\nlearning_rate: {type: one_cycle, peak: 0.1}", {"learning_rate.peak"}, {"learning_rate"}),
        ("layers: [8]\noptimizer: sgd", {"optimizer"}, {"optimizer.momentum"}),
        ("layers: [8]\noptimizer: {type: sgd, momentum: 0.9}", {"optimizer.momentum"}, {"optimizer"}),
        ("numeric_embedding: null", {"numeric_embedding", "learning_rate.peak"}, set()),
        ("numeric_embedding: {type: periodic, sigma: 1}", {"learning_rate.peak"}, {"numeric_embedding"}),
        ("monotone: {x: increasing}", {"layers.*.units", "layers.*.rate"}, {"numeric_embedding"}),
        ("preset: tabular\nlayers: [64]", {"layers.*.units", "optimizer.beta2"}, {"layers.*.rate", "layers"}),
        ("learning_rate: 0.1", {"learning_rate.peak"}, set()),
        ("optimizer: sgd", {"learning_rate.peak"}, {"optimizer.beta2", "optimizer.weight_decay"}),
    ],
)
def test_what_the_configuration_lacks_or_the_user_has_set_is_left_out(
    text: str, present: set[str], absent: set[str]
) -> None:
    keys = {*searched(text)}
    assert present <= keys
    assert not absent & keys


def test_a_complete_configuration_is_searched_like_the_preset_that_it_came_from() -> None:
    for text in ("", "layers: [64, dropout]"):
        configuration = loaded(text)
        _, section = with_default_space(
            load_search(configuration.config), SECTION, replace(MIXED, kind=RegressionTarget)
        )
        assert list(section.search) == searched(text, RegressionTarget)


def test_there_must_be_something_to_search() -> None:
    text = "preset: tabular\nlayers: []\noptimizer: sgd\nnumeric_embedding: {type: periodic, sigma: 2}\n"
    text += "learning_rate: {type: exponential, peak: 0.1, decay: 0.9}"
    assert searched(text)  # encodings
    space, _ = default_space(TABULAR)
    assert "encoding.categories.max_one_hot" in space.always


def test_nothing_to_search_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from nncli.tuning.space import default_space as module

    space, document = default_space(TABULAR)
    empty = space.model_copy(update={"always": {}, "classification": {}, "coslog": {}})
    monkeypatch.setattr(module, "default_space", lambda name: (empty, document))
    with pytest.raises(UsageError):
        with_default_space(loaded(""), SECTION, MIXED)


@pytest.mark.parametrize(
    ("features", "absent"),
    [
        (replace(MIXED, categorical=0), "encoding.categories"),
        (replace(MIXED, numeric=0), "numeric_embedding"),
    ],
)
def test_keys_without_an_effect_on_the_table_are_left_out(features: TableFeatures, absent: str) -> None:
    keys = searched("")
    _, section = with_default_space(loaded(""), SECTION, features)
    assert list(section.search) == [key for key in keys if not key.startswith(absent)]
    assert len(section.search) < len(keys)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS.values())
def test_the_preset_tabular_is_in_its_space(kind: TargetKind) -> None:
    features = replace(MIXED, kind=kind)
    configuration, section = with_default_space(loaded(""), SECTION, features)
    space = build_space(configuration, section)
    values = space.base_values(features.resolved)
    assert values is not None
    assert features.resolved(space.config(values)) == features.resolved(space.base)
    assert values["optimizer.weight_decay"] == 0.02
    assert space.base_values(replace(features, width=10_000).resolved) is None
