"""The same numbers as PyTorch: 100 steps of every layer, activation, loss and optimizer, to 10 digits.

The references lie in tests/reference and were made by make_reference.py there; torch is not needed to read them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nncli.nn.activations import Activation, ElementwiseActivation
from nncli.nn.layers.residual import Layer, ParametricActivation
from nncli.nn.losses import DistributionLoss, OrdinalLoss, TargetLoss
from nncli.nn.losses.amounts import AmountLoss
from nncli.nn.numeric_embeddings import NumericEmbedding
from nncli.nn.optim.optimizers import Optimizer
from tests.reference import recipe
from tests.reference.replay import FOLDER, TOLERANCE, Reference, errors, read, run_nncli
from tests.unions import members, plain_losses, tag

REFERENCES = [reference for path in sorted(FOLDER.glob("*.json")) for reference in read(path)]


@pytest.mark.parametrize("reference", [pytest.param(r, id=r.case.name) for r in REFERENCES])
def test_training_gives_the_numbers_of_pytorch(reference: Reference) -> None:
    result = errors(run_nncli(reference.case), reference.expected)
    wrong = {name: error for name, error in result.items() if error > TOLERANCE}
    assert not wrong


@pytest.mark.parametrize(("union", "place"), [(Layer, "network"), (TargetLoss, "loss"), (Optimizer, "optimizer")])
def test_every_class_of_a_union_has_a_reference(union: Any, place: str) -> None:
    covered = {t for r in REFERENCES for t in _types(getattr(r.case, place).model_dump(mode="json"))}
    elsewhere = {tag(cls) for cls in plain_losses() if issubclass(cls, AmountLoss | DistributionLoss | OrdinalLoss)}
    assert elsewhere  # against other sources: tests/nn/losses/test_{amounts,distributions,ordinal}.py
    assert set(_tags(union)) <= covered | elsewhere


def test_every_activation_has_a_reference_as_output_and_in_layers() -> None:
    inside = {t for r in REFERENCES for t in _types(r.case.network.model_dump(mode="json")["layers"])}
    forced = {f.type for r in REFERENCES if (f := r.case.network.output_activation)}
    assert set(_tags(Activation)) == forced
    assert set(_tags(Activation)) - {"softmax"} <= inside


def test_every_embedding_of_numbers_has_a_reference() -> None:
    covered = {e.type for r in REFERENCES if (e := r.case.network.numeric_embedding)}
    assert set(_tags(NumericEmbedding)) == covered


def test_every_activation_has_a_reference_with_an_alpha() -> None:
    layers = [layer for r in REFERENCES for layer in r.case.network.layers]
    covered = {layer.activation.type for layer in layers if isinstance(layer, ParametricActivation)}
    assert set(_tags(ElementwiseActivation)) == covered


@pytest.mark.parametrize("task", recipe.TASKS)
def test_the_default_recipe_scores_as_with_pytorch(task: recipe.Task) -> None:
    theirs = recipe.read()[task]
    ours = recipe.Distribution.of([recipe.run_nncli(task, seed) for seed in range(16)])
    assert ours.differs(theirs) < 4.0
    assert theirs.spread / 3.0 < ours.spread < 3.0 * theirs.spread


def test_the_references_stay_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*.json")) < 500 * 1024


def _tags(union: Any) -> list[str]:
    """The `type` of every class of a union."""
    return [tag(cls) for cls in members(union)]


def _types(value: Any) -> Iterator[str]:
    """Every `type` in a nest of dictionaries and lists."""
    if isinstance(value, dict):
        if "type" in value:
            yield value["type"]
        for inner in value.values():
            yield from _types(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _types(inner)
