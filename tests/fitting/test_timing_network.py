from __future__ import annotations

from pathlib import Path

import pytest

from nncli.config.loading import load_config
from nncli.fitting.prepare.prepare import prepare
from nncli.fitting.timing import estimate_of
from tests.cli.support import DATA


@pytest.mark.slow
def test_only_a_training_that_is_not_short_is_timed(tmp_path: Path) -> None:
    text = f"data: {{path: {DATA}/penguins.csv, target: species}}\nlayers: [64]\n"
    (tmp_path / "c.yaml").write_text(text)
    short, long = (load_config(tmp_path / "c.yaml", [f"epochs={epochs}"]) for epochs in (2, 20_000))
    assert estimate_of(prepare(short)) is None
    seconds = estimate_of(prepare(long))
    assert seconds is not None
    assert seconds > 1.0
