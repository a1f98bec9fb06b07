"""The options of a search."""

from __future__ import annotations

from typing import get_args

from nncli.cli.tune_options import SamplerChoice
from nncli.config.schema.tune import SamplerName


def test_the_command_offers_the_samplers_of_the_schema() -> None:
    assert [choice.value for choice in SamplerChoice] == list(get_args(SamplerName))
