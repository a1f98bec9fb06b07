"""`nncli generate-data`: the same table every time, and the tables that ship."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.data.synthetic import SET_NAMES
from tests.cli.support import DATA, Cli, run

SHIPPED = re.findall(r"\| (\w+\.csv) \|.*`nncli (generate-data .*)` \|", (DATA / "README.md").read_text())


def test_the_readme_of_the_data_says_how_each_table_was_made() -> None:
    names = {name for name, _ in SHIPPED}
    others = {"penguins.csv", "penguins-train.csv", "penguins-test.csv", "seattle-weather.csv"}
    assert names | others == {path.name for path in DATA.glob("*.csv")}


@pytest.mark.parametrize(("name", "command"), SHIPPED)
def test_a_table_that_ships_is_made_again_byte_for_byte(nncli: Cli, name: str, command: str) -> None:
    assert nncli(*command.split()).check().out.encode() == (DATA / name).read_bytes()


@pytest.mark.parametrize("name", SET_NAMES)
def test_every_set_can_be_made(nncli: Cli, here: Path, name: str) -> None:
    nncli("generate-data", name, "-n", 12, "-o", "a.parquet", "--noise", 0.5, "--seed", 3).check()
    frame = pl.read_parquet(here / "a.parquet")
    assert frame.height == 12
    assert frame[frame.columns[-1]].dtype == (pl.String if frame.columns[-1] == "label" else pl.Float64)


def test_linear_is_the_default_and_its_noise_has_variance_one_twelfth(nncli: Cli) -> None:
    frame = pl.read_csv(nncli("generate-data", "-n", 20_000).check().out.encode())
    assert frame.columns == ["x1", "x2", "y"]
    noise = (frame["y"] - 0.5 * frame["x1"] - 0.5 * frame["x2"]).to_numpy()
    assert noise.min() >= 0.0
    assert noise.max() <= 1.0
    assert np.isclose(noise.var(), 1 / 12, rtol=0.03)


def test_the_seed_makes_the_difference(nncli: Cli) -> None:
    first, same, other = (nncli("generate-data", "--seed", seed).out for seed in (1, 1, 2))
    assert first == same != other


def test_an_existing_file_is_kept_unless_forced(nncli: Cli, here: Path) -> None:
    (here / "a.csv").write_text("mine")
    nncli("generate-data", "-o", "a.csv").check(2)
    assert (here / "a.csv").read_text() == "mine"
    nncli("generate-data", "-o", "a.csv", "--force").check()
    assert (here / "a.csv").read_text().startswith("x1,x2,y\n")


def test_a_device_may_be_written_to(here: Path) -> None:
    assert run("generate-data", "-n", 1, "-o", "/dev/stdout", cwd=here).check().out.startswith("x1,x2,y\n")
