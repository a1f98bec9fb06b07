"""`nncli check` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from tests.cli.support import CONFIGS, Cli
from tests.fitting.checks.support import sound


@pytest.fixture
def config(here: Path) -> Path:
    pl.DataFrame(sound()).write_csv("t.csv")
    path = Path("c.yaml")
    path.write_text("data: {path: t.csv, target: y, drop: [z]}\nlayers: [4]\nepochs: 2\n")
    return path


def test_findings_are_data_and_the_next_step_is_talk(nncli: Cli, config: Path) -> None:
    done = nncli("check", config).check()
    assert done.out.startswith("c.yaml: no findings\ntable: ")
    for line in ("layers.0 ", "output ", "total ", "estimate: ", "dry run: on 32 rows the loss went from "):
        assert f"\n{line}" in done.out
    assert done.err.splitlines()[0] == "reading the table …"
    assert done.err.splitlines()[-1] == "next: nncli train c.yaml"
    assert sorted(path.name for path in Path().iterdir()) == ["c.yaml", "t.csv"]


def test_what_was_set_is_part_of_the_next_step(nncli: Cli, config: Path) -> None:
    done = nncli("check", config, "--set", "layers=[8, 8]").check()
    assert done.err.splitlines()[-1] == "next: nncli train c.yaml --set 'layers=[8, 8]'"


def test_warnings_do_not_fail_and_are_shown_before_notes(nncli: Cli, config: Path) -> None:
    table = pl.read_csv("t.csv").with_columns(id=pl.int_range(1, 301), k=pl.lit(1))
    table.write_csv("t.csv")
    done = nncli("check", config, "-q").check()
    assert done.err == ""
    assert done.out.startswith("c.yaml: 1 warning, 1 note\n")
    assert done.out.index("warning: 'id' ") < done.out.index("note: 'k' ")


def test_a_wrong_configuration_ends_with_3_and_shows_its_lines(nncli: Cli, config: Path) -> None:
    config.write_text(config.read_text() + "optimiser: adam\nlos: mse\n")
    done = nncli("check", config).check(3)
    assert "c.yaml: 2 errors" in done.out
    assert "    optimiser: adam\n    ^" in done.out
    assert done.err.splitlines()[-1] == "next: fix the errors, then nncli check c.yaml"


def test_a_wrong_table_ends_with_4(nncli: Cli, config: Path) -> None:
    Path("t.csv").unlink()
    done = nncli("check", config).check(4)
    assert "error: there is no such file" in done.out


def test_an_assignment_that_is_none_is_wrong_usage(nncli: Cli, config: Path) -> None:
    assert "expected key=value" in nncli("check", config, "--set", "layers").check(2).err


def test_the_json_is_one_object(nncli: Cli, config: Path) -> None:
    done = nncli("check", config, "--json", "--set", "batch_size=1000").check()
    assert done.out.count("\n") == 1
    said = json.loads(done.out)
    assert set(said) == {"findings", "network", "estimate", "dry_run", "search"}
    assert [finding["code"] for finding in said["findings"]] == ["batch-size"]
    assert set(said["findings"][0]) == {"level", "code", "location", "message", "hint"}
    assert said["network"]["layers"][-1]["output_shape"] == [240, 1]
    assert said["network"]["parameters"] == sum(layer["parameters"] for layer in said["network"]["layers"])
    assert {"memory_bytes", "seconds"} <= set(said["estimate"])
    assert said["dry_run"]["loss_decreases"] is True


def test_the_json_of_a_wrong_table_has_no_network(nncli: Cli, config: Path) -> None:
    Path("t.csv").write_text("x,y\n")
    said = json.loads(nncli("check", config, "--json").check(4).out)
    assert (said["network"], said["estimate"], said["dry_run"]) == (None, None, None)


def test_a_training_that_diverges_is_valid_json(nncli: Cli, config: Path) -> None:
    wild = ("--set", "optimizer=sgd", "--set", "learning_rate=1e9", "--set", "data.target=z", "--set", "data.drop=[y]")
    done = nncli("check", config, "--json", *wild).check()
    said = json.loads(done.out, parse_constant=pytest.fail)
    assert [finding["code"] for finding in said["findings"]] == ["divergence"]
    assert said["dry_run"]["loss_after"] is None
    assert "to not finite in" in nncli("check", config, *wild).check().out


def test_a_configuration_can_come_from_a_pipe(nncli: Cli, config: Path) -> None:
    done = nncli("check", "-", stdin=config.read_bytes()).check()
    assert done.err.splitlines()[-1] == "next: nncli train -"
    assert "unknown key" in nncli("check", "-", stdin=b"dta: {}\n").check(3).out


def test_text_of_a_table_does_not_reach_the_terminal_as_it_is(nncli: Cli, config: Path) -> None:
    pl.read_csv("t.csv").with_columns(pl.lit(1).alias("\x1b[31mred")).write_csv("t.csv")
    done = nncli("check", config).check()
    assert "\x1b" not in done.out + done.err
    assert "\\x1b[31mred" in done.out


def test_the_configurations_to_start_from_have_no_error(nncli: Cli, here: Path) -> None:
    for path in sorted(CONFIGS.glob("*.yaml")):
        said = json.loads(nncli("check", path, "--json", "-q").check().out)
        levels = [finding["code"] for finding in said["findings"] if finding["level"] == "warning"]
        assert levels == (["unreachable-target"] if path.stem == "linear" else []), path


def test_a_table_and_a_target_are_looked_at_as_training_would(nncli: Cli, config: Path) -> None:
    mixed = [f"{'$€'[i % 2]}{i % 30}" for i in range(len(pl.read_csv("t.csv")))]
    pl.read_csv("t.csv").with_columns(money=pl.Series(mixed)).write_csv("t.csv")
    done = nncli("check", "t.csv", "--target", "y", "--quality", "fast", "--set", "epochs=2").check()
    assert done.out.startswith("t.csv: 2 warnings")
    assert "warning: 'money' is read as categorical" in done.out
    assert "2 epochs of" in done.out
    assert "note: to edit this configuration: nncli init t.csv --target y --quality fast --set epochs=2 -o " in done.err
    assert done.err.splitlines()[-1] == "next: nncli train t.csv --target y --quality fast --set epochs=2"
    assert nncli("check", "t.csv", "--target", "y", "--quality", "fast", "--set", "epochs=2", "-q").check().err == ""


def test_a_configuration_with_a_search_has_its_size_and_leads_to_it(nncli: Cli, config: Path) -> None:
    config.write_text(config.read_text() + "\ntune: {trials: 5, search: {batch_size: {choices: [16, 32]}}}\n")
    done = nncli("check", config).check()
    assert (
        done.out.splitlines()[-1] == "search: 1 parameter, 2 combinations of values at most, 5 trials besides trial 0"
    )
    assert done.err.splitlines()[-1].startswith("next: nncli tune ")
    search = json.loads(nncli("check", config, "--json").check().out)["search"]
    assert search == {"parameters": ["batch_size"], "combinations": 2, "trials": 5}


def test_a_table_needs_a_target(nncli: Cli, config: Path) -> None:
    assert "no target is given" in nncli("check", "t.csv").check(2).err
