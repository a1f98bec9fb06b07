"""An error of pydantic is located at the key of the file."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from nncli.config.errors.suggestions import discriminator, field_names, locate
from nncli.config.yaml.parser import parse
from tests.config.sections import Config, Dense, Dropout, only, refused


@pytest.mark.parametrize(
    ("layer", "key"),
    [
        ("dens", "layers.0"),
        ("{type: dens}", "layers.0.type"),
        ("{type: [1]}", "layers.0.type"),
        ("{type: 3}", "layers.0.type"),
        ("{units: 3}", "layers.0.type"),
        ("dense", "layers.0.units"),
        ("-3", "layers.0"),
        ("{type: dense, units: -3}", "layers.0.units"),
        ("{type: dropout, rate: 1}", "layers.0.rate"),
        ("{type: dense, unit: 3}", "layers.0.unit"),
        ("{type: dense, units: 3, activation: rulu}", "layers.0.activation"),
        ("{type: dense, units: 3, rate: 1}", "layers.0.rate"),
        ("{type: dense, units: 3, dense: 1}", "layers.0.dense"),
    ],
)
def test_branches_of_a_union_are_not_part_of_the_path(layer: str, key: str) -> None:
    issue = only(f"data: {{train: t.csv}}\nlayers:\n  - {layer}\n")
    assert (issue.location.key, issue.location.line) == (key, 3)


def test_a_key_with_the_name_of_a_branch_is_part_of_the_path() -> None:
    result = refused("data: {train: t.csv}\nlayers:\n  - {type: dense, dense: {units: 1}, units: x}\n")
    assert [m.location.key for m in result] == ["layers.0.dense", "layers.0.units"]


def test_the_models_that_were_tried_are_known() -> None:
    document = parse("data: {train: t.csv}\nlayers: [{type: dense, unit: 3}]\n", "c.yaml")
    with pytest.raises(ValidationError) as caught:
        Config.model_validate(document.value)
    missing, extra = (locate(details, Config, document) for details in caught.value.errors())
    assert (missing.kind, missing.path, missing.models) == ("missing", ("layers", 0, "units"), (Dense,))
    assert (extra.kind, extra.path, extra.models) == ("extra_forbidden", ("layers", 0, "unit"), (Dense,))
    assert not extra.is_custom
    assert not extra.about_key


def test_an_unknown_tag_lists_the_valid_ones() -> None:
    document = parse("data: {train: t.csv}\nlayers: [dens]\n", "c.yaml")
    with pytest.raises(ValidationError) as caught:
        Config.model_validate(document.value)
    (details,) = caught.value.errors()
    error = locate(details, Config, document)
    assert discriminator(details) == "type"
    assert error.path == ("layers", 0)
    assert error.choices == ["dense", "dropout"]
    assert error.models == (Dense, Dropout)


def test_the_keys_of_a_model_are_its_fields() -> None:
    assert list(field_names(Dropout)) == ["type", "rate"]
