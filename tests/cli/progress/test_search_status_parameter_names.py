"""Short names of parameters."""

from __future__ import annotations

from nncli.cli.progress.search import short_names


def test_a_name_is_as_short_as_it_can_be_told_from_others() -> None:
    names = ["learning_rate.peak", "layers.0.units", "layers.1.units", "layers.2", "layers", "optimizer.sgd.momentum"]
    assert short_names(names) == {
        "learning_rate.peak": "peak",
        "layers.0.units": "0.units",
        "layers.1.units": "1.units",
        "layers.2": "layers.2",
        "layers": "layers",
        "optimizer.sgd.momentum": "momentum",
    }


def test_a_name_that_ends_another_one_stays_itself() -> None:
    assert short_names(["rate", "layers.1.rate"]) == {"rate": "rate", "layers.1.rate": "1.rate"}
