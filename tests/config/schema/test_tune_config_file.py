"""A configuration file is a configuration and a section that is no part of it."""

from __future__ import annotations

from nncli.config.schema import Config
from nncli.config.schema.tune import ConfigFile, TuneSection

VALUE = {"data": {"path": "t.csv", "target": "y"}, "layers": [8], "epochs": 3}


def test_the_configuration_of_a_file_has_no_section_tune() -> None:
    file = ConfigFile.model_validate({**VALUE, "tune": {"trials": 5}})
    assert file.tune == TuneSection(trials=5)
    assert file.config == Config.model_validate(VALUE)
    assert type(file.config) is Config
    assert file.config.model_fields_set == {*VALUE}
