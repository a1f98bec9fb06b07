"""Every mistake of a search space is found before a search begins, on its line."""

from __future__ import annotations

import pytest

from nncli.base.errors import ConfigError
from nncli.tuning.space.space import ChoiceDomain, Condition, NumberDomain
from tests.tuning.spaces import BASE, FIRST_LINE, space_of

EXAMPLE = """
learning_rate: {from: 1e-4, to: 1e-1, scale: log}
layers: {choices: [[64], [128, 64], [32, {type: dropout, rate: 0.1}]]}
optimizer: {choices: [{type: sgd, momentum: {from: 0.5, to: 0.99}}, adam]}
layers.1.rate: {from: 0.0, to: 0.5, step: 0.1}
"""


def test_keys_inside_choices_depend_on_the_choices_that_have_them() -> None:
    space = space_of(EXAMPLE)
    by_name = {parameter.name: parameter for parameter in space.parameters}
    assert [*by_name] == ["learning_rate", "layers", "optimizer", "optimizer.sgd.momentum", "layers.1.rate"]
    assert by_name["optimizer.sgd.momentum"].condition == Condition("optimizer", frozenset([0]))
    assert by_name["layers.1.rate"].condition == Condition("layers", frozenset([2]))
    assert by_name["learning_rate"].condition is None
    domain = by_name["optimizer"].domain
    assert isinstance(domain, ChoiceDomain)
    assert domain.labels == ("sgd", "adam")


@pytest.mark.parametrize(
    ("search", "is_int"),
    [
        ("epochs: {from: 1, to: 2}", True),
        ("layers.0.units: {from: 8, to: 64, scale: log}", True),
        ("l2: {from: 0, to: 1}", False),
        ("l2: {from: 0, to: 10}", False),
        ("l2: {from: 0, to: 10, step: 1}", True),
        ("l2: {from: 0, to: 10, step: 0.5}", False),
    ],
)
def test_numbers_are_whole_where_the_key_takes_no_fractions(search: str, is_int: bool) -> None:
    (parameter,) = space_of(search).parameters
    assert isinstance(parameter.domain, NumberDomain)
    assert parameter.domain.is_int is is_int


def test_a_list_of_layers_may_have_a_range_inside_it() -> None:
    space = space_of("layers: {choices: [[{from: 8, to: 32}, 4], [8]]}")
    assert [parameter.name for parameter in space.parameters] == ["layers", "layers[0].0"]
    config = space.config({"layers": 0, "layers[0].0": 20})
    assert [layer.model_dump()["units"] for layer in config.layers] == [20, 4]


def test_a_required_key_may_have_a_range() -> None:
    space = space_of("learning_rate: {choices: [{type: one_cycle, peak: {from: 0.01, to: 0.1}}, 0.1]}")
    assert [parameter.name for parameter in space.parameters] == ["learning_rate", "learning_rate.one_cycle.peak"]


def test_a_star_is_every_item_that_has_the_key_in_whatever_choice() -> None:
    space = space_of("layers: {choices: [[8], [8, dropout, 4, dropout]]}\nlayers.*.rate: {from: 0.1, to: 0.5}")
    assert space.parameters[1].condition == Condition("layers", frozenset([1]))
    config = space.config({"layers": 1, "layers.*.rate": 0.3})
    assert [layer.model_dump().get("rate") for layer in config.layers] == [None, 0.3, None, 0.3]


MISTAKES = {
    "unknown key": ("learning_rat: {from: 0.1, to: 1.0}", [(0, 5, "learning_rat")]),
    "unknown key inside": ("optimizer.momentum: {from: 0.1, to: 0.9}", [(0, 5, "optimizer.momentum")]),
    "no such item": ("layers.7.units: {from: 1, to: 8}", [(0, 5, "layers.7.units")]),
    "empty name": ("'': {from: 1, to: 8}", [(0, 5, "")]),
    "end out of range": ("layers.1.rate: {from: 0.5, to: 1.5}", [(0, 20, "layers.1.rate")]),
    "both ends out of range": ("layers.1.rate: {from: -1, to: 1.5}", [(0, 20, "layers.1.rate")]),
    "range for words": ("activation: {from: 0, to: 1}", [(0, 17, "activation")]),
    "invalid choices": ("activation: {choices: [relu, rleu, 5]}", [(0, 34, "activation"), (0, 40, "activation")]),
    "invalid key in a choice": (
        "optimizer: {choices: [adam, {type: sgd, momntum: 1}]}",
        [(0, 45, "optimizer.momntum")],
    ),
    "key of another section in a choice": (
        "optimizer: {choices: [adam, {type: sgd, learning_rate: 0.1}]}",
        [(0, 45, "optimizer.learning_rate")],
    ),
    "misspelled key with invalid choices": ("batchsize: {choices: [0, -1]}", [(0, 5, "batchsize")]),
    "invalid nested range": (
        "optimizer: {choices: [adam, {type: sgd, momentum: {from: 0.5, to: 1.5}}]}",
        [(0, 55, "optimizer.momentum")],
    ),
    "invalid nested choice": (
        "optimizer: {choices: [adam, {type: sgd, nesterov: {choices: [maybe]}}]}",
        [(0, 66, "optimizer.nesterov")],
    ),
    "a mistake beside a nested one": (
        "optimizer: {choices: [nadam, {type: sgd, momentum: {from: 0.5, to: 1.5}}]}",
        [(0, 27, "optimizer"), (0, 56, "optimizer.momentum")],
    ),
    "key in no choice": (
        "layers: {choices: [[8], [8, dropout]]}\nlayers.2.rate: {from: 0.0, to: 0.5}",
        [(1, 5, "layers.2.rate")],
    ),
    "star in no choice": (
        "layers: {choices: [[8], [8, dropout]]}\nlayers.*.slope: {from: 0.0, to: 0.5}",
        [(1, 5, "layers.*.slope")],
    ),
    "wrong range for a choice": (
        "layers: {choices: [[8], [8, dropout]]}\nlayers.1.rate: {from: 0.0, to: 1.5}",
        [(1, 20, "layers.1.rate")],
    ),
    "inside a range": (
        "learning_rate.peak: {from: 0.1, to: 1.0}\nlearning_rate: {from: 0.1, to: 1.0}",
        [(0, 5, "learning_rate.peak")],
    ),
    "star without items": ("layers.*.slope: {from: 0.1, to: 1.0}", [(0, 5, "layers.*.slope")]),
    "star alone": ("'*': {from: 0.1, to: 1.0}", [(0, 5, "*")]),
    "same key": ("layers.1.rate: {from: 0.1, to: 0.2}\nlayers.*.rate: {from: 0.1, to: 0.2}", [(1, 5, "layers.*.rate")]),
    "same key with zeros": (
        "layers.1.rate: {from: 0.1, to: 0.2}\nlayers.01.rate: {from: 0.1, to: 0.2}",
        [(1, 5, "layers.1.rate")],
    ),
    "same key as a nested one": (
        "optimizer: {choices: [{type: sgd, momentum: {from: 0.1, to: 0.5}}]}\noptimizer.momentum: {from: 0.1, to: 0.2}",
        [(1, 5, "optimizer.momentum")],
    ),
    "nested key of a searched item": (
        "layers: {choices: [[{type: dense, units: {from: 1, to: 9}}], [5]]}\nlayers.0: {choices: [3, 4]}",
        [(1, 5, "layers.0")],
    ),
    "repeated choice": ("activation: {choices: [tanh, relu, {type: tanh}]}", [(0, 40, "activation")]),
    "repeated nested choice": (
        "optimizer: {choices: [{type: sgd, momentum: {from: 0.1, to: 0.5}}, sgd, {type: sgd, momentum: {from: 0.1, "
        "to: 0.5}}]}",
        [(0, 77, "optimizer")],
    ),
    "seed": ("seed: {from: 0, to: 5}", [(0, 5, "seed")]),
    "table": ("data.path: {choices: [a.csv, b.csv]}", [(0, 5, "data.path")]),
    "search": ("tune.trials: {from: 1, to: 5}", [(0, 5, "tune.trials")]),
    "validation file": ("validation: {choices: [0.1, {path: v.csv}]}", [(0, 33, "validation")]),
}


@pytest.mark.parametrize("name", [*MISTAKES])
def test_a_mistake_is_found_on_its_line(name: str) -> None:
    search, places = MISTAKES[name]
    with pytest.raises(ConfigError) as caught:
        space_of(search)
    issues = caught.value.issues
    result = [(i.location.line, i.location.character, i.location.key or "") for i in issues]
    assert result == [(FIRST_LINE + 1 + line, character, key) for line, character, key in places]
    assert all(issue.location.source == "c.yaml" and issue.excerpt is not None for issue in issues)


def test_a_rule_of_several_keys_is_reported_at_the_value_that_breaks_it() -> None:
    with pytest.raises(ConfigError) as caught:
        space_of("output_activation: {choices: [null, softplus]}", f"{BASE}loss: poisson\n")
    (issue,) = caught.value.issues
    assert (issue.location.line, issue.location.character) == (FIRST_LINE + 2, 41)


def test_all_mistakes_are_reported_from_top_to_bottom() -> None:
    searches = [MISTAKES[name] for name in ("unknown key", "range for words", "seed", "table", "star without items")]
    with pytest.raises(ConfigError) as caught:
        space_of("\n".join(search for search, _ in searches))
    assert [issue.location.key for issue in caught.value.issues] == [places[0][2] for _, places in searches]


def test_the_share_of_validation_rows_can_be_searched_if_others_are_held_out() -> None:
    search = "validation: {choices: [0.1, 0.2]}"
    assert space_of(search).config({"validation": 0}).validation == 0.1
    with pytest.raises(ConfigError) as caught:
        space_of(search, settings="folds: holdout")
    assert caught.value.issues[0].location.key == "validation"


@pytest.mark.parametrize(
    ("search", "places"),
    [
        ("loss.bins: {choices: [auto, 9, 12]}", [("loss.bins", 33), ("loss.bins", 36)]),
        ("loss.bins: {from: 5, to: 9}", [("loss.bins", 5)]),
        ("loss: {choices: [{type: cox, event: e}, {type: survival, event: e, bins: 9}]}", [("loss", 45)]),
    ],
)
def test_bins_of_time_are_the_target_which_is_the_same_for_all_trials(
    search: str, places: list[tuple[str, int]]
) -> None:
    with pytest.raises(ConfigError) as caught:
        space_of(search, f"{BASE}loss: {{type: survival, event: e}}\n")
    assert [(issue.location.key, issue.location.character) for issue in caught.value.issues] == places
    assert all(issue.hint for issue in caught.value.issues)


def test_losses_with_the_bins_of_the_configuration_can_be_searched() -> None:
    search = "loss: {choices: [{type: cox, event: e, bins: 9}, {type: survival, event: e, bins: 9}]}"
    space = space_of(search, f"{BASE}loss: {{type: survival, event: e, bins: 9}}\n")
    losses = [space.config({"loss": i}).loss for i in range(2)]
    assert [(loss.type, loss.time_bins) for loss in losses if loss is not None] == [("cox", 9), ("survival", 9)]


def test_the_features_can_be_searched() -> None:
    space = space_of("data.features: {choices: [[a], [a, b]]}")
    assert space.config({"data.features": 1}).data.features == ("a", "b")
    assert space.config({"data.features": 1}).data.path == space.base.data.path
