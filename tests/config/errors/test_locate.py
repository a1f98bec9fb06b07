"""A complaint is brought back to the key of the file that it is about."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from nncli.config.errors.locate import discriminator, field_names, locate
from nncli.config.yaml.parser import parse
from tests.config.sections import Config, Dense, Dropout, only, refused


@pytest.mark.parametrize(
    ("layer", "message", "key"),
    [
        ("dens", "unknown layer type 'dens'; did you mean 'dense'?", "layers.0"),
        ("{type: dens}", "unknown layer type 'dens'; did you mean 'dense'?", "layers.0.type"),
        ("{type: [1]}", "unknown layer type '[1]'", "layers.0.type"),
        ("{type: 3}", "unknown layer type '3'", "layers.0.type"),
        ("{units: 3}", "missing key 'type'", "layers.0.type"),
        ("dense", "missing key 'units'", "layers.0.units"),
        ("-3", "must be greater than 0, found -3", "layers.0"),
        ("{type: dense, units: -3}", "must be greater than 0, found -3", "layers.0.units"),
        ("{type: dropout, rate: 1}", "must be less than 1, found 1", "layers.0.rate"),
        ("{type: dense, unit: 3}", "unknown key 'unit'; did you mean 'units'?", "layers.0.unit"),
        ("{type: dense, units: 3, activation: rulu}", "unknown activation 'rulu'; did you mean 'relu'?",
         "layers.0.activation"),
        ("{type: dense, units: 3, rate: 1}", "unknown key 'rate'", "layers.0.rate"),
        ("{type: dense, units: 3, dense: 1}", "unknown key 'dense'", "layers.0.dense"),
    ],
)  # fmt: skip
def test_a_union_s_branch_names_are_not_part_of_the_place(layer: str, message: str, key: str) -> None:
    issue = only(f"data: {{train: t.csv}}\nlayers:\n  - {layer}\n")
    assert issue.message.split(";")[0] == message.split(";")[0]
    assert issue.place.key == key
    assert issue.place.line == 3


def test_a_key_named_like_a_branch_does_not_lead_astray() -> None:
    found = refused("data: {train: t.csv}\nlayers:\n  - {type: dense, dense: {units: 1}, units: x}\n")
    assert [m.place.key for m in found] == ["layers.0.dense", "layers.0.units"]


def test_the_models_that_were_tried_are_known() -> None:
    document = parse("data: {train: t.csv}\nlayers: [{type: dense, unit: 3}]\n", "c.yaml")
    with pytest.raises(ValidationError) as caught:
        Config.model_validate(document.value)
    missing, extra = (locate(details, Config, document) for details in caught.value.errors())
    assert (missing.kind, missing.path, missing.models) == ("missing", ("layers", 0, "units"), (Dense,))
    assert (extra.kind, extra.path, extra.models) == ("extra_forbidden", ("layers", 0, "unit"), (Dense,))
    assert not extra.is_custom
    assert not extra.about_key


def test_a_tag_that_no_model_answers_to_lists_those_that_would() -> None:
    document = parse("data: {train: t.csv}\nlayers: [dens]\n", "c.yaml")
    with pytest.raises(ValidationError) as caught:
        Config.model_validate(document.value)
    (details,) = caught.value.errors()
    complaint = locate(details, Config, document)
    assert discriminator(details) == "type"
    assert complaint.path == ("layers", 0)
    assert complaint.choices == ["dense", "dropout"]
    assert complaint.models == (Dense, Dropout)


def test_the_keys_of_a_model_are_its_fields() -> None:
    assert list(field_names(Dropout)) == ["type", "rate"]
