"""`nncli config`: what may be written, and what a configuration comes to, as a person sees it."""

from __future__ import annotations

import json
from pathlib import Path

from nncli.config.shipped import SCHEMA
from tests.cli.support import CONFIGS, Cli


def test_what_is_shown_trains_the_same_and_goes_to_stdout_alone(nncli: Cli, tmp_path: Path) -> None:
    shown = nncli("config", "show", CONFIGS / "tabular.yaml").check()
    assert shown.err == ""
    assert "preset" not in shown.out
    assert "\nmembers: 8\n" in shown.out
    (tmp_path / "plain.yaml").write_text(shown.out)
    again = nncli("config", "show", tmp_path / "plain.yaml").check()
    assert again.out == shown.out


def test_assignments_are_in_what_is_shown(nncli: Cli) -> None:
    shown = nncli("config", "show", CONFIGS / "tabular.yaml", "--set", "quality=fast", "--set", "epochs=3").check()
    assert "\nmembers: 1\n" in shown.out
    assert "\nepochs: 3\n" in shown.out


def test_a_configuration_may_come_from_a_pipe(nncli: Cli) -> None:
    shown = nncli("config", "show", "-", stdin=b"data: {path: t.csv, target: y}\nlayers: [5]\n").check()
    assert "units: 5" in shown.out


def test_a_mistake_is_told_as_training_would(nncli: Cli) -> None:
    told = nncli("config", "show", CONFIGS / "tabular.yaml", "--set", "quality=good").check(3)
    assert told.out == ""
    assert "good" in told.err


def test_the_schema_is_printed_as_it_ships(nncli: Cli) -> None:
    printed = nncli("config", "schema").check()
    assert (printed.out, printed.err) == (SCHEMA.read_text("utf-8"), "")
    assert json.loads(printed.out)["title"] == "nncli configuration"
