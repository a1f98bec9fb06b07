"""`nncli trace` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.support import DATA, Cli

CONFIGS = DATA.parent / "configs"
LINEAR = CONFIGS / "linear.yaml"


def test_each_number_stands_beside_its_formula_and_its_difference(nncli: Cli, here: Path) -> None:
    done = nncli("trace", LINEAR, "--rows", "1,5").check()
    lines = done.out.splitlines()
    for formula in ("Z = X W + b", "dY = 2/(Bk) (Y - y)", "dW = Xᵀ dZ", "db = Σᵢ dZᵢ"):
        assert any(line.startswith(f"  {formula} ") for line in lines), formula
    for line in lines:
        left, sign, right = line.partition("≈")
        assert not sign or float(left.split()[-1]) == pytest.approx(float(right), rel=1e-3)
    assert done.out.count("≈") == 2 + 2 + 2 + 1
    assert done.err == f"next: nncli train {LINEAR}\n"


def test_the_json_is_one_object_and_nothing_is_said_with_quiet(nncli: Cli, here: Path) -> None:
    done = nncli("trace", LINEAR, "--step", 3, "--json", "-q").check()
    assert json.loads(done.out)["step"] == 3
    assert done.err == ""


def test_large_matrices_are_norms_unless_all_is_asked_for(nncli: Cli, here: Path) -> None:
    arguments = ("trace", CONFIGS / "xor.yaml", "-q")
    out = nncli(*arguments).check().out
    everything = nncli(*arguments, "--all").check().out
    assert "norm" in out
    assert "… and " in out
    assert "norm" not in everything
    assert "…" not in everything
    assert max(map(len, out.splitlines())) < 200


def test_of_a_run_the_step_after_its_checkpoint_is_shown(nncli: Cli, here: Path) -> None:
    nncli("train", LINEAR, "--set", "epochs=2", "-o", "runs/a").check()
    done = nncli("trace", "runs/a").check()
    assert done.out.startswith("step 9: batch 1 of 4 of epoch 3, 32 rows\n")
    assert done.err.startswith("note: ")
    assert done.err.endswith("next: nncli report runs/a\n")
    refused = nncli("trace", "runs/a", "--set", "layers=[3]")
    assert refused.code == 2
    assert "config.yaml" in refused.err
    assert (
        nncli("trace", "runs/a/config.yaml", "--set", "layers=[3]").check().out.count("forward, layers.0: dense") == 1
    )


@pytest.mark.parametrize("rows", ["1,x", "", "1 2"])
def test_rows_that_are_no_numbers_are_refused(nncli: Cli, here: Path, rows: str) -> None:
    done = nncli("trace", LINEAR, "--rows", rows)
    assert done.code == 2
    assert "--rows" in done.err


def test_a_distilled_network_is_traced_on_the_predictions_of_its_teacher(nncli: Cli, here: Path) -> None:
    settings = ("--set", "epochs=1", "--set", "workers=1", "--set", "members=2")
    nncli("train", DATA / "xor.csv", "-t", "label", "--quality", "fast", *settings, "-o", "runs/a").check()
    nncli("distill", "runs/a", "--units", 2, "--set", "epochs=1", "-o", "runs/b").check()
    done = nncli("trace", "runs/b", "--html", "b.html").check()
    assert "p(same)" in done.out
    assert Path("b.html").exists()
