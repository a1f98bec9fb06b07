"""A rare class that is never predicted leads to the command that finds its rows."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np

from tests.cli.support import Cli

N = 1_500


def test_the_next_command_finds_rows_of_a_class_of_one_percent(nncli: Cli, here: Path) -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=N)
    rare = a + 0.7 * rng.normal(size=N) > 2.75
    rows = "".join(f"{x:.3f},{z:.3f},{'yes' if y else 'no'}\n" for x, z, y in zip(a, rng.random(N), rare, strict=True))
    (here / "t.csv").write_text(f"a,z,y\n{rows}")
    words = "-t y --set preset=textbook --set layers=8 --set epochs=4 -o run"
    trained = nncli("train", "t.csv", *words.split()).check()
    command = re.search(r"^next: nncli (threshold .*)$", trained.err, re.MULTILINE)
    assert command is not None, trained.err
    before = json.loads(nncli("evaluate", "run", "t.csv", "--json").check().out)
    nncli(*shlex.split(command[1])).check()
    after = json.loads(nncli("evaluate", "run", "t.csv", "--json").check().out)
    assert before["metrics"]["recall"] == 0.0
    assert after["metrics"]["recall"] > 0.5


def test_a_class_that_is_predicted_has_no_such_command(nncli: Cli, here: Path) -> None:
    (here / "t.csv").write_text("a,y\n" + "".join(f"{i % 9},{'yes' if i % 9 > 3 else 'no'}\n" for i in range(200)))
    words = "-t y --set preset=textbook --set layers=8 --set epochs=9 --set learning_rate=0.05 -o run"
    assert "nncli threshold" not in nncli("train", "t.csv", *words.split()).check().err
