"""What other libraries have and nncli does not is answered by what is, not by the nearest word."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.base.errors import ConfigError
from nncli.config.loading import load_config


@pytest.mark.parametrize(
    ("setting", "key", "mentions"),
    [
        ("data.event=dead", "data.event", "type: survival"),
        ("data.censored=dead", "data.censored", "type: survival"),
        ("data.start=entered", "data.start", "start"),
        ("loss={type: survival, event: dead, status: died}", "loss.status", "event"),
        ("loss=coxph", "loss", "type: cox, event"),
        ("loss={type: cox, event: dead, ties: efron}", "loss.ties", "Remove"),
        ("loss=kaplan_meier", "loss", "type: survival"),
        ("loss={type: cox_ph, event: dead}", "loss.type", "type: cox, event"),
        ("loss={event: dead}", "loss.type", "type: survival, event: dead"),
        ("loss.event=dead", "loss.type", "type: survival, event: dead"),
        ("loss.start=entered", "loss.type", "type: survival"),
        ("loss=corn", "loss", "ordinal"),
        ("loss=coral", "loss", "ordinal"),
        ("loss=lambdarank", "loss", "mse"),
        ("loss=crps", "loss", "normal"),
        ("loss=mdn", "loss", "mixture"),
        ("loss=negbin", "loss", "negative_binomial"),
        ("loss=lognormal", "loss", "log_normal"),
        ("target_transform=log", "target_transform", "log_normal"),
        ("task=regression", "task", "loss"),
        ("loss=zip", "loss", "zero_inflated_poisson"),
        ("data.base_margin=years", "data.base_margin", "offset"),
        ("data.log_offset=years", "data.log_offset", "exposure"),
        ("data.exposur=years", "data.exposur", "exposure"),
    ],
)
def test_a_word_that_is_not_there_is_answered_by_what_is(tmp_path: Path, setting: str, key: str, mentions: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("data: {path: t.csv, target: y}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path, [setting])
    (issue,) = caught.value.issues
    assert issue.location.key == key
    assert mentions in f"{issue.message} {issue.hint}"
