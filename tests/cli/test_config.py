"""`nncli config`: what may be written, and what a configuration comes to, as a person sees it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from nncli.config.schema_file import SCHEMA
from tests.cli.support import CONFIGS, DATA, Cli


def plain(text: str) -> str:
    """YAML without its comments."""
    return "".join(line.partition("  # ")[0].rstrip() + "\n" for line in text.splitlines())


def test_what_is_shown_trains_the_same_and_goes_to_stdout_alone(nncli: Cli, tmp_path: Path) -> None:
    shown = nncli("config", "show", CONFIGS / "tabular.yaml").check()
    assert shown.err == ""
    assert "preset:" not in shown.out
    assert "\nmembers: auto  " in shown.out
    (tmp_path / "plain.yaml").write_text(shown.out)
    again = nncli("config", "show", tmp_path / "plain.yaml").check()
    assert plain(again.out) == plain(shown.out)


def test_assignments_are_in_what_is_shown(nncli: Cli) -> None:
    shown = nncli("config", "show", CONFIGS / "tabular.yaml", "--set", "quality=fast", "--set", "epochs=3").check()
    assert "\nmembers: 4\n" in plain(shown.out)
    assert "\nepochs: 3\n" in plain(shown.out)


def test_each_value_says_where_it_comes_from(nncli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "c.yaml").write_text("data: {path: t.csv, target: y}\nlayers:\n  - 5\noptimizer: sgd\n")
    monkeypatch.setenv("NNCLI_EPOCHS", "7")
    monkeypatch.setenv("NNCLI_DATA__DROP", "[a, b]")
    out = nncli("config", "show", "c.yaml", "--set", "optimizer.momentum=0.9").check().out
    lines = [line.split("#") for line in out.splitlines()]
    said = {words[0].strip(): words[1].strip() for words in lines if len(words) == 2}
    assert said["epochs: 7"] == "NNCLI_EPOCHS"
    assert said["drop: [a, b]"] == "NNCLI_DATA__DROP"
    assert said["momentum: 0.9"] == "--set"
    assert said["type: sgd"] == "c.yaml:4"
    assert said["units: 5"] == "c.yaml:3"
    assert said['target: ["y"]'] == "c.yaml:1"
    assert said["bias: true"] == said["nesterov: false"] == said["batch_size: 32"] == "default"
    assert said["encoding:"] == "default"  # said once of the whole
    assert "numeric: standard" not in said


def test_of_a_preset_too(nncli: Cli) -> None:
    out = nncli("config", "show", CONFIGS / "tabular.yaml", "--set", "quality=fast").check().out
    assert re.search(r"\nmembers: 4 +# preset fast\n", out)
    assert re.search(r"\nbest_epoch_tie: last +# preset tabular\n", out)


def test_what_is_resolved_has_read_the_table_and_trains_the_same(nncli: Cli, here: Path) -> None:
    text = f"data: {{path: {DATA / 'xor.csv'}, target: label}}\nlayers: [3]\nactivation: tanh\nepochs: 2\n"
    (here / "c.yaml").write_text(text + "batch_size: auto\nlearning_rate: {type: coslog, peak: auto}\n")
    out = nncli("config", "show", "c.yaml", "--resolved").check().out
    assert re.search(r"features: \[x1, x2\] +# from the table\n", out)
    assert re.search(r"loss: +# from the table\n  type: cross_entropy\n", out)
    assert re.search(r"batch_size: 64 +# from the table\n", out)
    assert re.search(r"peak: 0.04 +# from the table\n", out)
    assert re.search(r"    activation: +# from other keys\n      type: tanh\n", out)
    assert re.search(r"\nactivation: +# c.yaml:3\n", out)
    assert re.search(r"\nepochs: 2 +# c.yaml:4\n", out)
    (here / "resolved.yaml").write_text(out)
    runs = [nncli("train", name, "-o", name + ".run", "-q").check().path for name in ("c.yaml", "resolved.yaml")]
    weights = [(run / "model.safetensors").read_bytes() for run in runs]
    assert weights[0] == weights[1]


def test_an_ensemble_is_resolved_as_its_first_member_has_it(nncli: Cli) -> None:
    out = nncli("config", "show", CONFIGS / "tabular.yaml", "--resolved").check().out
    assert re.search(r"\nmembers: 8 +# from the table\n", out)
    assert re.search(r"\n  first_cycle: 4.0 +# from the table\n", out)
    assert re.search(r"\nepochs: auto +# preset tabular\n", out)  # the out-of-fold rows choose the cycles
    assert re.search(r"\nvalidation: 0.2 +# default\n", out)
    assert re.search(r"\nbatch_size: 64 +# from the table\n", out)


def test_a_table_that_is_not_there_is_a_mistake_only_once_it_is_asked(nncli: Cli, here: Path) -> None:
    (here / "c.yaml").write_text("data: {path: none.csv, target: y}\n")
    nncli("config", "show", "c.yaml").check()
    assert "none.csv" in nncli("config", "show", "c.yaml", "--resolved").check(4).err


def test_a_hostile_file_name_does_not_leave_its_comment(nncli: Cli, here: Path) -> None:
    name = "c\nepochs: 3\x1b.yaml"
    (here / name).write_text("data: {path: t.csv, target: y}\nlayers: [2]\n")
    out = nncli("config", "show", name).check().out
    assert "\nepochs: 100 " in out
    assert "\x1b" not in out


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


def test_the_quality_of_a_preset_may_be_an_option(nncli: Cli, here: Path) -> None:
    (here / "p.yaml").write_text("data: {path: t.csv, target: y}\npreset: tabular\n")
    shown = nncli("config", "show", "p.yaml", "--quality", "fast").check().out
    assert "members: 4 " in shown
    assert shown == nncli("config", "show", "p.yaml", "--set", "quality=fast").check().out
