"""The parameters of a search space have the places and the names of what is written."""

from __future__ import annotations

import pytest

from nncli.tuning.space.build_space import parameters_of
from nncli.tuning.space.space import ChoiceDomain, NumberDomain
from tests.tuning.spaces import FIRST_LINE, loaded


def written(search: str) -> dict[str, tuple[str, int | None]]:
    """The key and the line of each parameter."""
    configuration = loaded(search)
    assert configuration.tune is not None
    result = (item.parameter for item in parameters_of(configuration.tune.search, configuration.document))
    return {p.name: (".".join(p.key), p.span.key and p.span.key[0] - FIRST_LINE) for p in result}


def test_search_spaces_inside_choices_are_named_after_the_type_of_the_choice_or_its_number() -> None:
    search = """
    optimizer:
      choices:
        - {type: sgd, momentum: {choices: [0.5, 0.9]}}
        - {type: adam, beta1: {from: 0.8, to: 0.9}}
        - {type: adam, param_groups: {bias: {learning_rate_multiplier: {from: 0.1, to: 1}}}}
    layers: {choices: [[8, {from: 8, to: 16}], [8]]}
    """
    assert written(search) == {
        "optimizer": ("optimizer", 1),
        "optimizer.sgd.momentum": ("optimizer.momentum", 3),
        "optimizer[1].beta1": ("optimizer.beta1", 4),
        "optimizer[2].param_groups.bias.learning_rate_multiplier": (
            "optimizer.param_groups.bias.learning_rate_multiplier",
            5,
        ),
        "layers": ("layers", 6),
        "layers[0].1": ("layers.1", 6),
    }


def test_choices_may_be_inside_choices() -> None:
    search = "init: {choices: [{type: he, distribution: {choices: [uniform, normal]}}, {choices: [glorot, lecun]}]}"
    assert [*written(search)] == ["init", "init.he.distribution", "init[1]"]


@pytest.mark.parametrize(
    ("search", "domain"),
    [
        ("epochs: {from: 1, to: 9}", NumberDomain(1, 9, None, is_log=False, is_int=True)),
        ("l2: {from: 0, to: 1.0, scale: linear}", NumberDomain(0.0, 1.0, None, is_log=False, is_int=False)),
        ("l2: {from: 1, to: 4, step: 0.5}", NumberDomain(1.0, 4.0, 0.5, is_log=False, is_int=False)),
        ("l2: {from: 0.1, to: 4.0, scale: log}", NumberDomain(0.1, 4.0, None, is_log=True, is_int=False)),
        ("layers: {choices: [[8], 8]}", ChoiceDomain(([{"type": "dense", "units": 8}], 8), ("[8]", "8"))),
        ("metric: {choices: [a, a]}", ChoiceDomain(("a", "a"), ("a (0)", "a (1)"))),
    ],
)
def test_a_domain_has_the_values_that_are_written(search: str, domain: NumberDomain | ChoiceDomain) -> None:
    configuration = loaded(search)
    assert configuration.tune is not None
    (single,) = parameters_of(configuration.tune.search, configuration.document)
    assert single.parameter.domain == domain
