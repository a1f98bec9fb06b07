"""Search spaces for tests."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

from nncli.config.loading import LoadedConfig, load_document
from nncli.config.yaml.parser import parse
from nncli.tuning.space.build_space import build_space
from nncli.tuning.space.space import SearchSpace

BASE = "data: {path: t.csv, target: y}\nlayers: [16, dropout]\nlearning_rate: 0.01\n"
FIRST_LINE = 6
"""The line of the first key of the search space behind BASE."""


def loaded(search: str, base: str = BASE, settings: str = "trials: 9") -> LoadedConfig:
    """A configuration with a section `tune` that searches the keys of the text."""
    text = f"{base}tune:\n  {settings}\n  search:\n{indent(dedent(search).strip(), '    ')}\n"
    return load_document(parse(text, "c.yaml"), (), folder=Path.cwd(), name="c")


def space_of(search: str, base: str = BASE, settings: str = "trials: 9") -> SearchSpace:
    """The search space of the keys of the text."""
    configuration = loaded(search, base, settings)
    assert configuration.tune is not None
    return build_space(configuration, configuration.tune)
